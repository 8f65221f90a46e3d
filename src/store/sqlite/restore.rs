//! Puts a backup in the place of the files.
//!
//! Everything is made ready beside the old files: copied, compared with the manifest, brought to the present schema,
//! every unfinished run parked and every write paused. Then one small file says that it is to be taken, and the new
//! files take the place of the old ones. Whoever opens the directory next goes on with that where a crash broke it
//! off, so the two files are always of one backup.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::backup::{FORMAT, MANIFEST, Manifest, sync_directory};
use super::keeping::kept_jobs;
use super::lock::DirectoryLock;
use super::offline::blocking;
use super::opening::{align, make_directory};
use super::rows::micros;
use super::{SqliteOptions, SqliteStore, lanes, pausing, schema, waits};
use crate::model::{ParkedClass, RunId, RunState};
use crate::store::{Pause, PauseScope, StoreError};

/// Where the new files are made ready.
const STAGE: &str = "restoring";

/// Says that the new files are to be taken, and where the old ones go.
const PENDING: &str = "restore.pending";

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// The backup.
    pub manifest: Manifest,
    /// Runs that were unfinished in it and are parked now.
    pub parked: u64,
    /// Accepted events in it that are routed after the next start.
    pub unrouted: u64,
    /// Where the files that were there before are now, if there were any.
    pub replaced: Option<PathBuf>,
}

impl SqliteStore {
    /// Puts a backup in the place of the files. No gateway may have them open. Writes are paused afterwards, and every
    /// run that was unfinished in the backup is parked.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if a gateway has the directory, [`StoreError::Failed`] if the backup is not whole; the
    /// files are as they were then.
    pub async fn restore(
        options: &SqliteOptions,
        from: &Path,
        now: Timestamp,
    ) -> Result<Restored, StoreError> {
        make_directory(options.directory())?;
        let lock = DirectoryLock::acquire(options.directory(), options.lock_wait).await?;
        let (options, from) = (options.clone(), from.to_owned());
        blocking(move || {
            let _lock = lock;
            finish(&options)?;
            restore(&options, &from, now)
        })
        .await
    }
}

fn restore(options: &SqliteOptions, from: &Path, now: Timestamp) -> Result<Restored, StoreError> {
    let manifest = read_manifest(from)?;
    let stage = options.directory().join(STAGE);
    if stage.exists() {
        fs::remove_dir_all(&stage).map_err(failed("clear", &stage))?;
    }
    fs::create_dir(&stage).map_err(failed("make", &stage))?;
    let ready = copy_all(from, &stage, &manifest).and_then(|()| make_ready(&stage, &manifest, now));
    if ready.is_err()
        && let Err(error) = fs::remove_dir_all(&stage)
    {
        tracing::warn!(directory = %stage.display(), %error, "what was begun of a restore could not be removed");
    }
    let (parked, unrouted) = ready?;
    let there = options.path.exists() || options.inbox_path().exists();
    let name = format!("replaced-{}", now.strftime("%Y%m%dT%H%M%SZ"));
    sync_directory(&stage)?;
    sync_directory(options.directory())?;
    write_durably(&options.directory().join(PENDING), name.as_bytes())?;
    sync_directory(options.directory())?;
    finish(options)?;
    Ok(Restored {
        manifest,
        parked,
        unrouted,
        replaced: there.then(|| options.directory().join(name)),
    })
}

/// Goes on with a restore that was decided and not carried out. The directory must be locked.
pub(super) fn finish(options: &SqliteOptions) -> Result<(), StoreError> {
    let directory = options.directory();
    let pending = directory.join(PENDING);
    if !pending.exists() {
        return Ok(());
    }
    let name = fs::read_to_string(&pending).map_err(failed("read", &pending))?;
    let replaced = directory.join(name.trim());
    let stage = directory.join(STAGE);
    for (new, place) in [
        (stage.join("cuegate.db"), options.path.clone()),
        (stage.join("inbox.db"), options.inbox_path()),
    ] {
        if !new.exists() {
            continue;
        }
        // The log of the old file must not be taken for one of the new file.
        for ending in ["", "-wal", "-shm"] {
            move_away(&with_ending(&place, ending), &replaced)?;
        }
        sync_directory(directory)?;
        fs::rename(&new, &place).map_err(failed("put in place", &place))?;
        sync_directory(directory)?;
    }
    if stage.exists() {
        fs::remove_dir_all(&stage).map_err(failed("clear", &stage))?;
    }
    fs::remove_file(&pending).map_err(failed("remove", &pending))?;
    sync_directory(directory)
}

