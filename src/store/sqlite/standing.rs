//! Where a run stands and which way it came, for whoever looks at it.

use rusqlite::{Connection, OptionalExtension};

use super::rows::{corrupt, from_json, time};
use super::{journal, listing, walking};
use crate::model::{RunId, RunState, WaitForEvent};
use crate::store::{Announced, Remark, Standing, StoreError, Trace};

/// What a run stands behind and waits for.
pub(super) fn standing(db: &Connection, id: RunId) -> Result<Standing, StoreError> {
    let Some(run) = listing::run(db, id)? else {
        return Ok(Standing::default());
    };
    let mut standing = Standing {
        children: walking::walk(db, id)?.map(|walk| walk.tally),
        ..Standing::default()
    };
    if run.state.is_final() {
        return Ok(standing);
    }
    let (head, before): (Option<i64>, i64) = db
        .prepare_cached(
            "SELECT lane.head_run,
                    (SELECT count(*) FROM run AS other
                     WHERE other.lane = run.lane AND other.ended_at IS NULL AND other.seq < run.seq)
             FROM run JOIN lane ON lane.id = run.lane WHERE run.id = ?1",
        )?
        .query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    standing.before = u64::try_from(before).unwrap_or(0);
    if let Some(head) = head.filter(|head| *head != id.0) {
        standing.head = listing::run(db, RunId(head))?.map(Box::new);
    }
    if run.state == RunState::Waiting {
        standing.event = awaited_event(db, id, run.due_at)?;
        standing.job = db
            .prepare_cached("SELECT job FROM job_wait WHERE run = ?1")?
            .query_row([id.0], |row| row.get(0))
            .optional()?;
    }
    Ok(standing)
}

fn awaited_event(
    db: &Connection,
    id: RunId,
    until: Option<jiff::Timestamp>,
) -> Result<Option<WaitForEvent>, StoreError> {
    let found: Option<(String, String)> = db
        .prepare_cached("SELECT pattern, fields FROM event_wait WHERE run = ?1")?
        .query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let what = format!("what run {id} waits for");
    match (found, until) {
        (Some((pattern, fields)), Some(until)) => Ok(Some(WaitForEvent {
            pattern: from_json(&what, &pattern)?,
            fields: from_json(&what, &fields)?,
            until,
            position: None,
        })),
        _ => Ok(None),
    }
}

/// The way of a run.
pub(super) fn trace(db: &Connection, id: RunId) -> Result<Trace, StoreError> {
    Ok(Trace {
        steps: journal::steps(db, id)?,
        open: journal::open_intent(db, id)?,
        announced: announced(db, id)?,
        logs: journal::logs(db, id)?,
        remarks: remarks(db, id)?,
    })
}

fn announced(db: &Connection, id: RunId) -> Result<Vec<Announced>, StoreError> {
    db.prepare_cached(
        "SELECT number, at, EXISTS (SELECT 1 FROM withdrawn WHERE withdrawn.intent = intent.id) FROM intent
         WHERE run = ?1 ORDER BY number, id",
    )?
    .query_and_then([id.0], |row| {
        Ok(Announced {
            number: row.get(0)?,
            at: time(row.get(1)?)?,
            withdrawn: row.get(2)?,
        })
    })?
    .collect::<Result<_, _>>()
    .map_err(|error| corrupt(format_args!("the intents of run {id}"), error))
}

fn remarks(db: &Connection, id: RunId) -> Result<Vec<Remark>, StoreError> {
    db.prepare_cached("SELECT number, at, text FROM remark WHERE run = ?1 ORDER BY number, line")?
        .query_and_then([id.0], |row| {
            Ok(Remark {
                number: row.get(0)?,
                at: time(row.get(1)?)?,
                text: row.get(2)?,
            })
        })?
        .collect::<Result<_, _>>()
        .map_err(|error| corrupt(format_args!("the remarks of run {id}"), error))
}
