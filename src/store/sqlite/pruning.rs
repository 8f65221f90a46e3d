//! Forgets what is old enough, a little at a time.
//!
//! The event is the unit: its runs, their journals and, with `each`, parents and children all hang on one event, so
//! nothing that a run may still need goes while any of them is unfinished. Whatever goes is looked for on a reader;
//! the writer looks once more and deletes a bounded number of rows.
//!
//! A lane goes when it is idle and none of its runs has a row any more. That is safe although a new lane of the same
//! name begins its tokens anew: a lease names its run as well, numbers of runs are never given twice, and a lease of
//! a run without a row holds nothing.

mod leftovers;

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Deserialize;

use super::rows::{from_json, micros};
use crate::model::EventKey;
use crate::store::{Cut, PruneMark, Pruned, StoreError};

/// How many events one look for candidates passes over.
const LOOKED_AT_MAX: i64 = 5_000;

/// How many events one slice may change.
const EVENTS_MAX: usize = 200;

/// About how many rows one slice deletes.
const ROWS_MAX: usize = 2_000;

pub(super) use leftovers::{prune_rule_sets, prune_state, unused_rule_sets};

pub(super) const EVENTS: u8 = 0;
pub(super) const STATE: u8 = 1;
pub(super) const RULE_SETS: u8 = 2;

/// Where the next slice begins after a stage.
pub(super) fn stage_after(stage: u8) -> Option<PruneMark> {
    (stage < RULE_SETS).then_some(PruneMark {
        stage: stage + 1,
        after: 0,
    })
}

/// Events that have something to lose.
#[derive(Debug)]
pub(super) struct Candidates {
    pub(super) events: Vec<i64>,
    /// Everything up to here has been looked at.
    pub(super) reached: i64,
    /// Whether what follows is too young.
    pub(super) last: bool,
}

/// Looks for the next candidates after an event, on a reader.
pub(super) fn candidates(db: &Connection, cut: &Cut, after: i64) -> Result<Candidates, StoreError> {
    let youngest = micros(cut.journals_before.max(cut.events_before));
    let looked_at: Vec<(i64, i64)> = db
        .prepare_cached(
            "SELECT number, received_at FROM event WHERE number > ?1 ORDER BY number LIMIT ?2",
        )?
        .query_map([after, LOOKED_AT_MAX], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut found = Candidates {
        events: Vec::new(),
        reached: looked_at.last().map_or(after, |(number, _)| *number),
        // Order is by number and age only follows it, so one young event says nothing about the next one.
        last: looked_at.iter().all(|(_, received)| *received >= youngest),
    };
    let needed = needed(db, after + 1, found.reached)?;
    for (number, received) in looked_at {
        if received >= youngest || needed.contains(&number) || due(db, number, cut)?.is_none() {
            continue;
        }
        found.events.push(number);
        if found.events.len() == EVENTS_MAX {
            found.reached = number;
            found.last = false;
            break;
        }
    }
    Ok(found)
}

/// Events between two numbers that somebody has yet to look at: rules in quarantine, the router, runs that waited.
fn needed(db: &Connection, first: i64, last: i64) -> Result<HashSet<i64>, StoreError> {
    Ok(db
        .prepare_cached(
            "SELECT event FROM held WHERE event BETWEEN ?1 AND ?2
             UNION SELECT event FROM reroute WHERE event BETWEEN ?1 AND ?2
             UNION SELECT found FROM event_wait WHERE found BETWEEN ?1 AND ?2",
        )?
        .query_map([first, last], |row| row.get(0))?
        .collect::<Result<_, _>>()?)
}

/// What an event may lose. Its journals go in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    payload: bool,
    whole: bool,
    received_at: i64,
}

