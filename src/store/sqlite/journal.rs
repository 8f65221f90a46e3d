//! What runs asked for and what they were answered: only ever added to.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::keeping::kept_jobs;
use super::rows::{corrupt, from_json, micros, time, to_json};
use super::writer::Class;
use super::{adopting, lanes, waits};
use crate::model::{Digest, LogLevel, LogLine, RunId, Step};
use crate::store::{Append, Fenced, Intent, JournalEntry, Remark, StoreError};

/// What a batch must survive: an answer is worth a sync if its step had an intent, because then the call
/// must not be sent again.
pub(super) fn class(db: &Connection, batch: &[Append]) -> Result<Class, StoreError> {
    for append in batch {
        let durable = match &append.entry {
            JournalEntry::Intent(_) | JournalEntry::Withdrawn { .. } => true,
            JournalEntry::Made { .. } | JournalEntry::Kept { .. } | JournalEntry::Remark(_) => {
                false
            }
            JournalEntry::Answer(step) => {
                open_intent_id(db, append.lease.run, step.number)?.is_some()
            }
        };
        if durable {
            return Ok(Class::Durable);
        }
    }
    Ok(Class::Lazy)
}

/// Adds one entry with its log lines.
pub(super) fn append(db: &Connection, append: &Append) -> Result<Fenced, StoreError> {
    if lanes::held(db, append.lease)?.is_none() {
        return Ok(Fenced::Lost);
    }
    let run = append.lease.run;
    write_logs(db, run, &append.logs)?;
    match &append.entry {
        JournalEntry::Intent(intent) => write_intent(db, run, intent)?,
        JournalEntry::Answer(step) => write_step(db, run, step)?,
        JournalEntry::Withdrawn { number } => withdraw(db, run, *number)?,
        JournalEntry::Made { number, object } => adopting::made(db, run, *number, object)?,
        JournalEntry::Kept { job, abort_key } => kept_jobs::keep(db, run, job, abort_key)?,
        JournalEntry::Remark(remark) => write_remark(db, run, remark)?,
    }
    Ok(Fenced::Written)
}

/// About how many bytes an entry writes.
pub(super) fn bytes(append: &Append) -> usize {
    let entry = match &append.entry {
        JournalEntry::Intent(intent) => to_json(&intent.effect).len(),
        JournalEntry::Answer(step) => to_json(&step.answer).len(),
        JournalEntry::Withdrawn { .. } => 0,
        JournalEntry::Made { object, .. } => object.len(),
        JournalEntry::Kept { job, abort_key } => job.len() + abort_key.len(),
        JournalEntry::Remark(remark) => remark.text.len(),
    };
    entry
        + append
            .logs
            .iter()
            .map(|line| line.text.len())
            .sum::<usize>()
}

/// Steps are numbered without a gap; another number means that two hands write one journal.
fn expect_next(db: &Connection, run: RunId, number: u32) -> Result<(), StoreError> {
    let steps: u32 = db
        .prepare_cached("SELECT steps FROM run WHERE id = ?1")?
        .query_row([run.0], |row| row.get(0))?;
    if number == steps {
        return Ok(());
    }
    Err(StoreError::Failed(format!(
        "run {run} has {steps} answered steps, so step {number} is not the next one"
    )))
}

fn write_intent(db: &Connection, run: RunId, intent: &Intent) -> Result<(), StoreError> {
    expect_next(db, run, intent.number)?;
    // A repeated call goes on under its first intent, whose age is the one that counts.
    if let Some(open) = open_intent(db, run)? {
        return if open.digest == intent.digest {
            Ok(())
        } else {
            Err(StoreError::Failed(format!(
                "step {} of run {run} has an open intent for another request",
                intent.number
            )))
        };
    }
    db.prepare_cached(
        "INSERT INTO intent (run, number, digest, effect, at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        run.0,
        intent.number,
        intent.digest.0,
        to_json(&intent.effect),
        micros(intent.at)
    ])?;
    Ok(())
}

