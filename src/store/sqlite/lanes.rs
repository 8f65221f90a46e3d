//! Who may run next: one row for each lane decides it.
//!
//! The row knows its head and its end, so whether there is more work is answered from it alone. A token that only
//! grows fences every write about a claimed run: it moves at each claim and whenever a claim is taken back.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{micros, to_json};
use super::suspects::{self, UnderWay, first_suspect, most_urgent, take, under_way};
use super::{journal, pausing, waits, walking};
use crate::model::{DeadClass, Failure, ParkedClass, RuleId, RunId, RunState};
use crate::store::{Claiming, Fenced, Lease, SUSPECT_AFTER, Settle, Settlement, StoreError};

/// Leases ready lanes. `turn` is the rule that was served last; it is moved on.
pub(super) fn lease(
    db: &Connection,
    claiming: &Claiming,
    at: Timestamp,
    turn: &mut RuleId,
) -> Result<Vec<Lease>, StoreError> {
    let mut leases = Vec::new();
    let suspects = suspects::are_there(db)?;
    let under_way = if suspects {
        under_way(db)?
    } else {
        UnderWay::Runs
    };
    if claiming.limit == 0 || under_way == UnderWay::Suspect {
        return Ok(leases);
    }
    let mut rules = rules_with_room(db, claiming, turn)?;
    if suspects && let Some((rule, suspect)) = first_suspect(db, &rules)? {
        if under_way == UnderWay::Nothing {
            leases.push(take(db, &suspect, at)?);
            turn.clone_from(&rule);
        }
        return Ok(leases);
    }
    while leases.len() < claiming.limit
        && let Some((rule, room)) = rules.pop_front()
    {
        let Some(head) = most_urgent(db, &rule)? else {
            continue;
        };
        if suspects && head.is_suspect(db)? {
            break;
        }
        leases.push(take(db, &head, at)?);
        turn.clone_from(&rule);
        if room > 1 {
            rules.push_back((rule, room - 1));
        }
    }
    Ok(leases)
}

/// The rules with ready lanes that are not paused, the one after `turn` first, with how many more runs of each may be
/// claimed.
fn rules_with_room(
    db: &Connection,
    claiming: &Claiming,
    turn: &RuleId,
) -> Result<VecDeque<(RuleId, usize)>, StoreError> {
    let stopped = pausing::stopped(db)?;
    let mut rules = VecDeque::new();
    if stopped.all {
        return Ok(rules);
    }
    let mut before_turn = 0;
    let mut next = next_ready_rule(db, "")?;
    while let Some(rule) = next {
        next = next_ready_rule(db, rule.as_str())?;
        let narrowed = claiming.narrowed.iter().find(|(named, _)| *named == rule);
        let bound = narrowed.map_or(claiming.per_rule, |(_, bound)| *bound);
        let room = bound.saturating_sub(leased(db, &rule)?);
        if room == 0 || stopped.rules.contains(&rule) {
            continue;
        }
        before_turn += usize::from(rule <= *turn);
        rules.push_back((rule, room));
    }
    rules.rotate_left(before_turn);
    Ok(rules)
}

/// The next rule in the alphabet that has a ready lane.
fn next_ready_rule(db: &Connection, after: &str) -> Result<Option<RuleId>, StoreError> {
    Ok(db
        .prepare_cached(
            "SELECT rule FROM lane WHERE state = 'ready' AND rule > ?1 ORDER BY rule LIMIT 1",
        )?
        .query_row([after], |row| Ok(RuleId(row.get(0)?)))
        .optional()?)
}

fn leased(db: &Connection, rule: &RuleId) -> Result<usize, StoreError> {
    Ok(db
        .prepare_cached("SELECT count(*) FROM lane WHERE state = 'leased' AND rule = ?1")?
        .query_row([rule.as_str()], |row| row.get::<_, u32>(0))?
        .try_into()
        .unwrap_or(usize::MAX))
}

