//! Jobs of Iconik that show people how runs with `progress` are getting on.
//!
//! A run makes its job as a step of its journal. From then on the job is told what the run's row says, whatever becomes
//! of the run and of this process: what is told is the difference to what was told last, and telling it twice changes
//! nothing. Whoever aborts the job in Iconik ends the run.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::engine::kept_job;
use crate::iconik::{CallError, Reply, Share};
use crate::model::{Call, Method, Run, RunId, RunState, Step, Tally};
use crate::store::{JournalEntry, KeptJob, StoreError, Told, abort_run};

use super::Runner;
use super::drive::Driver;
use super::jobs::Round;
use super::progress::{End, Progress, Shown};
use super::waiting::read_job;

/// How many jobs of ended runs, and of others, are told or looked at in one round; they take turns.
const AT_ONCE: usize = 20;

/// No run has this number.
const BEFORE_ALL: RunId = RunId(0);

/// The longest message that a job is given, in characters. No document says how long one may be.
const MESSAGE_CHARACTERS_MAX: usize = 500;

/// What the store is to be told if one of these steps has made the job that the run shows itself as.
pub(super) fn kept(progress: &Progress, steps: &[Step]) -> Option<JournalEntry> {
    if progress.shown != Shown::Unkept {
        return None;
    }
    let job = kept_job(&progress.event, steps)?;
    let abort_key = Uuid::new_v4().simple().to_string();
    Some(JournalEntry::Kept { job, abort_key })
}

impl Driver {
    /// Writes down which job the run shows itself as, where its answer did not: a look-up has found it, or the claim
    /// is a later one.
    pub(super) async fn keep_job(&self, progress: &mut Progress) -> Result<(), End> {
        if let Some(entry) = kept(progress, &progress.journal) {
            self.door.append(progress, vec![entry]).await?;
            progress.shown = Shown::Kept;
        }
        Ok(())
    }
}

/// How far the rounds are: the runs whose jobs were looked after last.
#[derive(Debug)]
pub(super) struct Turn {
    ended: RunId,
    under_way: RunId,
}

impl Turn {
    /// Before all runs.
    pub(super) fn first() -> Self {
        Self {
            ended: BEFORE_ALL,
            under_way: BEFORE_ALL,
        }
    }
}

impl Runner {
    /// Tells jobs what has become of their runs, those of ended runs first, and ends the runs of those that were aborted.
    pub(super) async fn look_after_kept_jobs(&self, turn: &mut Turn) -> Result<Round, StoreError> {
        let mut round = Round::default();
        for (ended, after) in [(true, &mut turn.ended), (false, &mut turn.under_way)] {
            let mut page = self.store.kept_jobs(ended, *after, AT_ONCE).await?;
            if page.last.is_none() && *after != BEFORE_ALL {
                page = self.store.kept_jobs(ended, BEFORE_ALL, AT_ONCE).await?;
            }
            for job in &page.jobs {
                if round.trouble {
                    return Ok(round);
                }
                self.look_after(job, &mut round).await?;
            }
            *after = page.last.unwrap_or(BEFORE_ALL);
        }
        Ok(round)
    }

    async fn look_after(&self, kept: &KeptJob, round: &mut Round) -> Result<(), StoreError> {
        let wanted = wanted(kept, self.options.public_url.as_deref());
        let news = difference(&kept.told, &wanted);
        let ended = kept.run.state.is_final();
        if news.is_empty() && ended {
            return self.note(kept, wanted, true).await;
        }
        let telling = !news.is_empty() && !self.stops.holds_writes();
        let call = if telling {
            tell(&kept.job, news.clone())
        } else {
            read_job(&kept.job)
        };
        match self.ask(&call, round).await {
            Ok(reply) => {
                if telling {
                    self.note(kept, wanted, ended).await?;
                }
                // Where the status is still to be told, the abort may be the end of an earlier run.
                let is_told = telling || !news.contains_key("status");
                if !ended && is_told && is_aborted(&reply.body) {
                    abort_run(&*self.store, kept.run.id, self.clock.now()).await?;
                }
                Ok(())
            }
            Err(error) => self.went_wrong(kept, wanted, &news, error, round).await,
        }
    }

