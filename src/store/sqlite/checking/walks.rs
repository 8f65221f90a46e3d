//! Promises about `each`: every object has its child in the end, and the parent goes on after the last of them.

use super::super::rows::time;
use super::super::walking;
use super::removal::end_unfinished;
use super::{Break, Promise, Repair, Search, values};
use crate::model::RunId;
use crate::store::StoreError;

/// How the ended children are counted.
const ENDED: &str = "succeeded + skipped + dead + cancelled + superseded";

pub(super) const PROMISES: &[Promise] = &[
    Promise {
        kind: "walk_objects",
        search: Search::Sql(
            "SELECT 'run ' || walk.run, 'its walk has found ' || objects || ' objects and made runs for ' || walk.released
                    || ', and ' || coalesce(there, 0) || ' are left to be made', walk.run, 0
             FROM walk JOIN run ON run.id = walk.run
             LEFT JOIN (SELECT walk_object.run AS of_run, count(*) AS there, min(number) AS first, max(number) AS last
                        FROM walk_object JOIN walk ON walk.run = walk_object.run
                        WHERE number >= walk.released GROUP BY walk_object.run) ON of_run = walk.run
             WHERE run.pruned_at IS NULL
             AND (objects - walk.released <> coalesce(there, 0) OR first <> walk.released OR last <> objects - 1)",
        ),
        remedy: "the objects that are left are numbered anew",
        repair: Some(renumber),
    },
    Promise {
        kind: "walk_count",
        search: Search::Sql(
            "SELECT 'run ' || walk.run, 'of ' || released || ' runs of its `each` ' || open || ' count as unfinished and '
                    || (succeeded + skipped + dead + cancelled + superseded) || ' as ended, and ' || unfinished
                    || ' are unfinished', walk.run, unfinished
             FROM (SELECT walk.*, (SELECT count(*) FROM run WHERE parent = walk.run AND ended_at IS NULL) AS unfinished
                   FROM walk WHERE done_at IS NULL OR open > 0) AS walk
             WHERE open <> unfinished OR released <> open + succeeded + skipped + dead + cancelled + superseded",
        ),
        remedy: "the runs are counted anew; those that are missing count as dead",
        repair: Some(recount),
    },
    Promise {
        kind: "walk_forgotten",
        search: Search::Sql(
            "SELECT 'run ' || run.id, 'it waits for the runs of its `each`, and none of them will end', run.id,
                    walk.run IS NULL
             FROM run LEFT JOIN walk ON walk.run = run.id
             WHERE run.state = 'waiting' AND run.waits_for = 'children'
             AND (walk.run IS NULL OR walk.done_at IS NOT NULL OR walk.open = 0)",
        ),
        remedy: "it waits for them again, and is made ready when there are none left; without its walk, it ends",
        repair: Some(go_on),
    },
    Promise {
        kind: "walk_unreadable",
        search: Search::Rows(values::walks),
        remedy: "it is set aside as it was and what cannot be read is emptied; a walk that is not over ends its run",
        repair: Some(mend),
    },
];

/// A second walk would make runs for the objects of the first one again, so a lost walk is the end.
fn go_on(repair: &Repair<'_>, found: &Break) -> Result<(), StoreError> {
    let run = found.key;
    if found.other != 0 {
        return end_unfinished(repair, run, &found.text);
    }
    repair.change("UPDATE walk SET done_at = NULL WHERE run = ?1", run)?;
    let open: i64 = repair
        .db
        .query_row("SELECT open FROM walk WHERE run = ?1", [run], |row| {
            row.get(0)
        })?;
    if open == 0 {
        walking::release_children(repair.db, RunId(run), time(repair.now)?)?;
    }
    Ok(())
}

/// Where the next page is matters only as long as there is one.
fn mend(repair: &Repair<'_>, found: &Break) -> Result<(), StoreError> {
    repair.copy("walk", "run = ?1", found)?;
    let over: bool = repair.db.query_row(
        "SELECT ended_at IS NOT NULL FROM walk WHERE run = ?1",
        [found.key],
        |row| row.get(0),
    )?;
    if !over {
        end_unfinished(repair, found.key, &found.text)?;
    }
    repair.db.execute(
        "UPDATE walk SET place = 'null', steps_before = iif(steps_before BETWEEN 0 AND 4294967295, steps_before, 0),
                ended_at = iif(ended_at IS NULL, NULL, ?2), done_at = iif(done_at IS NULL, NULL, ?2) WHERE run = ?1",
        [found.key, repair.now],
    )?;
    Ok(())
}

/// Only objects without a run: the number of the others is what says that they have one.
fn renumber(repair: &Repair<'_>, found: &Break) -> Result<(), StoreError> {
    let run = found.key;
    let released: i64 =
        repair
            .db
            .query_row("SELECT released FROM walk WHERE run = ?1", [run], |row| {
                row.get(0)
            })?;
    let left: Vec<i64> = repair
        .db
        .prepare("SELECT number FROM walk_object WHERE run = ?1 AND number >= ?2 ORDER BY number")?
        .query_map([run, released], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut next = released;
    // Downwards in order, so that a number is free before it is given.
    for number in left {
        repair.db.execute(
            "UPDATE walk_object SET number = ?3 WHERE run = ?1 AND number = ?2",
            [run, number, next],
        )?;
        next += 1;
    }
    repair
        .db
        .execute("UPDATE walk SET objects = ?2 WHERE run = ?1", [run, next])?;
    Ok(())
}

fn recount(repair: &Repair<'_>, found: &Break) -> Result<(), StoreError> {
    let (run, unfinished) = (found.key, found.other);
    repair.db.execute(
        "UPDATE walk SET open = ?2, dead = max(0, released - ?2 - succeeded - skipped - cancelled - superseded)
         WHERE run = ?1",
        [run, unfinished],
    )?;
    repair.db.execute(
        &format!("UPDATE walk SET released = open + {ENDED}, objects = max(objects, open + {ENDED}) WHERE run = ?1"),
        [run],
    )?;
    Ok(())
}