/// The lane that a lease holds, if it still holds.
pub(super) fn held(db: &Connection, lease: Lease) -> Result<Option<i64>, StoreError> {
    Ok(db
        .prepare_cached(
            "SELECT lane.id FROM run JOIN lane ON lane.id = run.lane
             WHERE run.id = ?1 AND lane.head_run = run.id AND lane.state = 'leased' AND lane.token = ?2",
        )?
        .query_row([lease.run.0, lease.token], |row| row.get(0))
        .optional()?)
}

/// Ends a claim.
pub(super) fn settle(db: &Connection, settle: &Settle) -> Result<Fenced, StoreError> {
    let Some(lane) = held(db, settle.lease)? else {
        return Ok(Fenced::Lost);
    };
    let run = settle.lease.run;
    journal::write_logs(db, run, &settle.logs)?;
    spend(db, run, settle.spent)?;
    let ended = |ending: Ending<'_>| end(db, lane, run, &ending, settle.at);
    match &settle.settlement {
        Settlement::Succeeded => {
            // What became of its children is no failure of its own, and must not go unsaid.
            let children = walking::summary(db, run)?;
            ended(Ending::plain(RunState::Succeeded, children.as_deref()))?;
        }
        Settlement::Skipped { reason } => ended(Ending::plain(RunState::Skipped, Some(reason)))?,
        Settlement::Dead(failure) => ended(Ending::dead(failure))?,
        Settlement::Parked { class, reason } => park(db, lane, run, *class, reason)?,
        Settlement::Waiting {
            waits,
            until,
            reason,
            failing_since,
        } => {
            let wait = waits::Wait {
                waits,
                until: *until,
                reason,
                failing_since: *failing_since,
            };
            waits::begin(db, lane, run, &wait, settle.at)?;
        }
        Settlement::Released => {
            release(db, lane, run, settle.at)?;
            db.prepare_cached("UPDATE run SET attempt = max(attempt - 1, 0) WHERE id = ?1")?
                .execute([run.0])?;
        }
    }
    Ok(Fenced::Written)
}

/// Adds to the time that a run has taken.
fn spend(db: &Connection, run: RunId, time: Duration) -> Result<(), StoreError> {
    let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    db.prepare_cached("UPDATE run SET spent = spent + ?2 WHERE id = ?1 AND ?2 > 0")?
        .execute([run.0, micros])?;
    Ok(())
}

/// How long the script and the calls of a run took together, as far as its claims were settled.
pub(super) fn spent(db: &Connection, run: RunId) -> Result<Duration, StoreError> {
    let micros: i64 = db
        .prepare_cached("SELECT spent FROM run WHERE id = ?1")?
        .query_row([run.0], |row| row.get(0))?;
    Ok(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
}

/// How a run ends.
pub(super) struct Ending<'a> {
    pub(super) state: RunState,
    pub(super) reason: Option<&'a str>,
    pub(super) failure: Option<&'a Failure>,
}

impl<'a> Ending<'a> {
    pub(super) fn plain(state: RunState, reason: Option<&'a str>) -> Self {
        Self {
            state,
            reason,
            failure: None,
        }
    }

    fn dead(failure: &'a Failure) -> Self {
        Self {
            state: RunState::Dead,
            reason: None,
            failure: Some(failure),
        }
    }
}

/// Writes the end of a run at the head of its lane, lets the lane go on, and tells its parent.
pub(super) fn end(
    db: &Connection,
    lane: i64,
    run: RunId,
    ending: &Ending<'_>,
    at: Timestamp,
) -> Result<(), StoreError> {
    write_end(db, run, ending, at)?;
    advance(db, lane, micros(at))?;
    walking::parent_ended(db, run, at)?;
    walking::child_ended(db, run, ending.state, at)
}

