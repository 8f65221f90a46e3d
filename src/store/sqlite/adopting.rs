//! Objects that calls have made, each the answer of one step. An object that looks like what a lost call would have
//! made is taken in the same transaction in which it is asked whose it is.

use rusqlite::{Connection, OptionalExtension, params};

use super::{journal, lanes};
use crate::model::{Digest, RunId};
use crate::store::{Adopted, Adoption, StoreError};

/// Takes an object as the answer of a step, if it is nobody else's.
pub(super) fn adopt(db: &Connection, adoption: &Adoption) -> Result<Adopted, StoreError> {
    let Adoption {
        lease,
        step,
        object,
        remark,
        logs,
    } = adoption;
    if lanes::held(db, *lease)?.is_none() {
        return Ok(Adopted::Lost);
    }
    if maker(db, object)?.is_some() {
        return Ok(Adopted::Taken);
    }
    if is_in_flight(db, lease.run, step.digest)? {
        return Ok(Adopted::InFlight);
    }
    journal::write_logs(db, lease.run, logs)?;
    journal::write_remark(db, lease.run, remark)?;
    journal::write_step(db, lease.run, step)?;
    made(db, lease.run, step.number, object)?;
    Ok(Adopted::Written)
}

/// Keeps that a step has made an object. Who is first has made it: an operation that answers with what was there
/// already makes nothing.
pub(super) fn made(
    db: &Connection,
    run: RunId,
    number: u32,
    object: &str,
) -> Result<(), StoreError> {
    db.prepare_cached("INSERT OR IGNORE INTO made (object, run, number) VALUES (?1, ?2, ?3)")?
        .execute(params![object, run.0, number])?;
    Ok(())
}

/// The run whose step has made the object.
pub(super) fn maker(db: &Connection, object: &str) -> Result<Option<RunId>, StoreError> {
    Ok(db
        .prepare_cached("SELECT run FROM made WHERE object = ?1")?
        .query_row([object], |row| Ok(RunId(row.get(0)?)))
        .optional()?)
}

/// Whether another run is claimed that has sent the same request and knows no answer.
fn is_in_flight(db: &Connection, run: RunId, digest: Digest) -> Result<bool, StoreError> {
    Ok(db
        .prepare_cached(
            "SELECT EXISTS (
                SELECT 1 FROM run JOIN intent ON intent.run = run.id AND intent.number = run.steps
                WHERE run.state = 'running' AND run.id <> ?1 AND intent.digest = ?2
                AND NOT EXISTS (SELECT 1 FROM withdrawn WHERE withdrawn.intent = intent.id))",
        )?
        .query_row(params![run.0, digest.0], |row| row.get(0))?)
}