fn move_away(file: &Path, to: &Path) -> Result<(), StoreError> {
    let Some(name) = file.file_name().filter(|_| file.exists()) else {
        return Ok(());
    };
    fs::create_dir_all(to).map_err(failed("make", to))?;
    fs::rename(file, to.join(name)).map_err(failed("move", file))
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

fn read_manifest(from: &Path) -> Result<Manifest, StoreError> {
    let path = from.join(MANIFEST);
    let text = fs::read_to_string(&path).map_err(|error| {
        StoreError::Failed(format!(
            "{} is no whole backup: {MANIFEST}, which is written last, cannot be read ({error})",
            from.display()
        ))
    })?;
    let manifest: Manifest = serde_json::from_str(&text)
        .map_err(|error| StoreError::Failed(format!("{}: {error}", path.display())))?;
    if manifest.format != FORMAT {
        return Err(StoreError::Schema(format!(
            "{} was made by another version of Cuegate ({}): its format is {}, this one knows {FORMAT}",
            from.display(),
            manifest.cuegate,
            manifest.format
        )));
    }
    let names: Vec<&str> = manifest.files.iter().map(|file| &*file.name).collect();
    if names != ["cuegate.db", "inbox.db"] {
        return Err(StoreError::Failed(format!(
            "{} names other files than cuegate.db and inbox.db",
            path.display()
        )));
    }
    Ok(manifest)
}

fn copy_all(from: &Path, stage: &Path, manifest: &Manifest) -> Result<(), StoreError> {
    for file in &manifest.files {
        copy(
            &from.join(&file.name),
            &stage.join(&file.name),
            &file.sha256,
        )?;
    }
    Ok(())
}

/// Copies a file durably and compares what was read with what the manifest says.
fn copy(from: &Path, to: &Path, sha256: &str) -> Result<(), StoreError> {
    let mut source = File::open(from).map_err(failed("read", from))?;
    let mut target = File::create_new(to).map_err(failed("write", to))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = source.read(&mut buffer).map_err(failed("read", from))?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        target
            .write_all(&buffer[..read])
            .map_err(failed("write", to))?;
    }
    target.sync_all().map_err(failed("write", to))?;
    if hex::encode(hash.finalize()) == sha256 {
        return Ok(());
    }
    Err(StoreError::Failed(format!(
        "{} is not what the backup's manifest says: it was changed or damaged since; take another backup",
        from.display()
    )))
}

/// Brings the copies to the present schema, parks and pauses; answers how many runs were parked and how many events
/// are yet to be routed.
fn make_ready(stage: &Path, manifest: &Manifest, now: Timestamp) -> Result<(u64, u64), StoreError> {
    let (main, inbox) = (stage.join("cuegate.db"), stage.join("inbox.db"));
    {
        let (main, inbox) = (schema::MAIN.open(&main)?, schema::INBOX.open(&inbox)?);
        align(&main, &inbox)?;
    }
    let mut db = schema::open_both(&main, &inbox)?;
    let transaction = db.transaction()?;
    let parked = park_unfinished(&transaction, manifest, now)?;
    let pause = Pause {
        scope: PauseScope::Writes,
        quarantine: false,
        reason: format!(
            "the store was restored from a backup of {}",
            manifest.made_at
        ),
        since: now,
    };
    pausing::pause(&transaction, &pause)?;
    transaction.commit()?;
    let position = super::backlog::Position::read(&db)?;
    let unrouted = super::backlog::unrouted(&db, position)?;
    super::offline::close(db)?;
    for file in [&main, &inbox] {
        let sync = File::open(file).and_then(|file| file.sync_all());
        sync.map_err(failed("write", file))?;
    }
    Ok((parked, unrouted))
}

/// What these runs did after the backup is not known, so a person decides about each. One that was parked keeps what it
/// is parked for, because that is not decided either.
fn park_unfinished(
    db: &Connection,
    manifest: &Manifest,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let reason = format!(
        "it was unfinished in the backup of {} that was restored, and what it did afterwards is not known; look at its \
         object in Iconik, then retry or cancel it",
        manifest.made_at
    );
    let unfinished: Vec<(i64, i64)> = db
        .prepare("SELECT id, lane FROM run WHERE ended_at IS NULL ORDER BY lane, seq")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    kept_jobs::forget_told(db)?;
    for (run, _) in &unfinished {
        waits::forget(db, RunId(*run))?;
        db.prepare_cached(
            "UPDATE run SET class = iif(state = ?2, class, ?3), reason = iif(state = ?2, coalesce(reason || '; besides, ', '') || ?4, ?4),
                    state = ?2, due_at = NULL, waits_for = NULL WHERE id = ?1",
        )?
        .execute(params![
            run,
            RunState::Parked.as_str(),
            ParkedClass::Restored.as_str(),
            reason
        ])?;
    }
    let mut lanes: Vec<i64> = unfinished.iter().map(|(_, lane)| *lane).collect();
    lanes.dedup();
    for lane in lanes {
        // Whoever held it in the life before must not be taken for its holder now.
        db.prepare_cached("UPDATE lane SET token = token + 1 WHERE id = ?1")?
            .execute([lane])?;
        lanes::advance(db, lane, micros(now))?;
    }
    Ok(unfinished.len().try_into().unwrap_or(u64::MAX))
}

fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(failed("write", path))
}

fn failed(what: &'static str, path: &Path) -> impl Fn(std::io::Error) -> StoreError {
    let path = path.to_owned();
    move |error| StoreError::Failed(format!("cannot {what} {}: {error}", path.display()))
}
