//! One process owns the data directory, and the operating system says which.
//!
//! The lock dies with its process, however that ends, so there is nothing to clean up after a crash. Because
//! the owner is the only one, leases need no expiry: whoever opens the files releases them all.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use crate::store::StoreError;

/// How often a held lock is tried again; the system offers no wait with an end.
const RETRY_EVERY: Duration = Duration::from_millis(100);

/// Held as long as anything of this process may write to the directory.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the lock, waiting at most `wait` for its holder.
    pub(super) async fn acquire(directory: &Path, wait: Duration) -> Result<Self, StoreError> {
        Self::acquire_saying(directory, wait, |_| {}).await
    }

    /// The same, saying whom it waits for.
    pub(super) async fn acquire_saying(
        directory: &Path,
        wait: Duration,
        waits: impl FnOnce(String),
    ) -> Result<Self, StoreError> {
        let path = directory.join("cuegate.lock");
        let failed = |error: std::io::Error| {
            StoreError::Failed(format!("cannot lock {}: {error}", path.display()))
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        let give_up = Instant::now() + wait;
        let mut waits = Some(waits);
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < give_up => {
                    if let Some(waits) = waits.take() {
                        let holder = holder(&mut file);
                        tracing::warn!(%holder, wait_s = wait.as_secs(), "the data directory is held; waiting for it");
                        waits(format!(
                            "{holder} holds the data directory {}; waiting up to {} s for it to let go",
                            directory.display(),
                            wait.as_secs()
                        ));
                    }
                    tokio::time::sleep(RETRY_EVERY.min(wait)).await;
                }
                Err(TryLockError::WouldBlock) => return Err(held(&mut file, directory, wait)),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        sign(&mut file).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// Tells whether a backup is being made, by this process or another one. The files are copied one after the other, and
/// what the first copy does not have must still be there for the second; so nothing is deleted meanwhile.
#[derive(Debug)]
pub(super) struct BackupWatch(File);

impl BackupWatch {
    pub(super) fn new(directory: &Path) -> Result<Self, StoreError> {
        backup_file(directory).map(Self)
    }

    /// Nobody needs to hold on to the answer: what may be deleted now is durable in the main file, so a backup that
    /// begins afterwards has it in its first copy.
    pub(super) fn is_under_way(&self) -> bool {
        let free = self.0.try_lock_shared().is_ok();
        if free && let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the lock that backups take could not be let go of");
        }
        !free
    }
}

/// Held while a backup is made.
#[derive(Debug)]
pub(super) struct BackupLock {
    _file: File,
}

impl BackupLock {
    /// Takes the lock; the moment in which a gateway looks at it is waited out.
    pub(super) async fn acquire(directory: &Path) -> Result<Self, StoreError> {
        let file = backup_file(directory)?;
        let give_up = Instant::now() + Duration::from_secs(2);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < give_up => {
                    tokio::time::sleep(RETRY_EVERY).await;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::Locked(
                        "another backup of this store is being made; wait for it".to_owned(),
                    ));
                }
                Err(TryLockError::Error(error)) => {
                    return Err(StoreError::Failed(format!(
                        "cannot lock {}: {error}",
                        directory.join(BACKUP_FILE).display()
                    )));
                }
            }
        }
    }
}

const BACKUP_FILE: &str = "backup.lock";

fn backup_file(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join(BACKUP_FILE);
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| StoreError::Failed(format!("cannot open {}: {error}", path.display())))
}

/// Leaves the process id for the next one that asks.
fn sign(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())
}

/// Who signed last.
fn holder(file: &mut File) -> String {
    let mut process = String::new();
    let read = file
        .rewind()
        .and_then(|()| file.read_to_string(&mut process));
    match read {
        Ok(read) if read > 0 => format!("process {}", process.trim()),
        _ => "another process".to_owned(),
    }
}

fn held(file: &mut File, directory: &Path, wait: Duration) -> StoreError {
    let holder = holder(file);
    let patience = match wait.as_secs() {
        0 => String::new(),
        seconds => format!(" and did not let go of it in {seconds} s"),
    };
    StoreError::Locked(format!(
        "{holder} holds the data directory {}{patience}; stop it, or give this gateway a directory of its own with \
         [store] url",
        directory.display(),
    ))
}
