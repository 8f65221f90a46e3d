//! The line of events that are to be routed once more.
//!
//! Two tables make it. `held` has what rules in quarantine have missed; from the moment of their release it stands in
//! line, and whatever comes for such a rule meanwhile goes to its end, so that a rule sees its events in their order.
//! `reroute` has what people asked for.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::lining_up::{Found, find, line_up};
use super::routing::{self, Desk};
use super::rows::{from_json, to_json};
use super::writer::{Class, Command};
use super::{SqliteStore, failing, pausing};
use crate::model::{Event, EventState, RuleId};
use crate::store::{
    BatchToken, Change, Decision, InLine, LinedUp, Reroute, Rerouting, Routed, Routing, StoreError,
    ToReroute, WhenFailures,
};

/// About the most bytes of events that are read at once.
const SLICE_BYTES_MAX: usize = 16 << 20;

/// One place in line.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Ticket {
    event: i64,
    /// Empty for all.
    rule: String,
    /// Of the request; none for what was held.
    number: Option<i64>,
    again: bool,
}

#[async_trait]
impl Rerouting for SqliteStore {
    async fn ask_reroute(&self, asked: Reroute) -> Result<InLine, StoreError> {
        let which = asked.which;
        let found = self.readers.read(move |db| find(db, &which)).await?;
        let Found {
            events,
            mut in_line,
        } = found;
        if asked.count_only {
            in_line.events = events.len();
            return Ok(in_line);
        }
        let rule = asked.to.map_or_else(String::new, |rule| rule.0);
        let rows = events.len();
        let command = Command::new(Class::Durable, move |db| {
            line_up(db, &events, &rule, asked.again)
        });
        let (stand, pruned) = self
            .main
            .submit(command.rows(rows).announcing(Change::Routable))
            .await?;
        in_line.events = stand;
        in_line.pruned = pruned;
        Ok(in_line)
    }

    async fn to_reroute(&self, limit: usize) -> Result<ToReroute, StoreError> {
        loop {
            let broken = match self.readers.read(move |db| front(db, limit)).await? {
                Front::Events(tickets, mut line) => {
                    if !tickets.is_empty() {
                        line.batch = BatchToken(to_json(&tickets).into_bytes());
                    }
                    return Ok(line);
                }
                Front::Broken(ticket) => ticket,
            };
            let command = Command::new(Class::Durable, move |db| take(db, &broken).map(|_| ()));
            self.main.submit(command).await?;
        }
    }

    async fn reroute(&self, routing: Routing) -> Result<Routed, StoreError> {
        let Ok(tickets) = serde_json::from_slice::<Vec<Ticket>>(&routing.batch.0) else {
            return Ok(Routed::Stale);
        };
        let rows = tickets.len();
        let command = Command::new(Class::Durable, move |db| commit(db, &tickets, &routing));
        let routed = self.main.submit(command.rows(rows)).await?;
        if matches!(&routed, Routed::Committed { runs, .. } if !runs.is_empty()) {
            self.changes.announce(Change::Claimable);
        }
        Ok(routed)
    }

    async fn when_failures(&self, limit: usize) -> Result<Vec<WhenFailures>, StoreError> {
        self.readers
            .read(move |db| failing::places(db, limit))
            .await
    }
}

