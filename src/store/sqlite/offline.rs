//! What is done to the files without a gateway: one process at a time, and only to files that are there.

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};

use super::lock::DirectoryLock;
use super::rows::micros;
use super::{SqliteOptions, SqliteStore, checking, restore, schema};
use crate::store::{Finding, StoreError};

impl SqliteStore {
    /// Examines files that no gateway has open, and repairs on request what can be repaired; nothing if pages are
    /// damaged. Answers everything that was found.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if a gateway has them, [`StoreError::Schema`] if they are of another version,
    /// [`StoreError::Corrupt`] if they cannot be opened at all.
    pub async fn check_files(
        options: &SqliteOptions,
        repair: bool,
        now: Timestamp,
    ) -> Result<Vec<Finding>, StoreError> {
        expect_files(options)?;
        let lock = DirectoryLock::acquire(options.directory(), options.lock_wait).await?;
        let options = options.clone();
        blocking(move || {
            let _lock = lock;
            restore::finish(&options)?;
            let mut db = schema::open_both(&options.path, &options.inbox_path())?;
            if !repair {
                return checking::findings(&db);
            }
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let findings = checking::repair(&transaction, micros(now))?;
            if checking::is_beyond_repair(&findings) {
                // Rows that a damaged page hides would be taken for missing ones.
                transaction.rollback()?;
                return checking::findings(&db);
            }
            transaction.commit()?;
            close(db)?;
            Ok(findings)
        })
        .await
    }
}

/// Nothing is made where nothing is.
pub(super) fn expect_files(options: &SqliteOptions) -> Result<(), StoreError> {
    for path in [&options.path, &options.inbox_path()] {
        if !path.exists() {
            return Err(StoreError::Failed(format!(
                "there is no {}; look at [store] url, and at the working directory if it is relative",
                path.display()
            )));
        }
    }
    Ok(())
}

/// Writes everything out and lets go of the files.
pub(super) fn close(db: Connection) -> Result<(), StoreError> {
    for file in ["main", "inbox"] {
        db.query_row(
            &format!("PRAGMA {file}.wal_checkpoint(TRUNCATE)"),
            [],
            |_| Ok(()),
        )?;
    }
    db.close().map_err(|(_, error)| error.into())
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| StoreError::Failed(format!("the work broke off: {error}")))?
}
