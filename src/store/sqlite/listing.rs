//! What people and pages ask for. Nothing here writes, and nothing reads a whole table to count it.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::inbox::{self, Position};
use super::rows::{self, SELECT_RUN, event_state, from_json, run_state};
use super::walking;
use crate::model::{EventId, EventState, Object, RuleSet, RuleSetId, Run, RunId};
use crate::store::{Counts, RunFilter, StoreError, StoredEvent};

/// How many runs a list has if nothing else is said.
const LIST_DEFAULT: usize = 100;

/// How much of everything there is, from counters that every write keeps.
pub(super) fn counts(db: &Connection) -> Result<Counts, StoreError> {
    let position = Position::read(db)?;
    Ok(Counts {
        unrouted: inbox::unrouted(db, position)?,
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
    })
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

/// Runs, newest first. A run that cannot be read is left out and said, because one of them must not hide
/// all the others.
pub(super) fn runs(db: &Connection, filter: &RunFilter) -> Result<Vec<Run>, StoreError> {
    let limit = match filter.limit {
        0 => LIST_DEFAULT,
        limit => limit,
    };
    let mut found = Vec::new();
    if filter.states.is_empty() {
        list(db, filter, None, limit, &mut found)?;
    }
    // One query for each state, so that each walks its index from the newest end.
    for state in &filter.states {
        list(db, filter, Some(state.as_str()), limit, &mut found)?;
    }
    found.sort_by_key(|run| std::cmp::Reverse(run.id));
    found.dedup_by_key(|run| run.id);
    found.truncate(limit);
    Ok(found)
}

fn list(
    db: &Connection,
    filter: &RunFilter,
    state: Option<&str>,
    limit: usize,
    found: &mut Vec<Run>,
) -> Result<(), StoreError> {
    let mut conditions = Vec::new();
    let mut values = Vec::new();
    if let Some(state) = state {
        conditions.push("run.state = ?");
        values.push(Value::from(state.to_owned()));
    }
    if let Some(rule) = &filter.rule {
        conditions.push("run.rule = ?");
        values.push(Value::from(rule.as_str().to_owned()));
    }
    if let Some(event) = filter.event {
        let Some(number) = event_number(db, event)? else {
            return Ok(());
        };
        conditions.push("run.event = ?");
        values.push(Value::from(number));
    }
    let condition = if conditions.is_empty() {
        String::new()
    } else {
        format!("WHERE {}", conditions.join(" AND "))
    };
    values.push(Value::from(i64::try_from(limit).unwrap_or(i64::MAX)));
    let sql = format!("{SELECT_RUN} {condition} ORDER BY run.id DESC LIMIT ?");
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        match rows::run(row).and_then(|run| with_children(db, run)) {
            Ok(run) => found.push(run),
            Err(error) => tracing::error!(%error, "a run is left out of a list"),
        }
    }
    Ok(())
}

/// One run.
pub(super) fn run(db: &Connection, id: RunId) -> Result<Option<Run>, StoreError> {
    let mut statement = db.prepare_cached(&format!("{SELECT_RUN} WHERE run.id = ?1"))?;
    let mut rows = statement.query([id.0])?;
    let run = rows.next()?.map(rows::run).transpose()?;
    run.map(|run| with_children(db, run)).transpose()
}

/// A run with how its children are, if it has any.
fn with_children(db: &Connection, mut run: Run) -> Result<Run, StoreError> {
    // A child has no children.
    if run.parent.is_none() {
        run.children = walking::tally(db, run.id)?;
    }
    Ok(run)
}

/// The object that a child of `each` is about.
pub(super) fn object_of(db: &Connection, id: RunId) -> Result<Option<Object>, StoreError> {
    Ok(db
        .prepare_cached("SELECT object_type, object FROM run WHERE id = ?1 AND parent IS NOT NULL")?
        .query_row([id.0], |row| {
            Ok(Object {
                object_type: row.get(0)?,
                object_id: row.get(1)?,
            })
        })
        .optional()?)
}

/// The number of an event, by its id or by an alias of it.
fn event_number(db: &Connection, id: EventId) -> Result<Option<i64>, StoreError> {
    Ok(db
        .prepare_cached(
            "SELECT number FROM event WHERE id = ?1 UNION ALL SELECT event FROM alias WHERE id = ?1 LIMIT 1",
        )?
        .query_row([id.0], |row| row.get(0))
        .optional()?)
}

/// One event, routed or not.
pub(super) fn event(db: &Connection, id: EventId) -> Result<Option<StoredEvent>, StoreError> {
    let position = Position::read(db)?;
    let Some(number) = event_number(db, id)? else {
        let waiting = inbox::waiting_event(db, position, id)?;
        return Ok(waiting.map(|event| StoredEvent {
            event,
            state: EventState::Stored,
            rule_set: None,
            failures: Vec::new(),
        }));
    };
    let mut statement = db.prepare_cached(
        "SELECT event_body.json, event.state, rule_set.id, event.failures FROM event
         CROSS JOIN event_body ON event_body.event = event.number
         CROSS JOIN rule_set ON rule_set.number = event.rule_set
         WHERE event.number = ?1",
    )?;
    let mut rows = statement.query([number])?;
    rows.next()?.map(|row| stored_event(row, id)).transpose()
}

fn stored_event(row: &Row<'_>, id: EventId) -> Result<StoredEvent, StoreError> {
    let failures: Option<String> = row.get(3)?;
    let failures =
        failures.map(|text| from_json(format_args!("the failures of event {id}"), &text));
    Ok(StoredEvent {
        event: from_json(format_args!("event {id}"), &row.get::<_, String>(0)?)?,
        state: event_state(&row.get::<_, String>(1)?)?,
        rule_set: Some(RuleSetId(row.get(2)?)),
        failures: failures.transpose()?.unwrap_or_default(),
    })
}

/// A rule set by id.
pub(super) fn rule_set(db: &Connection, id: &RuleSetId) -> Result<Option<RuleSet>, StoreError> {
    let json: Option<String> = db
        .prepare_cached("SELECT json FROM rule_set WHERE id = ?1")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    json.map(|json| from_json(format_args!("rule set {id}"), &json))
        .transpose()
}
