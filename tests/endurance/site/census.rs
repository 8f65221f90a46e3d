//! What a killed process left in its files, read from a copy: the files themselves stay as they are, because
//! recovering them is the business of the next process.

use std::path::Path;
use std::sync::Arc;

use cuegate::clock::SystemClock;
use cuegate::model::{EventId, Run, RunState};
use cuegate::store::{RunFilter, SqliteOptions, SqliteStore, Store as _};

use crate::disk::copy_files;
use crate::gateway::PATIENCE;

/// The states in which a run is not over.
const UNFINISHED: [RunState; 4] = [
    RunState::Queued,
    RunState::Running,
    RunState::Waiting,
    RunState::Parked,
];

/// A run that had not ended.
#[derive(Clone, Debug)]
pub(crate) struct Unfinished {
    pub(crate) event: EventId,
    pub(crate) state: RunState,
    /// Claims since it last got on.
    pub(crate) attempt: u32,
    /// Whether a write of it is open: its intent is durable, its answer is not.
    pub(crate) open: bool,
}

/// The runs that have not ended, from the files of a process that is gone.
pub(crate) async fn unfinished(data: &Path) -> Vec<Unfinished> {
    let copy = tempfile::tempdir().expect("a temporary directory can be made");
    // Killed before it made its directory, a process left nothing.
    if data.exists() {
        copy_files(data, copy.path()).expect("files can be copied");
    }
    for file in ["cuegate.db", "inbox.db"] {
        assert_eq!(check(&copy.path().join(file)), "ok", "{file}");
    }
    let store = open(copy.path()).await;
    let mut left = Vec::new();
    for run in runs(&store, &UNFINISHED).await {
        let (_, open) = store.journal(run.id).await.expect("a journal can be read");
        left.push(Unfinished {
            event: run.event,
            state: run.state,
            attempt: run.attempt,
            open: open.is_some(),
        });
    }
    store.close().await.expect("the copy can be closed");
    left
}

/// What SQLite says about a file.
fn check(file: &Path) -> String {
    let db = rusqlite::Connection::open(file).expect("the file can be opened");
    db.query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("the file can be read")
}

/// Opens files that nobody else holds.
pub(crate) async fn open(data: &Path) -> SqliteStore {
    let options = SqliteOptions {
        lock_wait: PATIENCE,
        ..SqliteOptions::at(data.join("cuegate.db"))
    };
    SqliteStore::open(options, Arc::new(SystemClock))
        .await
        .expect("the files can be opened")
}

/// All runs in these states, all if none is named.
pub(crate) async fn runs(store: &SqliteStore, states: &[RunState]) -> Vec<Run> {
    let filter = RunFilter {
        states: states.to_vec(),
        limit: 1_000_000,
        ..RunFilter::default()
    };
    store.runs(filter).await.expect("runs can be listed")
}
