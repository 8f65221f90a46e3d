//! Why something is not there although its number was given: removed by retention, set aside by a repair, or damaged.

use rusqlite::Connection;

use crate::model::RunId;
use crate::store::StoreError;

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
