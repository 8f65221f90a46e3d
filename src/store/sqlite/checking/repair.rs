//! Goes through the promises until none is broken any more, or until nothing helps.

use std::collections::HashSet;

use rusqlite::Connection;

use super::{Break, Promise, Repair, UNREADABLE, findings, promises};
use crate::store::{Finding, StoreError};

/// How often all promises are gone through: one remedy may show the next break.
const ROUNDS_MAX: usize = 8;

/// Repairs what can be repaired; answers everything that was found, and whether it still is.
pub(in crate::store::sqlite) fn repair(
    db: &Connection,
    now: i64,
) -> Result<Vec<Finding>, StoreError> {
    let mut work = Work {
        repair: Repair { db, now },
        found: Vec::new(),
        listed: HashSet::new(),
        tried: HashSet::new(),
    };
    for _ in 0..ROUNDS_MAX {
        work.tried.clear();
        for promise in promises() {
            work.keep(promise)?;
        }
        if work.tried.is_empty() {
            break;
        }
    }
    let left = findings(db)?;
    let mut found = work.found;
    for finding in &mut found {
        let same = |other: &Finding| other.kind == finding.kind && other.place == finding.place;
        finding.repaired = !left.iter().any(same);
    }
    for finding in left {
        let same = |other: &Finding| other.kind == finding.kind && other.place == finding.place;
        if !found.iter().any(same) {
            found.push(finding);
        }
    }
    Ok(found)
}

struct Work<'a> {
    repair: Repair<'a>,
    found: Vec<Finding>,
    /// Kind and place of what was found.
    listed: HashSet<(&'static str, String)>,
    /// Each break is tried once a round, so that a remedy that does not help ends.
    tried: HashSet<(&'static str, String, i64, i64)>,
}

impl Work<'_> {
    /// Applies the remedy to everybody who breaks the promise, a list at a time.
    fn keep(&mut self, promise: &Promise) -> Result<(), StoreError> {
        loop {
            let mut new = promise.breaks(self.repair.db)?;
            new.retain(|found| {
                let place = found.place.clone();
                self.tried
                    .insert((promise.kind, place, found.key, found.other))
            });
            if new.is_empty() {
                return Ok(());
            }
            for found in new {
                self.mend(promise, &found)?;
                if self.listed.insert((promise.kind, found.place.clone())) {
                    self.found.push(promise.finding(found, false));
                }
            }
        }
    }

    /// A remedy that fails changes nothing.
    fn mend(&self, promise: &Promise, found: &Break) -> Result<(), StoreError> {
        let Some(remedy) = promise.repair.filter(|_| found.key != UNREADABLE) else {
            return Ok(());
        };
        let db = self.repair.db;
        db.execute_batch("SAVEPOINT remedy")?;
        if let Err(error) = remedy(&self.repair, found) {
            tracing::warn!(kind = promise.kind, place = %found.place, %error, "this could not be repaired");
            db.execute_batch("ROLLBACK TO remedy")?;
        }
        Ok(db.execute_batch("RELEASE remedy")?)
    }
}
