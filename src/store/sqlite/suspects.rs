//! Runs that may be what stops the gateway: each is claimed alone, so that only the culprit comes to blame.
//!
//! Whoever is under way when the gateway dies is counted, guilty or not. So the count only raises a suspicion, and what is
//! suspected shows by itself: alone it gets on, or the gateway stops once more and no other run can have done it.

use std::collections::VecDeque;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::rows::micros;
use crate::model::{RuleId, RunId, RunState};
use crate::store::{Lease, SUSPECT_AFTER, StoreError};

/// The first run of a ready lane.
pub(super) struct Head {
    lane: i64,
    run: i64,
}

impl Head {
    /// Whether it must be alone the next time.
    pub(super) fn is_suspect(&self, db: &Connection) -> Result<bool, StoreError> {
        let attempt: u32 = db
            .prepare_cached("SELECT attempt FROM run WHERE id = ?1")?
            .query_row([self.run], |row| row.get(0))?;
        Ok(attempt >= SUSPECT_AFTER)
    }
}

/// Whether any run is suspected. The index has no other runs in it, and its bound is [`SUSPECT_AFTER`].
pub(super) fn are_there(db: &Connection) -> Result<bool, StoreError> {
    const { assert!(SUSPECT_AFTER == 5, "the index `run_suspected` says 5") };
    Ok(db
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM run INDEXED BY run_suspected WHERE attempt >= 5 AND ended_at IS NULL)",
        )?
        .query_row([], |row| row.get(0))?)
}

/// Leases a ready lane.
pub(super) fn take(db: &Connection, head: &Head, at: Timestamp) -> Result<Lease, StoreError> {
    let token = db
        .prepare_cached(
            "UPDATE lane SET state = 'leased', token = token + 1 WHERE id = ?1 RETURNING token",
        )?
        .query_row([head.lane], |row| row.get(0))?;
    db.prepare_cached(
        "UPDATE run SET state = ?2, attempt = attempt + 1, started_at = coalesce(started_at, ?3) WHERE id = ?1",
    )?
    .execute(params![head.run, RunState::Running.as_str(), micros(at)])?;
    Ok(Lease {
        run: RunId(head.run),
        token,
    })
}

/// What is leased at the moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum UnderWay {
    Nothing,
    Runs,
    /// A run that is to be alone until it has got on.
    Suspect,
}

pub(super) fn under_way(db: &Connection) -> Result<UnderWay, StoreError> {
    let most: Option<u32> = db
        .prepare_cached(
            "SELECT max(run.attempt) FROM lane INDEXED BY lane_leased JOIN run ON run.id = lane.head_run
             WHERE lane.state = 'leased'",
        )?
        .query_row([], |row| row.get(0))?;
    Ok(match most {
        None => UnderWay::Nothing,
        Some(attempt) if attempt > SUSPECT_AFTER => UnderWay::Suspect,
        Some(_) => UnderWay::Runs,
    })
}

/// A run that comes next for its rule and is to be alone.
pub(super) fn first_suspect(
    db: &Connection,
    rules: &VecDeque<(RuleId, usize)>,
) -> Result<Option<(RuleId, Head)>, StoreError> {
    for (rule, _) in rules {
        if let Some(head) = most_urgent(db, rule)?
            && head.is_suspect(db)?
        {
            return Ok(Some((rule.clone(), head)));
        }
    }
    Ok(None)
}

/// The run of a rule that comes next.
pub(super) fn most_urgent(db: &Connection, rule: &RuleId) -> Result<Option<Head>, StoreError> {
    Ok(db
        .prepare_cached(
            "SELECT id, head_run FROM lane WHERE state = 'ready' AND rule = ?1
             ORDER BY rank, head_run LIMIT 1",
        )?
        .query_row([rule.as_str()], |row| {
            Ok(Head {
                lane: row.get(0)?,
                run: row.get(1)?,
            })
        })
        .optional()?)
}
