//! To retry is to fork: a new run takes over the journal up to where the old one failed, and goes on from there.
//!
//! A finished write is never left out of what is taken over, so that it is not made twice.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::Original;
use crate::model::{Answer, DeadClass, Effect, RunId, RunState, StateAccess, Step};
use crate::store::sqlite::keeping::kept_jobs;
use crate::store::sqlite::lanes::{self, Ending};
use crate::store::sqlite::placing::{self, Newcomer};
use crate::store::sqlite::rows::micros;
use crate::store::sqlite::{absence, journal, walking};
use crate::store::{Intent, Remark, RetryAs, Retrying, StoreError};

/// The status that a script sees for a call of which a person says that it happened.
const HAPPENED: u16 = 204;

/// Makes the run that goes on.
pub(in crate::store::sqlite) fn retry(
    db: &Connection,
    run: RunId,
    retrying: &Retrying,
) -> Result<RunId, StoreError> {
    let original = Original::find(db, run)?;
    let open = journal::open_intent(db, run)?;
    permit(db, &original)?;
    permit_call(&original, open.as_ref(), retrying.how)?;
    original.expect_event(db)?;
    absence::expect_whole_journal(db, run)?;
    let steps = journal::steps(db, run)?;
    let kept = match open {
        // It came by whatever failed before.
        Some(_) => count(steps.len()),
        None => kept(db, &original, &steps)?,
    };
    let walk = Taken::of(db, &original, kept)?;
    let newcomer = Newcomer {
        retry_of: Some(run.0),
        ..original.again(micros(retrying.deciding.at))
    };
    let fork = if original.state == RunState::Parked {
        take_place(db, &original, &newcomer, retrying)?
    } else {
        original.rejoin_parent(db)?;
        let placed = placing::place(db, &newcomer)?;
        placed.expect("a run that waits its turn is never dropped")
    };
    original.follow(db, fork)?;
    let happened = open.filter(|_| retrying.how == Some(RetryAs::Happened));
    let copied = Copied {
        from: &original,
        to: fork,
        kept,
        answered: kept + u32::from(happened.is_some()),
    };
    copied.journal(db, newcomer.at)?;
    kept_jobs::hand_over(db, run, fork)?;
    if let Some(walk) = walk {
        walk.copy(db, run, fork)?;
    }
    let decided = Remark {
        number: kept,
        at: retrying.deciding.at,
        text: decision(&original, retrying, happened.is_some()),
    };
    if let Some(open) = happened {
        let latest = steps.last().map(|step| step.answer.at);
        let at = latest.max(Some(retrying.deciding.at));
        copied.answer(db, open, at.unwrap_or(retrying.deciding.at))?;
    }
    journal::write_remark(db, fork, &decided)?;
    Ok(fork)
}

fn permit(db: &Connection, original: &Original) -> Result<(), StoreError> {
    let Original { id, state, .. } = original;
    let name = state.as_str();
    if let Some(followed) = original.followed(db)? {
        return refuse(format!("{followed}: look at that one"));
    }
    match state {
        RunState::Queued | RunState::Running | RunState::Waiting => refuse(format!(
            "run {id} is {name}, so there is nothing to retry yet; `cuegate runs cancel {id}` ends it"
        )),
        RunState::Succeeded | RunState::Skipped => refuse(format!(
            "run {id} is {name}, so there is nothing to retry; `cuegate runs replay {id}` begins its event anew"
        )),
        RunState::Dead | RunState::Parked | RunState::Cancelled | RunState::Superseded => Ok(()),
    }
}

/// A call that may have happened needs a word about it, and only such a call.
fn permit_call(
    original: &Original,
    open: Option<&Intent>,
    how: Option<RetryAs>,
) -> Result<(), StoreError> {
    let id = original.id;
    match (open, how) {
        (Some(open), None) => {
            let place = match &open.effect {
                Effect::Egress(call) => call.target.as_str(),
                _ => "Iconik",
            };
            refuse(format!(
                "step {} of run {id}, {}, may have happened: look in {place}, then say which it is with `cuegate runs \
                 retry {id} --as happened` or `--as again`",
                open.number, open.effect
            ))
        }
        (None, Some(RetryAs::Happened)) => refuse(format!(
            "run {id} is {} and has no call that may have happened; `cuegate runs retry {id}` lets it go on",
            original.state.as_str()
        )),
        _ => Ok(()),
    }
}

