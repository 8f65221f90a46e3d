//! Promises about waiting: whoever waits is woken, and nobody else is.

use rusqlite::params;

use super::super::rows::time;
use super::super::waits;
use super::removal::take_out;
use super::{Break, Promise, Repair, Search};
use crate::model::RunId;
use crate::store::StoreError;

pub(super) const PROMISES: &[Promise] = &[
    Promise {
        kind: "wait_without_kind",
        search: Search::Sql(
            "SELECT 'run ' || id, 'it waits for `' || coalesce(waits_for, '') || '`, which is nothing', id, 0 FROM run
             WHERE state = 'waiting' AND (waits_for IS NULL OR waits_for NOT IN
                   ('time', 'retry', 'look_up', 'event', 'job', 'children', 'writes', 'gateway'))",
        ),
        remedy: "it is made ready, and asks for its wait once more",
        repair: Some(wake),
    },
    Promise {
        kind: "wait_without_event",
        search: Search::Sql(
            "SELECT 'run ' || id, 'it waits for an event, and nothing says which', id, 0 FROM run
             WHERE state = 'waiting' AND waits_for = 'event' AND id NOT IN (SELECT run FROM event_wait)",
        ),
        remedy: "it is made ready, and asks for its wait once more",
        repair: Some(wake),
    },
    Promise {
        kind: "wait_without_job",
        search: Search::Sql(
            "SELECT 'run ' || id, 'it waits for a job, and nothing says which', id, 0 FROM run
             WHERE state = 'waiting' AND waits_for = 'job' AND id NOT IN (SELECT run FROM job_wait)",
        ),
        remedy: "it is made ready, and asks for its wait once more",
        repair: Some(wake),
    },
    Promise {
        kind: "event_wait_unreadable",
        search: Search::Rows(super::values::event_waits),
        remedy: "the wait is set aside; the run is made ready and asks for it once more",
        repair: Some(|repair, found| {
            take_out(repair, "event_wait", "run = ?1", found)?;
            wake(repair, found)
        }),
    },
    Promise {
        kind: "stray_event_wait",
        search: Search::Sql(
            "SELECT 'run ' || event_wait.run, 'it has ended or is missing, and waits for an event', event_wait.run, 0
             FROM event_wait LEFT JOIN run ON run.id = event_wait.run WHERE run.id IS NULL OR run.ended_at IS NOT NULL",
        ),
        remedy: "the wait is set aside",
        repair: Some(|repair, found| take_out(repair, "event_wait", "run = ?1", found)),
    },
    Promise {
        kind: "stray_kept_job",
        search: Search::Sql(
            "SELECT 'run ' || kept_job.run, 'job ' || job || ' shows how it is getting on, and ' ||
                    iif(run.id IS NULL, 'it is missing', 'what the job was told cannot be read'), kept_job.run, 0
             FROM kept_job LEFT JOIN run ON run.id = kept_job.run WHERE run.id IS NULL OR NOT json_valid(told)",
        ),
        remedy: "the row is set aside; the job in Iconik stays as it is",
        repair: Some(|repair, found| take_out(repair, "kept_job", "run = ?1", found)),
    },
    Promise {
        kind: "stray_job_wait",
        search: Search::Sql(
            "SELECT 'run ' || job_wait.run, 'job ' || job || ' would wake it, but it does not wait for that', job_wait.run, 0
             FROM job_wait LEFT JOIN run ON run.id = job_wait.run
             WHERE run.id IS NULL OR run.state <> 'waiting' OR run.waits_for <> 'job'",
        ),
        remedy: "the wait is set aside",
        repair: Some(|repair, found| take_out(repair, "job_wait", "run = ?1", found)),
    },
    Promise {
        kind: "found_event_missing",
        search: Search::Sql(
            "SELECT 'run ' || run, 'the event that it waited for, number ' || found || ', is missing', run, 0 FROM event_wait
             WHERE found NOT IN (SELECT number FROM event WHERE pruned_at IS NULL)",
        ),
        remedy: "the run waits for another one, until its time is over",
        repair: Some(|repair, found| {
            repair.copy("event_wait", "run = ?1", found)?;
            repair.change("UPDATE event_wait SET found = NULL WHERE run = ?1", found.key)
        }),
    },
    Promise {
        kind: "timer",
        search: Search::Sql(
            "SELECT 'run ' || run.id, 'it is ' || run.state || iif(run.due_at IS NULL, ' without an end',
                    iif(timer.run IS NULL, ', and no timer wakes it', ', and its timer is set to another time')), run.id, 0
             FROM run LEFT JOIN timer ON timer.run = run.id
             WHERE run.state IN ('waiting', 'queued') AND run.ended_at IS NULL
             AND (run.due_at IS NOT timer.due_at OR (run.state = 'waiting' AND run.due_at IS NULL))",
        ),
        remedy: "the timer is set to the time of the run; a wait without a time is over",
        repair: Some(set_timer),
    },
    Promise {
        kind: "stray_timer",
        search: Search::Sql(
            "SELECT 'run ' || timer.run, 'a timer is set, but it does not wait', timer.run, 0
             FROM timer LEFT JOIN run ON run.id = timer.run
             WHERE run.id IS NULL OR run.ended_at IS NOT NULL OR run.state NOT IN ('waiting', 'queued')",
        ),
        remedy: "the timer is set aside",
        repair: Some(|repair, found| take_out(repair, "timer", "run = ?1", found)),
    },
];

fn wake(repair: &Repair<'_>, found: &Break) -> Result<(), StoreError> {
    waits::wake(repair.db, RunId(found.key), time(repair.now)?)
}

fn set_timer(repair: &Repair<'_>, found: &Break) -> Result<(), StoreError> {
    let (waiting, due_at): (bool, Option<i64>) = repair.db.query_row(
        "SELECT state = 'waiting', due_at FROM run WHERE id = ?1",
        params![found.key],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    match due_at {
        Some(due_at) => waits::set_timer(repair.db, RunId(found.key), due_at, None),
        None if waiting => wake(repair, found),
        None => take_out(repair, "timer", "run = ?1", found),
    }
}
