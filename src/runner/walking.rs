//! Walks over the objects that `each` found: page by page, stored after every page, resumed at its place.
//!
//! Pages are no steps: a run does not grow with the number of its objects, and reading a page twice adds nothing. No
//! child begins before the last page is stored and the number of objects is within the rule's limit.

mod pages;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::engine::{Moment, Part};
use crate::model::{
    Answer, Call, Concurrency, DeadClass, Effect, Event, EventKind, Failure, LaneKey, Object,
    ParkedClass, Query, RunId, RunState, Tally, lane_of,
};
use crate::sandbox::Answers;
use crate::store::{JournalEntry, Remark, Settlement, Waits, Walk, WalkPage};

use super::calls::{Outcome, Wanted};
use super::door::Asked;
use super::drive::{Driver, timed_out};
use super::programs::Known;
use super::progress::{End, Progress, words};

use self::pages::{Next, Page, Place};

/// Which part of its rule a run is at.
pub(super) fn moment(known: &Known, progress: &Progress) -> Moment {
    let started_at = progress.started_at();
    if !is_walker(known, &progress.event) {
        return Moment::of_run(started_at);
    }
    match &progress.walk {
        Some(walk) if let Some(done_at) = walk.done_at => {
            let before = progress.journal.get(..steps_before(walk));
            let last = before.and_then(<[_]>::last).map(|step| step.answer.at);
            let started_at = last.map_or(done_at, |last| last.max(done_at));
            Moment::of_done(started_at, Arc::new(result(&walk.tally)), walk.steps_before)
        }
        _ => Moment::of_each(started_at),
    }
}

/// Where the journal of the part begins that a run is at.
pub(super) fn first_step(moment: &Moment) -> usize {
    match moment.part {
        Part::Run | Part::Each => 0,
        Part::Done(_) => usize::try_from(moment.steps_before).unwrap_or(usize::MAX),
    }
}

/// Whether nothing is left to advance: every child has ended and the rule has no `done`.
pub(super) fn is_done(known: &Known, progress: &Progress) -> bool {
    let walk = progress.walk.as_ref();
    walk.is_some_and(|walk| walk.done_at.is_some()) && !known.header.has_done
}

/// Whether the runs of the rule for this event are the children of a run of it.
fn is_walker(known: &Known, event: &Event) -> bool {
    known.header.has_each && event.kind != EventKind::Object
}

fn steps_before(walk: &Walk) -> usize {
    usize::try_from(walk.steps_before).unwrap_or(usize::MAX)
}

/// What `done` is told.
fn result(tally: &Tally) -> Value {
    json!({
        "objects": tally.objects,
        "succeeded": tally.count(RunState::Succeeded),
        "skipped": tally.count(RunState::Skipped),
        "dead": tally.count(RunState::Dead),
        "cancelled": tally.count(RunState::Cancelled),
        "superseded": tally.count(RunState::Superseded),
        "failed": tally.failed,
    })
}

impl Driver {
    /// Walks over the objects of a query, from the place where the last claim left it, and lets the children begin.
    pub(super) async fn walk(&self, known: &Known, progress: &mut Progress, query: &Query) -> End {
        match self.walk_on(known, progress, query).await {
            Ok(found) => End::Settle(Settlement::Waiting {
                waits: Waits::Children,
                until: Timestamp::MAX,
                reason: format!("waits for the runs of {found} objects"),
                failing_since: None,
            }),
            Err(end) => end,
        }
    }

    /// How many objects there are, once the walk is over.
    async fn walk_on(
        &self,
        known: &Known,
        progress: &mut Progress,
        query: &Query,
    ) -> Result<u64, End> {
        let begun = progress.walk.take();
        if let Some(walk) = begun.as_ref().filter(|walk| walk.ended_at.is_some()) {
            return match over_limit(known, progress, walk.tally.objects) {
                Some(parked) => Err(parked),
                None => Ok(walk.tally.objects),
            };
        }
        // A place that another version wrote may not be readable; from the beginning the walk finds the same.
        let mut place: Place = begun
            .and_then(|walk| serde_json::from_value(walk.place).ok())
            .unwrap_or_default();
        loop {
            if self.stopping.load(Ordering::Relaxed) {
                return Err(End::Settle(Settlement::Released));
            }
            if progress.spent() > known.header.timeout {
                return Err(progress.dead(timed_out(known, progress)));
            }
            let page = match place.next(query) {
                Next::Nothing => Page {
                    place,
                    ..Page::default()
                },
                Next::Objects(objects, place) => Page {
                    objects,
                    place,
                    remark: None,
                },
                Next::Page(call) => {
                    let answer = self.read_page(known, progress, &call).await?;
                    place
                        .read(query, &answer)
                        .map_err(|why| progress.dead(unreadable(&call, &why)))?
                }
            };
            let last = page.place.is_end_of(query);
            place = page.place.clone();
            let found = self.keep(known, progress, page, last).await?;
            if let Some(parked) = over_limit(known, progress, found) {
                return Err(parked);
            }
            if last {
                return Ok(found);
            }
        }
    }

