//! The children of `each`: found by a walk, stored before any of them begins, made a bounded number at a time.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::placing::{Newcomer, place};
use super::rows::{self, from_json, micros, time, to_json};
use super::{lanes, waits};
use crate::model::{Concurrency, FailedObject, Failure, Object, RunId, RunState, Tally};
use crate::store::{StoreError, Walk, WalkPage};

/// What a run takes over from the walk of the one that it goes on for.
pub(super) const COPIED: &str = "steps_before, place, ended_at, priority, objects, released, open, succeeded, skipped, \
                                 dead, cancelled, superseded";

/// What [`read`] reads.
pub(super) const READ: &str = "steps_before, place, ended_at, done_at, objects, released, succeeded, skipped, dead, \
                               cancelled, superseded";

/// Whether a walk still counts its children: those of a run that ended before them are counted to the last, and then
/// nothing changes any more, because `done` has been told.
pub(super) const COUNTS: &str = "(done_at IS NULL OR open > 0)";

/// The most children of one run that are unfinished at a time.
const OPEN_MAX: i64 = 500;

/// Adds a page to a walk; answers how many objects it has found, or nothing if the claim no longer holds.
pub(super) fn extend(db: &Connection, page: &WalkPage) -> Result<Option<u64>, StoreError> {
    if lanes::held(db, page.lease)?.is_none() {
        return Ok(None);
    }
    let run = page.lease.run.0;
    db.prepare_cached(
        "INSERT INTO walk (run, steps_before, place, priority, objects, released, open, succeeded, skipped, dead,
                           cancelled, superseded)
         SELECT id, steps, '', ?2, 0, 0, 0, 0, 0, 0, 0, 0 FROM run WHERE id = ?1
         ON CONFLICT (run) DO NOTHING",
    )?
    .execute(params![run, page.priority])?;
    let mut found: i64 = db
        .prepare_cached("SELECT objects FROM walk WHERE run = ?1")?
        .query_row([run], |row| row.get(0))?;
    for (object, lane) in &page.objects {
        let new = db
            .prepare_cached(
                "INSERT OR IGNORE INTO walk_object (run, number, object_type, object_id, lane)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                run,
                found,
                object.object_type,
                object.object_id,
                lane.as_str()
            ])?;
        found += i64::from(new > 0);
    }
    db.prepare_cached(
        "UPDATE walk SET place = ?2, objects = ?3, ended_at = CASE WHEN ?4 THEN ?5 END WHERE run = ?1",
    )?
    .execute(params![
        run,
        to_json(&page.place),
        found,
        page.last,
        micros(page.at)
    ])?;
    // A page is progress: a long walk is not one that keeps failing.
    db.prepare_cached("UPDATE run SET attempt = 0, failing_since = NULL WHERE id = ?1")?
        .execute([run])?;
    Ok(Some(u64::try_from(found).unwrap_or(0)))
}

/// Makes children until enough are under way; after the last has ended, wakes their parent.
pub(super) fn release_children(
    db: &Connection,
    parent: RunId,
    at: Timestamp,
) -> Result<(), StoreError> {
    let Some((objects, mut released, mut open, priority)) = db
        .prepare_cached(
            "SELECT objects, released, open, priority FROM walk WHERE run = ?1 AND done_at IS NULL",
        )?
        .query_row([parent.0], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, i64>(2)?,
                row.get::<_, i32>(3)?,
            ))
        })
        .optional()?
    else {
        return Ok(());
    };
    while released < objects && open < OPEN_MAX {
        if !make_child(db, parent, released, priority, at)? {
            tracing::error!(run = %parent, number = released, "an object of its `each` is not there; `cuegate store check --repair` helps");
            break;
        }
        released += 1;
        open += 1;
    }
    db.prepare_cached("UPDATE walk SET released = ?2, open = ?3 WHERE run = ?1")?
        .execute([parent.0, released, open])?;
    if open == 0 {
        db.prepare_cached("UPDATE walk SET done_at = ?2 WHERE run = ?1")?
            .execute([parent.0, micros(at)])?;
        waits::wake(db, parent, at)?;
    }
    Ok(())
}

/// Makes the child of an object; false if that object is not there.
fn make_child(
    db: &Connection,
    parent: RunId,
    number: i64,
    priority: i32,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let (event, rule, version, rule_set, binding): (i64, String, String, i64, u32) = db
        .prepare_cached("SELECT event, rule, version, rule_set, binding FROM run WHERE id = ?1")?
        .query_row([parent.0], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
            ))
        })?;
    let object: Option<(String, String, String)> = db
        .prepare_cached(
            "SELECT object_type, object_id, lane FROM walk_object WHERE run = ?1 AND number = ?2",
        )?
        .query_row([parent.0, number], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((object_type, object_id, lane)) = object else {
        return Ok(false);
    };
    let child = Newcomer {
        event,
        rule: &rule,
        version: &version,
        rule_set,
        binding,
        lane: &lane,
        concurrency: Concurrency::Queued,
        debounce: None,
        priority,
        object: Some(&object_id),
        object_type: Some(&object_type),
        parent: Some(parent.0),
        retry_of: None,
        replay_of: None,
        parked: None,
        at: micros(at),
    };
    place(db, &child).map(|_| true)
}

