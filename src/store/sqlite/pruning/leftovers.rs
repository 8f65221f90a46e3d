//! What is left when events have gone: expired entries of rules, and rule sets that nothing names any more.

use rusqlite::Connection;

use super::{RULE_SETS, STATE, stage_after};
use crate::store::sqlite::rows::micros;
use crate::store::{Cut, PruneMark, Pruned, StoreError};

/// How many entries of rules one slice deletes.
const ENTRIES_MAX: i64 = 500;

/// Takes entries of rules that have expired, on the writer.
pub(in crate::store::sqlite) fn prune_state(
    db: &Connection,
    cut: &Cut,
) -> Result<Pruned, StoreError> {
    let gone = db
        .prepare_cached(
            "DELETE FROM state_entry WHERE (rule, key) IN
             (SELECT rule, key FROM state_entry WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
        )?
        .execute([micros(cut.now), ENTRIES_MAX])?;
    let more = i64::try_from(gone).is_ok_and(|gone| gone == ENTRIES_MAX);
    let again = PruneMark {
        stage: STATE,
        after: 0,
    };
    Ok(Pruned {
        state_entries: gone.try_into().unwrap_or(u64::MAX),
        next: if more {
            Some(again)
        } else {
            stage_after(STATE)
        },
        ..Pruned::default()
    })
}

/// Rule sets that nothing referred to at a moment, with the newest event and run of that moment.
#[derive(Debug)]
pub(in crate::store::sqlite) struct Unused {
    sets: Vec<i64>,
    newest_event: i64,
    newest_run: i64,
}

/// Looks for rule sets that nothing refers to, on a reader. Only old ones are asked about, the newest references first.
pub(in crate::store::sqlite) fn unused_rule_sets(
    db: &Connection,
    cut: &Cut,
) -> Result<Unused, StoreError> {
    let (newest_event, newest_run) = db
        .prepare_cached(
            "SELECT (SELECT coalesce(max(number), 0) FROM event), (SELECT coalesce(max(id), 0) FROM run)",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let sets = db
        .prepare_cached(
            "SELECT number FROM rule_set AS candidate
             WHERE created_at < ?1 AND number NOT IN (SELECT rule_set FROM active_rule_set)
             AND (SELECT number FROM event WHERE rule_set = candidate.number ORDER BY number DESC LIMIT 1) IS NULL
             AND (SELECT id FROM run WHERE rule_set = candidate.number ORDER BY id DESC LIMIT 1) IS NULL",
        )?
        .query_map([micros(cut.events_before)], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(Unused {
        sets,
        newest_event,
        newest_run,
    })
}

/// Takes rule sets that were unused and still are, on the writer.
pub(in crate::store::sqlite) fn prune_rule_sets(
    db: &Connection,
    unused: &Unused,
) -> Result<Pruned, StoreError> {
    let mut pruned = Pruned {
        next: stage_after(RULE_SETS),
        ..Pruned::default()
    };
    for set in &unused.sets {
        let gone = db
            .prepare_cached(
                "DELETE FROM rule_set WHERE number = ?1 AND number NOT IN (SELECT rule_set FROM active_rule_set)
                 AND NOT EXISTS (SELECT 1 FROM event WHERE number > ?2 AND rule_set = ?1)
                 AND NOT EXISTS (SELECT 1 FROM run WHERE id > ?3 AND rule_set = ?1)",
            )?
            .execute([*set, unused.newest_event, unused.newest_run])?;
        pruned.rule_sets += u64::from(gone > 0);
    }
    Ok(pruned)
}
