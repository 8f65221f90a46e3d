//! Rows into values. A row that cannot be read back says which one it is, so that a person can look.

use std::fmt::Display;

use jiff::Timestamp;
use rusqlite::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::{
    EventId, EventState, LaneKey, Origin, ParkedClass, RuleId, RuleSetId, RuleVersion, Run, RunId,
    RunState, WaitsFor,
};
use crate::store::StoreError;

/// Selects what [`run`] reads, from `run` by an index (`INDEXED BY …`) or as SQLite likes. CROSS JOIN keeps the order of
/// the tables: the run first, then what it names.
pub(super) fn select_run(by: &str) -> String {
    format!(
        "SELECT run.id, event.id, run.rule, run.version, rule_set.id, run.binding, lane.key, run.state, run.attempt,
                run.created_at, run.started_at, run.failing_since, run.due_at, run.ended_at, run.reason, run.failure,
                run.class, run.waits_for, run.object, run.priority, run.parent, run.retry_of, run.replay_of,
                run.followed_by, run.released
         FROM run {by}
         CROSS JOIN event ON event.number = run.event
         CROSS JOIN rule_set ON rule_set.number = run.rule_set
         CROSS JOIN lane ON lane.id = run.lane"
    )
}

/// One run, from [`select_run`].
pub(super) fn run(row: &Row<'_>) -> Result<Run, StoreError> {
    let id: i64 = row.get(0)?;
    let in_run = |error: StoreError| corrupt(format_args!("run {id}"), error);
    let optional_time = |column: usize| -> Result<Option<Timestamp>, StoreError> {
        let at: Option<i64> = row.get(column)?;
        at.map(time).transpose().map_err(in_run)
    };
    let state: String = row.get(7)?;
    let state = run_state(&state).map_err(in_run)?;
    let class: Option<String> = row.get(16)?;
    let waits_for: Option<String> = row.get(17)?;
    let failure: Option<String> = row.get(15)?;
    Ok(Run {
        id: RunId(id),
        event: EventId(row.get(1)?),
        rule: RuleId(row.get(2)?),
        version: RuleVersion(row.get(3)?),
        rule_set: RuleSetId(row.get(4)?),
        binding: row.get(5)?,
        lane: LaneKey(row.get(6)?),
        state,
        attempt: row.get(8)?,
        created_at: time(row.get(9)?).map_err(in_run)?,
        started_at: optional_time(10)?,
        failing_since: optional_time(11)?,
        due_at: optional_time(12)?,
        ended_at: optional_time(13)?,
        reason: row.get(14)?,
        failure: failure
            .map(|text| from_json(format_args!("the failure of run {id}"), &text))
            .transpose()?,
        parked: (state == RunState::Parked)
            .then(|| class.as_deref().and_then(parked_class))
            .flatten(),
        waits_for: waits_for.as_deref().and_then(kind_of_wait),
        object: row.get(18)?,
        priority: row.get(19)?,
        parent: row.get::<_, Option<i64>>(20)?.map(RunId),
        origin: match (
            row.get::<_, Option<i64>>(21)?,
            row.get::<_, Option<i64>>(22)?,
        ) {
            (Some(run), _) => Some(Origin::Retry(RunId(run))),
            (None, Some(run)) => Some(Origin::Replay(RunId(run))),
            (None, None) => None,
        },
        followed_by: row.get::<_, Option<i64>>(23)?.map(RunId),
        released: row
            .get::<_, Option<String>>(24)?
            .as_deref()
            .and_then(parked_class),
        children: None,
    })
}

fn parked_class(name: &str) -> Option<ParkedClass> {
    ParkedClass::ALL
        .into_iter()
        .find(|class| class.as_str() == name)
}

fn kind_of_wait(name: &str) -> Option<WaitsFor> {
    WaitsFor::ALL.into_iter().find(|kind| kind.as_str() == name)
}

/// A run's state by its name.
pub(super) fn run_state(name: &str) -> Result<RunState, StoreError> {
    RunState::ALL
        .into_iter()
        .find(|state| state.as_str() == name)
        .ok_or_else(|| StoreError::Corrupt(format!("`{name}` is no state of a run")))
}

/// An event's state by its name.
pub(super) fn event_state(name: &str) -> Result<EventState, StoreError> {
    EventState::ALL
        .into_iter()
        .find(|state| state.as_str() == name)
        .ok_or_else(|| StoreError::Corrupt(format!("`{name}` is no state of an event")))
}

/// A time as it is stored.
pub(super) fn micros(time: Timestamp) -> i64 {
    // The last second of all has no microseconds that could be read back.
    time.as_microsecond()
        .min(Timestamp::MAX.as_second() * 1_000_000)
}

/// A time as it was stored.
pub(super) fn time(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros)
        .map_err(|error| StoreError::Corrupt(format!("{micros} is no time: {error}")))
}

/// A value as it is stored.
pub(super) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("what the store keeps always has a JSON form")
}

/// A value as it was stored.
pub(super) fn from_json<T: DeserializeOwned>(
    what: impl Display,
    text: &str,
) -> Result<T, StoreError> {
    // What is stored was parsed within a limit once, and lies a level or two deeper in its row.
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.disable_recursion_limit();
    T::deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|error| StoreError::Corrupt(format!("{what}: {error}")))
}

/// Says what is corrupt; other errors pass as they are.
pub(super) fn corrupt(what: impl Display, error: StoreError) -> StoreError {
    match error {
        StoreError::Corrupt(why) => StoreError::Corrupt(format!("{what}: {why}")),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_that_is_stored_reads_back() {
        for stored in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
            let read = time(micros(stored)).expect("it is a time");
            assert!(read.duration_until(stored).as_secs().abs() < 1, "{stored}");
        }
    }
}
