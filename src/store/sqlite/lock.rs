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
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < give_up => {
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

/// Leaves the process id for the next one that asks.
fn sign(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())
}

fn held(file: &mut File, directory: &Path, wait: Duration) -> StoreError {
    let mut holder = String::new();
    let holder = match file.read_to_string(&mut holder) {
        Ok(read) if read > 0 => format!("process {}", holder.trim()),
        _ => "another process".to_owned(),
    };
    StoreError::Locked(format!(
        "{holder} holds the data directory {} and did not let go of it in {} s; stop it, or give this \
         gateway a directory of its own with [store] url",
        directory.display(),
        wait.as_secs()
    ))
}