/// Rules whose events have to wait: those in quarantine, and those that are behind with what they missed there.
pub(super) fn rules_behind(db: &Connection) -> Result<Vec<RuleId>, StoreError> {
    let mut rules = pausing::quarantined(db)?;
    for rule in held_rules(db)? {
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    Ok(rules)
}

/// Rules that something is held for, without reading all of it.
fn held_rules(db: &Connection) -> Result<Vec<RuleId>, StoreError> {
    let mut rules = Vec::new();
    let mut after = String::new();
    let mut next =
        db.prepare_cached("SELECT rule FROM held WHERE rule > ?1 ORDER BY rule LIMIT 1")?;
    while let Some(rule) = next
        .query_row([&after], |row| row.get::<_, String>(0))
        .optional()?
    {
        after.clone_from(&rule);
        rules.push(RuleId(rule));
    }
    Ok(rules)
}

enum Front {
    Events(Vec<Ticket>, ToReroute),
    /// The event of the first place cannot be read back.
    Broken(Ticket),
}

/// The first places in line; they end before one that cannot be read.
fn front(db: &Connection, limit: usize) -> Result<Front, StoreError> {
    let mut line = ToReroute {
        held: pausing::quarantined(db)?,
        ..ToReroute::default()
    };
    let (mut tickets, mut bytes) = (Vec::new(), 0);
    for ticket in first_places(db, &line.held, limit)? {
        match lined_up(db, &ticket) {
            Ok((event, size)) => {
                line.events.push(event);
                tickets.push(ticket);
                bytes += size;
            }
            Err(error @ StoreError::Corrupt(_)) => {
                if !tickets.is_empty() {
                    break;
                }
                tracing::error!(%error, "an event is not routed again, because it cannot be read back");
                return Ok(Front::Broken(ticket));
            }
            Err(error) => return Err(error),
        }
        if bytes >= SLICE_BYTES_MAX {
            break;
        }
    }
    Ok(Front::Events(tickets, line))
}

fn first_places(
    db: &Connection,
    quarantined: &[RuleId],
    limit: usize,
) -> Result<Vec<Ticket>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    for rule in held_rules(db)? {
        if quarantined.contains(&rule) {
            continue;
        }
        return Ok(db
            .prepare_cached("SELECT event FROM held WHERE rule = ?1 ORDER BY event LIMIT ?2")?
            .query_map(params![rule.as_str(), limit], |row| {
                Ok(Ticket {
                    event: row.get(0)?,
                    rule: rule.0.clone(),
                    number: None,
                    again: false,
                })
            })?
            .collect::<Result<_, _>>()?);
    }
    Ok(db
        .prepare_cached("SELECT number, event, rule, again FROM reroute ORDER BY number LIMIT ?1")?
        .query_map([limit], |row| {
            Ok(Ticket {
                number: Some(row.get(0)?),
                event: row.get(1)?,
                rule: row.get(2)?,
                again: row.get(3)?,
            })
        })?
        .collect::<Result<_, _>>()?)
}

fn lined_up(db: &Connection, ticket: &Ticket) -> Result<(LinedUp, usize), StoreError> {
    let json: Option<String> = db
        .prepare_cached("SELECT json FROM event_body WHERE event = ?1")?
        .query_row([ticket.event], |row| row.get(0))
        .optional()?;
    let what = format!("event number {}", ticket.event);
    let Some(json) = json else {
        return Err(StoreError::Corrupt(format!("{what}: it has no payload")));
    };
    let event: Event = from_json(what, &json)?;
    let ran = db
        .prepare_cached("SELECT DISTINCT rule FROM run WHERE event = ?1 AND parent IS NULL")?
        .query_map([ticket.event], |row| row.get(0).map(RuleId))?
        .collect::<Result<_, _>>()?;
    let lined_up = LinedUp {
        event,
        to: (!ticket.rule.is_empty()).then(|| RuleId(ticket.rule.clone())),
        again: ticket.again,
        ran,
    };
    Ok((lined_up, json.len()))
}

/// Takes a place out of the line; whether it was there.
fn take(db: &Connection, ticket: &Ticket) -> Result<bool, StoreError> {
    let taken = match ticket.number {
        Some(number) => db
            .prepare_cached("DELETE FROM reroute WHERE number = ?1")?
            .execute([number])?,
        None => db
            .prepare_cached("DELETE FROM held WHERE rule = ?1 AND event = ?2")?
            .execute(params![ticket.rule, ticket.event])?,
    };
    Ok(taken > 0)
}

