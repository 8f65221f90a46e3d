//! Events as people ask for them, newest first: those that wait in the inbox, then those that were routed.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::backlog::Position;
use super::listing::{event_number, first_number, last_number, page};
use super::pausing;
use super::query::Query;
use super::rows::{event_state, from_json, micros, time};
use crate::model::{Event, EventId, EventState, RuleId, SourceName};
use crate::store::{AboutEvent, EventFilter, EventSummary, PauseScope, StoreError};

/// Events, newest first.
pub(super) fn events(
    db: &Connection,
    filter: &EventFilter,
) -> Result<Vec<EventSummary>, StoreError> {
    let position = Position::read(db)?;
    let limit = page(filter.limit);
    let place = match filter.before {
        Some(id) => Place::of(db, position, id)?,
        None => Place::Newest,
    };
    let mut found = Vec::new();
    if wants_unrouted(filter) {
        unrouted(db, filter, (position, &place), limit, &mut found)?;
    }
    let rest = limit - found.len();
    let mut known = Vec::new();
    for query in queries(db, filter, &place)? {
        routed(db, &query, rest, &mut known)?;
    }
    known.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    let seen: HashSet<EventId> = found.iter().map(|event| event.id).collect();
    found.extend(
        known
            .into_iter()
            .map(|(_, event)| event)
            .filter(|event| !seen.contains(&event.id))
            .take(rest),
    );
    Ok(found)
}

/// Where a page begins.
pub(super) enum Place {
    Newest,
    /// Behind this row of the inbox.
    Inbox(i64),
    /// Behind this routed event.
    Routed(i64),
}

impl Place {
    fn of(db: &Connection, position: Position, id: EventId) -> Result<Self, StoreError> {
        if let Some(number) = event_number(db, id)? {
            return Ok(Self::Routed(number));
        }
        let waiting: Option<i64> = db
            .prepare_cached(
                "SELECT number FROM inbox.accepted WHERE number > ?1 AND id = ?2 ORDER BY number LIMIT 1",
            )?
            .query_row((position.number, id.0), |row| row.get(0))
            .optional()?;
        waiting
            .map(Self::Inbox)
            .ok_or_else(|| StoreError::Refused(format!("there is no event {id} to go on behind")))
    }
}

/// Subject and object of what waits in the inbox are not indexed.
fn wants_unrouted(filter: &EventFilter) -> bool {
    let states = &filter.states;
    filter.subject.is_none()
        && filter.object.is_none()
        && (states.is_empty() || states.contains(&EventState::Stored))
}

fn unrouted(
    db: &Connection,
    filter: &EventFilter,
    (position, place): (Position, &Place),
    limit: usize,
    found: &mut Vec<EventSummary>,
) -> Result<(), StoreError> {
    let before = match place {
        Place::Newest => i64::MAX,
        Place::Inbox(number) => *number,
        Place::Routed(_) => return Ok(()),
    };
    let (low, high) = id_range(filter.id.as_deref().unwrap_or_default())?;
    let mut statement = db.prepare_cached(
        "SELECT id, json FROM inbox.accepted WHERE number > ?1 AND number < ?2
         AND (?3 IS NULL OR source = ?3) AND received_at >= ?4 AND received_at < ?5 AND id >= ?6 AND id <= ?7
         ORDER BY number DESC",
    )?;
    let mut rows = statement.query((
        position.number,
        before,
        filter.source.as_ref().map(SourceName::as_str),
        filter.since.map_or(i64::MIN, micros),
        filter.until.map_or(i64::MAX, micros),
        low,
        high,
    ))?;
    let mut seen = HashSet::new();
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        let id = EventId(row.get(0)?);
        // A repeated delivery is an event that is there already.
        if !seen.insert(id) || event_number(db, id)?.is_some() {
            continue;
        }
        match from_json::<Event>(format_args!("event {id}"), &row.get::<_, String>(1)?) {
            Ok(event) => found.push(summary_of(event)),
            Err(error) => tracing::error!(%error, "an event is left out of a list"),
        }
    }
    Ok(())
}

fn summary_of(event: Event) -> EventSummary {
    EventSummary {
        id: event.id,
        received_at: event.received_at,
        state: EventState::Stored,
        subject: Some(event.subject()),
        object: event.object().map(str::to_owned),
        echo: false,
        runs: 0,
        source: event.source,
    }
}

fn routed(
    db: &Connection,
    query: &Query,
    limit: usize,
    found: &mut Vec<(i64, EventSummary)>,
) -> Result<(), StoreError> {
    let sql = sql(query);
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(query.values_and(limit)))?;
    while let Some(row) = rows.next()? {
        match summary(row) {
            Ok(event) => found.push((row.get(0)?, event)),
            Err(error) => tracing::error!(%error, "an event is left out of a list"),
        }
    }
    Ok(())
}

