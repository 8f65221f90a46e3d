//! Moves events from the inbox to where they are kept, with what was decided about them, exactly once.
//!
//! The cursor moves in the same transaction, and only if nobody else has routed any of the batch and the rule set that
//! decided is still the active one. Repeated deliveries are told for certain here.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::backlog::{Batch, Unreadable};
use super::inbox::Entry;
use super::placing::{Newcomer, place};
use super::rows::{from_json, micros, to_json};
use super::{circle, failing, waits};
use crate::model::{Event, ParkedClass, RuleSet, RuleSetId, RunId};
use crate::store::{Breaker, Decision, NewRun, Routed, Routing, StoreError};

/// Commits a routing, or finds that it came too late.
pub(super) fn route(
    db: &Connection,
    batch: &Batch,
    entries: &[Entry],
    routing: &Routing,
) -> Result<Routed, StoreError> {
    let Some((rule_set, active)) = active_rule_set(db)? else {
        return Ok(Routed::Stale);
    };
    if active != routing.rule_set || !batch.stands(db)? {
        return Ok(Routed::Stale);
    }
    expect_as_many(entries.len(), routing)?;
    let desk = Desk::new(db, rule_set, routing);
    let someone_waits = waits::someone_waits(db)?;
    let (mut events, mut duplicates, mut runs) = (0, Vec::new(), Vec::new());
    let mut firsts = Vec::new();
    for (place, (entry, decision)) in entries.iter().zip(&routing.decisions).enumerate() {
        match desk.keep(entry, decision)? {
            Some(event) => {
                events += 1;
                for run in &decision.runs {
                    runs.extend(desk.enqueue(event, run, decision)?);
                }
                desk.hold(event, decision)?;
                let news = failing::note(db, event, &decision.failures)?;
                firsts.extend(news.into_iter().map(|failure| (place, failure)));
                if someone_waits {
                    let arrived: Event =
                        from_json(format_args!("event number {event}"), &entry.json)?;
                    waits::event_arrived(db, event, &arrived, routing.at)?;
                }
            }
            None => duplicates.push(place),
        }
    }
    batch.done(db)?;
    Ok(Routed::Committed {
        events,
        duplicates,
        runs,
        firsts,
    })
}

/// There must be a decision about every event.
pub(super) fn expect_as_many(events: usize, routing: &Routing) -> Result<(), StoreError> {
    match routing.decisions.len() {
        decisions if decisions == events => Ok(()),
        decisions => Err(StoreError::Failed(format!(
            "{decisions} decisions were made about {events} events"
        ))),
    }
}

/// Where decisions become rows.
pub(super) struct Desk<'a> {
    db: &'a Connection,
    rule_set: i64,
    breaker: Option<Breaker>,
    at: Timestamp,
}

impl<'a> Desk<'a> {
    pub(super) fn new(db: &'a Connection, rule_set: i64, routing: &Routing) -> Self {
        Self {
            db,
            rule_set,
            breaker: routing.breaker,
            at: routing.at,
        }
    }

    /// Keeps a new event and answers its number; a repeated delivery leaves only an alias.
    fn keep(&self, entry: &Entry, decision: &Decision) -> Result<Option<i64>, StoreError> {
        let first: Option<i64> = self
            .db
            .prepare_cached(
                "SELECT event FROM event_key WHERE key = ?1 AND dedup_window BETWEEN ?2 - 1 AND ?2 + 1
                 ORDER BY dedup_window LIMIT 1",
            )?
            .query_row(params![entry.key, entry.window], |row| row.get(0))
            .optional()?;
        if let Some(first) = first {
            self.db
                .prepare_cached(
                    "INSERT OR IGNORE INTO alias (id, event)
                     SELECT ?1, number FROM event WHERE number = ?2 AND id <> ?1",
                )?
                .execute(params![entry.id, first])?;
            return Ok(None);
        }
        let failures = (!decision.failures.is_empty()).then(|| to_json(&decision.failures));
        let inserted = self
            .db
            .prepare_cached(
                "INSERT INTO event (id, source, received_at, state, rule_set, failures, subject, object, echo)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO NOTHING",
            )?
            .execute(params![
                entry.id,
                entry.source,
                entry.received_at,
                decision.state.as_str(),
                self.rule_set,
                failures,
                decision.subject,
                decision.object,
                decision.echo
            ])?;
        if inserted == 0 {
            return Ok(None);
        }
        let event = self.db.last_insert_rowid();
        self.db
            .prepare_cached("INSERT INTO event_body (event, json) VALUES (?1, ?2)")?
            .execute(params![event, entry.json])?;
        self.db
            .prepare_cached("INSERT INTO event_key (key, dedup_window, event) VALUES (?1, ?2, ?3)")?
            .execute(params![entry.key, entry.window, event])?;
        Ok(Some(event))
    }

