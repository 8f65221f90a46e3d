//! What only reading can tell: whether texts and numbers mean what they have to mean.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use super::super::backlog::{self, Position};
use super::super::inbox::Entry;
use super::super::pruning::KeyOf;
use super::super::rows::{self, from_json, select_run, time, to_json};
use super::super::{journal, pausing, waits, walking};
use super::removal::{broken, empty_rule_set, end_unfinished, take_out, take_out_run};
use super::{Break, LISTED_MAX, Repair};
use crate::model::{Event, EventKey, RuleSet, RunId};
use crate::store::{Pause, PauseScope, StoreError};

/// Reads every row of a query and lists those that cannot be read: place and numbers come from the first columns.
fn unreadable(
    db: &Connection,
    sql: &str,
    read: impl Fn(&Row<'_>) -> Result<(), StoreError>,
    about: impl Fn(&Row<'_>) -> Result<(String, i64, i64), StoreError>,
) -> Result<Vec<Break>, StoreError> {
    let mut found: Vec<Break> = Vec::new();
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Err(StoreError::Corrupt(why)) = read(row) else {
            continue;
        };
        let (place, key, other) = about(row)?;
        // One journal is one break, wherever it breaks first.
        if found.last().is_some_and(|last| last.place == place) {
            continue;
        }
        found.push(Break {
            place,
            text: format!("it cannot be read: {why}"),
            key,
            other,
        });
        if found.len() > LISTED_MAX {
            break;
        }
    }
    Ok(found)
}

/// Names the row by its number in the first column.
fn numbered(what: &'static str) -> impl Fn(&Row<'_>) -> Result<(String, i64, i64), StoreError> {
    move |row| {
        let number: i64 = row.get(0)?;
        Ok((format!("{what} {number}"), number, 0))
    }
}

pub(super) fn rule_sets(db: &Connection) -> Result<Vec<Break>, StoreError> {
    let read = |row: &Row<'_>| {
        let set: RuleSet = from_json("its JSON", &row.get::<_, String>(2)?)?;
        let id: String = row.get(1)?;
        if set.id.as_str() == id {
            return Ok(());
        }
        Err(StoreError::Corrupt(format!(
            "it is set {} under the id {id}",
            set.id
        )))
    };
    let sql = "SELECT number, id, json FROM rule_set";
    unreadable(db, sql, read, numbered("rule set number"))
}

/// An empty set must never decide about events, so it is not the active one any more.
pub(super) fn replace_rule_set(repair: &Repair<'_>, found: &Break) -> Result<(), StoreError> {
    repair.copy("rule_set", "number = ?1", found)?;
    let id = format!("lost-{}", found.key);
    let kept: rusqlite::Result<String> = repair.db.query_row(
        "SELECT id FROM rule_set WHERE number = ?1",
        [found.key],
        |row| row.get(0),
    );
    let set = empty_rule_set(kept.as_deref().unwrap_or(&id));
    repair.db.execute(
        "UPDATE rule_set SET id = ?2, json = ?3 WHERE number = ?1",
        params![found.key, set.id.as_str(), to_json(&set)],
    )?;
    repair.change("DELETE FROM active_rule_set WHERE rule_set = ?1", found.key)
}

pub(super) fn events(db: &Connection) -> Result<Vec<Break>, StoreError> {
    let read = |row: &Row<'_>| {
        time(row.get(2)?)?;
        if let Some(failures) = row.get::<_, Option<String>>(3)? {
            let _: Vec<Value> = from_json("the failures of `when`", &failures)?;
        }
        let Some(json) = row.get::<_, Option<String>>(5)? else {
            return Err(StoreError::Corrupt("its payload is missing".to_owned()));
        };
        if row.get(4)? {
            let _: KeyOf = from_json("what is left of its payload", &json)?;
            return Ok(());
        }
        let event: Event = from_json("its payload", &json)?;
        let id: [u8; 16] = row.get(1)?;
        if event.id.0 == id {
            return Ok(());
        }
        Err(StoreError::Corrupt(format!(
            "its payload is that of event {}",
            event.id
        )))
    };
    let sql = "SELECT number, id, received_at, failures, pruned_at IS NOT NULL, json
               FROM event LEFT JOIN event_body ON event_body.event = number";
    unreadable(db, sql, read, numbered("event number"))
}

