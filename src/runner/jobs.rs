//! One loop that looks after all jobs of Iconik that runs wait for, so that a thousand waits are not a thousand loops.
//!
//! It only wakes: a run that is woken reads its job by itself, and that reading is the truth. So a list that is behind
//! the world costs a wake-up that comes later, and nothing else.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::iconik::{CallError, Reply, Share};
use crate::model::{Call, Method};
use crate::store::StoreError;

use super::Runner;
use super::kept_jobs::Turn;
use super::waiting::{has_ended, read_job};

/// The most jobs that are looked after; the runs of others wait for their timeout.
const JOBS_MAX: usize = 100_000;

/// How many jobs one request asks for: the most that a page of the list may have.
const LIST_MAX: usize = 100;

/// So few jobs are read one by one: that answer is not behind.
const FEW: usize = 3;

/// How many jobs that no list shows are read one by one in one round.
const MISSING_MAX: usize = 10;

/// The longest pause after trouble.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// How often the jobs that runs wait for are looked at.
#[derive(Clone, Copy, Debug)]
pub struct JobPolling {
    /// The pause between two rounds, if there are few jobs.
    pub pause: Duration,
    /// The most requests a second, on average; more jobs make the pause longer.
    pub requests_per_second: f64,
}

impl Default for JobPolling {
    /// A tenth of what Iconik allows by default.
    fn default() -> Self {
        Self {
            pause: Duration::from_secs(5),
            requests_per_second: 4.5,
        }
    }
}

impl JobPolling {
    /// The pause after a round of so many requests.
    fn pause_after(&self, requests: u32) -> Duration {
        if self.requests_per_second <= 0.0 {
            return PAUSE_MAX;
        }
        let least = f64::from(requests) / self.requests_per_second;
        let least = Duration::try_from_secs_f64(least).unwrap_or(PAUSE_MAX);
        self.pause.max(least)
    }
}

/// One look at all jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// How many requests it took.
    pub requests: u32,
    /// How many runs were woken.
    pub woken: usize,
    /// Whether Iconik did not answer as it should, so that the rest of the round was left out.
    pub trouble: bool,
}

impl Runner {
    /// Looks at the jobs that runs wait for, again and again, until `shutdown` completes.
    pub async fn watch_jobs(&self, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        let polling = self.options.job_polling;
        let mut pause = polling.pause;
        let mut turn = Turn::first();
        for number in 0.. {
            let due = Instant::now() + pause;
            tokio::select! {
                biased;
                () = &mut shutdown => return,
                () = tokio::time::sleep_until(due) => {}
            }
            let round = tokio::select! {
                biased;
                () = &mut shutdown => return,
                round = self.round(number, &mut turn) => round,
            };
            pause = match round {
                Ok(round) if round.trouble => (pause * 2).min(PAUSE_MAX),
                Ok(round) => polling.pause_after(round.requests),
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::warn!(%error, "the store does not say which jobs runs wait for; it is asked again");
                    (pause * 2).min(PAUSE_MAX)
                }
            };
        }
    }

    async fn round(&self, number: usize, turn: &mut Turn) -> Result<Round, StoreError> {
        let round = self.look_at_jobs(number).await?;
        let kept = self.look_after_kept_jobs(turn).await?;
        Ok(Round {
            requests: round.requests + kept.requests,
            woken: round.woken,
            trouble: round.trouble || kept.trouble,
        })
    }

    /// Looks at every job that a run waits for, once. `round` counts the rounds, so that jobs that no list shows take
    /// turns.
    ///
    /// # Errors
    ///
    /// When the store failed.
    pub async fn look_at_jobs(&self, round: usize) -> Result<Round, StoreError> {
        let jobs = self.store.awaited_jobs(JOBS_MAX).await?;
        let mut look = Look {
            runner: self,
            round: Round::default(),
        };
        let mut missing = Vec::new();
        if jobs.len() <= FEW {
            missing = jobs;
        } else {
            for some in jobs.chunks(LIST_MAX) {
                let Some(not_listed) = look.at_list(some).await? else {
                    return Ok(look.round);
                };
                missing.extend(not_listed);
            }
            let turn = (round * MISSING_MAX) % missing.len().max(1);
            missing.rotate_left(turn);
            missing.truncate(MISSING_MAX);
        }
        for job in missing {
            if !look.at_one(&job).await? {
                break;
            }
        }
        Ok(look.round)
    }
}

