//! To replay is to begin anew, so everything that the run has written is written again. What that is, a person can see
//! before.

use rusqlite::{Connection, OptionalExtension, Row};

use super::Original;
use super::retry::changes_state;
use crate::model::{Effect, RunId};
use crate::store::sqlite::placing::{self, Newcomer};
use crate::store::sqlite::routing;
use crate::store::sqlite::rows::{from_json, micros};
use crate::store::{Repeats, Replaying, StoreError, Version, WriteMade};

/// Makes the run that begins anew.
pub(in crate::store::sqlite) fn replay(
    db: &Connection,
    run: RunId,
    replaying: &Replaying,
) -> Result<RunId, StoreError> {
    let original = Original::find(db, run)?;
    if !original.state.is_final() {
        return Err(StoreError::Refused(format!(
            "run {run} is {}: it has not ended yet; `cuegate runs cancel {run}` ends it, then it can be replayed",
            original.state.as_str()
        )));
    }
    original.expect_event(db)?;
    let counted_before = original.followed_by.is_some();
    if counted_before && original.parent_counts(db)? {
        let parent = original.parent.map(RunId).unwrap_or(run);
        let followed = original.followed(db)?.unwrap_or_default();
        return Err(StoreError::Refused(format!(
            "{followed}, and run {parent}, which it belongs to, is under way; wait until that has ended"
        )));
    }
    let again = Newcomer {
        replay_of: Some(run.0),
        ..original.again(micros(replaying.deciding.at))
    };
    let newcomer = match &replaying.version {
        Version::Then { binding } => Newcomer {
            binding: *binding,
            ..again
        },
        Version::Now { rule_set, run } => {
            let (number, active) = routing::active_rule_set(db)?
                .ok_or_else(|| StoreError::Refused("no rule set is active".to_owned()))?;
            if active != *rule_set {
                return Err(StoreError::Refused(
                    "other rules have become active meanwhile; ask again".to_owned(),
                ));
            }
            Newcomer {
                rule: run.rule.as_str(),
                version: run.version.as_str(),
                rule_set: number,
                binding: run.binding,
                lane: run.lane.as_str(),
                priority: run.priority,
                ..again
            }
        }
    };
    original.rejoin_parent(db)?;
    let placed = placing::place(db, &newcomer)?;
    let replay = placed.expect("a run that waits its turn is never dropped");
    original.follow(db, replay)?;
    Ok(replay)
}

/// The writes of a run and of its children that were made or may have been.
pub(in crate::store::sqlite) fn repeats(
    db: &Connection,
    run: RunId,
) -> Result<Repeats, StoreError> {
    let known = db
        .prepare_cached("SELECT 1 FROM run WHERE id = ?1")?
        .query_row([run.0], |_| Ok(()))
        .optional()?;
    if known.is_none() {
        return Err(StoreError::Refused(format!("there is no run {run}")));
    }
    refuse_forgotten(db, run)?;
    // What went on as another run is counted there.
    let mut statement = db.prepare_cached(
        "WITH family (id) AS (
             SELECT ?1 UNION ALL SELECT id FROM run
             WHERE parent = coalesce((SELECT children_of FROM walk WHERE run = ?1), ?1) AND followed_by IS NULL)
         SELECT intent.run, intent.number, intent.effect, step.answer FROM family
         CROSS JOIN intent ON intent.run = family.id
         LEFT JOIN step ON step.run = intent.run AND step.number = intent.number
         WHERE NOT EXISTS (SELECT 1 FROM withdrawn WHERE withdrawn.intent = intent.id)
         UNION ALL
         SELECT step.run, step.number, step.effect, step.answer FROM family
         CROSS JOIN step ON step.run = family.id WHERE step.effect LIKE '{\"kind\":\"state\"%'",
    )?;
    let mut rows = statement.query([run.0])?;
    let mut repeats = Repeats::default();
    while let Some(row) = rows.next()? {
        let Some(write) = write_made(row)? else {
            continue;
        };
        match write.status {
            Some(_) => repeats.made += 1,
            None => repeats.uncertain += 1,
        }
        if repeats.first.len() < Repeats::LISTED_MAX {
            repeats.first.push(write);
        }
    }
    repeats.uncertain += set_aside(db, run)?;
    repeats.first.sort_by_key(|write| (write.run, write.number));
    Ok(repeats)
}

/// Writes whose intents a repair has set aside, because they could not be read.
fn set_aside(db: &Connection, run: RunId) -> Result<u64, StoreError> {
    let count: i64 = db
        .prepare_cached(
            "WITH lost (run, number) AS (
                 SELECT DISTINCT json_extract(row, '$.run'), json_extract(row, '$.number') FROM set_aside
                 WHERE origin = 'intent')
             SELECT count(*) FROM lost JOIN run ON run.id = lost.run
             WHERE (run.id = ?1 OR run.parent = coalesce((SELECT children_of FROM walk WHERE run = ?1), ?1))
             AND NOT EXISTS (SELECT 1 FROM intent WHERE intent.run = lost.run AND intent.number = lost.number)",
        )?
        .query_row([run.0], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Writes that nobody knows of any more must not count as none.
fn refuse_forgotten(db: &Connection, run: RunId) -> Result<(), StoreError> {
    let forgotten: Option<i64> = db
        .prepare_cached(
            "SELECT id FROM run WHERE (id = ?1 OR parent = coalesce((SELECT children_of FROM walk WHERE run = ?1), ?1))
             AND pruned_at IS NOT NULL AND steps > 0 LIMIT 1",
        )?
        .query_row([run.0], |row| row.get(0))
        .optional()?;
    match forgotten {
        None => Ok(()),
        Some(forgotten) => Err(StoreError::Pruned(format!(
            "the journal of run {forgotten} is outside retention, so nobody knows which of its writes a replay would \
             repeat"
        ))),
    }
}

#[derive(serde::Deserialize)]
struct Status {
    status: u16,
}

/// A write, unless it failed or was only a look at what the rule keeps.
fn write_made(row: &Row<'_>) -> Result<Option<WriteMade>, StoreError> {
    let run = RunId(row.get(0)?);
    let number: u32 = row.get(1)?;
    let what = format!("step {number} of run {run}");
    let effect: Effect = from_json(&what, &row.get::<_, String>(2)?)?;
    let answer: Option<String> = row.get(3)?;
    let status = answer
        .map(|answer| from_json::<Status>(&what, &answer).map(|answer| answer.status))
        .transpose()?;
    let look = matches!(effect, Effect::State(_)) && !changes_state(&effect);
    if look || status.is_some_and(|status| status >= 400) {
        return Ok(None);
    }
    Ok(Some(WriteMade {
        run,
        number,
        effect,
        status,
    }))
}
