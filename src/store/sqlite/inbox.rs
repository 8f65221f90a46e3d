//! The file that a sender's answer waits for: appended to, and nothing else on that path.
//!
//! Whether an event was there before is not looked up here. A repeated delivery is stored once more and
//! dropped by the router, which costs less than an index on every accepted event.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::sync::Semaphore;

use super::filesystem::Floor;
use super::lock::BackupWatch;
use super::options::SqliteOptions;
use super::recent::Recent;
use super::rerouting::rules_behind;
use super::rows::{corrupt, from_json, micros, to_json};
use super::writer::{Class, Command, Writer};
use crate::model::{Event, EventId, RuleId};
use crate::store::{Accepted, BatchToken, Change, StoreError};

/// How many routed rows one deletion takes, so that no sender waits long behind it.
const TRIM_ROWS: i64 = 1_000;

/// How many deletions are queued at a time: after a backup much has gathered, and senders need the queue too.
const TRIMS_MAX: usize = 16;

/// About the most bytes of events that are read at once.
const SLICE_BYTES_MAX: usize = 16 << 20;

/// The accepting side.
#[derive(Debug)]
pub(super) struct Inbox {
    writer: Writer,
    recent: Arc<Mutex<Recent>>,
    /// The room in the queue, in KiB.
    room: Arc<Semaphore>,
    room_kib: usize,
    /// Everything up to here is routed, durably.
    routed: AtomicI64,
    /// Everything up to here is deleted, or about to be.
    trimmed: AtomicI64,
    floor: Arc<Floor>,
    backups: Arc<BackupWatch>,
}

impl Inbox {
    /// Starts with an inbox whose rows up to `trimmed` are gone.
    pub(super) fn new(
        writer: Writer,
        options: &SqliteOptions,
        trimmed: i64,
        floor: Arc<Floor>,
        backups: Arc<BackupWatch>,
    ) -> Self {
        let room_kib = (options.queue_bytes_max >> 10).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            writer,
            recent: Arc::default(),
            room: Arc::new(Semaphore::new(room_kib)),
            room_kib,
            routed: AtomicI64::new(trimmed),
            trimmed: AtomicI64::new(trimmed),
            floor,
            backups,
        }
    }

    /// Appends and syncs.
    pub(super) async fn accept(&self, batch: Vec<Event>) -> Result<Vec<Accepted>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.floor.room()?;
        let entries: Vec<Entry> = batch.iter().map(Entry::of).collect();
        let bytes: usize = entries.iter().map(|entry| entry.json.len()).sum();
        // One batch that is larger than the whole queue may still pass, alone.
        let kib = ((bytes >> 10) + 1).min(self.room_kib);
        let room = Arc::clone(&self.room)
            .try_acquire_many_owned(u32::try_from(kib).unwrap_or(u32::MAX))
            .map_err(|_| StoreError::Overloaded)?;
        let recent = Arc::clone(&self.recent);
        let append = Command::new(Class::Durable, move |db| {
            let _room = room;
            append(db, &entries, &recent)
        });
        self.writer
            .submit_or_refuse(append.bytes(bytes).announcing(Change::Routable))
            .await
    }

    /// Takes note that everything up to `number` is routed, durably, and deletes what has gathered.
    pub(super) fn routed_up_to(&self, number: i64) {
        self.routed.fetch_max(number, Ordering::Relaxed);
        let trimmed = self.trimmed.load(Ordering::Relaxed);
        if number - trimmed < TRIM_ROWS || self.backups.is_under_way() {
            return;
        }
        let mut to = trimmed;
        for _ in 0..TRIMS_MAX {
            if number - to < TRIM_ROWS || self.trim(to + TRIM_ROWS).is_err() {
                break;
            }
            to += TRIM_ROWS;
        }
        self.trimmed.fetch_max(to, Ordering::Relaxed);
    }

    /// Deletes the rows up to `number` when the writer comes to it.
    fn trim(&self, number: i64) -> Result<(), StoreError> {
        self.writer.post(Command::new(Class::Lazy, move |db| {
            let deleted = db
                .prepare_cached("DELETE FROM accepted WHERE number <= ?1")?
                .execute([number]);
            if let Err(error) = &deleted {
                tracing::warn!(%error, "routed events could not be deleted from the inbox; they are after the next start");
            }
            Ok(deleted?)
        }))
    }

    /// Whether the writer's thread has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.writer.has_ended()
    }

    /// Deletes what is routed, and closes the file.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        if self.backups.is_under_way() {
            return self.writer.close().await;
        }
        match self.trim(self.routed.load(Ordering::Relaxed)) {
            // Under load it stays for the next start.
            Ok(()) | Err(StoreError::Overloaded) => self.writer.close().await,
            Err(error) => Err(error),
        }
    }
}

