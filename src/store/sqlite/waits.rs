//! What waiting runs wait for: times, events, jobs. A wait and its end are one transaction each, so a run can
//! neither be forgotten nor woken for nothing that it waits for.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::lanes;
use super::rows::{from_json, micros, time, to_json};
use crate::model::{Event, RunId, RunState, WaitForEvent};
use crate::store::{EventMark, Sighting, StoreError, Waits};

/// How many timers one call of [`wake_due`] takes, so that no write waits long behind it.
const WAKE_MAX: i64 = 1_000;

/// How far ahead of now the beginning of a pause may be, in microseconds: clocks are also set by a little.
const AHEAD_MAX: i64 = 1_000_000;

/// How a claim turns into waiting.
pub(super) struct Wait<'a> {
    pub(super) waits: &'a Waits,
    pub(super) until: Timestamp,
    pub(super) reason: &'a str,
    pub(super) failing_since: Option<Timestamp>,
}

/// Lets a claimed run wait. What it waits for may have come already; then it is ready at once.
pub(super) fn begin(
    db: &Connection,
    lane: i64,
    run: RunId,
    wait: &Wait<'_>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let due_at = micros(wait.until);
    db.prepare_cached(
        "UPDATE run SET state = ?2, reason = ?3, due_at = ?4, failing_since = ?5, waits_for = ?6 WHERE id = ?1",
    )?
    .execute(params![
        run.0,
        RunState::Waiting.as_str(),
        wait.reason,
        due_at,
        wait.failing_since.map(micros),
        wait.waits.kind().as_str()
    ])?;
    let is_pause = matches!(wait.waits, Waits::Retry | Waits::LookUp | Waits::Gateway);
    set_timer(db, run, due_at, is_pause.then_some(micros(at)))?;
    lanes::set_state(db, lane, "waiting")?;
    match wait.waits {
        Waits::Event { wait, seen } => expect_event(db, run, wait, *seen, at),
        Waits::Job(job) => {
            db.prepare_cached("INSERT OR REPLACE INTO job_wait (run, job) VALUES (?1, ?2)")?
                .execute(params![run.0, job])?;
            Ok(())
        }
        Waits::Children => super::walking::release_children(db, run, at),
        Waits::Writes if !super::pausing::writes_are_paused(db)? => wake(db, run, at),
        Waits::Time | Waits::Retry | Waits::LookUp | Waits::Writes | Waits::Gateway => Ok(()),
    }
}

/// Sets the time at which a run is woken in any case. `began` is given for a pause, which matters by its length and
/// not by the hour at which it ends.
pub(super) fn set_timer(
    db: &Connection,
    run: RunId,
    due_at: i64,
    began: Option<i64>,
) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO timer (run, due_at, began_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (run) DO UPDATE SET due_at = excluded.due_at, began_at = excluded.began_at",
    )?
    .execute(params![run.0, due_at, began])?;
    Ok(())
}

/// Removes everything that could wake a run.
pub(super) fn forget(db: &Connection, run: RunId) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM timer WHERE run = ?1",
        "DELETE FROM event_wait WHERE run = ?1",
        "DELETE FROM job_wait WHERE run = ?1",
    ] {
        db.prepare_cached(sql)?.execute([run.0])?;
    }
    Ok(())
}

/// The step that a run waited for is answered.
pub(super) fn answered(db: &Connection, run: RunId) -> Result<(), StoreError> {
    db.prepare_cached("DELETE FROM event_wait WHERE run = ?1")?
        .execute([run.0])?;
    Ok(())
}

