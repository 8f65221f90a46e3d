//! Jobs of Iconik that show people how runs are getting on: which there are, and what Iconik knows of each.

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Cancelling, Deciding, Operated, StoreError};
use crate::model::{Run, RunId};

/// A job that a run with `progress` has made, and the run as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptJob {
    /// The run, with how its children are.
    pub run: Run,
    /// The job's id in Iconik.
    pub job: String,
    /// Who knows it may end the run.
    pub abort_key: String,
    /// What Iconik was told last, by the keys of the job; empty if nothing yet.
    pub told: Map<String, Value>,
}

/// A part of all kept jobs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeptPage {
    /// Those that can be read.
    pub jobs: Vec<KeptJob>,
    /// The last run of the part, whether its row can be read or not; none if there is nothing.
    pub last: Option<RunId>,
}

/// What Iconik has been told of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The run.
    pub run: RunId,
    /// All that Iconik knows now.
    pub told: Map<String, Value>,
    /// When that was the end of it, and nothing more will be told.
    pub ended_at: Option<Timestamp>,
}

/// The part of the store that keeps the jobs of runs.
#[async_trait]
pub trait KeptJobs: Send + Sync + Debug {
    /// Jobs whose end Iconik has not been told, of runs that have `ended` or of others, those of the oldest runs above
    /// `after` first.
    async fn kept_jobs(
        &self,
        ended: bool,
        after: RunId,
        limit: usize,
    ) -> Result<KeptPage, StoreError>;

    /// Takes note of what Iconik has been told.
    async fn told(&self, told: Told) -> Result<(), StoreError>;

    /// The run that whoever knows this key may end.
    async fn run_of_abort_key(&self, key: &str) -> Result<Option<RunId>, StoreError>;
}

/// Ends a run because its job was aborted in Iconik. One that has ended by itself meanwhile stays as it is.
///
/// # Errors
///
/// When the store failed.
pub async fn abort_run(store: &dyn Operated, run: RunId, at: Timestamp) -> Result<(), StoreError> {
    let cancelling = Cancelling {
        reason: "its job was aborted in Iconik".to_owned(),
        deciding: Deciding { by: None, at },
    };
    match store.cancel(run, cancelling).await {
        Ok(_) | Err(StoreError::Refused(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
