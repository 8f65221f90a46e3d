//! What is accepted and not routed, and what of it comes next.
//!
//! Events of one sender are routed in the order in which they were accepted. Senders take turns: where several wait,
//! each has its share of a batch, so that whoever sends little need not wait behind a flood of somebody else. Up to the
//! cursor everything is routed; a sender that is further has its own number in `ahead`.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::inbox::Entry;
use super::rerouting::rules_behind;
use super::rows::{corrupt, from_json, to_json};
use crate::model::{Event, EventId, RuleId};
use crate::store::{BatchToken, StoreError};

/// About the most bytes of events that are read at once.
const BATCH_BYTES_MAX: usize = 16 << 20;

/// The columns of [`Entry::read`].
pub(super) const COLUMNS: &str =
    "SELECT number, id, key, dedup_window, source, received_at, json FROM inbox.accepted";

const SELECT_ENTRIES: &str = "
    SELECT number, id, key, dedup_window, source, received_at, json
    FROM inbox.accepted INDEXED BY accepted_by_source
    WHERE source = ?1 AND number > ?2 AND number <= ?3 ORDER BY number LIMIT ?4";

/// How far an inbox is routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) generation: [u8; 16],
    /// Everything up to here is.
    pub(super) number: i64,
}

impl Position {
    /// Of the inbox at hand. The inbox is read first: its snapshot is then the older one, and a row that was
    /// deleted from it since is found as routed.
    pub(super) fn read(db: &Connection) -> Result<Self, StoreError> {
        let generation = db
            .prepare_cached("SELECT id FROM inbox.generation")?
            .query_row([], |row| row.get(0))?;
        Ok(Self {
            generation,
            number: cursor(db, generation)?,
        })
    }
}

/// The number up to which a generation is routed; an unknown one starts at its beginning.
pub(super) fn cursor(db: &Connection, generation: [u8; 16]) -> Result<i64, StoreError> {
    let number = db
        .prepare_cached("SELECT number FROM cursor WHERE generation = ?1")?
        .query_row([generation], |row| row.get(0))
        .optional()?;
    Ok(number.unwrap_or(0))
}

/// The highest number of a generation that is routed.
pub(super) fn furthest(db: &Connection, generation: [u8; 16]) -> Result<i64, StoreError> {
    let ahead: i64 = db
        .prepare_cached("SELECT coalesce(max(number), 0) FROM ahead WHERE generation = ?1")?
        .query_row([generation], |row| row.get(0))?;
    Ok(ahead.max(cursor(db, generation)?))
}

/// The number up to which a sender's events are routed.
fn reached(db: &Connection, position: Position, source: &str) -> Result<i64, StoreError> {
    let ahead = db
        .prepare_cached("SELECT number FROM ahead WHERE generation = ?1 AND source = ?2")?
        .query_row(params![position.generation, source], |row| row.get(0))
        .optional()?;
    Ok(position.number.max(ahead.unwrap_or(0)))
}

/// The events of one batch, by sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Batch {
    generation: [u8; 16],
    /// The cursor before it.
    from: i64,
    /// The cursor after it.
    to: i64,
    /// For each sender the number before its first event in the batch, and that of its last.
    spans: BTreeMap<String, (i64, i64)>,
}

impl Batch {
    fn of(
        db: &Connection,
        position: Position,
        spans: BTreeMap<String, (i64, i64)>,
    ) -> Result<Self, StoreError> {
        let mut next: Option<i64> = None;
        for source in senders(db)? {
            let last = match spans.get(&source) {
                Some((_, last)) => *last,
                None => reached(db, position, &source)?,
            };
            let first = first_after(db, &source, last)?;
            next = next.into_iter().chain(first).min();
        }
        let to = match next {
            Some(next) => next - 1,
            None => db
                .prepare_cached("SELECT max(number) FROM inbox.accepted")?
                .query_row([], |row| row.get::<_, Option<i64>>(0))?
                .unwrap_or(0),
        };
        Ok(Self {
            generation: position.generation,
            from: position.number,
            to: to.max(position.number),
            spans,
        })
    }

    /// As the store hands it out.
    pub(super) fn token(&self) -> BatchToken {
        BatchToken(to_json(self).into_bytes())
    }

    /// As the store gets it back.
    pub(super) fn parse(token: &BatchToken) -> Option<Self> {
        serde_json::from_slice(&token.0).ok()
    }

    /// Everything up to here is routed when the batch is.
    pub(super) fn to(&self) -> i64 {
        self.to
    }

