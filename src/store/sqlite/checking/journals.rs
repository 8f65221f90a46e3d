//! Promises about journals: steps without gaps, writes that are known before they are sent.

use super::removal::{end_unfinished, take_out, take_out_intent};
use super::{Break, Promise, Repair, Search, values};
use crate::store::StoreError;

macro_rules! stray {
    ($kind:literal, $table:literal) => {
        Promise {
            kind: $kind,
            search: Search::Sql(concat!(
                "SELECT 'run ' || run, 'it is missing, but rows of its `",
                $table,
                "` are there', run, 0 FROM (SELECT DISTINCT run FROM ",
                $table,
                ") WHERE run NOT IN (SELECT id FROM run)"
            )),
            remedy: "the rows are set aside",
            repair: Some(|repair, found| take_out(repair, $table, "run = ?1", found)),
        }
    };
}

pub(super) const PROMISES: &[Promise] = &[
    stray!("stray_steps", "step"),
    stray!("stray_intents", "intent"),
    stray!("stray_log", "log"),
    stray!("stray_remarks", "remark"),
    stray!("stray_walk", "walk"),
    stray!("stray_objects", "walk_object"),
    Promise {
        kind: "stray_withdrawal",
        search: Search::Sql(
            "SELECT 'intent ' || intent, 'it is missing, but was withdrawn', intent, 0 FROM withdrawn
             WHERE intent NOT IN (SELECT id FROM intent)",
        ),
        remedy: "the row is set aside",
        repair: Some(|repair, found| take_out(repair, "withdrawn", "intent = ?1", found)),
    },
    Promise {
        kind: "journal_unreadable",
        search: Search::Rows(values::steps),
        remedy: "the step and those after it are set aside, and the run ends if it had not; intents stay",
        repair: Some(|repair, found| cut_short(repair, found, found.other)),
    },
    Promise {
        kind: "journal_gap",
        search: Search::Sql(
            "SELECT 'run ' || id, 'it has ' || run.steps || ' answered steps, and ' || coalesce(there, 0) || ' of them are kept'
                    || iif(there > 0 AND (first <> 0 OR last <> there - 1), ', with gaps', ''), id, 0
             FROM run LEFT JOIN (SELECT run, count(*) AS there, min(number) AS first, max(number) AS last
                                 FROM step GROUP BY run) ON run = id
             WHERE pruned_at IS NULL AND (coalesce(there, 0) <> run.steps OR first <> 0 OR last <> there - 1)",
        ),
        remedy: "steps after the gap are set aside, and the run ends if one is missing and it had not",
        repair: Some(close_gap),
    },
    Promise {
        kind: "intent_unreadable",
        search: Search::Rows(values::intents),
        remedy: "the intent is set aside, and the run ends if it had not",
        repair: Some(|repair, found| {
            end_unfinished(repair, found.other, &found.text)?;
            take_out_intent(repair, found)
        }),
    },
    Promise {
        kind: "intent_ahead",
        search: Search::Sql(
            "SELECT 'run ' || run.id, 'it asked for step ' || intent.number || ' before step ' || run.steps || ' was answered',
                    intent.id, run.id
             FROM intent JOIN run ON run.id = intent.run WHERE intent.number > run.steps AND run.ended_at IS NULL",
        ),
        // Of a run that has ended it is what is left of a journal that was cut short.
        remedy: "the run ends; the intent stays, so that a replay counts it among the writes that it may repeat",
        repair: Some(|repair, found| end_unfinished(repair, found.other, &found.text)),
    },
    Promise {
        kind: "intent_twice",
        search: Search::Sql(
            "SELECT 'run ' || later.run, 'step ' || later.number || ' is asked for twice at a time', later.id, later.run
             FROM intent AS later
             WHERE EXISTS (SELECT 1 FROM intent AS first WHERE first.run = later.run AND first.number = later.number
                           AND first.id < later.id AND first.id NOT IN (SELECT intent FROM withdrawn))
             AND later.id NOT IN (SELECT intent FROM withdrawn)",
        ),
        remedy: "the later intent is set aside: the age of the first one counts",
        repair: Some(take_out_intent),
    },
    Promise {
        kind: "log_unreadable",
        search: Search::Sql(
            "SELECT 'run ' || run, 'a line of its log has the level `' || level || '`, which is none', run, step
             FROM log WHERE level NOT IN ('trace', 'info', 'warn', 'error')",
        ),
        remedy: "the line is set aside as it was, and counts as information",
        repair: Some(|repair, found| {
            let bad = "run = ?1 AND level NOT IN ('trace', 'info', 'warn', 'error')";
            repair.copy("log", bad, found)?;
            repair.change(&format!("UPDATE log SET level = 'info' WHERE {bad}"), found.key)
        }),
    },
];

/// Keeps the steps before the first that is missing. Steps that are there and not counted are counted.
fn close_gap(repair: &Repair<'_>, found: &Break) -> Result<(), StoreError> {
    let run = found.key;
    let numbers: Vec<i64> = repair
        .db
        .prepare_cached("SELECT number FROM step WHERE run = ?1 ORDER BY number")?
        .query_map([run], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let whole = (0..)
        .zip(&numbers)
        .take_while(|(place, number)| place == *number)
        .count();
    let whole = i64::try_from(whole).unwrap_or(i64::MAX);
    cut_short(repair, found, whole)
}

/// Keeps the first steps of a run; it ends unless they are all that it ever had.
fn cut_short(repair: &Repair<'_>, found: &Break, kept: i64) -> Result<(), StoreError> {
    let run = found.key;
    let (counted, last): (i64, Option<i64>) = repair
        .db
        .prepare_cached(
            "SELECT steps, (SELECT max(number) FROM step WHERE run = ?1) FROM run WHERE id = ?1",
        )?
        .query_row([run], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if counted > kept || last.is_some_and(|last| last >= kept) {
        end_unfinished(repair, run, &found.text)?;
    }
    let rest = Break {
        other: kept,
        ..found.clone()
    };
    take_out(repair, "step", "run = ?1 AND number >= ?2", &rest)?;
    repair
        .db
        .execute("UPDATE run SET steps = ?2 WHERE id = ?1", [run, kept])?;
    Ok(())
}
