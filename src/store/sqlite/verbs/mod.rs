//! What people do with runs. A run that has ended is never set back: what goes on is a new run that names it.

mod cancel;
mod replay;
mod retry;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::placing::Newcomer;
use super::rows::run_state;
use crate::model::{Concurrency, RunId, RunState};
use crate::store::StoreError;

pub(super) use cancel::cancel;
pub(super) use replay::{repeats, replay};
pub(super) use retry::retry;

/// The run that somebody has pointed at.
struct Original {
    id: RunId,
    lane: i64,
    lane_key: String,
    is_head: bool,
    seq: i64,
    event: i64,
    rule: String,
    version: String,
    rule_set: i64,
    binding: u32,
    state: RunState,
    class: Option<String>,
    reason: Option<String>,
    started_at: Option<i64>,
    object: Option<String>,
    object_type: Option<String>,
    priority: i32,
    parent: Option<i64>,
    followed_by: Option<i64>,
    released: Option<String>,
}

impl Original {
    fn find(db: &Connection, id: RunId) -> Result<Self, StoreError> {
        let found = db
            .prepare_cached(
                "SELECT run.id, run.lane, lane.key, lane.head_run IS run.id, run.seq, run.event, run.rule, run.version,
                        run.rule_set, run.binding, run.state, run.class, run.reason, run.started_at, run.object,
                        run.object_type, run.priority, run.parent, run.followed_by, run.released
                 FROM run JOIN lane ON lane.id = run.lane WHERE run.id = ?1",
            )?
            .query_and_then([id.0], Self::read)?
            .next()
            .transpose()?;
        found.ok_or_else(|| StoreError::Refused(format!("there is no run {id}")))
    }

    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: RunId(row.get(0)?),
            lane: row.get(1)?,
            lane_key: row.get(2)?,
            is_head: row.get(3)?,
            seq: row.get(4)?,
            event: row.get(5)?,
            rule: row.get(6)?,
            version: row.get(7)?,
            rule_set: row.get(8)?,
            binding: row.get(9)?,
            state: run_state(&row.get::<_, String>(10)?)?,
            class: row.get(11)?,
            reason: row.get(12)?,
            started_at: row.get(13)?,
            object: row.get(14)?,
            object_type: row.get(15)?,
            priority: row.get(16)?,
            parent: row.get(17)?,
            followed_by: row.get(18)?,
            released: row.get(19)?,
        })
    }

    /// The same once more, as it waits its turn.
    fn again(&self, at: i64) -> Newcomer<'_> {
        Newcomer {
            event: self.event,
            rule: &self.rule,
            version: &self.version,
            rule_set: self.rule_set,
            binding: self.binding,
            lane: &self.lane_key,
            concurrency: Concurrency::Queued,
            debounce: None,
            priority: self.priority,
            object: self.object.as_deref(),
            object_type: self.object_type.as_deref(),
            parent: self.parent,
            retry_of: None,
            replay_of: None,
            parked: None,
            at,
        }
    }

    /// What a run that goes on needs besides its row: its event.
    fn expect_event(&self, db: &Connection) -> Result<(), StoreError> {
        let kept: bool = db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM event_body JOIN event ON number = event WHERE event = ?1 AND pruned_at IS NULL)")?
            .query_row([self.event], |row| row.get(0))?;
        if kept {
            return Ok(());
        }
        Err(StoreError::Refused(format!(
            "the event of run {} is outside retention, so it cannot be run again",
            self.id
        )))
    }

    /// Whether its parent still counts it, if it is a child of one.
    fn parent_counts(&self, db: &Connection) -> Result<bool, StoreError> {
        let Some(parent) = self.parent else {
            return Ok(false);
        };
        let open: Option<bool> = db
            .prepare_cached(&format!(
                "SELECT {} FROM walk WHERE run = ?1",
                super::walking::COUNTS
            ))?
            .query_row([parent], |row| row.get(0))
            .optional()?;
        Ok(open.unwrap_or(false))
    }

    /// Its object is under way again: the parent waits for the new run instead of counting this one.
    fn rejoin_parent(&self, db: &Connection) -> Result<(), StoreError> {
        if !self.state.is_final() || !self.parent_counts(db)? {
            return Ok(());
        }
        let column = super::walking::column_of(self.state);
        db.prepare_cached(&format!(
            "UPDATE walk SET open = open + 1, {column} = {column} - 1 WHERE run = ?1"
        ))?
        .execute([self.parent])?;
        Ok(())
    }

    /// Notes which run was made from it.
    fn follow(&self, db: &Connection, by: RunId) -> Result<(), StoreError> {
        db.prepare_cached("UPDATE run SET followed_by = ?2 WHERE id = ?1")?
            .execute(params![self.id.0, by.0])?;
        Ok(())
    }

    /// `run 7 was retried as run 9 already, which is dead`, if somebody was here before.
    fn followed(&self, db: &Connection) -> Result<Option<String>, StoreError> {
        let Some(follower) = self.followed_by else {
            return Ok(None);
        };
        let known: Option<(String, bool)> = db
            .prepare_cached("SELECT state, retry_of IS NOT NULL FROM run WHERE id = ?1")?
            .query_row([follower], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(known.map(|(state, retried)| {
            let how = if retried { "retried" } else { "replayed" };
            format!(
                "run {} was {how} as run {follower} already, which is {state}",
                self.id
            )
        }))
    }
}