/// A run has ended; if it is a child, its parent counts it and the next child may begin.
pub(super) fn child_ended(
    db: &Connection,
    run: RunId,
    state: RunState,
    at: Timestamp,
) -> Result<(), StoreError> {
    let parent: Option<i64> = db
        .prepare_cached("SELECT parent FROM run WHERE id = ?1")?
        .query_row([run.0], |row| row.get(0))?;
    let Some(parent) = parent else {
        return Ok(());
    };
    let column = column_of(state);
    let counted = db
        .prepare_cached(&format!(
            "UPDATE walk SET open = open - 1, {column} = {column} + 1 WHERE run = ?1 AND {COUNTS}"
        ))?
        .execute([parent])?;
    if counted > 0 {
        release_children(db, RunId(parent), at)?;
    }
    Ok(())
}

/// A run has ended; objects whose children have not been made yet stay without.
pub(super) fn parent_ended(db: &Connection, run: RunId, at: Timestamp) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE walk SET done_at = ?2 WHERE run = ?1 AND done_at IS NULL")?
        .execute([run.0, micros(at)])?;
    Ok(())
}

/// How the children of a run are, in a line, if it has any.
pub(super) fn summary(db: &Connection, run: RunId) -> Result<Option<String>, StoreError> {
    Ok(tally(db, run)?.map(|tally| tally.to_string()))
}

/// How many children a run has in which state, without the names of those that failed; what a list shows.
pub(super) fn tally(db: &Connection, run: RunId) -> Result<Option<Tally>, StoreError> {
    Ok(counted(db, run)?.map(|walk| walk.tally))
}

/// The column that counts children which ended so.
pub(super) fn column_of(state: RunState) -> &'static str {
    match state {
        RunState::Succeeded => "succeeded",
        RunState::Skipped => "skipped",
        RunState::Cancelled => "cancelled",
        RunState::Superseded => "superseded",
        _ => "dead",
    }
}

/// How far a run's walk is, if it has begun.
pub(super) fn walk(db: &Connection, run: RunId) -> Result<Option<Walk>, StoreError> {
    let mut walk = counted(db, run)?;
    if let Some(walk) = &mut walk {
        walk.tally.failed = failed(db, run)?;
    }
    Ok(walk)
}

fn counted(db: &Connection, run: RunId) -> Result<Option<Walk>, StoreError> {
    let walk = db
        .prepare_cached(&format!("SELECT {READ} FROM walk WHERE run = ?1"))?
        .query_and_then([run.0], |row| read(row, run))?
        .next()
        .transpose()?;
    let Some(mut walk) = walk else {
        return Ok(None);
    };
    let mut open = db.prepare_cached(
        "SELECT state, count(*) FROM run INDEXED BY run_open_child
         WHERE parent = ?1 AND ended_at IS NULL GROUP BY state",
    )?;
    let mut rows = open.query([run.0])?;
    while let Some(row) = rows.next()? {
        let state = rows::run_state(&row.get::<_, String>(0)?)?;
        walk.tally.states.insert(state, count(row, 1)?);
    }
    Ok(Some(walk))
}

/// One walk; the columns are [`READ`].
pub(super) fn read(row: &Row<'_>, run: RunId) -> Result<Walk, StoreError> {
    let optional_time = |column: usize| -> Result<_, StoreError> {
        row.get::<_, Option<i64>>(column)?.map(time).transpose()
    };
    let mut tally = Tally {
        objects: count(row, 4)?,
        released: count(row, 5)?,
        ..Tally::default()
    };
    for (column, state) in [
        (6, RunState::Succeeded),
        (7, RunState::Skipped),
        (8, RunState::Dead),
        (9, RunState::Cancelled),
        (10, RunState::Superseded),
    ] {
        let children = count(row, column)?;
        if children > 0 {
            tally.states.insert(state, children);
        }
    }
    Ok(Walk {
        steps_before: row.get(0)?,
        place: from_json(
            format_args!("the place of the walk of run {run}"),
            &row.get::<_, String>(1)?,
        )?,
        ended_at: optional_time(2)?,
        done_at: optional_time(3)?,
        tally,
    })
}

fn count(row: &Row<'_>, column: usize) -> Result<u64, StoreError> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}

fn failed(db: &Connection, run: RunId) -> Result<Vec<FailedObject>, StoreError> {
    let most = i64::try_from(Tally::FAILED_MAX).unwrap_or(i64::MAX);
    db.prepare_cached(
        "SELECT id, object_type, object, state, reason, failure FROM run
         WHERE parent = coalesce((SELECT children_of FROM walk WHERE run = ?1), ?1)
         AND state IN ('dead', 'cancelled') AND followed_by IS NULL ORDER BY id LIMIT ?2",
    )?
    .query_and_then([run.0, most], |row| {
        let child: i64 = row.get(0)?;
        let failure: Option<String> = row.get(5)?;
        let failure: Option<Failure> = failure
            .map(|text| from_json(format_args!("the failure of run {child}"), &text))
            .transpose()?;
        let reason: Option<String> = row.get(4)?;
        Ok(FailedObject {
            object: Object {
                object_type: row.get(1)?,
                object_id: row.get(2)?,
            },
            run: RunId(child),
            state: rows::run_state(&row.get::<_, String>(3)?)?,
            class: failure.as_ref().map(|failure| failure.class),
            message: failure
                .map(|failure| failure.message)
                .or(reason)
                .unwrap_or_default(),
        })
    })?
    .collect()
}
