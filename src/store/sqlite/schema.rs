//! The two files: how they are opened, what is in them, and how they grow from version to version.
//!
//! `PRAGMA user_version` counts the steps taken. (The migration crates at hand are bound to older releases
//! of rusqlite, and the whole mechanism is one loop.) A file of a newer program is refused, because a
//! downgrade is a restore; a file of another program is refused before anything is written to it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::store::StoreError;

/// A kind of file.
pub(super) struct Schema {
    /// Marks the file as ours: `PRAGMA application_id`.
    application_id: i32,
    /// One SQL text for each version, oldest first. Texts that were released never change.
    steps: &'static [&'static str],
}

/// `cuegate.db`: everything that is known about events and runs. The letters are `CUEG`.
pub(super) const MAIN: Schema = Schema {
    application_id: 0x4355_4547,
    steps: &[
        include_str!("main_1.sql"),
        include_str!("main_2.sql"),
        include_str!("main_3.sql"),
        include_str!("main_4.sql"),
        include_str!("main_5.sql"),
    ],
};

/// `inbox.db`: what was accepted and not yet routed. The letters are `CUEI`.
pub(super) const INBOX: Schema = Schema {
    application_id: 0x4355_4549,
    steps: &[include_str!("inbox_1.sql"), include_str!("inbox_2.sql")],
};

/// A checkpoint every 64 MiB: fewer of them write a page that changes often fewer times. The log keeps its
/// size, because overwriting it in place spares the file system its metadata.
const WRITER_PRAGMAS: &str = "
    PRAGMA temp_store = MEMORY;
    PRAGMA wal_autocheckpoint = 8192;
    PRAGMA journal_size_limit = 268435456;
    PRAGMA cache_size = -16384;
";

impl Schema {
    /// Opens the file for its writer: made if it is missing, brought to the present version.
    pub(super) fn open(&self, path: &Path) -> Result<Connection, StoreError> {
        self.open_inner(path).map_err(|error| in_file(path, error))
    }

    fn open_inner(&self, path: &Path) -> Result<Connection, StoreError> {
        let mut db = Connection::open(path)?;
        db.set_prepared_statement_cache_capacity(64);
        // Fits three events of two kilobytes, and index pages stay small enough to be written often.
        db.execute_batch("PRAGMA page_size = 8192")?;
        self.recognize(&db, path)?;
        db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        db.execute_batch(WRITER_PRAGMAS)?;
        self.migrate(&mut db, path)?;
        Ok(db)
    }

    /// Refuses files that are not ours; signs new ones.
    fn recognize(&self, db: &Connection, path: &Path) -> Result<(), StoreError> {
        let id = application(db)?;
        if id == self.application_id {
            return Ok(());
        }
        let tables: i64 =
            db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if id != 0 || tables != 0 {
            return Err(self.foreign(id, path));
        }
        Ok(db.pragma_update(None, "application_id", self.application_id)?)
    }

    /// The version that this program writes.
    pub(super) fn newest(&self) -> u32 {
        u32::try_from(self.steps.len()).expect("there are few versions")
    }

    /// Refuses a file that is not of the present version, and changes nothing about it.
    pub(super) fn expect_present(&self, path: &Path) -> Result<(), StoreError> {
        self.expect_present_inner(path)
            .map_err(|error| in_file(path, error))
    }

    fn expect_present_inner(&self, path: &Path) -> Result<(), StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        if application(&db)? != self.application_id {
            return Err(self.foreign(application(&db)?, path));
        }
        let (version, newest) = (version(&db)?, self.newest());
        if version > newest {
            return Err(self.newer(version, path));
        }
        if version < newest {
            return Err(StoreError::Schema(format!(
                "{} is of an earlier version (schema {version}, this one works on {newest}); start this Cuegate on it \
                 once, which brings it up to date",
                path.display()
            )));
        }
        Ok(())
    }

    fn newer(&self, version: u32, path: &Path) -> StoreError {
        let newest = self.newest();
        StoreError::Schema(format!(
            "{} was written by a newer Cuegate (schema {version}, this one knows up to {newest}); start that version \
             again, or restore a backup from before the upgrade",
            path.display()
        ))
    }

    fn foreign(&self, id: i32, path: &Path) -> StoreError {
        StoreError::Schema(format!(
            "{} belongs to another program (application id {id} and not {}); name another file in [store] url",
            path.display(),
            self.application_id
        ))
    }

    fn migrate(&self, db: &mut Connection, path: &Path) -> Result<(), StoreError> {
        let version = version(db)?;
        if version > self.newest() {
            return Err(self.newer(version, path));
        }
        for (step, reached) in self.steps.iter().zip(1_u32..) {
            if reached <= version {
                continue;
            }
            let transaction = db.transaction()?;
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "user_version", reached)?;
            transaction.commit()?;
        }
        Ok(())
    }
}

fn application(db: &Connection) -> Result<i32, StoreError> {
    Ok(db.query_row("PRAGMA application_id", [], |row| row.get(0))?)
}

fn version(db: &Connection) -> Result<u32, StoreError> {
    Ok(db.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// Opens both files for reading: `cuegate.db` as `main`, `inbox.db` as `inbox`.
pub(super) fn open_reader(main: &Path, inbox: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db =
        Connection::open_with_flags(main, flags).map_err(|error| in_file(main, error.into()))?;
    attach(db, inbox)
}

/// Opens both files of the present version for writing, on one connection. Nobody else may have them.
pub(super) fn open_both(main: &Path, inbox: &Path) -> Result<Connection, StoreError> {
    MAIN.expect_present(main)?;
    INBOX.expect_present(inbox)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db =
        Connection::open_with_flags(main, flags).map_err(|error| in_file(main, error.into()))?;
    attach(db, inbox)
}

fn attach(db: Connection, inbox: &Path) -> Result<Connection, StoreError> {
    db.set_prepared_statement_cache_capacity(64);
    db.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA cache_size = -2048")?;
    let name = inbox
        .to_str()
        .ok_or_else(|| StoreError::Failed(format!("{} is not a path in UTF-8", inbox.display())))?;
    db.execute("ATTACH ?1 AS inbox", [name])
        .map_err(|error| in_file(inbox, error.into()))?;
    Ok(db)
}

/// Says which of the files an error is about.
fn in_file(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Corrupt(why) => StoreError::Corrupt(format!("{}: {why}", path.display())),
        StoreError::Failed(why) => StoreError::Failed(format!("{}: {why}", path.display())),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opening_twice_changes_nothing_the_second_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cuegate.db");
        for _ in 0..2 {
            let db = MAIN.open(&path).unwrap();
            let version: u32 = db
                .query_row("PRAGMA user_version", [], |row| row.get(0))
                .unwrap();
            assert_eq!(usize::try_from(version), Ok(MAIN.steps.len()));
        }
    }

    #[test]
    fn a_file_of_another_program_is_refused_and_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cuegate.db");
        let foreign = Connection::open(&path).unwrap();
        foreign
            .execute_batch("CREATE TABLE photo (id INTEGER)")
            .unwrap();
        drop(foreign);
        let before = std::fs::read(&path).unwrap();
        let error = MAIN.open(&path).unwrap_err();
        assert!(matches!(&error, StoreError::Schema(text) if text.contains("another program")));
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn the_inbox_is_not_taken_for_the_main_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("inbox.db");
        INBOX.open(&path).unwrap();
        assert!(matches!(MAIN.open(&path), Err(StoreError::Schema(_))));
    }
}