/// Writes the end of a run; its lane is the caller's affair.
pub(super) fn write_end(
    db: &Connection,
    run: RunId,
    ending: &Ending<'_>,
    at: Timestamp,
) -> Result<(), StoreError> {
    waits::forget(db, run)?;
    db.prepare_cached(
        "UPDATE run SET state = ?2, reason = ?3, failure = ?4, class = ?5, ended_at = ?6, due_at = NULL, waits_for = NULL
         WHERE id = ?1",
    )?
    .execute(params![
        run.0,
        ending.state.as_str(),
        ending.reason,
        ending.failure.map(to_json),
        ending
            .failure
            .map(|failure| DeadClass::as_str(failure.class)),
        micros(at)
    ])?;
    Ok(())
}

fn park(
    db: &Connection,
    lane: i64,
    run: RunId,
    class: ParkedClass,
    reason: &str,
) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE run SET state = ?2, class = ?3, reason = ?4 WHERE id = ?1")?
        .execute(params![
            run.0,
            RunState::Parked.as_str(),
            class.as_str(),
            reason
        ])?;
    set_state(db, lane, "parked")
}

/// Makes the first unfinished run of a lane its head. Not for a leased lane; for any other it changes nothing that is
/// right already. `at` is now, in microseconds.
pub(super) fn advance(db: &Connection, lane: i64, at: i64) -> Result<(), StoreError> {
    let head: Option<(i64, i64, i64, &str)> = db
        .prepare_cached(
            "SELECT seq, id, priority, state, due_at FROM run WHERE lane = ?1 AND ended_at IS NULL ORDER BY seq LIMIT 1",
        )?
        .query_row([lane], |row| {
            let parked = row.get_ref(3)?.as_str()? == RunState::Parked.as_str();
            let due_at: Option<i64> = row.get(4)?;
            let state = match (parked, due_at) {
                (true, _) => "parked",
                (false, Some(_)) => "waiting",
                (false, None) => "ready",
            };
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, state))
        })
        .optional()?;
    match head {
        Some((seq, run, priority, state)) => db
            .prepare_cached(
                "UPDATE lane SET head_seq = ?2, head_run = ?3, rank = ?4, state = ?5,
                        ready_since = CASE WHEN state = 'ready' AND head_run = ?3 THEN ready_since ELSE ?6 END
                 WHERE id = ?1",
            )?
            .execute(params![lane, seq, run, -priority, state, at])?,
        None => db
            .prepare_cached(
                "UPDATE lane SET head_seq = next_seq, head_run = NULL, rank = 0, state = 'idle' WHERE id = ?1",
            )?
            .execute([lane])?,
    };
    Ok(())
}

pub(super) fn set_state(db: &Connection, lane: i64, state: &str) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE lane SET state = ?2 WHERE id = ?1")?
        .execute(params![lane, state])?;
    Ok(())
}

/// Takes a claim back; whoever held it is fenced from now on.
fn release(db: &Connection, lane: i64, run: RunId, at: Timestamp) -> Result<(), StoreError> {
    db.prepare_cached(
        "UPDATE lane SET state = 'ready', token = token + 1, ready_since = ?2 WHERE id = ?1",
    )?
    .execute([lane, micros(at)])?;
    db.prepare_cached("UPDATE run SET state = ?2 WHERE id = ?1")?
        .execute(params![run.0, RunState::Queued.as_str()])?;
    Ok(())
}

/// Takes all claims back; they stay counted, because whoever held them may have died of them. Which of several it was
/// cannot be told, so none of them comes to count as having been alone. Answers how many.
pub(super) fn release_all(db: &Connection, at: Timestamp) -> Result<usize, StoreError> {
    let leased: Vec<(i64, i64)> = db
        .prepare("SELECT lane, id FROM run WHERE state = ?1")?
        .query_map([RunState::Running.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    for (lane, run) in &leased {
        release(db, *lane, RunId(*run), at)?;
        if leased.len() > 1 {
            db.prepare_cached("UPDATE run SET attempt = min(attempt, ?2) WHERE id = ?1")?
                .execute(params![run, SUSPECT_AFTER])?;
        }
    }
    Ok(leased.len())
}
