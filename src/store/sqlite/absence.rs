//! Why something is not there although its number was given: removed by retention, set aside by a repair, or damaged.

use rusqlite::Connection;

use crate::model::{EventId, RunId};
use crate::store::StoreError;

/// Why the payload of an event is gone, if it was a repair that took it.
pub(super) fn of_payload(
    db: &Connection,
    id: EventId,
    number: i64,
    pruned_at: i64,
) -> Result<Option<StoreError>, StoreError> {
    let repaired: bool = db
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM set_aside WHERE origin = 'event' AND json_extract(row, '$.number') = ?1
                            AND set_aside_at = ?2)",
        )?
        .query_row([number, pruned_at], |row| row.get(0))?;
    Ok(repaired.then(|| {
        StoreError::Corrupt(format!(
            "the payload of event {id} could not be read, and a repair of the store has set it aside in the table \
             `set_aside`"
        ))
    }))
}

/// Refuses what needs the whole journal of a run if a repair has set a part of it aside.
pub(super) fn expect_whole_journal(db: &Connection, id: RunId) -> Result<(), StoreError> {
    let cut: bool = db
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM set_aside WHERE json_extract(row, '$.run') = ?1 AND (origin = 'step'
                            OR (origin = 'intent' AND NOT EXISTS (SELECT 1 FROM intent WHERE intent.run = ?1
                                AND intent.number = json_extract(set_aside.row, '$.number')))))",
        )?
        .query_row([id.0], |row| row.get(0))?;
    if cut {
        return Err(StoreError::Refused(format!(
            "a repair of the store has set a part of the journal of run {id} aside, so going on could repeat what it has \
             done; `cuegate runs replay {id}` begins its event anew and says before which writes it may repeat"
        )));
    }
    Ok(())
}

/// What became of a run that is not there although its number was given.
pub(super) fn of_run(db: &Connection, id: RunId) -> Option<StoreError> {
    let look = || -> rusqlite::Result<(bool, bool, bool)> {
        db.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'run' AND ?1 BETWEEN 1 AND seq),
                    EXISTS (SELECT 1 FROM run WHERE id = ?1),
                    EXISTS (SELECT 1 FROM set_aside WHERE origin = 'run' AND json_extract(row, '$.id') = ?1)",
        )?
        .query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    };
    match look() {
        Ok((false, ..)) => None,
        Ok((_, true, _)) => Some(StoreError::Corrupt(format!(
            "what run {id} belongs to is missing; `cuegate store check` says more"
        ))),
        Ok((_, _, true)) => Some(StoreError::Corrupt(format!(
            "run {id} could not be read, and a repair of the store has set it aside in the table `set_aside`"
        ))),
        Ok(_) => Some(StoreError::Pruned(format!(
            "run {id} is outside retention: it ended and was removed with its event"
        ))),
        Err(error) => Some(error.into()),
    }
}
