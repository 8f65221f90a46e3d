//! What people have stopped, and rules that were put in quarantine.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::rows::{micros, time};
use super::waits;
use crate::model::{RuleId, RunId};
use crate::store::{Pause, PauseScope, StoreError};

/// What must not be claimed or sent.
#[derive(Debug, Default)]
pub(super) struct Stopped {
    pub(super) all: bool,
    pub(super) rules: HashSet<RuleId>,
}

/// What is stopped now.
pub(super) fn stopped(db: &Connection) -> Result<Stopped, StoreError> {
    let mut stopped = Stopped::default();
    for pause in pauses(db)? {
        match pause.scope {
            PauseScope::All => stopped.all = true,
            PauseScope::Writes => {}
            PauseScope::Rule(rule) => {
                stopped.rules.insert(rule);
            }
        }
    }
    Ok(stopped)
}

/// Whether a run that comes to a write has to wait.
pub(super) fn writes_are_paused(db: &Connection) -> Result<bool, StoreError> {
    Ok(db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM pause WHERE scope = ?1)")?
        .query_row([PauseScope::Writes.to_string()], |row| row.get(0))?)
}

/// Every pause, by scope.
pub(super) fn pauses(db: &Connection) -> Result<Vec<Pause>, StoreError> {
    db.prepare_cached("SELECT scope, quarantine, reason, since FROM pause ORDER BY scope")?
        .query_and_then([], pause_of)?
        .collect()
}

/// One pause; the columns are those of [`pauses`].
pub(super) fn pause_of(row: &Row<'_>) -> Result<Pause, StoreError> {
    let scope: String = row.get(0)?;
    Ok(Pause {
        scope: PauseScope::parse(&scope)
            .ok_or_else(|| StoreError::Corrupt(format!("`{scope}` is no pause")))?,
        quarantine: row.get(1)?,
        reason: row.get(2)?,
        since: time(row.get(3)?)?,
    })
}

/// Stops something; what is stopped already keeps its reason, but a person's pause outlasts a quarantine.
pub(super) fn pause(db: &Connection, pause: &Pause) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO pause (scope, quarantine, reason, since) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (scope) DO UPDATE SET quarantine = 0, reason = excluded.reason
         WHERE pause.quarantine AND NOT excluded.quarantine",
    )?
    .execute(params![
        pause.scope.to_string(),
        pause.quarantine,
        pause.reason,
        micros(pause.since)
    ])?;
    Ok(())
}

/// Lets something go on; whether it was stopped. Runs that were held at a write are ready again, and events that were
/// held back are routed to the rule.
pub(super) fn resume(
    db: &Connection,
    scope: &PauseScope,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let removed = db
        .prepare_cached("DELETE FROM pause WHERE scope = ?1")?
        .execute([scope.to_string()])?;
    match scope {
        PauseScope::All => {}
        PauseScope::Writes => {
            let held: Vec<i64> = db
                .prepare_cached(
                    "SELECT id FROM run WHERE state = 'waiting' AND waits_for = 'writes'",
                )?
                .query_map([], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            for run in held {
                waits::wake(db, RunId(run), at)?;
            }
        }
        PauseScope::Rule(rule) => release_held(db, rule)?,
    }
    Ok(removed > 0)
}

fn release_held(db: &Connection, rule: &RuleId) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO reroute (event, rule, again) SELECT event, rule, 0 FROM held WHERE rule = ?1 ORDER BY event",
    )?
    .execute([rule.as_str()])?;
    db.prepare_cached(
        "UPDATE event SET state = 'routed' WHERE state = 'held'
         AND number IN (SELECT event FROM held WHERE rule = ?1)
         AND number NOT IN (SELECT event FROM held WHERE rule <> ?1)",
    )?
    .execute([rule.as_str()])?;
    db.prepare_cached("DELETE FROM held WHERE rule = ?1")?
        .execute([rule.as_str()])?;
    Ok(())
}