fn sql(query: &Query) -> String {
    format!(
        "SELECT number, id, source, received_at, state, subject, object, echo,
                (SELECT count(*) FROM run WHERE run.event = event.number)
         FROM event {} {} ORDER BY number DESC LIMIT ?",
        query.by,
        query.condition()
    )
}

fn summary(row: &Row<'_>) -> Result<EventSummary, StoreError> {
    Ok(EventSummary {
        id: EventId(row.get(1)?),
        source: SourceName(row.get(2)?),
        received_at: time(row.get(3)?)?,
        state: event_state(&row.get::<_, String>(4)?)?,
        subject: row.get(5)?,
        object: row.get(6)?,
        echo: row.get(7)?,
        runs: u64::try_from(row.get::<_, i64>(8)?).unwrap_or(0),
    })
}

pub(super) fn queries(
    db: &Connection,
    filter: &EventFilter,
    place: &Place,
) -> Result<Vec<Query>, StoreError> {
    let mut base = Query::default();
    if let Some(id) = &filter.id {
        let (low, high) = id_range(id)?;
        base.bound("id >= ?", low.to_vec());
        base.bound("id <= ?", high.to_vec());
    }
    if let Some(object) = &filter.object {
        base.bound("object = ?", object.clone());
    }
    if let Some(subject) = &filter.subject {
        base.bound("subject = ?", subject.clone());
    }
    if let Some(source) = &filter.source {
        base.bound("source = ?", source.as_str().to_owned());
    }
    if let Some(since) = filter.since {
        base.bound("number >= ?", first_number(db, "event_hour", since)?);
        base.bound("received_at >= ?", micros(since));
    }
    if let Some(until) = filter.until {
        base.bound("number <= ?", last_number(db, "event_hour", until)?);
        base.bound("received_at < ?", micros(until));
    }
    if let Place::Routed(number) = place {
        base.bound("number < ?", *number);
    }
    if filter.states.is_empty() {
        base.by = walked(filter, None);
        return Ok(vec![base]);
    }
    let of_state = |state: &EventState| {
        let mut query = base.clone();
        query.bound("state = ?", state.as_str().to_owned());
        query.by = walked(filter, Some(*state));
        query
    };
    Ok(filter.states.iter().map(of_state).collect())
}

/// The index to walk: what names the fewest events. Nearly all of them are `routed`.
fn walked(filter: &EventFilter, state: Option<EventState>) -> &'static str {
    if filter.id.is_some() {
        // The one that comes with UNIQUE.
        "INDEXED BY sqlite_autoindex_event_1"
    } else if filter.object.is_some() {
        "INDEXED BY event_by_object"
    } else if state.is_some_and(|state| state != EventState::Routed) {
        "INDEXED BY event_by_state"
    } else if filter.subject.is_some() {
        "INDEXED BY event_by_subject"
    } else if filter.source.is_some() {
        "INDEXED BY event_by_source"
    } else if state.is_some() {
        "INDEXED BY event_by_state"
    } else {
        ""
    }
}

/// The first and the last id that begin with these digits.
fn id_range(digits: &str) -> Result<([u8; 16], [u8; 16]), StoreError> {
    let bound = |filled: char| -> Option<[u8; 16]> {
        let text: String = digits
            .chars()
            .chain(std::iter::repeat(filled))
            .take(32.max(digits.len()))
            .collect();
        text.parse().ok().map(|EventId(bytes)| bytes)
    };
    bound('0').zip(bound('f')).ok_or_else(|| {
        StoreError::Refused(format!(
            "`{digits}` begins no event id: an event id is 32 hexadecimal digits"
        ))
    })
}

/// What is known of an event besides itself.
pub(super) fn about(db: &Connection, id: EventId) -> Result<AboutEvent, StoreError> {
    let Some(number) = event_number(db, id)? else {
        return Ok(AboutEvent::default());
    };
    let aliases = db
        .prepare_cached("SELECT id FROM alias WHERE event = ?1 ORDER BY id")?
        .query_map([number], |row| row.get(0).map(EventId))?
        .collect::<Result<_, _>>()?;
    let echo = db
        .prepare_cached("SELECT echo FROM event WHERE number = ?1")?
        .query_row([number], |row| row.get(0))?;
    let mut held_for: Vec<RuleId> = Vec::new();
    for pause in pausing::pauses(db)? {
        if let PauseScope::Rule(rule) = pause.scope
            && pause.quarantine
            && is_held(db, &rule, number)?
        {
            held_for.push(rule);
        }
    }
    Ok(AboutEvent {
        aliases,
        echo,
        held_for,
    })
}

fn is_held(db: &Connection, rule: &RuleId, event: i64) -> Result<bool, StoreError> {
    Ok(db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM held WHERE rule = ?1 AND event = ?2)")?
        .query_row((rule.as_str(), event), |row| row.get(0))?)
}

#[cfg(test)]
mod tests;