/// Adds an answered step.
pub(super) fn write_step(db: &Connection, run: RunId, step: &Step) -> Result<(), StoreError> {
    expect_next(db, run, step.number)?;
    db.prepare_cached(
        "INSERT INTO step (run, number, digest, effect, answer) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        run.0,
        step.number,
        step.digest.0,
        to_json(&step.effect),
        to_json(&step.answer)
    ])?;
    db.prepare_cached(
        "UPDATE run SET steps = steps + 1, attempt = 0, failing_since = NULL WHERE id = ?1",
    )?
    .execute([run.0])?;
    waits::answered(db, run)
}

/// Adds a remark to a step.
pub(super) fn write_remark(db: &Connection, run: RunId, remark: &Remark) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO remark (run, number, line, at, text)
         SELECT ?1, ?2, (SELECT count(*) FROM remark WHERE run = ?1 AND number = ?2), ?3, ?4",
    )?
    .execute(params![
        run.0,
        remark.number,
        micros(remark.at),
        remark.text
    ])?;
    Ok(())
}

fn withdraw(db: &Connection, run: RunId, number: u32) -> Result<(), StoreError> {
    let Some(intent) = open_intent_id(db, run, number)? else {
        return Err(StoreError::Failed(format!(
            "step {number} of run {run} has no open intent that could be withdrawn"
        )));
    };
    db.prepare_cached("INSERT INTO withdrawn (intent) VALUES (?1)")?
        .execute([intent])?;
    Ok(())
}

fn open_intent_id(db: &Connection, run: RunId, number: u32) -> Result<Option<i64>, StoreError> {
    Ok(db
        .prepare_cached(
            "SELECT id FROM intent WHERE run = ?1 AND number = ?2
             AND NOT EXISTS (SELECT 1 FROM withdrawn WHERE withdrawn.intent = intent.id)",
        )?
        .query_row(params![run.0, number], |row| row.get(0))
        .optional()?)
}

/// The write of the next step, if it was asked for and neither answered nor withdrawn.
pub(super) fn open_intent(db: &Connection, run: RunId) -> Result<Option<Intent>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT number, digest, effect, at FROM intent
         WHERE run = ?1 AND number = (SELECT steps FROM run WHERE id = ?1)
         AND NOT EXISTS (SELECT 1 FROM withdrawn WHERE withdrawn.intent = intent.id)",
    )?;
    let mut rows = statement.query([run.0])?;
    rows.next()?
        .map(intent)
        .transpose()
        .map_err(|error| corrupt(format_args!("the open intent of run {run}"), error))
}

pub(super) fn intent(row: &Row<'_>) -> Result<Intent, StoreError> {
    Ok(Intent {
        number: row.get(0)?,
        digest: Digest(row.get(1)?),
        effect: from_json("its effect", &row.get::<_, String>(2)?)?,
        at: time(row.get(3)?)?,
    })
}