/// Makes runs ready whose time has come, and says when the next one is due. A pause that began in the future was
/// begun before the clock was set back: nobody knows how much of it is left, so it is over.
pub(super) fn wake_due(
    db: &Connection,
    at: Timestamp,
) -> Result<(usize, Option<Timestamp>), StoreError> {
    let due: Vec<i64> = db
        .prepare_cached("SELECT run FROM timer WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2")?
        .query_map([micros(at), WAKE_MAX], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let from_the_future: Vec<i64> = db
        .prepare_cached("SELECT run FROM timer WHERE began_at > ?1 AND due_at > ?2 LIMIT ?3")?
        .query_map(
            params![micros(at) + AHEAD_MAX, micros(at), WAKE_MAX],
            |row| row.get(0),
        )?
        .collect::<Result<_, _>>()?;
    for run in due.iter().chain(&from_the_future) {
        wake(db, RunId(*run), at)?;
    }
    let next: Option<i64> = db
        .prepare_cached("SELECT min(due_at) FROM timer")?
        .query_row([], |row| row.get(0))?;
    Ok((
        due.len() + from_the_future.len(),
        next.map(time).transpose()?,
    ))
}

/// Makes a waiting run ready, or a queued one that waited for its lane to be quiet.
pub(super) fn wake(db: &Connection, run: RunId, at: Timestamp) -> Result<(), StoreError> {
    db.prepare_cached("DELETE FROM timer WHERE run = ?1")?
        .execute([run.0])?;
    db.prepare_cached("DELETE FROM job_wait WHERE run = ?1")?
        .execute([run.0])?;
    // What has come is progress: a run with many waits is not one that keeps failing.
    db.prepare_cached(
        "UPDATE run SET state = ?2, attempt = 0, due_at = NULL, reason = NULL, waits_for = NULL
         WHERE id = ?1 AND state IN ('waiting', 'queued')",
    )?
    .execute(params![run.0, RunState::Queued.as_str()])?;
    db.prepare_cached(
        "UPDATE lane SET state = 'ready', ready_since = ?2 WHERE head_run = ?1 AND state = 'waiting'
         AND id = (SELECT lane FROM run WHERE id = ?1)",
    )?
    .execute([run.0, micros(at)])?;
    Ok(())
}

/// Makes the runs ready that wait for a job; answers how many.
pub(super) fn wake_for_job(db: &Connection, job: &str, at: Timestamp) -> Result<usize, StoreError> {
    let waiting: Vec<i64> = db
        .prepare_cached("SELECT run FROM job_wait WHERE job = ?1")?
        .query_map([job], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for run in &waiting {
        wake(db, RunId(*run), at)?;
    }
    Ok(waiting.len())
}

/// The jobs that runs wait for.
pub(super) fn awaited_jobs(db: &Connection, limit: usize) -> Result<Vec<String>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    Ok(db
        .prepare_cached("SELECT DISTINCT job FROM job_wait ORDER BY job LIMIT ?1")?
        .query_map([limit], |row| row.get(0))?
        .collect::<Result<_, _>>()?)
}

/// Keeps a wait for an event, unless one of the events that were routed since the search meets it.
fn expect_event(
    db: &Connection,
    run: RunId,
    wait: &WaitForEvent,
    seen: EventMark,
    at: Timestamp,
) -> Result<(), StoreError> {
    let (found, _) = search(db, wait, seen.0, None)?;
    let (field, value) = wait
        .fields
        .first_key_value()
        .map(|(field, value)| (field.as_str(), value.to_string()))
        .unwrap_or_default();
    db.prepare_cached(
        "INSERT OR REPLACE INTO event_wait (run, source, field, value, pattern, fields, found)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        run.0,
        wait.pattern.source,
        field,
        value,
        to_json(&wait.pattern),
        to_json(&wait.fields),
        found.as_ref().map(|(number, _)| number)
    ])?;
    if found.is_some() {
        wake(db, run, at)?;
    }
    Ok(())
}

/// Whether any run waits for an event.
pub(super) fn someone_waits(db: &Connection) -> Result<bool, StoreError> {
    Ok(db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM event_wait WHERE found IS NULL)")?
        .query_row([], |row| row.get(0))?)
}

