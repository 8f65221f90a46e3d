//! What rules keep from run to run. An access and its step are one transaction, so an addition is made once however
//! often its run is interrupted.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::rows::{from_json, micros, to_json};
use super::{journal, lanes};
use crate::model::{Answer, Effect, StateAccess, Step};
use crate::store::{StateStep, StoreError};

/// What a script sees where a number was to be added to something else.
const NOT_A_NUMBER: u16 = 409;

/// Makes the access and journals it; nothing if the claim no longer holds.
pub(super) fn access(db: &Connection, step: &StateStep) -> Result<Option<Step>, StoreError> {
    if lanes::held(db, step.lease)?.is_none() {
        return Ok(None);
    }
    let run = step.lease.run;
    let rule: String = db
        .prepare_cached("SELECT rule FROM run WHERE id = ?1")?
        .query_row([run.0], |row| row.get(0))?;
    let entry = Entry {
        db,
        rule: &rule,
        key: &step.call.key,
        now: micros(step.at),
    };
    let (status, body) = entry.access(&step.call.access)?;
    let effect = Effect::State(step.call.clone());
    let step_made = Step {
        number: step.number,
        digest: effect.digest(),
        effect,
        answer: Answer {
            status,
            body,
            at: step.at,
        },
    };
    journal::write_logs(db, run, &step.logs)?;
    journal::write_step(db, run, &step_made)?;
    Ok(Some(step_made))
}

struct Entry<'a> {
    db: &'a Connection,
    rule: &'a str,
    key: &'a str,
    now: i64,
}

impl Entry<'_> {
    fn access(&self, access: &StateAccess) -> Result<(u16, Value), StoreError> {
        Ok(match access {
            StateAccess::Get => (200, self.value()?.unwrap_or_default()),
            StateAccess::Set { value, expires_at } => {
                self.put(value, *expires_at)?;
                (200, Value::Null)
            }
            StateAccess::Add { amount, expires_at } => {
                let before = self.value()?.unwrap_or_else(|| Value::from(0));
                let sum = before
                    .as_i64()
                    .and_then(|number| number.checked_add(*amount));
                match sum {
                    Some(sum) => {
                        self.put(&Value::from(sum), *expires_at)?;
                        (200, Value::from(sum))
                    }
                    None => (NOT_A_NUMBER, before),
                }
            }
            StateAccess::SetIf {
                expected,
                value,
                expires_at,
            } => {
                let as_expected = self.value()?.unwrap_or_default() == *expected;
                if as_expected {
                    self.put(value, *expires_at)?;
                }
                (200, Value::from(as_expected))
            }
            StateAccess::Delete => {
                let there = self.value()?.is_some();
                self.db
                    .prepare_cached("DELETE FROM state_entry WHERE rule = ?1 AND key = ?2")?
                    .execute([self.rule, self.key])?;
                (200, Value::from(there))
            }
        })
    }

    /// The value, unless it has expired.
    fn value(&self) -> Result<Option<Value>, StoreError> {
        let text: Option<String> = self
            .db
            .prepare_cached(
                "SELECT value FROM state_entry
                 WHERE rule = ?1 AND key = ?2 AND (expires_at IS NULL OR expires_at > ?3)",
            )?
            .query_row(params![self.rule, self.key, self.now], |row| row.get(0))
            .optional()?;
        text.map(|text| {
            from_json(
                format_args!("state entry {:?} of rule {}", self.key, self.rule),
                &text,
            )
        })
        .transpose()
    }

    fn put(&self, value: &Value, expires_at: Option<Timestamp>) -> Result<(), StoreError> {
        self.db
            .prepare_cached(
                "INSERT INTO state_entry (rule, key, value, expires_at, changed_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (rule, key) DO UPDATE
                 SET value = excluded.value, expires_at = excluded.expires_at, changed_at = excluded.changed_at",
            )?
            .execute(params![
                self.rule,
                self.key,
                to_json(value),
                expires_at.map(micros),
                self.now
            ])?;
        Ok(())
    }
}