/// All answered steps, in order.
pub(super) fn steps(db: &Connection, run: RunId) -> Result<Vec<Step>, StoreError> {
    let steps = db
        .prepare_cached(
            "SELECT number, digest, effect, answer FROM step WHERE run = ?1 ORDER BY number",
        )?
        .query_and_then([run.0], step)?
        .collect::<Result<Vec<Step>, StoreError>>()
        .map_err(|error| corrupt(format_args!("the journal of run {run}"), error))?;
    let (answered, pruned_at): (u32, Option<i64>) = db
        .prepare_cached("SELECT steps, pruned_at FROM run WHERE id = ?1")?
        .query_row([run.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .unwrap_or_default();
    if let Some(at) = pruned_at {
        return Err(StoreError::Pruned(format!(
            "the journal of run {run} is outside retention: its {answered} steps were removed at {}",
            time(at)?
        )));
    }
    let whole = (0..answered).eq(steps.iter().map(|step| step.number));
    if whole {
        Ok(steps)
    } else {
        Err(StoreError::Corrupt(format!(
            "the journal of run {run} has lost steps"
        )))
    }
}

pub(super) fn step(row: &Row<'_>) -> Result<Step, StoreError> {
    let number: u32 = row.get(0)?;
    Ok(Step {
        number,
        digest: Digest(row.get(1)?),
        effect: from_json(
            format_args!("the effect of step {number}"),
            &row.get::<_, String>(2)?,
        )?,
        answer: from_json(
            format_args!("the answer of step {number}"),
            &row.get::<_, String>(3)?,
        )?,
    })
}

const LEVELS: [(LogLevel, &str); 4] = [
    (LogLevel::Trace, "trace"),
    (LogLevel::Info, "info"),
    (LogLevel::Warn, "warn"),
    (LogLevel::Error, "error"),
];

/// Adds log lines; a line that is there already was logged by an earlier execution of the same step.
pub(super) fn write_logs(db: &Connection, run: RunId, lines: &[LogLine]) -> Result<(), StoreError> {
    for line in lines {
        let level = LEVELS
            .iter()
            .find(|(level, _)| *level == line.level)
            .map(|(_, name)| *name)
            .expect("the table has every level");
        db.prepare_cached(
            "INSERT OR IGNORE INTO log (run, step, line, level, text) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![run.0, line.step, line.index, level, line.text])?;
    }
    Ok(())
}

/// All log lines of a run, in order.
pub(super) fn logs(db: &Connection, run: RunId) -> Result<Vec<LogLine>, StoreError> {
    db.prepare_cached("SELECT step, line, level, text FROM log WHERE run = ?1 ORDER BY step, line")?
        .query_and_then([run.0], log_line)?
        .collect::<Result<_, _>>()
        .map_err(|error| corrupt(format_args!("the log of run {run}"), error))
}

fn log_line(row: &Row<'_>) -> Result<LogLine, StoreError> {
    let name: String = row.get(2)?;
    let level = LEVELS
        .iter()
        .find(|(_, known)| *known == name)
        .map(|(level, _)| *level)
        .ok_or_else(|| StoreError::Corrupt(format!("`{name}` is no log level")))?;
    Ok(LogLine {
        step: row.get(0)?,
        index: row.get(1)?,
        level,
        text: row.get(3)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::model::{Answer, Call, Effect, Method};
    use crate::store::Lease;
    use crate::store::sqlite::schema;

    fn entry(entry: JournalEntry) -> Append {
        Append {
            lease: Lease {
                run: RunId(1),
                token: 1,
            },
            entry,
            logs: Vec::new(),
        }
    }

    #[test]
    fn an_answer_is_synced_if_and_only_if_its_step_has_an_open_intent() {
        let dir = tempfile::tempdir().unwrap();
        let db = schema::MAIN.open(&dir.path().join("cuegate.db")).unwrap();
        db.execute(
            "INSERT INTO run (id, lane, seq, event, rule, version, rule_set, binding, state, attempt, steps, created_at)
             VALUES (1, 1, 0, 1, 'tag', 'v1', 1, 1, 'running', 1, 0, 0)",
            [],
        )
        .unwrap();
        let effect = Effect::Call(Call {
            method: Method::Post,
            path: "search/v1/search/".to_owned(),
            query: std::collections::BTreeMap::new(),
            body: None,
            cacheable: false,
            position: None,
        });
        let intent = Intent {
            number: 0,
            digest: effect.digest(),
            effect: effect.clone(),
            at: time(0).unwrap(),
        };
        let answer = Answer {
            status: 200,
            body: Value::Null,
            at: time(0).unwrap(),
        };
        let step = Step {
            number: 0,
            digest: effect.digest(),
            effect,
            answer,
        };
        let answer = [entry(JournalEntry::Answer(Box::new(step)))];
        assert_eq!(class(&db, &answer).unwrap(), Class::Lazy);
        let intents = [entry(JournalEntry::Intent(intent.clone()))];
        assert_eq!(class(&db, &intents).unwrap(), Class::Durable);
        write_intent(&db, RunId(1), &intent).unwrap();
        assert_eq!(class(&db, &answer).unwrap(), Class::Durable);
        let withdrawal = [entry(JournalEntry::Withdrawn { number: 0 })];
        assert_eq!(class(&db, &withdrawal).unwrap(), Class::Durable);
        withdraw(&db, RunId(1), 0).unwrap();
        assert_eq!(class(&db, &answer).unwrap(), Class::Lazy);
    }
}
