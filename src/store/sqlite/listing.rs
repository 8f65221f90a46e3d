//! Runs as people ask for them. Nothing here writes, and every list walks an index from its newest end, so that its cost
//! is that of what it shows and not of what there is.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::backlog::{self, Position};
use super::query::Query;
use super::rows::{self, event_state, from_json, micros, select_run, time};
use super::{absence, walking};
use crate::model::{EventId, EventState, Object, RuleSet, RuleSetId, Run, RunId, RunState};
use crate::store::{Matching, RunFilter, StoreError, StoredEvent};

/// How many rows a list has if nothing else is said.
const LIST_DEFAULT: usize = 100;

/// The most rows of a list: its length if that is not said.
pub(super) fn page(limit: usize) -> usize {
    match limit {
        0 => LIST_DEFAULT,
        limit => limit,
    }
}

/// Runs, newest first. A run that cannot be read is left out and said, because one of them must not hide
/// all the others.
pub(super) fn runs(db: &Connection, filter: &RunFilter) -> Result<Vec<Run>, StoreError> {
    let limit = page(filter.limit);
    let mut found = Vec::new();
    for query in queries(db, filter)? {
        let sql = format!(
            "{} {} ORDER BY run.id DESC LIMIT ?",
            select_run(query.by),
            query.condition()
        );
        let mut statement = db.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(query.values_and(limit)))?;
        while let Some(row) = rows.next()? {
            match rows::run(row).and_then(|run| with_children(db, run)) {
                Ok(run) => found.push(run),
                Err(error) => tracing::error!(%error, "a run is left out of a list"),
            }
        }
    }
    found.sort_by_key(|run| std::cmp::Reverse(run.id));
    found.dedup_by_key(|run| run.id);
    found.truncate(limit);
    Ok(found)
}

/// How many runs a filter means, and the newest of them.
pub(super) fn matching(db: &Connection, filter: &RunFilter) -> Result<Matching, StoreError> {
    let mut matching = Matching::default();
    for query in queries(db, filter)? {
        let sql = format!(
            "SELECT count(*), max(id) FROM (SELECT run.id FROM run {} {} ORDER BY run.id DESC LIMIT ?)",
            query.by,
            query.condition()
        );
        let most = usize::try_from(Matching::COUNTED_MAX).unwrap_or(usize::MAX);
        let (number, newest): (i64, Option<i64>) = db
            .prepare_cached(&sql)?
            .query_row(params_from_iter(query.values_and(most)), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        matching.number += u64::try_from(number).unwrap_or(0);
        matching.newest = matching.newest.max(newest.map(RunId));
    }
    matching.number = matching.number.min(Matching::COUNTED_MAX);
    Ok(matching)
}

/// The oldest runs of a filter between two numbers.
pub(super) fn oldest(
    db: &Connection,
    filter: &RunFilter,
    after: RunId,
    up_to: RunId,
) -> Result<Vec<RunId>, StoreError> {
    let limit = page(filter.limit);
    let mut found = Vec::new();
    for mut query in queries(db, filter)? {
        query.bound("run.id > ?", after.0);
        query.bound("run.id <= ?", up_to.0);
        let sql = format!(
            "SELECT run.id FROM run {} {} ORDER BY run.id LIMIT ?",
            query.by,
            query.condition()
        );
        let mut statement = db.prepare_cached(&sql)?;
        let ids = statement.query_map(params_from_iter(query.values_and(limit)), |row| {
            row.get(0).map(RunId)
        })?;
        for id in ids {
            found.push(id?);
        }
    }
    found.sort_unstable();
    found.truncate(limit);
    Ok(found)
}

/// The walks that find what a filter means, none if it names an event that is not there.
fn queries(db: &Connection, filter: &RunFilter) -> Result<Vec<Query>, StoreError> {
    let mut base = Query::default();
    if let Some(event) = filter.event {
        let Some(number) = event_number(db, event)? else {
            return Ok(Vec::new());
        };
        base.bound("run.event = ?", number);
    }
    if let Some(parent) = filter.parent {
        base.bound("run.parent = ?", parent.0);
    }
    if let Some(object) = &filter.object {
        base.bound("run.object = ?", object.clone());
    }
    if let Some(rule) = &filter.rule {
        base.bound("run.rule = ?", rule.as_str().to_owned());
    }
    if let Some(class) = &filter.class {
        base.bound("run.class = ?", class.clone());
    }
    if filter.dead_letters {
        base.only("run.state = 'dead' AND run.followed_by IS NULL");
    }
    bound_times(db, filter, &mut base)?;
    if let Some(before) = filter.before {
        base.bound("run.id < ?", before.0);
    }
    let mut queries = Vec::new();
    if filter.states.is_empty() {
        let any = filter.dead_letters.then_some(RunState::Dead);
        base.by = walked(filter, any, &mut base);
        queries.push(base);
    } else {
        for state in &filter.states {
            let mut query = base.clone();
            query.bound("run.state = ?", state.as_str().to_owned());
            query.by = walked(filter, Some(*state), &mut query);
            queries.push(query);
        }
    }
    Ok(queries)
}

/// The index to walk: what names the fewest runs. One that holds only some of them wants its own condition to be said.
fn walked(filter: &RunFilter, state: Option<RunState>, query: &mut Query) -> &'static str {
    if filter.event.is_some() {
        "INDEXED BY run_by_event"
    } else if filter.parent.is_some() {
        "INDEXED BY run_by_parent"
    } else if filter.object.is_some() {
        "INDEXED BY run_by_object"
    } else if filter.rule.is_some() {
        walked_for_rule(filter, state, query)
    } else if filter.class.is_some() {
        "INDEXED BY run_by_class"
    } else if filter.dead_letters {
        "INDEXED BY run_dead_letter"
    } else if filter.states.is_empty() {
        ""
    } else {
        "INDEXED BY run_by_state"
    }
}