/// Leaves what tells a repeated delivery, as retention does, and ends what cannot go on without the payload.
pub(super) fn empty_event(repair: &Repair<'_>, found: &Break) -> Result<(), StoreError> {
    repair.copy("event", "number = ?1", found)?;
    take_out(repair, "event_body", "event = ?1", found)?;
    let unfinished: Vec<i64> = repair
        .db
        .prepare("SELECT id FROM run WHERE event = ?1 AND ended_at IS NULL")?
        .query_map([found.key], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for run in unfinished {
        end_unfinished(repair, run, &format!("of its event, {}", found.text))?;
    }
    let known: Option<([u8; 32], i64)> = repair
        .db
        .query_row(
            "SELECT key, dedup_window FROM event_key WHERE event = ?1",
            [found.key],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let (key, window) = known.unwrap_or_else(|| {
        // No delivery has this key; it only keeps the row in order.
        let mut key = [0; 32];
        key[..8].copy_from_slice(&found.key.to_be_bytes());
        (key, 0)
    });
    let rest = KeyOf {
        key: EventKey(key),
        window,
    };
    repair.db.execute(
        "INSERT INTO event_body (event, json) VALUES (?1, ?2)",
        params![found.key, rest.to_json()],
    )?;
    repair.db.execute(
        "UPDATE event SET failures = NULL, pruned_at = ?2,
                received_at = iif(received_at BETWEEN -100000000000000000 AND 100000000000000000, received_at, ?2) WHERE number = ?1",
        [found.key, repair.now],
    )?;
    Ok(())
}

pub(super) fn restore_key(repair: &Repair<'_>, found: &Break) -> Result<(), StoreError> {
    let json: String = repair.db.query_row(
        "SELECT json FROM event_body WHERE event = ?1",
        [found.key],
        |row| row.get(0),
    )?;
    let known: KeyOf = from_json(&found.place, &json)?;
    repair.db.execute(
        "INSERT INTO event_key (key, dedup_window, event) VALUES (?1, ?2, ?3)
         ON CONFLICT (key, dedup_window) DO NOTHING",
        params![known.key.0, known.window, found.key],
    )?;
    Ok(())
}

pub(super) fn runs(db: &Connection) -> Result<Vec<Break>, StoreError> {
    let read = |row: &Row<'_>| rows::run(row).map(|_| ());
    unreadable(db, &select_run(""), read, numbered("run"))
}

/// Empties what cannot be read of a run, and takes it out if that is not enough.
pub(super) fn mend_run(repair: &Repair<'_>, found: &Break) -> Result<(), StoreError> {
    let run = found.key;
    repair.copy("run", "id = ?1", found)?;
    let valid =
        |column: &str| format!("{column} BETWEEN -100000000000000000 AND 100000000000000000");
    let sql = format!(
        "UPDATE run SET created_at = iif({}, created_at, ?2), started_at = iif({}, started_at, NULL),
                failing_since = iif({}, failing_since, NULL), due_at = iif({}, due_at, NULL),
                ended_at = iif(ended_at IS NULL OR {}, ended_at, ?2),
                binding = iif(binding BETWEEN 0 AND 4294967295, binding, 0),
                attempt = iif(attempt BETWEEN 0 AND 4294967295, attempt, 0),
                priority = iif(priority BETWEEN -1000000 AND 1000000, priority, 0)
         WHERE id = ?1",
        valid("created_at"),
        valid("started_at"),
        valid("failing_since"),
        valid("due_at"),
        valid("ended_at"),
    );
    repair.db.execute(&sql, [run, repair.now])?;
    let ended: bool = repair.db.query_row(
        "SELECT ended_at IS NOT NULL FROM run WHERE id = ?1",
        [run],
        |row| row.get(0),
    )?;
    if ended {
        // How it ended is known if its state is.
        repair.db.execute(
            "UPDATE run SET failure = iif(state IN ('succeeded', 'skipped', 'cancelled', 'superseded'), NULL, ?2),
                    class = iif(state IN ('succeeded', 'skipped', 'cancelled', 'superseded'), NULL, 'diverged'),
                    state = iif(state IN ('succeeded', 'skipped', 'cancelled', 'superseded'), state, 'dead')
             WHERE id = ?1",
            params![run, to_json(&broken(&found.text))],
        )?;
    } else {
        end_unfinished(repair, run, &found.text)?;
    }
    let mut statement = repair
        .db
        .prepare(&format!("{} WHERE run.id = ?1", select_run("")))?;
    let mut rows = statement.query([run])?;
    match rows.next()?.map(rows::run) {
        Some(Err(StoreError::Corrupt(_))) => {
            drop(rows);
            take_out_run(repair, run, &found.text)
        }
        Some(Err(error)) => Err(error),
        Some(Ok(_)) | None => Ok(()),
    }
}

pub(super) fn steps(db: &Connection) -> Result<Vec<Break>, StoreError> {
    let read = |row: &Row<'_>| journal::step(row).map(|_| ());
    let about = |row: &Row<'_>| {
        let run: i64 = row.get(4)?;
        Ok((format!("run {run}"), run, row.get(0)?))
    };
    let sql = "SELECT number, digest, effect, answer, run FROM step
               WHERE run IN (SELECT id FROM run) ORDER BY run, number";
    unreadable(db, sql, read, about)
}

pub(super) fn intents(db: &Connection) -> Result<Vec<Break>, StoreError> {
    let read = |row: &Row<'_>| journal::intent(row).map(|_| ());
    let about = |row: &Row<'_>| {
        let run: i64 = row.get(5)?;
        Ok((format!("run {run}"), row.get(4)?, run))
    };
    let sql = "SELECT number, digest, effect, at, id, run FROM intent
               WHERE run IN (SELECT id FROM run) ORDER BY run, number";
    unreadable(db, sql, read, about)
}

