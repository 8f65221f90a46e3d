//! How much of everything there is, without reading it: counters that triggers keep, and the ends of two indexes.

use jiff::Timestamp;
use rusqlite::Connection;

use super::backlog::{self, Position};
use super::rows::{event_state, run_state, time};
use super::{pausing, routing};
use crate::model::RuleId;
use crate::store::{ClassCount, Counts, StoreError};

/// How much of everything there is, from counters that every write keeps.
pub(super) fn counts(db: &Connection) -> Result<Counts, StoreError> {
    let position = Position::read(db)?;
    Ok(Counts {
        unrouted: backlog::unrouted(db, position)?,
        events: counters(
            db,
            "SELECT state, number FROM event_count WHERE number > 0",
            event_state,
        )?,
        runs: counters(
            db,
            "SELECT state, number FROM run_count WHERE number > 0",
            run_state,
        )?,
        classes: classes(db)?,
        due_since: due_since(db)?,
        stopped: pausing::pauses(db)?,
        rule_set: routing::active_rule_set(db)?.map(|(_, id)| id),
    })
}

fn classes(db: &Connection) -> Result<Vec<ClassCount>, StoreError> {
    db.prepare_cached(
        "SELECT state, class, rule, number FROM class_count WHERE number > 0 ORDER BY state, class, rule",
    )?
    .query_and_then([], |row| {
        Ok(ClassCount {
            state: run_state(&row.get::<_, String>(0)?)?,
            class: row.get(1)?,
            rule: RuleId(row.get(2)?),
            number: u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0),
        })
    })?
    .collect()
}

/// Since when the oldest run is due: at the head of a free lane, or waiting for a time that may have passed.
fn due_since(db: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let since: Option<i64> = db
        .prepare_cached(
            "SELECT min(at) FROM (
                 SELECT min(due_at) AS at FROM timer
                 UNION ALL
                 SELECT (SELECT ready_since FROM lane INDEXED BY lane_ready_since
                         WHERE state = 'ready' AND ready_since > 0 ORDER BY ready_since LIMIT 1))",
        )?
        .query_row([], |row| row.get(0))?;
    since.map(time).transpose()
}

fn counters<S>(
    db: &Connection,
    sql: &str,
    state: impl Fn(&str) -> Result<S, StoreError>,
) -> Result<Vec<(S, u64)>, StoreError> {
    db.prepare_cached(sql)?
        .query_and_then([], |row| {
            let name: String = row.get(0)?;
            let number: i64 = row.get(1)?;
            Ok((state(&name)?, u64::try_from(number).unwrap_or(0)))
        })?
        .collect()
}