    /// What becomes of a job that Iconik did not answer about as it should.
    async fn went_wrong(
        &self,
        kept: &KeptJob,
        mut wanted: Map<String, Value>,
        news: &Map<String, Value>,
        error: CallError,
        round: &mut Round,
    ) -> Result<(), StoreError> {
        let (run, job) = (kept.run.id, &kept.job);
        match error {
            CallError::Refused {
                status: 404 | 410, ..
            } => {
                tracing::warn!(%run, job, "the job that shows how a run is getting on is gone");
                self.note(kept, wanted, true).await
            }
            // It may be a single key that is refused; how the run is getting on is what counts, and is told alone then.
            CallError::Refused { .. } if news.len() > 1 => {
                tracing::warn!(%run, job, %error, "a job takes only a part of what shows how its run is getting on");
                let status = kept.told.get("status").cloned();
                wanted.insert("status".to_owned(), status.unwrap_or_default());
                self.note(kept, wanted, false).await
            }
            CallError::Refused { .. }
            | CallError::Uncertain { .. }
            | CallError::Malformed { .. }
            | CallError::TooLarge { .. } => {
                tracing::debug!(%run, job, %error, "a job cannot be told of its run; it is tried again");
                Ok(())
            }
            CallError::NotSent { .. }
            | CallError::Unauthorized { .. }
            | CallError::Throttled { .. } => {
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
        let done = children.ended() - children.count(RunState::Cancelled);
        wanted.insert("progress_processed".to_owned(), done.into());
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
        news.insert(key.clone(), nothing(key));
    }
    news
}

/// What a key of a job has that says nothing (`JobSchema`: not all of them take null).
fn nothing(key: &str) -> Value {
    match key {
        "action_context" => json!({}),
        "progress_processed" | "progress_total" => 0.into(),
        _ => "".into(),
    }
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

#[cfg(test)]
mod tests {
    use super::super::samples::run;
    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            other => panic!("{other} is no map"),
        }
    }

    #[test]
    fn only_what_is_new_is_told_and_what_says_nothing_any_more_is_emptied_by_its_type() {
        let told = map(json!({
            "status": "STARTED", "message": "parked", "progress_total": 3, "action_context": { "ABORT": {} },
        }));
        assert_eq!(
            Value::Object(difference(&told, &map(json!({ "status": "FINISHED" })))),
            json!({ "status": "FINISHED", "message": "", "progress_total": 0, "action_context": {} })
        );
        assert!(difference(&told, &told).is_empty());
    }

    #[test]
    fn every_state_of_a_run_is_one_of_the_statuses_of_a_job() {
        for (state, status) in [
            (RunState::Queued, "STARTED"),
            (RunState::Running, "STARTED"),
            (RunState::Waiting, "STARTED"),
            (RunState::Parked, "STARTED"),
            (RunState::Succeeded, "FINISHED"),
            (RunState::Skipped, "FINISHED"),
            (RunState::Dead, "FAILED"),
            (RunState::Cancelled, "ABORTED"),
            (RunState::Superseded, "ABORTED"),
        ] {
            let run = Run { state, ..run(7) };
            assert_eq!(outcome(&run).0, status, "{state:?}");
        }
    }

    #[test]
    fn only_an_abort_by_a_person_counts_as_one() {
        for (status, counts) in [
            ("ABORTED", true),
            ("ABORT_PENDING", true),
            ("STARTED", false),
            ("FAILED", false),
        ] {
            assert_eq!(is_aborted(&json!({ "status": status })), counts, "{status}");
        }
        assert!(!is_aborted(&Value::Null));
    }
}
