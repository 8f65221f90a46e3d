//! What the files hold and where it grows. A gateway may be at work on them: everything is read as of one moment.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::backlog::{self, Position};
use super::keeping::log_bytes;
use super::offline::{blocking, expect_files};
use super::rows::{micros, time};
use super::{SqliteOptions, SqliteStore, schema};
use crate::store::{Cut, StoreError};

/// The days over which arrivals are averaged.
const DAYS: i64 = 7;

const DAY_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// What is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// The files.
    pub files: Vec<FileStats>,
    /// Their tables, the largest first.
    pub tables: Vec<TableStats>,
    /// Events that were routed and are kept.
    pub events: u64,
    /// When the oldest of them was received.
    pub oldest_event: Option<Timestamp>,
    /// When the youngest of them was received.
    pub newest_event: Option<Timestamp>,
    /// Accepted events that are not routed yet.
    pub unrouted: u64,
    /// When the first of those was received.
    pub oldest_unrouted: Option<Timestamp>,
    /// Runs by state.
    pub runs: Vec<(String, u64)>,
    /// When the oldest run was made that has not ended.
    pub oldest_unfinished: Option<Timestamp>,
    /// When the first timer is or was due.
    pub first_due: Option<Timestamp>,
    /// Accepted rows that could not be read and are kept apart, and rows that repairs have set aside.
    pub set_aside: u64,
    /// Bytes in use by events with their runs, for each event.
    pub bytes_per_event: Option<u64>,
    /// Events a day, over the last week or since the first of them.
    pub events_per_day: u64,
    /// Events that are old enough for retention, whatever still holds them.
    pub events_due: u64,
    /// Runs whose journals are.
    pub journals_due: u64,
    /// Events up to this time may have gone with all traces.
    pub forgotten_until: Option<Timestamp>,
    /// Bytes that are free on the disk.
    pub free_bytes: u64,
}

/// One file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileStats {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// What of it is empty and will be used again.
    pub empty_bytes: u64,
    /// Its write-ahead log.
    pub log_bytes: u64,
}

/// One table with its indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableStats {
    /// The file's name.
    pub file: String,
    /// Its name.
    pub name: String,
    /// How many rows.
    pub rows: u64,
    /// How many bytes of pages.
    pub bytes: u64,
}

impl SqliteStore {
    /// Says what the files hold. `cut` is what retention would remove now. Reads everything once.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`] if there are no files, [`StoreError::Schema`] if they are of another version.
    pub async fn stats(options: &SqliteOptions, cut: Cut) -> Result<Stats, StoreError> {
        expect_files(options)?;
        schema::MAIN.expect_present(&options.path)?;
        schema::INBOX.expect_present(&options.inbox_path())?;
        let options = options.clone();
        blocking(move || {
            let db = schema::open_reader(&options.path, &options.inbox_path())?;
            let snapshot = db.unchecked_transaction()?;
            let mut stats = gather(&snapshot, &cut)?;
            let files = [
                ("main", options.path.clone()),
                ("inbox", options.inbox_path()),
            ];
            for (schema, path) in &files {
                stats.files.push(file(&snapshot, schema, path)?);
            }
            let free = options.disk.free_bytes(options.directory());
            stats.free_bytes = free.map_err(|error| {
                StoreError::Failed(format!("cannot ask how much room is left: {error}"))
            })?;
            Ok(stats)
        })
        .await
    }
}

fn gather(db: &Connection, cut: &Cut) -> Result<Stats, StoreError> {
    let position = Position::read(db)?;
    let mut tables = tables(db, "main", "cuegate.db")?;
    tables.extend(self::tables(db, "inbox", "inbox.db")?);
    tables.sort_by_key(|table| std::cmp::Reverse(table.bytes));
    let events = number(db, "SELECT count(*) FROM event", &[])?;
    let kept: u64 = tables
        .iter()
        .filter(|table| table.file == "cuegate.db")
        .map(|table| table.bytes)
        .sum();
    let oldest_event = moment(db, "SELECT min(received_at) FROM event", &[])?;
    Ok(Stats {
        files: Vec::new(),
        events,
        oldest_event,
        newest_event: moment(db, "SELECT max(received_at) FROM event", &[])?,
        unrouted: backlog::unrouted(db, position)?,
        oldest_unrouted: moment(
            db,
            "SELECT min(received_at) FROM inbox.accepted WHERE number > ?1",
            &[position.number],
        )?,
        runs: runs(db)?,
        oldest_unfinished: moment(
            db,
            "SELECT min(created_at) FROM run WHERE ended_at IS NULL",
            &[],
        )?,
        first_due: moment(db, "SELECT min(due_at) FROM timer", &[])?,
        set_aside: number(
            db,
            "SELECT (SELECT count(*) FROM unreadable) + (SELECT count(*) FROM set_aside)",
            &[],
        )?,
        bytes_per_event: kept.checked_div(events),
        events_per_day: per_day(db, oldest_event, cut.now)?,
        events_due: number(
            db,
            "SELECT count(*) FROM event WHERE received_at < ?1 AND pruned_at IS NULL",
            &[micros(cut.events_before)],
        )?,
        journals_due: number(
            db,
            "SELECT count(*) FROM run WHERE ended_at < ?1 AND pruned_at IS NULL",
            &[micros(cut.journals_before)],
        )?,
        forgotten_until: moment(db, "SELECT max(received_at) FROM pruned", &[])?,
        tables,
        free_bytes: 0,
    })
}

