//! How rows are taken out without being thrown away, and what stands in for them.

use rusqlite::types::ValueRef;
use rusqlite::{OptionalExtension, ToSql, params};
use serde_json::{Map, Value, json};

use super::super::rows::{time, to_json};
use super::super::{lanes, waits};
use super::{Break, Repair};
use crate::model::{DeadClass, Failure, RuleSet, RuleSetId, RunId, RunState};
use crate::store::StoreError;

impl Repair<'_> {
    /// Changes the row with this number.
    pub(super) fn change(&self, sql: &str, key: i64) -> Result<(), StoreError> {
        self.db.execute(sql, [key])?;
        Ok(())
    }

    /// Keeps rows as they are now. The condition may name the key of the break as ?1 and what else it says as ?2.
    pub(super) fn copy(
        &self,
        table: &str,
        condition: &str,
        found: &Break,
    ) -> Result<(), StoreError> {
        let mut statement = self
            .db
            .prepare(&format!("SELECT * FROM {table} WHERE {condition}"))?;
        let columns: Vec<String> = statement.column_names().map(ToOwned::to_owned).collect();
        let numbers = [found.key, found.other];
        let used = &numbers[..statement.parameter_count().min(2)];
        let used: Vec<&dyn ToSql> = used.iter().map(|number| number as &dyn ToSql).collect();
        let mut rows = statement.query(&*used)?;
        while let Some(row) = rows.next()? {
            let mut kept = Map::new();
            for (place, column) in columns.iter().enumerate() {
                kept.insert(column.clone(), plain(row.get_ref(place)?));
            }
            self.db.execute(
                "INSERT INTO set_aside (origin, row, why, set_aside_at) VALUES (?1, ?2, ?3, ?4)",
                params![table, Value::Object(kept).to_string(), found.text, self.now],
            )?;
        }
        Ok(())
    }
}

/// A value of any kind in JSON; what is no text stands there in hexadecimal digits.
fn plain(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => json!({ "text": hex::encode(bytes) }),
        },
        ValueRef::Blob(bytes) => json!({ "bytes": hex::encode(bytes) }),
    }
}

/// Keeps rows as they are and deletes them.
pub(super) fn take_out(
    repair: &Repair<'_>,
    table: &str,
    condition: &str,
    found: &Break,
) -> Result<(), StoreError> {
    repair.copy(table, condition, found)?;
    let sql = format!("DELETE FROM {table} WHERE {condition}");
    let mut statement = repair.db.prepare(&sql)?;
    if statement.parameter_count() > 1 {
        statement.execute([found.key, found.other])?;
    } else {
        statement.execute([found.key])?;
    }
    Ok(())
}

/// Takes out an intent; whether it was withdrawn goes with it.
pub(super) fn take_out_intent(repair: &Repair<'_>, found: &Break) -> Result<(), StoreError> {
    take_out(repair, "withdrawn", "intent = ?1", found)?;
    take_out(repair, "intent", "id = ?1", found)
}

/// Takes out a run with everything that hangs on it.
pub(super) fn take_out_run(repair: &Repair<'_>, run: i64, why: &str) -> Result<(), StoreError> {
    let found = Break {
        place: String::new(),
        text: why.to_owned(),
        key: run,
        other: 0,
    };
    take_out(
        repair,
        "withdrawn",
        "intent IN (SELECT id FROM intent WHERE run = ?1)",
        &found,
    )?;
    for table in [
        "intent",
        "step",
        "log",
        "remark",
        "walk",
        "walk_object",
        "timer",
        "event_wait",
        "job_wait",
        "kept_job",
    ] {
        take_out(repair, table, "run = ?1", &found)?;
    }
    take_out(repair, "run", "id = ?1", &found)
}

/// Ends a run if it has not ended.
pub(super) fn end_unfinished(repair: &Repair<'_>, run: i64, why: &str) -> Result<(), StoreError> {
    let unfinished: bool = repair.db.query_row(
        "SELECT EXISTS (SELECT 1 FROM run WHERE id = ?1 AND ended_at IS NULL)",
        [run],
        |row| row.get(0),
    )?;
    if unfinished {
        end(repair, run, why)
    } else {
        Ok(())
    }
}

/// Ends a run with the reason; its row is kept as it was.
pub(super) fn end(repair: &Repair<'_>, run: i64, why: &str) -> Result<(), StoreError> {
    let found = Break {
        place: String::new(),
        text: why.to_owned(),
        key: run,
        other: 0,
    };
    repair.copy("run", "id = ?1", &found)?;
    let failure = broken(why);
    let ending = lanes::Ending {
        state: RunState::Dead,
        reason: None,
        failure: Some(&failure),
    };
    waits::forget(repair.db, RunId(run))?;
    let lane: Option<i64> = repair
        .db
        .query_row(
            "SELECT lane.id FROM run JOIN lane ON lane.id = run.lane WHERE run.id = ?1",
            [run],
            |row| row.get(0),
        )
        .optional()?;
    let at = time(repair.now)?;
    match lane {
        Some(lane) => lanes::end(repair.db, lane, RunId(run), &ending, at),
        None => lanes::write_end(repair.db, RunId(run), &ending, at),
    }
}

/// The failure of a run that a repair has ended.
pub(super) fn broken(why: &str) -> Failure {
    let mut failure = Failure::new(
        DeadClass::Diverged,
        format!("a repair of the store ended it, because it could not go on: {why}"),
    );
    failure.hint = Some(
        "the rows as they were are in the table `set_aside`; compare with a backup, then replay the event"
            .to_owned(),
    );
    failure
}

/// A rule set without rules under a number that events and runs name.
pub(super) fn placeholder_rule_set(repair: &Repair<'_>, number: i64) -> Result<(), StoreError> {
    let set = empty_rule_set(&format!("lost-{number}"));
    repair.db.execute(
        "INSERT INTO rule_set (number, id, json, created_at) VALUES (?1, ?2, ?3, ?4)",
        params![number, set.id.as_str(), to_json(&set), repair.now],
    )?;
    Ok(())
}

pub(super) fn empty_rule_set(id: &str) -> RuleSet {
    RuleSet {
        id: RuleSetId::from(id),
        files: Vec::new(),
        rules: Vec::new(),
        site: String::new(),
        vars: json!({}),
    }
}

/// A lane under a number that a run names, with room for all its runs.
pub(super) fn placeholder_lane(repair: &Repair<'_>, run: i64, lane: i64) -> Result<(), StoreError> {
    repair.db.execute(
        "INSERT OR IGNORE INTO lane (id, rule, key, state, head_seq, next_seq, token, runs)
         SELECT ?2, rule, 'lost lane ' || ?2, 'idle', next, next, 0, there
         FROM run, (SELECT max(seq) + 1 AS next, count(*) AS there FROM run WHERE lane = ?2) WHERE id = ?1",
        [run, lane],
    )?;
    Ok(())
}
