//! The one door: whatever a run asks of the outside passes here, in an order that never changes.
//!
//! Permission, then the intent durable in the journal, then the call, then its answer in the journal. So a write
//! is never sent that the store does not know of, and one of which nobody knows whether it happened is found
//! again as an open intent. Reads leave no intent; repeating them costs nothing. `calls` speaks with Iconik,
//! `egress` with other systems, `waiting` with the clock.

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::SharedClock;
use crate::egress::Egress;
use crate::model::{Answer, Digest, Effect, Step};
use crate::operations::{self, Proof};
use crate::seal::Seal;
use crate::store::{
    Adopted, Adoption, Append, Fenced, JournalEntry, StateStep, Store, StoreError, WalkPage,
};

use super::kept_jobs;
use super::line::Line;
use super::lookups::Lookups;
use super::programs::Known;
use super::progress::{End, Progress, Shown};
use super::stops::Stops;
use super::{Observer, Performed, Timers};

/// How long a run keeps trying to write into a journal that cannot be written.
pub(super) const STORE_PATIENCE: Duration = Duration::from_secs(60);

/// The first pause between two tries.
const STORE_PAUSE_MIN: Duration = Duration::from_millis(50);

/// The longest pause between two tries.
const STORE_PAUSE_MAX: Duration = Duration::from_secs(5);

/// The door.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) store: Arc<dyn Store>,
    pub(super) line: Arc<Line>,
    pub(super) targets: Arc<Egress>,
    pub(super) clock: SharedClock,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) lookups: Lookups,
    pub(super) stops: Arc<Stops>,
    /// Whom Iconik takes us for, once it has said so.
    pub(super) own_user: OnceLock<String>,
    /// Since when nobody but this process sends anything, in microseconds since 1970.
    pub(super) began_us: AtomicI64,
    /// How long Iconik's index may not know of a change.
    pub(super) index_lag: Duration,
    /// The longest that one call may take.
    pub(super) call_timeout: Duration,
    /// What becomes of runs that wait for the time or for an event.
    pub(super) timers: Timers,
    /// What tokens of people are sealed with.
    pub(super) seal: Option<Arc<Seal>>,
}

/// What a run asks for at its next step.
pub(super) struct Asked<'a> {
    pub(super) effect: &'a Effect,
    pub(super) digest: Digest,
}

impl Door {
    /// Performs the effect that `progress` has come to and adds its answer, or says how the claim ends.
    pub(super) async fn perform(
        &self,
        known: &Known,
        progress: &mut Progress,
        effect: &Effect,
    ) -> Result<(), End> {
        let digest = effect.digest();
        if let Some(failure) = progress.diverges_from_open(Some((effect, digest))) {
            return Err(progress.dead(failure));
        }
        let asked = Asked { effect, digest };
        match effect {
            Effect::Call(call) => self.call(known, progress, &asked, call).await,
            Effect::Sleep(sleep) => self.sleep(known, progress, &asked, sleep).await,
            Effect::WaitForEvent(wait) => self.wait_for_event(progress, &asked, wait).await,
            Effect::WaitForJob(wait) => self.wait_for_job(known, progress, &asked, wait).await,
            Effect::Egress(call) => self.egress(known, progress, &asked, call).await,
            Effect::State(call) => {
                let step = StateStep {
                    lease: progress.lease,
                    number: progress.next_step(),
                    call: call.clone(),
                    logs: std::mem::take(&mut progress.logs),
                    at: self.clock.now().max(progress.latest()),
                };
                self.access_state(progress, &step).await
            }
        }
    }

    async fn access_state(&self, progress: &mut Progress, step: &StateStep) -> Result<(), End> {
        let mut patience = Patience::new();
        let written = loop {
            match self.store.access_state(step.clone()).await {
                Ok(written) => break written,
                Err(error) => patience.rest(self, progress, error).await?,
            }
        };
        match written {
            Some(step) => {
                self.answered(progress, step, Duration::ZERO);
                Ok(())
            }
            None => Err(End::Gone),
        }
    }