fn refuse(why: String) -> Result<(), StoreError> {
    Err(StoreError::Refused(why))
}

/// How many steps are taken over. Of a run that died of what it was answered: those before the first step that failed,
/// but all up to the last write that was made. Of any other: all.
fn kept(db: &Connection, original: &Original, steps: &[Step]) -> Result<u32, StoreError> {
    let of_an_answer = [
        DeadClass::ApiError,
        DeadClass::ScriptError,
        DeadClass::Failed,
    ]
    .map(DeadClass::as_str);
    let class = original.class.as_deref().unwrap_or_default();
    let mut kept = steps.len();
    if original.state == RunState::Dead && of_an_answer.contains(&class) {
        let announced = announced(db, original.id)?;
        let failed = |step: &Step| step.answer.status >= 400;
        let wrote = |step: &Step| announced.contains(&step.number) || changes_state(&step.effect);
        let last_write = steps.iter().rposition(|step| wrote(step) && !failed(step));
        let after_writes = last_write.map_or(0, |last| last + 1);
        let first_failed = steps[after_writes..].iter().position(failed);
        kept = first_failed.map_or(kept, |place| after_writes + place);
    }
    Ok(count(kept))
}

fn count(steps: usize) -> u32 {
    u32::try_from(steps).unwrap_or(u32::MAX)
}

/// The steps that were writes, as far as they were sent.
fn announced(db: &Connection, run: RunId) -> Result<HashSet<u32>, StoreError> {
    Ok(db
        .prepare_cached(
            "SELECT number FROM intent WHERE run = ?1
             AND NOT EXISTS (SELECT 1 FROM withdrawn WHERE withdrawn.intent = intent.id)",
        )?
        .query_map([run.0], |row| row.get(0))?
        .collect::<Result<_, _>>()?)
}

/// Whether what the rule keeps is another thing afterwards.
pub(super) fn changes_state(effect: &Effect) -> bool {
    matches!(effect, Effect::State(call) if call.access != StateAccess::Get)
}

/// Ends the parked run and puts the new one where it was.
fn take_place(
    db: &Connection,
    original: &Original,
    newcomer: &Newcomer<'_>,
    retrying: &Retrying,
) -> Result<RunId, StoreError> {
    let ending = Ending::plain(RunState::Cancelled, None);
    lanes::write_end(db, original.id, &ending, retrying.deciding.at)?;
    let fork = placing::insert_at(db, newcomer, original.lane, original.seq)?;
    let mut reason = format!("retried as run {fork} by {}", retrying.deciding);
    if let Some(parked) = &original.reason {
        reason.push_str(". It was parked: ");
        reason.push_str(parked);
    }
    db.prepare_cached("UPDATE run SET reason = ?2 WHERE id = ?1")?
        .execute(params![original.id.0, reason])?;
    db.prepare_cached("UPDATE run SET released = ?2 WHERE id = ?1")?
        .execute(params![fork.0, original.class])?;
    if original.is_head {
        lanes::advance(db, original.lane, newcomer.at)?;
    }
    Ok(fork)
}

/// What the new run has of the old one's journal.
struct Copied<'a> {
    from: &'a Original,
    to: RunId,
    /// How many steps are taken over.
    kept: u32,
    /// How many it begins with: one more if a person says what happened.
    answered: u32,
}