fn number(db: &Connection, sql: &str, values: &[i64]) -> Result<u64, StoreError> {
    let number: i64 = db.query_row(sql, rusqlite::params_from_iter(values), |row| row.get(0))?;
    Ok(u64::try_from(number).unwrap_or(0))
}

fn moment(db: &Connection, sql: &str, values: &[i64]) -> Result<Option<Timestamp>, StoreError> {
    let moment: Option<Option<i64>> = db
        .query_row(sql, rusqlite::params_from_iter(values), |row| row.get(0))
        .optional()?;
    moment.flatten().map(time).transpose()
}

fn runs(db: &Connection) -> Result<Vec<(String, u64)>, StoreError> {
    let mut states = db.prepare("SELECT state, number FROM run_count WHERE number > 0")?;
    let states = states.query_and_then([], |row| {
        let number: i64 = row.get(1)?;
        Ok((row.get(0)?, u64::try_from(number).unwrap_or(0)))
    })?;
    states.collect()
}

/// Over the last days, or since the oldest event if that is less.
fn per_day(db: &Connection, oldest: Option<Timestamp>, now: Timestamp) -> Result<u64, StoreError> {
    let Some(oldest) = oldest else {
        return Ok(0);
    };
    let since = micros(oldest).max(micros(now) - DAYS * DAY_MICROS);
    let arrived = number(
        db,
        "SELECT count(*) FROM event WHERE received_at >= ?1",
        &[since],
    )?;
    let took = u64::try_from(micros(now) - since).unwrap_or(0);
    let day = u64::try_from(DAY_MICROS).unwrap_or(u64::MAX);
    let a_day = u128::from(arrived) * u128::from(day) / u128::from(took.max(day / 24));
    Ok(u64::try_from(a_day).unwrap_or(u64::MAX))
}

/// Tables with the bytes of their pages; those of indexes count with their table.
fn tables(db: &Connection, schema: &str, file: &str) -> Result<Vec<TableStats>, StoreError> {
    let mut sizes = db.prepare(&format!(
        "SELECT coalesce(entry.tbl_name, page.name), sum(page.pgsize)
         FROM dbstat(?1) AS page LEFT JOIN {schema}.sqlite_schema AS entry ON entry.name = page.name
         WHERE page.aggregate = TRUE GROUP BY 1"
    ))?;
    let mut tables: Vec<TableStats> = sizes
        .query_and_then(params![schema], |row| {
            let bytes: i64 = row.get(1)?;
            Ok::<_, StoreError>(TableStats {
                file: file.to_owned(),
                name: row.get(0)?,
                rows: 0,
                bytes: u64::try_from(bytes).unwrap_or(0),
            })
        })?
        .collect::<Result<_, _>>()?;
    tables.retain(|table| !table.name.starts_with("sqlite_"));
    for table in &mut tables {
        let sql = format!("SELECT count(*) FROM {schema}.\"{}\"", table.name);
        table.rows = number(db, &sql, &[])?;
    }
    Ok(tables)
}

fn file(db: &Connection, schema: &str, path: &Path) -> Result<FileStats, StoreError> {
    let of = |what: &str| number(db, &format!("PRAGMA {schema}.{what}"), &[]);
    let (pages, empty, size) = (of("page_count")?, of("freelist_count")?, of("page_size")?);
    Ok(FileStats {
        name: path
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        bytes: pages * size,
        empty_bytes: empty * size,
        log_bytes: log_bytes(path),
    })
}
