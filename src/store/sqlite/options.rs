//! What can be chosen about the files. The defaults are what a production gateway wants; the levels of
//! `synchronous` are here so that a test of power cuts has something to fail on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::filesystem::{Disk, SystemDisk};

/// How the SQLite store works.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// `cuegate.db`; `inbox.db` and `cuegate.lock` lie beside it. The directory is made if it is missing.
    pub path: PathBuf,
    /// How long to wait for another process to let go of the directory. One minute.
    pub lock_wait: Duration,
    /// The most commands that wait for a writer. Beyond it events are refused as overload. 1,024.
    pub queue_max: usize,
    /// The most bytes of events that wait for the inbox's writer. 64 MiB.
    pub queue_bytes_max: usize,
    /// The most commands of one commit. 1,024.
    pub batch_max: usize,
    /// About the most bytes of one commit. 4 MiB.
    pub batch_bytes_max: usize,
    /// Connections that only read. Four.
    pub readers: usize,
    /// What an accepted event waits for. `Full`: a lower level loses acknowledged events at a power cut.
    pub inbox_synchronous: Synchronous,
    /// What routing, intents, answers of writes and the ends of runs wait for. `Full`.
    pub durable_synchronous: Synchronous,
    /// What claims, answers of reads and logs wait for. `Normal`: the next durable commit keeps them as well.
    pub lazy_synchronous: Synchronous,
    /// Bytes that must be free on the disk for an event to be taken. 0: the disk alone decides.
    pub min_free: u64,
    /// Whether a file system is taken that a database is not safe on. No.
    pub allow_network_fs: bool,
    /// Who is asked about the disk.
    pub disk: Arc<dyn Disk>,
}

/// SQLite's `synchronous`, in WAL mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synchronous {
    /// Nothing is ever synced.
    Off,
    /// Synced at checkpoints: a power cut loses the last commits, never the files.
    Normal,
    /// Every commit is synced before it returns.
    Full,
}

impl Synchronous {
    pub(super) fn pragma(self) -> &'static str {
        match self {
            Self::Off => "PRAGMA synchronous = OFF",
            Self::Normal => "PRAGMA synchronous = NORMAL",
            Self::Full => "PRAGMA synchronous = FULL",
        }
    }
}

impl SqliteOptions {
    /// The defaults, with `cuegate.db` at `path`.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            lock_wait: Duration::from_secs(60),
            queue_max: 1_024,
            queue_bytes_max: 64 << 20,
            batch_max: 1_024,
            batch_bytes_max: 4 << 20,
            readers: 4,
            inbox_synchronous: Synchronous::Full,
            durable_synchronous: Synchronous::Full,
            lazy_synchronous: Synchronous::Normal,
            min_free: 0,
            allow_network_fs: false,
            disk: Arc::new(SystemDisk),
        }
    }

    pub(super) fn directory(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    pub(super) fn inbox_path(&self) -> PathBuf {
        self.directory().join("inbox.db")
    }
}