    /// Puts a run at the tail of its lane.
    pub(super) fn enqueue(
        &self,
        event: i64,
        run: &NewRun,
        decision: &Decision,
    ) -> Result<Option<RunId>, StoreError> {
        let object = decision.object.as_deref();
        let circle = match (self.breaker, object) {
            (Some(breaker), Some(object)) if decision.echo => {
                circle::closed_by(self.db, breaker, run, object, self.at)?
            }
            _ => None,
        };
        let newcomer = Newcomer {
            event,
            rule: run.rule.as_str(),
            version: run.version.as_str(),
            rule_set: self.rule_set,
            binding: run.binding,
            lane: run.lane.as_str(),
            concurrency: run.concurrency,
            debounce: run.debounce,
            priority: run.priority,
            object,
            object_type: None,
            parent: None,
            retry_of: None,
            replay_of: None,
            parked: circle.as_deref().map(|why| (ParkedClass::Loop, why)),
            at: micros(self.at),
        };
        place(self.db, &newcomer)
    }

    /// Keeps the event for rules that may not be asked yet.
    pub(super) fn hold(&self, event: i64, decision: &Decision) -> Result<(), StoreError> {
        for rule in &decision.held {
            self.db
                .prepare_cached("INSERT OR IGNORE INTO held (rule, event) VALUES (?1, ?2)")?
                .execute(params![rule.as_str(), event])?;
        }
        Ok(())
    }
}

/// Keeps the bytes of a row that nobody can decide about, and goes on behind it.
pub(super) fn set_aside(
    db: &Connection,
    unreadable: &Unreadable,
    at: Timestamp,
) -> Result<bool, StoreError> {
    if !unreadable.batch.stands(db)? {
        return Ok(false);
    }
    let row = &unreadable.row;
    db.prepare_cached(
        "INSERT INTO unreadable (generation, number, bytes, set_aside_at) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![
        unreadable.generation,
        row.number,
        row.bytes,
        micros(at)
    ])?;
    unreadable.batch.done(db)?;
    Ok(true)
}

/// Keeps a rule set and makes it the active one.
pub(super) fn activate(db: &Connection, set: &RuleSet, at: Timestamp) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO rule_set (id, json, created_at) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING",
    )?
    .execute(params![set.id.as_str(), to_json(set), micros(at)])?;
    db.prepare_cached(
        "INSERT INTO active_rule_set (one, rule_set) SELECT 1, number FROM rule_set WHERE id = ?1
         ON CONFLICT (one) DO UPDATE SET rule_set = excluded.rule_set",
    )?
    .execute([set.id.as_str()])?;
    Ok(())
}

/// The number and id of the active rule set.
pub(super) fn active_rule_set(db: &Connection) -> Result<Option<(i64, RuleSetId)>, StoreError> {
    Ok(db
        .prepare_cached(
            "SELECT number, id FROM rule_set WHERE number = (SELECT rule_set FROM active_rule_set)",
        )?
        .query_row([], |row| Ok((row.get(0)?, RuleSetId(row.get(1)?))))
        .optional()?)
}
