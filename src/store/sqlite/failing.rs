//! Events on which `when` or `lane` failed, by where it failed: one row for each failure, so that a place that fails on
//! a million events is one alarm and one line of a list.

use rusqlite::{Connection, OptionalExtension, params};

use super::rows::from_json;
use crate::model::{EventId, Failure, RuleId, RuleVersion};
use crate::store::{StoreError, WhenFailures};

/// What the failures of one event are, as it keeps them.
pub(super) type Failures = Vec<(RuleId, RuleVersion, Failure)>;

/// Takes note of the failures of an event; answers the places of those that are the first of their kind.
pub(super) fn note(
    db: &Connection,
    event: i64,
    failures: &Failures,
) -> Result<Vec<usize>, StoreError> {
    let mut firsts = Vec::new();
    for (number, failure) in failures.iter().enumerate() {
        let (rule, version, line) = place(failure);
        let known: bool = db
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM when_failed WHERE rule = ?1 AND version = ?2 AND line = ?3)",
            )?
            .query_row(params![rule.as_str(), version.as_str(), line], |row| {
                row.get(0)
            })?;
        if !known {
            firsts.push(number);
        }
        db.prepare_cached(
            "INSERT OR IGNORE INTO when_failed (rule, version, line, event) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![rule.as_str(), version.as_str(), line, event])?;
    }
    Ok(firsts)
}

/// Forgets earlier failures of an event, those of one rule or all; `kept` are those of today.
pub(super) fn forget_others(
    db: &Connection,
    event: i64,
    rule: Option<&RuleId>,
    kept: &Failures,
) -> Result<(), StoreError> {
    let noted: Vec<(RuleId, RuleVersion, u32)> = db
        .prepare_cached("SELECT rule, version, line FROM when_failed WHERE event = ?1")?
        .query_map([event], |row| {
            Ok((RuleId(row.get(0)?), RuleVersion(row.get(1)?), row.get(2)?))
        })?
        .collect::<Result<_, _>>()?;
    for noted in noted {
        let meant = rule.is_none_or(|rule| *rule == noted.0);
        if meant && !kept.iter().any(|failure| place(failure) == noted) {
            let (rule, version, line) = noted;
            db.prepare_cached(
                "DELETE FROM when_failed WHERE rule = ?1 AND version = ?2 AND line = ?3 AND event = ?4",
            )?
            .execute(params![rule.as_str(), version.as_str(), line, event])?;
        }
    }
    Ok(())
}

/// Where it failed. Line 0 stands for none.
fn place((rule, version, failure): &(RuleId, RuleVersion, Failure)) -> (RuleId, RuleVersion, u32) {
    let line = failure.position.map_or(0, |position| position.line);
    (rule.clone(), version.clone(), line)
}

/// The failures that an event keeps.
pub(super) fn of_event(db: &Connection, event: i64) -> Result<Failures, StoreError> {
    let kept: Option<String> = db
        .prepare_cached("SELECT failures FROM event WHERE number = ?1")?
        .query_row([event], |row| row.get(0))?;
    let kept =
        kept.map(|text| from_json(format_args!("the failures of event number {event}"), &text));
    Ok(kept.transpose()?.unwrap_or_default())
}

/// Where it failed, how often and how.
pub(super) fn places(db: &Connection, limit: usize) -> Result<Vec<WhenFailures>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows: Vec<(String, String, u32, i64, i64, i64)> = db
        .prepare_cached(
            "SELECT rule, version, line, count(*), min(event), max(event) FROM when_failed
             GROUP BY rule, version, line ORDER BY count(*) DESC, rule, version, line LIMIT ?1",
        )?
        .query_map([limit], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
            ))
        })?
        .collect::<Result<_, _>>()?;
    let mut places = Vec::new();
    for (rule, version, line, events, first, last) in rows {
        let (rule, version) = (RuleId(rule), RuleVersion(version));
        let (Some(first), Some(last_id)) = (id(db, first)?, id(db, last)?) else {
            continue;
        };
        let here = (rule, version, line);
        let failures = of_event(db, last)?.into_iter();
        let failure = failures.into_iter().find(|failure| place(failure) == here);
        let (rule, version, line) = here;
        let Some((_, _, failure)) = failure else {
            continue;
        };
        places.push(WhenFailures {
            rule,
            version,
            line: (line > 0).then_some(line),
            events: u64::try_from(events).unwrap_or(0),
            first,
            last: last_id,
            failure,
        });
    }
    Ok(places)
}

fn id(db: &Connection, event: i64) -> Result<Option<EventId>, StoreError> {
    Ok(db
        .prepare_cached("SELECT id FROM event WHERE number = ?1")?
        .query_row([event], |row| row.get(0).map(EventId))
        .optional()?)
}
