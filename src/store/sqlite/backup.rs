//! Copies the files while a gateway works on them.
//!
//! The main file is copied first, then the inbox: what was accepted and not routed in the first copy is still in the
//! second, because nothing is deleted from the inbox meanwhile. Each copy is of one moment, so `VACUUM INTO` is taken
//! and not SQLite's page by page backup, which begins anew whenever another process writes.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::lock::BackupLock;
use super::offline::{blocking, expect_files};
use super::{SqliteOptions, SqliteStore, backlog, schema};
use crate::store::StoreError;

/// The version of what lies in a backup's directory.
pub(super) const FORMAT: u32 = 1;

/// Written last: without it a backup is not whole.
pub(super) const MANIFEST: &str = "manifest.json";

/// The manifest while it is being written.
const BEGUN: &str = "manifest.json.begun";

/// What a backup says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the directory's layout.
    pub format: u32,
    /// The version of the program that made it.
    pub cuegate: String,
    /// When it was begun: everything that was acknowledged until then is in it.
    pub made_at: Timestamp,
    /// The files, `cuegate.db` first.
    pub files: Vec<BackedUp>,
    /// The inbox's generation, in hexadecimal digits.
    pub generation: String,
    /// The number up to which the inbox is routed in `cuegate.db`.
    pub routed: i64,
    /// The last number that was accepted into `inbox.db`.
    pub accepted: i64,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUp {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// What it holds, hashed.
    pub sha256: String,
    /// The version of its tables.
    pub schema: u32,
}

impl SqliteStore {
    /// Copies the files into a directory that is empty or not there. A gateway may be at work on them.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if another backup is being made, [`StoreError::Failed`] if the directory is not empty or
    /// cannot be written, [`StoreError::Corrupt`] if a file is damaged. What was begun is removed then.
    pub async fn backup(
        options: &SqliteOptions,
        to: &Path,
        now: Timestamp,
    ) -> Result<Manifest, StoreError> {
        expect_files(options)?;
        schema::MAIN.expect_present(&options.path)?;
        schema::INBOX.expect_present(&options.inbox_path())?;
        let lock = BackupLock::acquire(options.directory()).await?;
        let (options, to) = (options.clone(), to.to_owned());
        blocking(move || {
            let _lock = lock;
            let made = make_empty(&to)?;
            let manifest = write(&options, &to, now);
            if manifest.is_err() {
                clear(&to, made);
            }
            manifest
        })
        .await
    }
}

/// Whether the directory was made; one that is there must be empty.
fn make_empty(to: &Path) -> Result<bool, StoreError> {
    let failed = |error: std::io::Error| {
        StoreError::Failed(format!("cannot write to {}: {error}", to.display()))
    };
    match fs::read_dir(to) {
        Ok(mut entries) => match entries.next() {
            None => Ok(false),
            Some(_) => Err(StoreError::Failed(format!(
                "{} is not empty; name a new directory, so that no backup is mixed with anything",
                to.display()
            ))),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            fs::create_dir_all(to).map_err(failed)?;
            Ok(true)
        }
        Err(error) => Err(failed(error)),
    }
}

/// A backup that is not whole is worse than none.
fn clear(to: &Path, made: bool) {
    let mut left = vec![MANIFEST, BEGUN, "cuegate.db", "inbox.db"];
    left.retain(|name| to.join(name).exists());
    let removed = left
        .iter()
        .try_for_each(|name| fs::remove_file(to.join(name)));
    let removed = removed.and_then(|()| if made { fs::remove_dir(to) } else { Ok(()) });
    if let Err(error) = removed {
        tracing::warn!(directory = %to.display(), %error, "what was begun of a backup could not be removed");
    }
}

fn write(options: &SqliteOptions, to: &Path, now: Timestamp) -> Result<Manifest, StoreError> {
    let (main, inbox) = (to.join("cuegate.db"), to.join("inbox.db"));
    copy(&options.path, &main)?;
    copy(&options.inbox_path(), &inbox)?;
    let files = vec![
        describe(&main, "cuegate.db", schema::MAIN.newest())?,
        describe(&inbox, "inbox.db", schema::INBOX.newest())?,
    ];
    let (generation, routed, accepted) = position(&main, &inbox)?;
    let manifest = Manifest {
        format: FORMAT,
        cuegate: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: now,
        files,
        generation: hex::encode(generation),
        routed,
        accepted,
    };
    let text = serde_json::to_string_pretty(&manifest).expect("a manifest always has a JSON form");
    let begun = to.join(BEGUN);
    let write = || {
        fs::write(&begun, text + "\n")?;
        File::open(&begun)?.sync_all()?;
        fs::rename(&begun, to.join(MANIFEST))
    };
    write().map_err(|error| {
        StoreError::Failed(format!("cannot write {}: {error}", begun.display()))
    })?;
    sync_directory(to)?;
    if let Some(parent) = to.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        sync_directory(parent)?;
    }
    Ok(manifest)
}

/// One file, as of one moment, durably.
fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let name = to
        .to_str()
        .ok_or_else(|| StoreError::Failed(format!("{} is not a path in UTF-8", to.display())))?;
    reader(from)?.execute("VACUUM INTO ?1", [name])?;
    let sync = File::open(to).and_then(|file| file.sync_all());
    sync.map_err(|error| StoreError::Failed(format!("cannot sync {}: {error}", to.display())))
}

fn reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(path, flags)?)
}

fn describe(path: &Path, name: &str, schema: u32) -> Result<BackedUp, StoreError> {
    let failed = |error: std::io::Error| {
        StoreError::Failed(format!("cannot read {}: {error}", path.display()))
    };
    let mut file = File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let (mut bytes, mut buffer) = (0, vec![0; 1 << 20]);
    loop {
        let read = file.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        bytes += u64::try_from(read).unwrap_or(u64::MAX);
    }
    Ok(BackedUp {
        name: name.to_owned(),
        bytes,
        sha256: hex::encode(hash.finalize()),
        schema,
    })
}

/// The inbox's generation, how far it is routed, and its last number.
fn position(main: &Path, inbox: &Path) -> Result<([u8; 16], i64, i64), StoreError> {
    let inbox = reader(inbox)?;
    let generation = inbox.query_row("SELECT id FROM generation", [], |row| row.get(0))?;
    let accepted = inbox.query_row(
        "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'accepted'), 0)",
        [],
        |row| row.get(0),
    )?;
    let routed = backlog::furthest(&reader(main)?, generation)?;
    Ok((generation, routed, accepted))
}

/// Makes names in a directory durable.
pub(super) fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    let sync = File::open(directory).and_then(|directory| directory.sync_all());
    sync.map_err(|error| {
        StoreError::Failed(format!("cannot sync {}: {error}", directory.display()))
    })
}