fn due(db: &Connection, event: i64, cut: &Cut) -> Result<Option<Due>, StoreError> {
    let found: Option<(i64, bool)> = db
        .prepare_cached("SELECT received_at, pruned_at IS NOT NULL FROM event WHERE number = ?1")?
        .query_row([event], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((received_at, payload_gone)) = found else {
        return Ok(None);
    };
    let (unfinished, last_end, unpruned): (bool, Option<i64>, bool) = db
        .prepare_cached(
            "SELECT coalesce(max(ended_at IS NULL), 0), max(ended_at), coalesce(max(pruned_at IS NULL), 0)
             FROM run WHERE event = ?1",
        )?
        .query_row([event], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let journals_old = last_end.is_none_or(|ended| ended < micros(cut.journals_before));
    if unfinished || !journals_old {
        return Ok(None);
    }
    let old = received_at < micros(cut.events_before);
    let due = Due {
        payload: old && !payload_gone,
        whole: old && received_at < micros(cut.keys_before),
        received_at,
    };
    Ok((unpruned || due.payload || due.whole).then_some(due))
}

/// Takes from candidates what they may lose, on the writer; answers also up to which event it came.
pub(super) fn prune_events(
    db: &Connection,
    candidates: &Candidates,
    cut: &Cut,
) -> Result<Pruned, StoreError> {
    let mut slice = Slice {
        db,
        now: micros(cut.now),
        rows: 0,
        lanes: HashSet::new(),
        pruned: Pruned::default(),
    };
    let mut reached = candidates.reached;
    let bounds = (candidates.events.first(), candidates.events.last());
    if let (Some(first), Some(last)) = bounds {
        let needed = needed(db, *first, *last)?;
        for event in candidates
            .events
            .iter()
            .filter(|event| !needed.contains(event))
        {
            let Some(due) = due(db, *event, cut)? else {
                continue;
            };
            if !slice.take(*event, due)? {
                reached = event - 1;
                break;
            }
        }
    }
    slice.drop_lanes()?;
    let whole = reached == candidates.reached;
    slice.pruned.next = if whole && candidates.last {
        stage_after(EVENTS)
    } else {
        Some(PruneMark {
            stage: EVENTS,
            after: reached,
        })
    };
    Ok(slice.pruned)
}

struct Slice<'a> {
    db: &'a Connection,
    now: i64,
    rows: usize,
    lanes: HashSet<i64>,
    pruned: Pruned,
}

impl Slice<'_> {
    /// Whether the event has lost all that is due, and not only what fits into the slice.
    fn take(&mut self, event: i64, due: Due) -> Result<bool, StoreError> {
        if !self.journals(event)? {
            return Ok(false);
        }
        if due.whole {
            return self.whole(event, due);
        }
        if due.payload {
            self.payload(event)?;
        }
        Ok(true)
    }

    fn journals(&mut self, event: i64) -> Result<bool, StoreError> {
        let runs: Vec<i64> = self
            .db
            .prepare_cached("SELECT id FROM run WHERE event = ?1 AND pruned_at IS NULL")?
            .query_map([event], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for run in runs {
            if self.rows >= ROWS_MAX {
                return Ok(false);
            }
            for sql in [
                "DELETE FROM withdrawn WHERE intent IN (SELECT id FROM intent WHERE run = ?1)",
                "DELETE FROM intent WHERE run = ?1",
                "DELETE FROM step WHERE run = ?1",
                "DELETE FROM log WHERE run = ?1",
                "DELETE FROM remark WHERE run = ?1",
                "DELETE FROM walk_object WHERE run = ?1",
            ] {
                self.rows += self.db.prepare_cached(sql)?.execute([run])?;
            }
            self.db
                .prepare_cached("UPDATE run SET pruned_at = ?2 WHERE id = ?1")?
                .execute([run, self.now])?;
            self.rows += 1;
            self.pruned.journals += 1;
        }
        Ok(true)
    }

    /// Leaves of the payload only what tells a repeated delivery. A payload that does not say that is left as it is.
    fn payload(&mut self, event: i64) -> Result<(), StoreError> {
        let Some(key) = self.key(event)? else {
            return Ok(());
        };
        self.db
            .prepare_cached("UPDATE event_body SET json = ?2 WHERE event = ?1")?
            .execute(params![event, key.to_json()])?;
        self.db
            .prepare_cached("UPDATE event SET pruned_at = ?2 WHERE number = ?1")?
            .execute([event, self.now])?;
        self.rows += 1;
        self.pruned.events += 1;
        Ok(())
    }

    fn key(&self, event: i64) -> Result<Option<KeyOf>, StoreError> {
        let body: Option<String> = self
            .db
            .prepare_cached("SELECT json FROM event_body WHERE event = ?1")?
            .query_row([event], |row| row.get(0))
            .optional()?;
        let key = body.map(|body| from_json(format_args!("event number {event}"), &body));
        match key.transpose() {
            Ok(key) => Ok(key),
            Err(error) => {
                tracing::warn!(%error, "an event cannot be pruned, because it cannot be read; `cuegate store check` says more");
                Ok(None)
            }
        }
    }

    fn whole(&mut self, event: i64, due: Due) -> Result<bool, StoreError> {
        let Some(key) = self.key(event)? else {
            return Ok(true);
        };
        let runs: Vec<(i64, i64)> = self
            .db
            .prepare_cached("SELECT id, lane FROM run WHERE event = ?1")?
            .query_map([event], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (run, lane) in runs {
            if self.rows >= ROWS_MAX {
                return Ok(false);
            }
            for sql in [
                "DELETE FROM walk WHERE run = ?1",
                "DELETE FROM made WHERE run = ?1",
                "DELETE FROM kept_job WHERE run = ?1",
            ] {
                self.rows += self.db.prepare_cached(sql)?.execute([run])?;
            }
            self.db
                .prepare_cached("DELETE FROM run WHERE id = ?1")?
                .execute([run])?;
            self.lanes.insert(lane);
            self.rows += 1;
            self.pruned.runs += 1;
        }
        self.db
            .prepare_cached(
                "DELETE FROM event_key WHERE key = ?1 AND dedup_window = ?2 AND event = ?3",
            )?
            .execute(params![key.key.0, key.window, event])?;
        for sql in [
            "DELETE FROM alias WHERE event = ?1",
            "DELETE FROM when_failed WHERE event = ?1",
            "DELETE FROM event_body WHERE event = ?1",
            "DELETE FROM event WHERE number = ?1",
        ] {
            self.rows += self.db.prepare_cached(sql)?.execute([event])?;
        }
        self.db
            .prepare_cached(
                "INSERT INTO pruned (one, received_at) VALUES (1, ?1)
                 ON CONFLICT (one) DO UPDATE SET received_at = max(received_at, excluded.received_at)",
            )?
            .execute([due.received_at])?;
        self.pruned.events += u64::from(due.payload);
        Ok(true)
    }

    fn drop_lanes(&mut self) -> Result<(), StoreError> {
        for lane in std::mem::take(&mut self.lanes) {
            let dropped = self
                .db
                .prepare_cached("DELETE FROM lane WHERE id = ?1 AND state = 'idle' AND runs = 0")?
                .execute([lane])?;
            self.pruned.lanes += u64::from(dropped > 0);
        }
        Ok(())
    }
}

/// What of an event outlives its payload.
#[derive(Debug, Deserialize)]
pub(super) struct KeyOf {
    pub(super) key: EventKey,
    pub(super) window: i64,
}

impl KeyOf {
    pub(super) fn to_json(&self) -> String {
        serde_json::json!({ "key": self.key, "window": self.window }).to_string()
    }
}

/// The youngest event that has gone altogether, by the time of its arrival.
pub(super) fn forgotten_until(db: &Connection) -> Result<Option<i64>, StoreError> {
    Ok(db
        .prepare_cached("SELECT received_at FROM pruned")?
        .query_row([], |row| row.get(0))
        .optional()?)
}
