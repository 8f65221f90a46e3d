//! How a new run takes its place in its lane, and what it does about those that are there.
//!
//! Whoever has begun always finishes: only runs that were never claimed can lose their place to a newer one.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::lanes;
use super::waits;
use crate::model::{Concurrency, Debounce, ParkedClass, RunId, RunState};
use crate::store::StoreError;

/// A run that is about to be made.
pub(super) struct Newcomer<'a> {
    pub(super) event: i64,
    pub(super) rule: &'a str,
    pub(super) version: &'a str,
    pub(super) rule_set: i64,
    pub(super) binding: u32,
    pub(super) lane: &'a str,
    pub(super) concurrency: Concurrency,
    pub(super) debounce: Option<Debounce>,
    pub(super) priority: i32,
    pub(super) object: Option<&'a str>,
    pub(super) object_type: Option<&'a str>,
    pub(super) parent: Option<i64>,
    pub(super) retry_of: Option<i64>,
    pub(super) replay_of: Option<i64>,
    /// Why it is parked from the beginning, if it is.
    pub(super) parked: Option<(ParkedClass, &'a str)>,
    /// Now, in microseconds.
    pub(super) at: i64,
}

/// Puts a run at the tail of its lane; nothing if it is dropped at once, which leaves a row that says so.
pub(super) fn place(db: &Connection, newcomer: &Newcomer<'_>) -> Result<Option<RunId>, StoreError> {
    let (lane, seq, state): (i64, i64, String) = db
        .prepare_cached(
            "INSERT INTO lane (rule, key, state, head_seq, next_seq, token) VALUES (?1, ?2, 'idle', 0, 1, 0)
             ON CONFLICT (rule, key) DO UPDATE SET next_seq = next_seq + 1
             RETURNING id, next_seq - 1, state",
        )?
        .query_row(params![newcomer.rule, newcomer.lane], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    if newcomer.concurrency == Concurrency::Single
        && let Some(other) = unfinished(db, lane)?
    {
        drop_newcomer(db, newcomer, lane, seq, other)?;
        return Ok(None);
    }
    let replaces = newcomer.concurrency == Concurrency::Latest || newcomer.debounce.is_some();
    let quiet_since = if replaces {
        supersede(db, newcomer, lane)?
    } else {
        None
    };
    let due = newcomer
        .debounce
        .map(|debounce| quiet_until(debounce, newcomer.at, quiet_since.unwrap_or(newcomer.at)));
    let began = due.map(|_| quiet_since.unwrap_or(newcomer.at));
    let run = insert(db, newcomer, lane, seq, (due, began))?;
    if let Some(due) = due {
        waits::set_timer(db, run, due, Some(newcomer.at))?;
    }
    // A head that was never claimed may have lost its place just now.
    if state == "idle" || (replaces && state != "leased") {
        lanes::advance(db, lane, newcomer.at)?;
    }
    Ok(Some(run))
}

fn unfinished(db: &Connection, lane: i64) -> Result<Option<i64>, StoreError> {
    Ok(db
        .prepare_cached(
            "SELECT id FROM run WHERE lane = ?1 AND ended_at IS NULL ORDER BY seq LIMIT 1",
        )?
        .query_row([lane], |row| row.get(0))
        .optional()?)
}

/// Ends every run of the lane that was never claimed; answers since when the first of them waited for quiet.
fn supersede(
    db: &Connection,
    newcomer: &Newcomer<'_>,
    lane: i64,
) -> Result<Option<i64>, StoreError> {
    let replaced: Vec<(i64, Option<i64>)> = db
        .prepare_cached(
            "UPDATE run SET state = ?2, reason = 'a newer event of its lane took its place', ended_at = ?3, due_at = NULL
             WHERE lane = ?1 AND ended_at IS NULL AND state = 'queued' AND started_at IS NULL
             RETURNING id, quiet_since",
        )?
        .query_map(
            params![lane, RunState::Superseded.as_str(), newcomer.at],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?
        .collect::<Result<_, _>>()?;
    for (run, _) in &replaced {
        waits::forget(db, RunId(*run))?;
    }
    Ok(replaced.iter().filter_map(|(_, since)| *since).min())
}

fn quiet_until(debounce: Debounce, now: i64, since: i64) -> i64 {
    let quiet = now.saturating_add(micros_of(debounce.quiet));
    quiet.min(since.saturating_add(micros_of(debounce.max)).max(now))
}

fn micros_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Puts a run at a place of its lane that another one has given up; the lane itself is the caller's affair.
pub(super) fn insert_at(
    db: &Connection,
    newcomer: &Newcomer<'_>,
    lane: i64,
    seq: i64,
) -> Result<RunId, StoreError> {
    insert(db, newcomer, lane, seq, (None, None))
}

fn insert(
    db: &Connection,
    newcomer: &Newcomer<'_>,
    lane: i64,
    seq: i64,
    (due_at, quiet_since): (Option<i64>, Option<i64>),
) -> Result<RunId, StoreError> {
    let (state, class, reason) = match newcomer.parked {
        Some((class, reason)) => (RunState::Parked, Some(class.as_str()), Some(reason)),
        None => (RunState::Queued, None, None),
    };
    let row = Row {
        state,
        class,
        reason,
        due_at,
        quiet_since,
        ended_at: None,
    };
    write(db, newcomer, lane, seq, &row)
}

/// A run that is dropped is a row all the same, so that a person sees why nothing ran.
fn drop_newcomer(
    db: &Connection,
    newcomer: &Newcomer<'_>,
    lane: i64,
    seq: i64,
    other: i64,
) -> Result<(), StoreError> {
    let reason = format!("dropped, because run {other} of its lane was unfinished");
    let row = Row {
        state: RunState::Superseded,
        class: None,
        reason: Some(&reason),
        due_at: None,
        quiet_since: None,
        ended_at: Some(newcomer.at),
    };
    write(db, newcomer, lane, seq, &row).map(|_| ())
}

struct Row<'a> {
    state: RunState,
    class: Option<&'a str>,
    reason: Option<&'a str>,
    due_at: Option<i64>,
    quiet_since: Option<i64>,
    ended_at: Option<i64>,
}

fn write(
    db: &Connection,
    newcomer: &Newcomer<'_>,
    lane: i64,
    seq: i64,
    row: &Row<'_>,
) -> Result<RunId, StoreError> {
    db.prepare_cached(
        "INSERT INTO run (lane, seq, event, rule, version, rule_set, binding, state, attempt, steps, created_at,
                          due_at, quiet_since, ended_at, class, reason, object, object_type, priority, parent,
                          retry_of, replay_of)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
    )?
    .execute(params![
        lane,
        seq,
        newcomer.event,
        newcomer.rule,
        newcomer.version,
        newcomer.rule_set,
        newcomer.binding,
        row.state.as_str(),
        newcomer.at,
        row.due_at,
        row.quiet_since,
        row.ended_at,
        row.class,
        row.reason,
        newcomer.object,
        newcomer.object_type,
        newcomer.priority,
        newcomer.parent,
        newcomer.retry_of,
        newcomer.replay_of,
    ])?;
    Ok(RunId(db.last_insert_rowid()))
}