/// A round under way.
struct Look<'a> {
    runner: &'a Runner,
    round: Round,
}

impl Look<'_> {
    /// Looks at some jobs in one request; answers those that it does not show, nothing at trouble.
    async fn at_list(&mut self, jobs: &[String]) -> Result<Option<Vec<String>>, StoreError> {
        let list = Call {
            path: "jobs/v1/jobs/".to_owned(),
            query: [
                ("ids".to_owned(), jobs.join(",")),
                ("per_page".to_owned(), LIST_MAX.to_string()),
            ]
            .into(),
            ..read_job("")
        };
        let reply = match self.send(&list).await {
            Ok(reply) => reply,
            // Ids that nobody could give to a job, and jobs that are too much together, are read one by one.
            Err(CallError::Refused { .. } | CallError::TooLarge { .. }) => {
                return Ok(Some(jobs.to_vec()));
            }
            Err(error) => {
                self.gave_trouble(&error);
                return Ok(None);
            }
        };
        let mut shown = HashSet::new();
        let objects = reply.body.get("objects").and_then(|it| it.as_array());
        for job in objects.into_iter().flatten() {
            let Some(id) = job.get("id").and_then(|id| id.as_str()) else {
                continue;
            };
            shown.insert(id.to_owned());
            if has_ended(job) {
                self.wake(id).await?;
            }
        }
        let not_shown = jobs.iter().filter(|job| !shown.contains(*job));
        Ok(Some(not_shown.cloned().collect()))
    }

    /// Looks at one job; false at trouble that the next one would have as well.
    async fn at_one(&mut self, job: &str) -> Result<bool, StoreError> {
        match self.send(&read_job(job)).await {
            Ok(reply) if !has_ended(&reply.body) => {}
            Ok(_) => self.wake(job).await?,
            // What is gone or can never be read will not end any more, and its run has to be told.
            Err(error) if error.is_permanent() => self.wake(job).await?,
            Err(error) => {
                self.gave_trouble(&error);
                return Ok(matches!(error, CallError::Uncertain { .. }));
            }
        }
        Ok(true)
    }

    async fn send(&mut self, call: &Call) -> Result<Reply, CallError> {
        debug_assert_eq!(call.method, Method::Get, "a look changes nothing");
        let line = &self.runner.driver.door.line;
        let Ok(permit) = line.admit(&Share::gateway()).await else {
            let what = "the circuit is open".to_owned();
            return Err(CallError::NotSent { what });
        };
        self.round.requests += 1;
        line.send(permit, call).await
    }

    async fn wake(&mut self, job: &str) -> Result<(), StoreError> {
        self.round.woken += self.runner.store.wake_for_job(job).await?;
        Ok(())
    }

    fn gave_trouble(&mut self, error: &CallError) {
        tracing::debug!(%error, "jobs cannot be looked at; it is tried again");
        self.round.trouble = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_requests_make_the_pause_longer_and_few_keep_it() {
        let polling = JobPolling {
            pause: Duration::from_secs(5),
            requests_per_second: 4.5,
        };
        assert_eq!(polling.pause_after(0), Duration::from_secs(5));
        assert_eq!(polling.pause_after(22), Duration::from_secs(5));
        assert_eq!(polling.pause_after(90), Duration::from_secs(20));
        let stuck = JobPolling {
            requests_per_second: 0.0,
            ..polling
        };
        assert_eq!(stuck.pause_after(1), PAUSE_MAX);
    }
}