/// Every run is queued, runs, and as a rule succeeds: these states have no index by rule, because to keep it would cost
/// every run as much as all its other rows. What is queued or runs is looked for among the runs in that state, and what
/// has succeeded among those of the rule.
fn walked_for_rule(filter: &RunFilter, state: Option<RunState>, query: &mut Query) -> &'static str {
    match state {
        None if filter.class.is_some() => "INDEXED BY run_by_class",
        None | Some(RunState::Succeeded) => "INDEXED BY run_by_rule",
        Some(RunState::Queued | RunState::Running) => "INDEXED BY run_by_state",
        Some(_) => {
            query.only("run.state NOT IN ('queued', 'running', 'succeeded')");
            "INDEXED BY run_by_rule_and_state"
        }
    }
}

/// Times become numbers first, so that the walk ends; what is left of the hour is compared.
fn bound_times(db: &Connection, filter: &RunFilter, query: &mut Query) -> Result<(), StoreError> {
    if let Some(since) = filter.since {
        let first = first_number(db, "run_hour", since)?;
        query.bound("run.id >= ?", first);
        query.bound("run.created_at >= ?", micros(since));
    }
    if let Some(until) = filter.until {
        let last = last_number(db, "run_hour", until)?;
        query.bound("run.id <= ?", last);
        query.bound("run.created_at < ?", micros(until));
    }
    Ok(())
}

const HOUR: i64 = 3_600_000_000;

/// The smallest number that was given at this time or later, by the hour.
pub(super) fn first_number(
    db: &Connection,
    hours: &str,
    since: Timestamp,
) -> Result<i64, StoreError> {
    let first: Option<i64> = db
        .prepare_cached(&format!("SELECT min(first) FROM {hours} WHERE hour >= ?1"))?
        .query_row([micros(since) / HOUR], |row| row.get(0))?;
    Ok(first.unwrap_or(i64::MAX))
}

/// The largest number that was given before this time, by the hour.
pub(super) fn last_number(
    db: &Connection,
    hours: &str,
    until: Timestamp,
) -> Result<i64, StoreError> {
    let last: Option<i64> = db
        .prepare_cached(&format!("SELECT max(last) FROM {hours} WHERE hour <= ?1"))?
        .query_row([micros(until) / HOUR], |row| row.get(0))?;
    Ok(last.unwrap_or(0))
}

/// One run.
pub(super) fn run(db: &Connection, id: RunId) -> Result<Option<Run>, StoreError> {
    let mut statement = db.prepare_cached(&format!("{} WHERE run.id = ?1", select_run("")))?;
    let mut rows = statement.query([id.0])?;
    match rows.next()? {
        Some(row) => rows::run(row)
            .and_then(|run| with_children(db, run))
            .map(Some),
        None => absence::of_run(db, id).map_or(Ok(None), Err),
    }
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
pub(super) fn event_number(db: &Connection, id: EventId) -> Result<Option<i64>, StoreError> {
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
        let waiting = backlog::waiting_event(db, position, id)?;
        return Ok(waiting.map(|event| StoredEvent {
            event,
            state: EventState::Stored,
            rule_set: None,
            failures: Vec::new(),
        }));
    };
    let pruned: Option<(i64, i64)> = db
        .prepare_cached(
            "SELECT received_at, pruned_at FROM event WHERE number = ?1 AND pruned_at IS NOT NULL",
        )?
        .query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((received, pruned)) = pruned {
        if let Some(error) = absence::of_payload(db, id, number, pruned)? {
            return Err(error);
        }
        return Err(StoreError::Pruned(format!(
            "event {id} is outside retention: it was received at {} and its payload removed at {}",
            time(received)?,
            time(pruned)?
        )));
    }
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

#[cfg(test)]
mod tests;