    async fn read_page(
        &self,
        known: &Known,
        progress: &mut Progress,
        call: &Call,
    ) -> Result<Answer, End> {
        let effect = Effect::Call(call.clone());
        let asked = Asked {
            digest: effect.digest(),
            effect: &effect,
        };
        let wanted = Wanted::permitted(known, progress, &asked, call)
            .map_err(|failure| progress.dead(*failure))?;
        let Outcome { answer, .. } = self.door.exchange(&wanted, progress).await?;
        Ok(answer)
    }

    /// Stores a page with the lanes of its objects.
    async fn keep(
        &self,
        known: &Known,
        progress: &mut Progress,
        page: Page,
        last: bool,
    ) -> Result<u64, End> {
        let lanes = self.lanes(known, progress, &page.objects).await?;
        let kept = WalkPage {
            lease: progress.lease,
            objects: page.objects.into_iter().zip(lanes).collect(),
            place: serde_json::to_value(&page.place).expect("a place always has a JSON form"),
            last,
            priority: known.header.priority.saturating_sub(1),
            at: self.clock.now(),
        };
        let found = self.door.extend_walk(progress, &kept).await?;
        progress.run.failing_since = None;
        if let Some(text) = page.remark {
            let remark = Remark {
                number: progress.next_step(),
                at: self.clock.now(),
                text,
            };
            self.door
                .append(progress, vec![JournalEntry::Remark(remark)])
                .await?;
        }
        Ok(found)
    }

    /// The lane of each object's run: as the rule's `lane` says, or its header.
    ///
    /// Children have lanes of their own, apart from those of the runs that make them: a run holds its lane until its
    /// last child has ended, so a child in a lane of the former would wait for its own parent, or for one that waits
    /// for a child behind this one. Every `run` of the rule is a child's, so they are in order all the same.
    async fn lanes(
        &self,
        known: &Known,
        progress: &Progress,
        objects: &[Object],
    ) -> Result<Vec<LaneKey>, End> {
        let events: Vec<Arc<Event>> = objects
            .iter()
            .map(|object| Arc::new(Event::of_object(&progress.event, object)))
            .collect();
        let asks = known.header.has_lane && known.header.concurrency != Concurrency::Parallel;
        let keys: Vec<String> = if asks {
            let program = &known.program;
            // The first that fails ends the run, so no second worker need be lost.
            let answers = self.scripts.lane(program, &events, 1).await;
            let Answers {
                answers,
                workers_lost,
            } = answers.map_err(|trouble| End::own_trouble(&self.clock, progress, &trouble))?;
            self.struck(&progress.run, workers_lost, "`lane` broke its worker")
                .await;
            answers
                .into_iter()
                .zip(objects)
                .map(|(key, object)| key.map_err(|failure| Box::new(at_object(failure, object))))
                .collect::<Result<_, Box<Failure>>>()
                .map_err(|failure| progress.dead(*failure))?
        } else {
            let of_header = |event: &Arc<Event>| lane_of(&known.header, event).as_str().to_owned();
            events.iter().map(of_header).collect()
        };
        let apart = |key: String| LaneKey(format!("each {key}"));
        Ok(keys.into_iter().map(apart).collect())
    }
}

fn at_object(mut failure: Failure, object: &Object) -> Failure {
    failure.message = format!(
        "`lane` failed for {} {}: {}",
        object.object_type, object.object_id, failure.message
    );
    failure
}

fn unreadable(call: &Call, why: &str) -> Failure {
    let message = format!(
        "the objects of `each` cannot be read by {}: {why}",
        words(call)
    );
    Failure {
        function: Some("each".to_owned()),
        hint: Some("nothing has been begun for any object; mend the query of `each`, then replay the event".into()),
        ..Failure::new(DeadClass::ApiError, message)
    }
}

/// How the claim ends if so many objects are more than the rule allows and no person has let the walk go on all the
/// same. Asked again of a walk that is over: the gateway may have died before it could say that it found too many.
fn over_limit(known: &Known, progress: &Progress, found: u64) -> Option<End> {
    let is_released = progress.run.released == Some(ParkedClass::Limit);
    let is_over = found > u64::from(known.header.limits.objects);
    (is_over && !is_released).then(|| too_many(known, progress.run.id, found))
}

/// Hands the run to a person: nothing has been begun yet.
fn too_many(known: &Known, run: RunId, found: u64) -> End {
    let limit = known.header.limits.objects;
    let reason = format!(
        "`each` found more objects than the limit `objects` of {limit} allows ({found} when it stopped looking), so \
         nothing has been begun for any of them. If that many are meant, `cuegate runs retry {run}` lets this run go \
         on without the limit, and `limits: #{{ objects: {} }}` in the header raises it for the future; if not, narrow \
         the query, then replay the event and `cuegate runs cancel {run}`. Later runs of its lane wait behind it.",
        found.saturating_mul(2)
    );
    End::Settle(Settlement::Parked {
        class: ParkedClass::Limit,
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn done_is_told_every_way_in_which_a_run_can_end() {
        let ends = RunState::ALL.into_iter().filter(|state| state.is_final());
        let tally = Tally {
            states: ends.clone().zip(1..).collect(),
            ..Tally::default()
        };
        let told = result(&tally);
        for state in ends {
            assert_eq!(told[state.as_str()], tally.count(state), "{state:?}");
        }
    }
}
