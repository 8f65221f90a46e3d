//! Tells when a rule goes round in a circle over an object: our own writes wake it again and again.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::rows::micros;
use crate::model::format_duration;
use crate::store::{Breaker, NewRun, StoreError};

/// How many runs over the object are looked through for the way of the circle.
const LOOK_BACK: i64 = 200;

/// How many rules of that way are named.
const NAMED_MAX: usize = 6;

/// Why the run, which one of our own writes has woken for this object, must not begin; nothing if it may.
pub(super) fn closed_by(
    db: &Connection,
    breaker: Breaker,
    run: &NewRun,
    object: &str,
    at: Timestamp,
) -> Result<Option<String>, StoreError> {
    let rule = run.rule.as_str();
    let since = micros(at) - i64::try_from(breaker.within.as_micros()).unwrap_or(i64::MAX);
    let first: Option<i64> = db
        .prepare_cached(
            "SELECT run.id FROM run INDEXED BY run_by_object JOIN event ON event.number = run.event
             WHERE run.object = ?1 AND run.rule = ?2 AND event.echo AND run.created_at >= ?3
             ORDER BY run.id DESC LIMIT 1 OFFSET ?4",
        )?
        .query_row(
            params![object, rule, since, breaker.runs.saturating_sub(1)],
            |row| row.get(0),
        )
        .optional()?;
    let Some(first) = first else {
        return Ok(None);
    };
    if allowed_since(db, rule, object, first)? || waits_already(db, run)? {
        return Ok(None);
    }
    Ok(Some(format!(
        "our own writes have woken it {} times in {} for {object}, which looks like a loop: {}. Later runs of this \
         lane wait until a person retries or cancels this one. If it is none, raise [limits] loop",
        breaker.runs,
        format_duration(breaker.within),
        way(db, rule, object)?.join(" → ")
    )))
}

/// Whether a person has let the rule go on with the object since the run `first`: then it is counted anew.
fn allowed_since(
    db: &Connection,
    rule: &str,
    object: &str,
    first: i64,
) -> Result<bool, StoreError> {
    Ok(db
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM run INDEXED BY run_by_object WHERE object = ?1 AND rule = ?2 AND id > ?3
                            AND (retry_of IS NOT NULL OR replay_of IS NOT NULL))",
        )?
        .query_row(params![object, rule, first], |row| row.get(0))?)
}

/// Whether the run's lane stands behind a circle already: one parked run is enough to ask a person.
fn waits_already(db: &Connection, run: &NewRun) -> Result<bool, StoreError> {
    Ok(db
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM lane JOIN run ON run.id = lane.head_run
                            WHERE lane.rule = ?1 AND lane.key = ?2 AND run.state = 'parked' AND run.class = 'loop')",
        )?
        .query_row([run.rule.as_str(), run.lane.as_str()], |row| row.get(0))?)
}

/// The rules that ran on the object since the rule did, the rule itself at both ends.
fn way(db: &Connection, rule: &str, object: &str) -> Result<Vec<String>, StoreError> {
    let mut way = vec![rule.to_owned()];
    let mut statement =
        db.prepare_cached("SELECT rule FROM run WHERE object = ?1 ORDER BY id DESC LIMIT ?2")?;
    let mut before = statement.query(params![object, LOOK_BACK])?;
    while let Some(row) = before.next()? {
        let other: String = row.get(0)?;
        if other == rule {
            break;
        }
        if !way.contains(&other) {
            way.push(other);
        }
    }
    if way.len() > NAMED_MAX {
        way.truncate(NAMED_MAX);
        way.push("…".to_owned());
    }
    way.push(rule.to_owned());
    way.reverse();
    Ok(way)
}