fn append(
    db: &Connection,
    entries: &[Entry],
    recent: &Mutex<Recent>,
) -> Result<Vec<Accepted>, StoreError> {
    let mut insert = db.prepare_cached(
        "INSERT INTO accepted (id, key, dedup_window, source, received_at, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let mut recent = recent.lock().unwrap_or_else(PoisonError::into_inner);
    let mut accepted = Vec::with_capacity(entries.len());
    for entry in entries {
        insert.execute(params![
            entry.id,
            entry.key,
            entry.window,
            entry.source,
            entry.received_at,
            entry.json
        ])?;
        let id = EventId(entry.id);
        accepted.push(Accepted {
            id,
            duplicate: !recent.insert(id),
        });
    }
    Ok(accepted)
}

/// A row of the inbox without its number.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: [u8; 16],
    pub(super) key: [u8; 32],
    pub(super) window: i64,
    pub(super) source: String,
    pub(super) received_at: i64,
    pub(super) json: String,
}

impl Entry {
    fn of(event: &Event) -> Self {
        Self {
            id: event.id.0,
            key: event.key.0,
            window: event.window,
            source: event.source.as_str().to_owned(),
            received_at: micros(event.received_at),
            json: to_json(event),
        }
    }

    pub(super) fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(1)?,
            key: row.get(2)?,
            window: row.get(3)?,
            source: row.get(4)?,
            received_at: row.get(5)?,
            json: row.get(6)?,
        })
    }
}

/// The columns of [`Entry::read`].
pub(super) const COLUMNS: &str =
    "SELECT number, id, key, dedup_window, source, received_at, json FROM inbox.accepted";

const SELECT_ENTRY: &str = "
    SELECT number, id, key, dedup_window, source, received_at, json FROM inbox.accepted
    WHERE number > ?1 AND number <= ?2 ORDER BY number LIMIT ?3";

/// How far an inbox is routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) generation: [u8; 16],
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

/// The rows after a position up to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Position,
    pub(super) last: i64,
}

impl Span {
    /// As the store hands it out.
    pub(super) fn token(self) -> BatchToken {
        let mut bytes = self.from.generation.to_vec();
        bytes.extend(self.from.number.to_be_bytes());
        bytes.extend(self.last.to_be_bytes());
        BatchToken(bytes)
    }

    /// As the store gets it back.
    pub(super) fn parse(token: &BatchToken) -> Option<Self> {
        let (generation, numbers) = token.0.split_first_chunk::<16>()?;
        let (number, last) = numbers.split_first_chunk::<8>()?;
        Some(Self {
            from: Position {
                generation: *generation,
                number: i64::from_be_bytes(*number),
            },
            last: i64::from_be_bytes(last.try_into().ok()?),
        })
    }

    /// Its rows, in order.
    pub(super) fn entries(self, db: &Connection) -> Result<Vec<Entry>, StoreError> {
        db.prepare_cached(SELECT_ENTRY)?
            .query_and_then(params![self.from.number, self.last, i64::MAX], Entry::read)?
            .collect()
    }
}

/// What comes next for the router.
pub(super) enum Next {
    /// Events that can be read, at least one unless there are none at all, and the rules that may not be asked.
    Events(Span, Vec<Event>, Vec<RuleId>),
    /// The next row cannot be read back.
    Unreadable(Unreadable),
}

/// A row that was accepted and cannot be read back.
pub(super) struct Unreadable {
    pub(super) at: Span,
    pub(super) bytes: Vec<u8>,
    pub(super) why: StoreError,
}

/// The first `limit` events after the cursor; they end before a row that cannot be read.
pub(super) fn next(db: &Connection, limit: usize) -> Result<Next, StoreError> {
    let from = Position::read(db)?;
    let mut span = Span {
        from,
        last: from.number,
    };
    let (mut events, mut bytes) = (Vec::new(), 0_usize);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = db.prepare_cached(SELECT_ENTRY)?;
    let mut rows = statement.query(params![from.number, i64::MAX, limit])?;
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let read = Entry::read(row).and_then(|entry| {
            bytes += entry.json.len();
            from_json("its JSON", &entry.json)
        });
        match read {
            Ok(event) => events.push(event),
            Err(why) if events.is_empty() => {
                return Ok(Next::Unreadable(Unreadable {
                    at: Span { from, last: number },
                    bytes: row.get_ref(6)?.as_bytes().unwrap_or_default().to_vec(),
                    why: corrupt(format_args!("row {number} of the inbox"), why),
                }));
            }
            Err(_) => break,
        }
        span.last = number;
        if bytes >= SLICE_BYTES_MAX {
            break;
        }
    }
    let held = if events.is_empty() {
        Vec::new()
    } else {
        rules_behind(db)?
    };
    Ok(Next::Events(span, events, held))
}

/// Accepted events after a position. Numbers have no gaps, so nothing needs to be counted.
pub(super) fn unrouted(db: &Connection, position: Position) -> Result<u64, StoreError> {
    let (first, last): (Option<i64>, Option<i64>) = db
        .prepare_cached(
            "SELECT (SELECT min(number) FROM inbox.accepted), (SELECT max(number) FROM inbox.accepted)",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(first), Some(last)) = (first, last) else {
        return Ok(0);
    };
    let waiting = last - position.number.max(first - 1);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_as_its_span_and_anything_else_as_none() {
        let span = Span {
            from: Position {
                generation: [7; 16],
                number: 3,
            },
            last: 99,
        };
        assert_eq!(Span::parse(&span.token()), Some(span));
        for length in [0, 16, 31, 33] {
            assert_eq!(Span::parse(&BatchToken(vec![1; length])), None);
        }
    }
}