    /// Its rows, in the order of acceptance.
    pub(super) fn entries(&self, db: &Connection) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::new();
        for (source, (after, last)) in &self.spans {
            let mut statement = db.prepare_cached(SELECT_ENTRIES)?;
            let rows = statement.query_and_then(
                params![source, after, last, i64::MAX],
                |row| -> Result<(i64, Entry), StoreError> { Ok((row.get(0)?, Entry::read(row)?)) },
            )?;
            for row in rows {
                entries.push(row?);
            }
        }
        entries.sort_unstable_by_key(|(number, _)| *number);
        Ok(entries.into_iter().map(|(_, entry)| entry).collect())
    }

    /// Whether nobody has routed any of it.
    pub(super) fn stands(&self, db: &Connection) -> Result<bool, StoreError> {
        let position = Position {
            generation: self.generation,
            number: cursor(db, self.generation)?,
        };
        if position.number != self.from {
            return Ok(false);
        }
        for (source, (after, _)) in &self.spans {
            if reached(db, position, source)? != *after {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes note that it is routed.
    pub(super) fn done(&self, db: &Connection) -> Result<(), StoreError> {
        db.prepare_cached(
            "INSERT INTO cursor (generation, number) VALUES (?1, ?2)
             ON CONFLICT (generation) DO UPDATE SET number = excluded.number",
        )?
        .execute(params![self.generation, self.to])?;
        for (source, (_, last)) in &self.spans {
            db.prepare_cached(
                "INSERT INTO ahead (generation, source, number) VALUES (?1, ?2, ?3)
                 ON CONFLICT (generation, source) DO UPDATE SET number = excluded.number",
            )?
            .execute(params![self.generation, source, last])?;
        }
        db.prepare_cached("DELETE FROM ahead WHERE generation = ?1 AND number <= ?2")?
            .execute(params![self.generation, self.to])?;
        Ok(())
    }
}

/// What comes next for the router.
pub(super) enum Next {
    /// Events that can be read, at least one unless there are none at all, and the rules that may not be asked.
    Events(Batch, Vec<Event>, Vec<RuleId>),
    /// A sender's next row cannot be read back.
    Unreadable(Unreadable),
}

/// A row that was accepted and cannot be read back, alone in its batch.
pub(super) struct Unreadable {
    pub(super) batch: Batch,
    pub(super) generation: [u8; 16],
    pub(super) row: Broken,
}

/// A row that cannot be read.
pub(super) struct Broken {
    pub(super) number: i64,
    pub(super) bytes: Vec<u8>,
    pub(super) why: StoreError,
}

/// The next `limit` events, of every sender that waits at least one.
pub(super) fn next(db: &Connection, limit: usize) -> Result<Next, StoreError> {
    let position = Position::read(db)?;
    let mut slices = waiting(db, position)?;
    let senders = slices.len().max(1);
    let share = (limit / senders).max(1);
    for slice in &mut slices {
        slice.extend(db, share, BATCH_BYTES_MAX / senders)?;
    }
    if let Some(place) = slices.iter().position(Slice::is_unreadable) {
        let slice = slices.swap_remove(place);
        if let Some(row) = slice.broken {
            let spans = BTreeMap::from([(slice.source, (slice.after, row.number))]);
            return Ok(Next::Unreadable(Unreadable {
                batch: Batch::of(db, position, spans)?,
                generation: position.generation,
                row,
            }));
        }
    }
    // What senders leave of their shares is for one that wants more.
    let taken: usize = slices.iter().map(|slice| slice.events.len()).sum();
    let wants_more = |slice: &&mut Slice| slice.events.len() == share && slice.broken.is_none();
    if let Some(slice) = slices.iter_mut().find(wants_more) {
        slice.extend(db, limit.saturating_sub(taken), BATCH_BYTES_MAX)?;
    }
    let spans = slices.iter().map(Slice::span).collect();
    let batch = Batch::of(db, position, spans)?;
    let mut events: Vec<(i64, Event)> = slices.into_iter().flat_map(|slice| slice.events).collect();
    events.sort_unstable_by_key(|(number, _)| *number);
    let held = match events.as_slice() {
        [] => Vec::new(),
        _ => rules_behind(db)?,
    };
    let events = events.into_iter().map(|(_, event)| event).collect();
    Ok(Next::Events(batch, events, held))
}

/// The senders that have events to be routed.
fn waiting(db: &Connection, position: Position) -> Result<Vec<Slice>, StoreError> {
    let mut slices = Vec::new();
    for source in senders(db)? {
        let after = reached(db, position, &source)?;
        if first_after(db, &source, after)?.is_some() {
            slices.push(Slice {
                source,
                after,
                events: Vec::new(),
                bytes: 0,
                broken: None,
            });
        }
    }
    Ok(slices)
}

/// Everybody who has a row in the inbox, without reading all of it.
fn senders(db: &Connection) -> Result<Vec<String>, StoreError> {
    let mut senders = Vec::new();
    let mut next = db.prepare_cached(
        "SELECT source FROM inbox.accepted INDEXED BY accepted_by_source
         WHERE source > ?1 ORDER BY source LIMIT 1",
    )?;
    let mut after = String::new();
    while let Some(source) = next
        .query_row([&after], |row| row.get::<_, String>(0))
        .optional()?
    {
        after.clone_from(&source);
        senders.push(source);
    }
    Ok(senders)
}

fn first_after(db: &Connection, source: &str, after: i64) -> Result<Option<i64>, StoreError> {
    Ok(db
        .prepare_cached(
            "SELECT number FROM inbox.accepted INDEXED BY accepted_by_source
             WHERE source = ?1 AND number > ?2 ORDER BY number LIMIT 1",
        )?
        .query_row(params![source, after], |row| row.get(0))
        .optional()?)
}

/// The next events of one sender.
struct Slice {
    source: String,
    /// Routed up to here.
    after: i64,
    events: Vec<(i64, Event)>,
    bytes: usize,
    /// What it ends before.
    broken: Option<Broken>,
}

impl Slice {
    /// Adds up to `limit` events, until there are about `bytes` of them.
    fn extend(&mut self, db: &Connection, limit: usize, bytes: usize) -> Result<(), StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (_, (_, last)) = self.span();
        let mut statement = db.prepare_cached(SELECT_ENTRIES)?;
        let mut rows = statement.query(params![self.source, last, i64::MAX, limit])?;
        while self.bytes < bytes
            && let Some(row) = rows.next()?
        {
            let number = row.get(0)?;
            let read = Entry::read(row).and_then(|entry| {
                self.bytes += entry.json.len();
                from_json("its JSON", &entry.json)
            });
            match read {
                Ok(event) => self.events.push((number, event)),
                Err(why) => {
                    self.broken = Some(Broken {
                        number,
                        bytes: row.get_ref(6)?.as_bytes().unwrap_or_default().to_vec(),
                        why: corrupt(format_args!("row {number} of the inbox"), why),
                    });
                    break;
                }
            }
        }
        Ok(())
    }

    fn is_unreadable(&self) -> bool {
        self.events.is_empty() && self.broken.is_some()
    }

    fn span(&self) -> (String, (i64, i64)) {
        let last = self.events.last().map_or(self.after, |(number, _)| *number);
        (self.source.clone(), (self.after, last))
    }
}

/// Accepted events that are not routed. Numbers have no gaps, so only what is ahead of the cursor is counted.
pub(super) fn unrouted(db: &Connection, position: Position) -> Result<u64, StoreError> {
    let (first, last): (Option<i64>, Option<i64>) = db
        .prepare_cached(
            "SELECT (SELECT min(number) FROM inbox.accepted), (SELECT max(number) FROM inbox.accepted)",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(first), Some(last)) = (first, last) else {
        return Ok(0);
    };
    let ahead: i64 = db
        .prepare_cached(
            "SELECT count(*) FROM ahead JOIN inbox.accepted AS row INDEXED BY accepted_by_source
             ON row.source = ahead.source AND row.number > ?2 AND row.number <= ahead.number
             WHERE ahead.generation = ?1",
        )?
        .query_row(params![position.generation, position.number], |row| {
            row.get(0)
        })?;
    let waiting = last - position.number.max(first - 1) - ahead;
    Ok(u64::try_from(waiting).unwrap_or(0))
}

/// An accepted event that is not routed yet. There is no index for it: few rows wait.
pub(super) fn waiting_event(
    db: &Connection,
    position: Position,
    id: EventId,
) -> Result<Option<Event>, StoreError> {
    let json: Option<String> = db
        .prepare_cached(
            "SELECT json FROM inbox.accepted WHERE number > ?1 AND id = ?2 ORDER BY number LIMIT 1",
        )?
        .query_row(params![position.number, id.0], |row| row.get(0))
        .optional()?;
    json.map(|json| from_json(format_args!("event {id}"), &json))
        .transpose()
}