/// Wakes the runs that wait for an event which has just been routed under this number.
pub(super) fn event_arrived(
    db: &Connection,
    number: i64,
    event: &Event,
    at: Timestamp,
) -> Result<usize, StoreError> {
    let source = event.source.as_str();
    let fields: Vec<String> = db
        .prepare_cached(
            "SELECT DISTINCT field FROM event_wait WHERE source = ?1 AND found IS NULL",
        )?
        .query_map([source], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut woken = 0;
    for field in fields {
        let value = if field.is_empty() {
            String::new()
        } else {
            event.field(&field).to_string()
        };
        for (run, wait) in waiting_for(db, source, &field, &value)? {
            if !wait.is_met_by(event) {
                continue;
            }
            db.prepare_cached("UPDATE event_wait SET found = ?2 WHERE run = ?1")?
                .execute([run.0, number])?;
            wake(db, run, at)?;
            woken += 1;
        }
    }
    Ok(woken)
}

fn waiting_for(
    db: &Connection,
    source: &str,
    field: &str,
    value: &str,
) -> Result<Vec<(RunId, WaitForEvent)>, StoreError> {
    db.prepare_cached(
        "SELECT run, pattern, fields FROM event_wait
         WHERE source = ?1 AND field = ?2 AND value = ?3 AND found IS NULL",
    )?
    .query_and_then(params![source, field, value], |row| {
        let run = RunId(row.get(0)?);
        match wait(row) {
            Ok(wait) => Ok(Some((run, wait))),
            // One of them must not hold up the routing of events; it ends at its time.
            Err(error @ StoreError::Corrupt(_)) => {
                tracing::error!(%run, %error, "a wait for an event cannot be read, so nothing ends it early; `cuegate store check` says more");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    })?
    .filter_map(Result::transpose)
    .collect()
}

/// What a run waits for; the columns are run, pattern, fields.
pub(super) fn wait(row: &Row<'_>) -> Result<WaitForEvent, StoreError> {
    let run = RunId(row.get(0)?);
    let what = format!("what run {run} waits for");
    Ok(WaitForEvent {
        pattern: from_json(&what, &row.get::<_, String>(1)?)?,
        fields: from_json(&what, &row.get::<_, String>(2)?)?,
        until: Timestamp::MAX,
        position: None,
    })
}

/// The first event that a run's wait means: the one that woke it, or one that was routed since the run began.
pub(super) fn find_event(
    db: &Connection,
    run: RunId,
    wait: &WaitForEvent,
    after: EventMark,
) -> Result<Sighting, StoreError> {
    let kept: Option<Option<i64>> = db
        .prepare_cached("SELECT found FROM event_wait WHERE run = ?1")?
        .query_row([run.0], |row| row.get(0))
        .optional()?;
    if let Some(found) = kept {
        // Whatever was routed since the wait began was compared with it then.
        let event = found.map(|number| body(db, number)).transpose()?;
        let seen = EventMark(newest(db)?);
        return Ok(Sighting { event, seen });
    }
    let (own, began): (i64, i64) = db
        .prepare_cached("SELECT event, coalesce(started_at, created_at) FROM run WHERE id = ?1")?
        .query_row([run.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (found, seen) = search(db, wait, after.0.max(own), Some(began))?;
    Ok(Sighting {
        event: found.map(|(_, event)| event),
        seen,
    })
}

fn newest(db: &Connection) -> Result<i64, StoreError> {
    Ok(db
        .prepare_cached("SELECT coalesce(max(number), 0) FROM event")?
        .query_row([], |row| row.get(0))?)
}

fn body(db: &Connection, number: i64) -> Result<Event, StoreError> {
    let json: String = db
        .prepare_cached("SELECT json FROM event_body WHERE event = ?1")?
        .query_row([number], |row| row.get(0))?;
    from_json(format_args!("event number {number}"), &json)
}

type Found = Option<(i64, Event)>;

/// Looks through the events after a number, in order, that were received at `since` or later.
fn search(
    db: &Connection,
    wait: &WaitForEvent,
    after: i64,
    since: Option<i64>,
) -> Result<(Found, EventMark), StoreError> {
    let seen = EventMark(newest(db)?);
    let subject = wait.pattern.parts.join("/");
    let exact = !wait.pattern.parts.iter().any(|part| part == "*");
    let mut statement = db.prepare_cached(
        "SELECT event.number, event_body.json FROM event CROSS JOIN event_body ON event_body.event = event.number
         WHERE event.number > ?1 AND event.source = ?2 AND event.received_at >= ?3 AND (?4 IS NULL OR event.subject = ?4)
         AND event.pruned_at IS NULL
         ORDER BY event.number",
    )?;
    let subject = exact.then_some(subject);
    let since = since.unwrap_or(i64::MIN);
    let mut rows = statement.query(params![after, wait.pattern.source, since, subject])?;
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let json: String = row.get(1)?;
        let event: Event = from_json(format_args!("event number {number}"), &json)?;
        if wait.is_met_by(&event) {
            return Ok((Some((number, event)), seen));
        }
    }
    Ok((None, seen))
}
