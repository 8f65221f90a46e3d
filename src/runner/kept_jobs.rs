//! Jobs of Iconik that show people how runs with `progress` are getting on.
//!
//! A run makes its job as a step of its journal. From then on the job is told what the run's row says, whatever becomes
//! of the run and of this process: what is told is the difference to what was told last, and telling it twice changes
//! nothing. Whoever aborts the job in Iconik ends the run.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::engine::kept_job;
use crate::iconik::{CallError, Reply, Share};
use crate::model::{Call, Method, Run, RunId, RunState, Tally};
use crate::store::{JournalEntry, KeptJob, StoreError, Told, abort_run};

use super::Runner;
use super::drive::Driver;
use super::jobs::Round;
use super::programs::Known;
use super::progress::{End, Progress};
use super::waiting::read_job;

/// How many jobs are told or looked at in one round; the others take turns.
const AT_ONCE: usize = 20;

/// The longest message that a job is given, in characters. No document says how long one may be.
const MESSAGE_CHARACTERS_MAX: usize = 500;

impl Driver {
    /// Writes down which job the run shows itself as, as soon as its journal says so.
    pub(super) async fn keep_job(&self, known: &Known, progress: &mut Progress) -> Result<(), End> {
        if known.header.progress.is_none() || progress.job_is_kept {
            return Ok(());
        }
        if let Some(job) = kept_job(&progress.event, &progress.journal) {
            let abort_key = Uuid::new_v4().simple().to_string();
            let entry = JournalEntry::Kept { job, abort_key };
            self.door.append(progress, vec![entry]).await?;
            progress.job_is_kept = true;
        }
        Ok(())
    }
}

impl Runner {
    /// Tells jobs what has become of their runs, and ends the runs of those that were aborted. `after` is the run that the
    /// last round ended with; answers the one that this one ended with.
    pub(super) async fn look_after_kept_jobs(
        &self,
        after: RunId,
        round: &mut Round,
    ) -> Result<RunId, StoreError> {
        let store = &self.store;
        let mut kept = store.kept_jobs(after, AT_ONCE).await?;
        if kept.len() < AT_ONCE && after != RunId(0) {
            // From the beginning again; those that were just read are left out.
            let others = store.kept_jobs(RunId(0), AT_ONCE - kept.len()).await?;
            kept.extend(others.into_iter().filter(|job| job.run.id <= after));
        }
        for job in &kept {
            if round.trouble {
                break;
            }
            self.look_after(job, round).await?;
        }
        Ok(kept.last().map_or(RunId(0), |job| job.run.id))
    }

    async fn look_after(&self, kept: &KeptJob, round: &mut Round) -> Result<(), StoreError> {
        let wanted = wanted(kept, self.options.public_url.as_deref());
        let news = difference(&kept.told, &wanted);
        if !news.is_empty() && self.stops.holds_writes() {
            return Ok(());
        }
        let reply = if news.is_empty() {
            self.ask(&read_job(&kept.job), round).await
        } else {
            self.ask(&tell(&kept.job, news.clone()), round).await
        };
        let ended = kept.run.state.is_final();
        match reply {
            Ok(reply) => {
                let aborted = !ended && is_aborted(&reply.body);
                if !news.is_empty() {
                    self.note(kept, wanted, ended).await?;
                }
                if aborted {
                    abort_run(&*self.store, kept.run.id, self.clock.now()).await?;
                }
                Ok(())
            }
            // It is gone, or may not be changed: that will not become better.
            Err(error @ CallError::Refused { .. }) => {
                tracing::warn!(run = %kept.run.id, job = kept.job, %error, "the job that shows how a run is getting on is left alone from now on");
                self.note(kept, wanted, true).await
            }
            Err(error) => {
                tracing::debug!(%error, "a job cannot be told of its run; it is tried again");
                round.trouble = true;
                Ok(())
            }
        }
    }

    async fn ask(&self, call: &Call, round: &mut Round) -> Result<Reply, CallError> {
        let line = &self.driver.door.line;
        let Ok(permit) = line.admit(&Share::gateway()).await else {
            let what = "the circuit is open".to_owned();
            return Err(CallError::NotSent { what });
        };
        round.requests += 1;
        line.send(permit, call).await
    }

    async fn note(
        &self,
        kept: &KeptJob,
        told: Map<String, Value>,
        ended: bool,
    ) -> Result<(), StoreError> {
        let told = Told {
            run: kept.run.id,
            told,
            ended_at: ended.then(|| self.clock.now()),
        };
        self.store.told(told).await
    }
}

/// All that Iconik is to know of a run.
fn wanted(kept: &KeptJob, public_url: Option<&str>) -> Map<String, Value> {
    let mut wanted = Map::new();
    let (status, message) = outcome(&kept.run);
    wanted.insert("status".to_owned(), status.into());
    if let Some(message) = message {
        let message: String = message.chars().take(MESSAGE_CHARACTERS_MAX).collect();
        let key = if status == "FAILED" {
            "error_message"
        } else {
            "message"
        };
        wanted.insert(key.to_owned(), message.into());
    }
    if let Some(children) = &kept.run.children {
        wanted.insert("progress_processed".to_owned(), children.ended().into());
        wanted.insert("progress_total".to_owned(), children.objects.into());
    }
    if let Some(url) = public_url {
        let url = format!(
            "{}/jobs/{}/abort",
            url.trim_end_matches('/'),
            kept.abort_key
        );
        wanted.insert(
            "action_context".to_owned(),
            json!({ "ABORT": { "url": url } }),
        );
    }
    wanted
}

/// The job's status, and what else a person should know.
fn outcome(run: &Run) -> (&'static str, Option<String>) {
    let reason = run.reason.clone();
    match run.state {
        RunState::Queued | RunState::Running | RunState::Waiting => ("STARTED", None),
        RunState::Parked => ("STARTED", reason),
        RunState::Succeeded | RunState::Skipped
            if run.children.as_ref().is_some_and(has_failed) =>
        {
            ("FINISHED_WITH_WARNING", reason)
        }
        RunState::Succeeded | RunState::Skipped => ("FINISHED", reason),
        RunState::Dead => {
            let failure = run.failure.as_ref().map(|failure| failure.message.clone());
            ("FAILED", failure.or(reason))
        }
        RunState::Cancelled | RunState::Superseded => ("ABORTED", reason),
    }
}

fn has_failed(children: &Tally) -> bool {
    let failed = [RunState::Dead, RunState::Cancelled];
    failed.into_iter().any(|state| children.count(state) > 0)
}

/// What is new. A key that says nothing any more is emptied.
fn difference(told: &Map<String, Value>, wanted: &Map<String, Value>) -> Map<String, Value> {
    let mut news: Map<String, Value> = wanted
        .iter()
        .filter(|(key, value)| told.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    for key in told.keys().filter(|key| !wanted.contains_key(*key)) {
        news.insert(key.clone(), "".into());
    }
    news
}

/// Whether a person has aborted it, or is about to.
fn is_aborted(job: &Value) -> bool {
    let status = job.get("status").and_then(Value::as_str);
    matches!(status, Some("ABORTED" | "ABORT_PENDING"))
}

fn tell(job: &str, news: Map<String, Value>) -> Call {
    Call {
        method: Method::Patch,
        body: Some(Value::Object(news)),
        ..read_job(job)
    }
}