impl Copied<'_> {
    fn journal(&self, db: &Connection, at: i64) -> Result<(), StoreError> {
        let (from, to) = (self.from.id.0, self.to.0);
        for (sql, before) in [
            (
                "INSERT INTO step (run, number, digest, effect, answer)
                 SELECT ?2, number, digest, effect, answer FROM step WHERE run = ?1 AND number < ?3 ORDER BY number",
                self.kept,
            ),
            (
                "INSERT INTO intent (run, number, digest, effect, at)
                 SELECT ?2, number, digest, effect, at FROM intent WHERE run = ?1 AND number < ?3
                 AND NOT EXISTS (SELECT 1 FROM withdrawn WHERE withdrawn.intent = intent.id) ORDER BY id",
                self.answered,
            ),
            // Lines before the first step that is still to be answered are logged again by the next advance.
            (
                "INSERT INTO log (run, step, line, level, text)
                 SELECT ?2, step, line, level, text FROM log WHERE run = ?1 AND step < ?3",
                self.answered,
            ),
            (
                "INSERT INTO remark (run, number, line, at, text)
                 SELECT ?2, number, line, at, text FROM remark WHERE run = ?1 AND number < ?3",
                self.answered,
            ),
        ] {
            db.prepare_cached(sql)?
                .execute(params![from, to, before])?;
        }
        db.prepare_cached(
            "UPDATE run SET steps = ?2, started_at = ?3, released = coalesce(released, ?4) WHERE id = ?1",
        )?
        .execute(params![to, self.kept, self.started_at(at), self.from.released])?;
        Ok(())
    }

    /// Before its first answer a script's time is that of its start, so whoever keeps answers keeps the start. A run
    /// that takes another's place has begun, so that no newer one takes it away.
    fn started_at(&self, now: i64) -> Option<i64> {
        match self.from.started_at {
            Some(started) if self.answered > 0 => Some(started),
            Some(_) if self.from.state == RunState::Parked => Some(now),
            _ => None,
        }
    }

    /// Journals the call of which a person says that it happened.
    fn answer(&self, db: &Connection, open: Intent, at: Timestamp) -> Result<(), StoreError> {
        let step = Step {
            number: open.number,
            digest: open.digest,
            effect: open.effect,
            answer: Answer {
                status: HAPPENED,
                body: Value::Null,
                at,
            },
        };
        journal::write_step(db, self.to, &step)
    }
}

fn decision(original: &Original, retrying: &Retrying, happened: bool) -> String {
    let (who, id) = (&retrying.deciding, original.id);
    if happened {
        return format!("{who} decided that this call of run {id} has happened");
    }
    let class = original.class.as_deref();
    let class = class.map_or_else(String::new, |class| format!(" ({class})"));
    let state = original.state.as_str();
    format!("{who} let run {id}, which was {state}{class}, go on from here")
}

/// What becomes of the walk of a run's `each`.
enum Taken {
    /// No child has been made: the walk goes on where it was.
    UnderWay,
    /// Every child has ended: only what comes after is done again.
    Ended,
}

impl Taken {
    fn of(db: &Connection, original: &Original, kept: u32) -> Result<Option<Self>, StoreError> {
        let walk: Option<(u32, i64, i64, i64)> = db
            .prepare_cached(
                "SELECT steps_before, objects, released, open FROM walk WHERE run = ?1",
            )?
            .query_row([original.id.0], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .optional()?;
        match walk {
            None => Ok(None),
            Some((_, objects, released, 0)) if released > 0 && released == objects => {
                Ok(Some(Self::Ended))
            }
            Some((steps_before, _, 0, _)) => Ok((steps_before <= kept).then_some(Self::UnderWay)),
            Some((_, objects, released, open)) => Err(StoreError::Refused(format!(
                "run {id} had made {released} runs for its {objects} objects, {open} of them unfinished; retry those \
                 that did not end well (`cuegate runs retry --parent {id}`), or begin anew with `cuegate runs replay \
                 {id}`",
                id = original.id
            ))),
        }
    }

    fn copy(&self, db: &Connection, from: RunId, to: RunId) -> Result<(), StoreError> {
        let (done_at, children_of) = match self {
            Self::UnderWay => ("NULL", "NULL"),
            Self::Ended => ("done_at", "coalesce(children_of, run)"),
        };
        db.prepare_cached(&format!(
            "INSERT INTO walk ({columns}, run, done_at, children_of)
             SELECT {columns}, ?2, {done_at}, {children_of} FROM walk WHERE run = ?1",
            columns = walking::COPIED
        ))?
        .execute([from.0, to.0])?;
        if matches!(self, Self::UnderWay) {
            db.prepare_cached(
                "INSERT INTO walk_object (run, number, object_type, object_id, lane)
                 SELECT ?2, number, object_type, object_id, lane FROM walk_object WHERE run = ?1 ORDER BY number",
            )?
            .execute([from.0, to.0])?;
        }
        Ok(())
    }
}