fn stands(db: &Connection, ticket: &Ticket) -> Result<bool, StoreError> {
    Ok(match ticket.number {
        Some(number) => db
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM reroute WHERE number = ?1 AND again = ?2)",
            )?
            .query_row(params![number, ticket.again], |row| row.get(0))?,
        None => db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM held WHERE rule = ?1 AND event = ?2)")?
            .query_row(params![ticket.rule, ticket.event], |row| row.get(0))?,
    })
}

/// Commits decisions about the front of the line, or finds that they come too late.
fn commit(db: &Connection, tickets: &[Ticket], routing: &Routing) -> Result<Routed, StoreError> {
    let Some((rule_set, active)) = routing::active_rule_set(db)? else {
        return Ok(Routed::Stale);
    };
    if active != routing.rule_set {
        return Ok(Routed::Stale);
    }
    for ticket in tickets {
        if !stands(db, ticket)? {
            return Ok(Routed::Stale);
        }
    }
    routing::expect_as_many(tickets.len(), routing)?;
    let desk = Desk::new(db, rule_set, routing);
    let (mut runs, mut firsts) = (Vec::new(), Vec::new());
    for (place, (ticket, decision)) in tickets.iter().zip(&routing.decisions).enumerate() {
        take(db, ticket)?;
        for run in &decision.runs {
            if ticket.again || !has_run(db, ticket.event, &run.rule)? {
                runs.extend(desk.enqueue(ticket.event, run, decision)?);
            }
        }
        desk.hold(ticket.event, decision)?;
        let news = note(db, ticket, decision)?;
        firsts.extend(news.into_iter().map(|failure| (place, failure)));
    }
    Ok(Routed::Committed {
        events: tickets.len(),
        duplicates: Vec::new(),
        runs,
        firsts,
    })
}

fn has_run(db: &Connection, event: i64, rule: &RuleId) -> Result<bool, StoreError> {
    Ok(db
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM run INDEXED BY run_by_event WHERE event = ?1 AND rule = ?2 AND parent IS NULL)",
        )?
        .query_row(params![event, rule.as_str()], |row| row.get(0))?)
}

/// Brings the event's failures and state up to date; answers the places of failures that are the first of their kind.
fn note(db: &Connection, ticket: &Ticket, decision: &Decision) -> Result<Vec<usize>, StoreError> {
    let event = ticket.event;
    let rule = (!ticket.rule.is_empty()).then(|| RuleId(ticket.rule.clone()));
    let mut failures = failing::of_event(db, event)?;
    failures.retain(|(failed, _, _)| rule.as_ref().is_some_and(|rule| rule != failed));
    failures.extend(decision.failures.iter().cloned());
    let firsts = failing::note(db, event, &decision.failures)?;
    failing::forget_others(db, event, rule.as_ref(), &decision.failures)?;
    let has_runs: bool = db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM run WHERE event = ?1)")?
        .query_row([event], |row| row.get(0))?;
    let state = match decision.state {
        EventState::WrongDomain => EventState::WrongDomain,
        _ if !failures.is_empty() => EventState::WhenFailed,
        _ if !has_runs && is_held(db, event)? => EventState::Held,
        _ => EventState::Routed,
    };
    let kept = (!failures.is_empty()).then(|| to_json(&failures));
    db.prepare_cached(
        "UPDATE event SET state = ?2, failures = ?3, echo = echo OR ?4 WHERE number = ?1",
    )?
    .execute(params![event, state.as_str(), kept, decision.echo])?;
    Ok(firsts)
}

/// Whether any rule holds the event back. There are few rules that do.
fn is_held(db: &Connection, event: i64) -> Result<bool, StoreError> {
    for rule in held_rules(db)? {
        let held: bool = db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM held WHERE rule = ?1 AND event = ?2)")?
            .query_row(params![rule.as_str(), event], |row| row.get(0))?;
        if held {
            return Ok(true);
        }
    }
    Ok(false)
}