pub(super) fn event_waits(db: &Connection) -> Result<Vec<Break>, StoreError> {
    let sql = "SELECT run, pattern, fields FROM event_wait";
    unreadable(db, sql, |row| waits::wait(row).map(|_| ()), numbered("run"))
}

pub(super) fn state_entries(db: &Connection) -> Result<Vec<Break>, StoreError> {
    let about = |row: &Row<'_>| {
        let (rule, key): (String, String) = (row.get(0)?, row.get(1)?);
        Ok((format!("entry {key:?} of rule {rule}"), 0, 0))
    };
    let read = |row: &Row<'_>| {
        let _: Value = from_json("its value", &row.get::<_, String>(2)?)?;
        Ok(())
    };
    unreadable(db, "SELECT rule, key, value FROM state_entry", read, about)
}

/// The key of an entry is no number, so its place says which it is.
pub(super) fn take_out_state_entry(repair: &Repair<'_>, found: &Break) -> Result<(), StoreError> {
    let entries: Vec<(String, String)> = repair
        .db
        .prepare("SELECT rule, key FROM state_entry")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (rule, key) in entries {
        if format!("entry {key:?} of rule {rule}") == found.place {
            let quoted = |text: &str| text.replace('\'', "''");
            let this = format!(
                "rule = '{}' AND key = '{}' AND ?1 = 0",
                quoted(&rule),
                quoted(&key)
            );
            take_out(repair, "state_entry", &this, found)?;
        }
    }
    Ok(())
}

pub(super) fn pauses(db: &Connection) -> Result<Vec<Break>, StoreError> {
    let about = |row: &Row<'_>| {
        let scope: String = row.get(0)?;
        Ok((format!("pause of {scope:?}"), 0, 0))
    };
    let read = |row: &Row<'_>| pausing::pause_of(row).map(|_| ());
    let sql = "SELECT scope, quarantine, reason, since FROM pause";
    unreadable(db, sql, read, about)
}

/// Whoever paused wanted something to stand still, and nobody knows what any more.
pub(super) fn take_out_pause(repair: &Repair<'_>, found: &Break) -> Result<(), StoreError> {
    let scopes: Vec<String> = repair
        .db
        .prepare("SELECT scope FROM pause")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for scope in scopes {
        if format!("pause of {scope:?}") == found.place {
            let this = format!("scope = '{}' AND ?1 = 0", scope.replace('\'', "''"));
            take_out(repair, "pause", &this, found)?;
        }
    }
    let stand_in = Pause {
        scope: PauseScope::All,
        quarantine: false,
        reason: format!(
            "a pause was set aside by a repair of the store, because {}; pause what it meant, then resume",
            found.text
        ),
        since: time(repair.now)?,
    };
    pausing::pause(repair.db, &stand_in)
}

pub(super) fn walks(db: &Connection) -> Result<Vec<Break>, StoreError> {
    let read = |row: &Row<'_>| walking::read(row, RunId(row.get(11)?)).map(|_| ());
    let about = |row: &Row<'_>| {
        let run: i64 = row.get(11)?;
        Ok((format!("run {run}"), run, 0))
    };
    let sql = format!(
        "SELECT {}, run FROM walk WHERE run IN (SELECT id FROM run)",
        walking::READ
    );
    unreadable(db, &sql, read, about)
}

/// Only what is not routed yet: the rest is about to be deleted.
pub(super) fn accepted(db: &Connection) -> Result<Vec<Break>, StoreError> {
    let from = match Position::read(db) {
        Ok(position) => position.number,
        // A generation that cannot be read is another promise's affair.
        Err(_) => return Ok(Vec::new()),
    };
    let read = |row: &Row<'_>| {
        let entry = Entry::read(row)?;
        let _: Event = from_json("its payload", &entry.json)?;
        Ok(())
    };
    let sql = format!("{} WHERE number > {from}", backlog::COLUMNS);
    unreadable(db, &sql, read, numbered("row of the inbox number"))
}

pub(super) fn take_out_accepted(repair: &Repair<'_>, found: &Break) -> Result<(), StoreError> {
    take_out(repair, "inbox.accepted", "number = ?1", found)
}
