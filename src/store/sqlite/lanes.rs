//! Who may run next: one row for each lane decides it.
//!
//! The row knows its head and its end, so whether there is more work is answered from it alone, and a change
//! of head and of state is one statement. A token that only grows fences every write about a claimed run:
//! it moves at each claim and whenever a claim is taken back.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::journal;
use super::rows::{micros, time, to_json};
use crate::model::{Failure, RuleId, RunId, RunState};
use crate::store::{Fenced, Lease, Settle, Settlement, StoreError};

/// How many timers one call of [`wake_due`] takes, so that no write waits long behind it.
const WAKE_MAX: i64 = 1_000;

/// Leases up to `limit` ready lanes. `turn` is the rule that was served last; it is moved on.
pub(super) fn lease(
    db: &Connection,
    limit: usize,
    at: Timestamp,
    turn: &mut RuleId,
) -> Result<Vec<Lease>, StoreError> {
    let mut leases = Vec::new();
    while leases.len() < limit {
        // The next rule in the alphabet, and around the corner the first.
        let next = match oldest_ready_after(db, Some(turn))? {
            Some(next) => Some(next),
            None => oldest_ready_after(db, None)?,
        };
        let Some((lane, run, rule)) = next else {
            break;
        };
        let token = db
            .prepare_cached(
                "UPDATE lane SET state = 'leased', token = token + 1 WHERE id = ?1 RETURNING token",
            )?
            .query_row([lane], |row| row.get(0))?;
        db.prepare_cached(
            "UPDATE run SET state = ?2, attempt = attempt + 1, started_at = coalesce(started_at, ?3) WHERE id = ?1",
        )?
        .execute(params![run, RunState::Running.as_str(), micros(at)])?;
        *turn = rule;
        leases.push(Lease {
            run: RunId(run),
            token,
        });
    }
    Ok(leases)
}

fn oldest_ready_after(
    db: &Connection,
    rule: Option<&RuleId>,
) -> Result<Option<(i64, i64, RuleId)>, StoreError> {
    // NULL sorts before every text, but compares with none: hence the empty text, which no rule has.
    let after = rule.map_or("", RuleId::as_str);
    Ok(db
        .prepare_cached(
            "SELECT id, head_run, rule FROM lane WHERE state = 'ready' AND rule > ?1
             ORDER BY rule, head_run LIMIT 1",
        )?
        .query_row([after], |row| {
            Ok((row.get(0)?, row.get(1)?, RuleId(row.get(2)?)))
        })
        .optional()?)
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
    let ended = |state, reason, failure| end(db, lane, run, state, reason, failure, settle.at);
    match &settle.settlement {
        Settlement::Succeeded => ended(RunState::Succeeded, None, None)?,
        Settlement::Skipped { reason } => ended(RunState::Skipped, Some(reason), None)?,
        Settlement::Dead(failure) => ended(RunState::Dead, None, Some(failure))?,
        Settlement::Parked { reason } => {
            db.prepare_cached("UPDATE run SET state = ?2, reason = ?3 WHERE id = ?1")?
                .execute(params![run.0, RunState::Parked.as_str(), reason])?;
            set_lane(db, lane, "parked")?;
        }
        Settlement::Waiting {
            until,
            reason,
            failing_since,
        } => {
            let due_at = micros(*until);
            db.prepare_cached(
                "UPDATE run SET state = ?2, reason = ?3, due_at = ?4, failing_since = ?5 WHERE id = ?1",
            )?
            .execute(params![
                run.0,
                RunState::Waiting.as_str(),
                reason,
                due_at,
                failing_since.map(micros)
            ])?;
            db.prepare_cached("INSERT INTO timer (run, due_at) VALUES (?1, ?2)")?
                .execute([run.0, due_at])?;
            set_lane(db, lane, "waiting")?;
        }
        Settlement::Released => {
            release(db, lane, run)?;
            db.prepare_cached("UPDATE run SET attempt = max(attempt - 1, 0) WHERE id = ?1")?
                .execute([run.0])?;
        }
    }
    Ok(Fenced::Written)
}

/// Writes the end of a run, and lets its lane go on.
fn end(
    db: &Connection,
    lane: i64,
    run: RunId,
    state: RunState,
    reason: Option<&String>,
    failure: Option<&Failure>,
    at: Timestamp,
) -> Result<(), StoreError> {
    db.prepare_cached(
        "UPDATE run SET state = ?2, reason = ?3, failure = ?4, ended_at = ?5 WHERE id = ?1",
    )?
    .execute(params![
        run.0,
        state.as_str(),
        reason,
        failure.map(to_json),
        micros(at)
    ])?;
    // The next head is there if and only if the counters say so.
    db.prepare_cached(
        "UPDATE lane SET head_seq = head_seq + 1,
             head_run = (SELECT id FROM run WHERE run.lane = lane.id AND run.seq = lane.head_seq + 1),
             state = CASE WHEN head_seq + 1 < next_seq THEN 'ready' ELSE 'idle' END
         WHERE id = ?1",
    )?
    .execute([lane])?;
    Ok(())
}

fn set_lane(db: &Connection, lane: i64, state: &str) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE lane SET state = ?2 WHERE id = ?1")?
        .execute(params![lane, state])?;
    Ok(())
}

/// Takes a claim back; whoever held it is fenced from now on.
fn release(db: &Connection, lane: i64, run: RunId) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE lane SET state = 'ready', token = token + 1 WHERE id = ?1")?
        .execute([lane])?;
    db.prepare_cached("UPDATE run SET state = ?2 WHERE id = ?1")?
        .execute(params![run.0, RunState::Queued.as_str()])?;
    Ok(())
}

/// Takes all claims back; they stay counted, because whoever held them may have died of them. Answers how many.
pub(super) fn release_all(db: &Connection) -> Result<usize, StoreError> {
    let leased: Vec<(i64, i64)> = db
        .prepare("SELECT lane, id FROM run WHERE state = ?1")?
        .query_map([RunState::Running.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    for (lane, run) in &leased {
        release(db, *lane, RunId(*run))?;
    }
    Ok(leased.len())
}

/// Makes runs ready whose time has come, and says when the next one is due.
pub(super) fn wake_due(
    db: &Connection,
    at: Timestamp,
) -> Result<(usize, Option<Timestamp>), StoreError> {
    let due: Vec<i64> = db
        .prepare_cached("SELECT run FROM timer WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2")?
        .query_map([micros(at), WAKE_MAX], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for run in &due {
        db.prepare_cached("DELETE FROM timer WHERE run = ?1")?
            .execute([run])?;
        db.prepare_cached(
            "UPDATE lane SET state = 'ready' WHERE head_run = ?1 AND state = 'waiting'
             AND id = (SELECT lane FROM run WHERE id = ?1)",
        )?
        .execute([run])?;
        // A timer is progress: a run with many sleeps is not one that keeps failing.
        db.prepare_cached(
            "UPDATE run SET state = ?2, attempt = 0, due_at = NULL, reason = NULL WHERE id = ?1",
        )?
        .execute(params![run, RunState::Queued.as_str()])?;
    }
    let next: Option<i64> = db
        .prepare_cached("SELECT min(due_at) FROM timer")?
        .query_row([], |row| row.get(0))?;
    Ok((due.len(), next.map(time).transpose()?))
}