    /// Stores a page of a walk; answers how many objects it has found.
    pub(super) async fn extend_walk(
        &self,
        progress: &Progress,
        page: &WalkPage,
    ) -> Result<u64, End> {
        let mut patience = Patience::new();
        loop {
            match self.store.extend_walk(page.clone()).await {
                Ok(found) => return found.ok_or(End::Gone),
                Err(error) => patience.rest(self, progress, error).await?,
            }
        }
    }

    /// Journals the answer of the step.
    pub(super) async fn answer(
        &self,
        asked: &Asked<'_>,
        progress: &mut Progress,
        mut answer: Answer,
        took: Duration,
    ) -> Result<(), End> {
        answer.at = answer.at.max(progress.latest());
        let step = Step {
            number: progress.next_step(),
            digest: asked.digest,
            effect: asked.effect.clone(),
            answer,
        };
        let mut entries = vec![JournalEntry::Answer(Box::new(step.clone()))];
        if let Some(object) = made_by(&step) {
            entries.push(JournalEntry::Made {
                number: step.number,
                object,
            });
        }
        if let Some(kept) = kept_jobs::kept(progress, std::slice::from_ref(&step)) {
            entries.push(kept);
            progress.shown = Shown::Kept;
        }
        self.append(progress, entries).await?;
        self.answered(progress, step, took);
        Ok(())
    }

    /// Takes a found object as the answer of the open write, if nobody else may have made it.
    pub(super) async fn adopt(
        &self,
        progress: &Progress,
        adoption: Adoption,
    ) -> Result<Adopted, End> {
        let mut patience = Patience::new();
        loop {
            match self.store.adopt(adoption.clone()).await {
                Ok(adopted) => return Ok(adopted),
                Err(error) => patience.rest(self, progress, error).await?,
            }
        }
    }

    /// The step that the store has written is answered.
    pub(super) fn answered(&self, progress: &mut Progress, step: Step, took: Duration) {
        self.observer
            .effect_performed(&progress.run, &Performed { step: &step, took });
        progress.answered(step);
    }

    /// Writes into the journal, in one transaction, with the lines logged so far.
    pub(super) async fn append(
        &self,
        progress: &mut Progress,
        entries: Vec<JournalEntry>,
    ) -> Result<(), End> {
        let lease = progress.lease;
        let mut logs = std::mem::take(&mut progress.logs);
        let batch: Vec<Append> = entries
            .into_iter()
            .map(|entry| Append {
                lease,
                entry,
                logs: std::mem::take(&mut logs),
            })
            .collect();
        let mut patience = Patience::new();
        let fenced = loop {
            match self.store.append(batch.clone()).await {
                Ok(fenced) => break fenced,
                Err(error) => patience.rest(self, progress, error).await?,
            }
        };
        if fenced.iter().all(|fenced| *fenced == Fenced::Written) {
            Ok(())
        } else {
            Err(End::Gone)
        }
    }
}

/// Trying again while the store cannot take something. The run stays where it is, for a while: an answer that is
/// forgotten makes a write uncertain.
struct Patience {
    deadline: Instant,
    pause: Duration,
}

impl Patience {
    fn new() -> Self {
        Self {
            deadline: Instant::now() + STORE_PATIENCE,
            pause: STORE_PAUSE_MIN,
        }
    }

    async fn rest(
        &mut self,
        door: &Door,
        progress: &Progress,
        error: StoreError,
    ) -> Result<(), End> {
        if matches!(error, StoreError::Closed) {
            return Err(End::Gone);
        }
        tracing::error!(run = %progress.run.id, %error, "the journal of a run cannot be written");
        if Instant::now() >= self.deadline {
            let trouble = format!("its journal cannot be written: {error}");
            return Err(End::own_trouble(&door.clock, progress, &trouble));
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(STORE_PAUSE_MAX);
        Ok(())
    }
}

/// The object that a create has made, where a look-up could take it for what another one has made.
fn made_by(step: &Step) -> Option<String> {
    let Effect::Call(call) = &step.effect else {
        return None;
    };
    let look_up = operations::look_up_of(call.method, &call.path)?;
    let was_made = (200..300).contains(&step.answer.status);
    let (Proof::Object(_), true) = (look_up.proof, was_made) else {
        return None;
    };
    let id = step.answer.body.get("id")?;
    id.as_str().map(str::to_owned)
}
