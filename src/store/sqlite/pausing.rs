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

/// The rules in quarantine.
pub(super) fn quarantined(db: &Connection) -> Result<Vec<RuleId>, StoreError> {
    let quarantined = pauses(db)?.into_iter().filter(|pause| pause.quarantine);
    Ok(quarantined
        .filter_map(|pause| match pause.scope {
            PauseScope::Rule(rule) => Some(rule),
            PauseScope::All | PauseScope::Writes => None,
        })
        .collect())
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
        scope: PauseScope::parse(&scope).ok_or_else(|| {
            StoreError::Corrupt(format!(
                "`{scope}` is nothing that can be paused; `cuegate store check` says more"
            ))
        })?,
        quarantine: row.get(1)?,
        reason: row.get(2)?,
        since: time(row.get(3)?)?,
    })
}

/// Stops something; what is stopped already keeps its reason. A rule may be paused and in quarantine: one does not end
/// the other, and both reasons are kept.
pub(super) fn pause(db: &Connection, pause: &Pause) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO pause (scope, quarantine, reason, since) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (scope) DO UPDATE
         SET quarantine = 1, reason = pause.reason || '; ' || excluded.reason
         WHERE pause.quarantine < excluded.quarantine
         OR (pause.quarantine > excluded.quarantine AND instr(pause.reason, excluded.reason) = 0)",
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
        // What was held back for it stands in line from now on.
        PauseScope::Rule(_) => {}
    }
    Ok(removed > 0)
}
