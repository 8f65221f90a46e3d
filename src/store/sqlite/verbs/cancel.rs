//! A run that a person ends, with the children of its `each`. What it was about to send may have happened, and says so.

use jiff::Timestamp;
use rusqlite::Connection;

use super::Original;
use crate::model::{RunId, RunState};
use crate::store::sqlite::lanes::{self, Ending};
use crate::store::sqlite::{journal, walking};
use crate::store::{Cancelling, StoreError};

/// Ends a run and its open children; answers how many runs that were.
pub(in crate::store::sqlite) fn cancel(
    db: &Connection,
    run: RunId,
    cancelling: &Cancelling,
) -> Result<usize, StoreError> {
    let original = Original::find(db, run)?;
    if original.state.is_final() {
        return Err(StoreError::Refused(format!(
            "run {run} has ended already: it is {}",
            original.state.as_str()
        )));
    }
    let at = cancelling.deciding.at;
    let children = cancel_children(db, run, at)?;
    let who = cancelling
        .deciding
        .by
        .as_ref()
        .map_or_else(String::new, |by| format!(" ({by})"));
    end(db, &original, format!("{}{who}", cancelling.reason), at)?;
    Ok(children + 1)
}

/// Stops the walk first, so that no child that ends makes another one.
fn cancel_children(db: &Connection, parent: RunId, at: Timestamp) -> Result<usize, StoreError> {
    walking::parent_ended(db, parent, at)?;
    let children: Vec<i64> = db
        .prepare_cached("SELECT id FROM run WHERE parent = ?1 AND ended_at IS NULL ORDER BY id")?
        .query_map([parent.0], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for child in &children {
        let child = Original::find(db, RunId(*child))?;
        let reason = format!("run {parent}, whose `each` made it, was cancelled");
        end(db, &child, reason, at)?;
    }
    Ok(children.len())
}

fn end(
    db: &Connection,
    original: &Original,
    mut reason: String,
    at: Timestamp,
) -> Result<(), StoreError> {
    if let Some(open) = journal::open_intent(db, original.id)? {
        reason.push_str(&format!(
            ". Step {}, {}, may have happened",
            open.number, open.effect
        ));
    }
    let ending = Ending::plain(RunState::Cancelled, Some(&reason));
    if original.is_head {
        // Whoever drives it has lost it.
        db.prepare_cached("UPDATE lane SET token = token + 1 WHERE id = ?1")?
            .execute([original.lane])?;
        return lanes::end(db, original.lane, original.id, &ending, at);
    }
    lanes::write_end(db, original.id, &ending, at)?;
    walking::child_ended(db, original.id, RunState::Cancelled, at)
}
