//! The file that a sender's answer waits for: appended to, and nothing else on that path.
//!
//! Whether an event was there before is not looked up here. A repeated delivery is stored once more and
//! dropped by the router, which costs less than an index on every accepted event.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Row, params};
use tokio::sync::Semaphore;

use super::filesystem::Floor;
use super::lock::BackupWatch;
use super::options::SqliteOptions;
use super::recent::Recent;
use super::rows::{micros, to_json};
use super::writer::{Class, Command, Writer};
use crate::model::{Event, EventId};
use crate::store::{Accepted, Change, StoreError};

/// How many routed rows one deletion takes, so that no sender waits long behind it.
const TRIM_ROWS: i64 = 1_000;

/// How many deletions are queued at a time: after a backup much has gathered, and senders need the queue too.
const TRIMS_MAX: usize = 16;

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
