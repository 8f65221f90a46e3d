//! Promises about lanes: the row of a lane says who is next, and it says so rightly.

use super::super::{lanes, waits};
use super::removal::{end, take_out};
use super::{Break, Promise, Repair, Search};
use crate::model::{RunId, RunState};
use crate::store::StoreError;

pub(super) const PROMISES: &[Promise] = &[
    Promise {
        kind: "lane_place",
        search: Search::Sql(
            "SELECT 'run ' || later.id, 'it has the place of run ' || min(first.id) || ' in its lane', later.id, 0
             FROM run AS later JOIN run AS first ON first.lane = later.lane AND first.seq = later.seq AND first.id < later.id
             WHERE later.ended_at IS NULL AND first.ended_at IS NULL GROUP BY later.id",
        ),
        remedy: "the later run ends with the reason",
        repair: Some(|repair, found| end(repair, found.key, &found.text)),
    },
    Promise {
        kind: "lane_head",
        search: Search::Sql(
            "SELECT 'lane ' || lane.id || ' (' || lane.rule || ', ' || lane.key || ')',
                    'it is ' || lane.state || ' at ' || coalesce('run ' || lane.head_run, 'no run') || ', place ' || lane.head_seq
                    || '; its first unfinished run is ' || coalesce(run.id || ', ' || run.state || ', place ' || run.seq, 'none'),
                    lane.id, 0
             FROM lane
             LEFT JOIN (SELECT lane AS of_lane, min(seq) AS first, max(seq) AS last FROM run
                        WHERE ended_at IS NULL GROUP BY lane) ON of_lane = lane.id
             LEFT JOIN run ON run.lane = lane.id AND run.seq = first AND run.ended_at IS NULL
             WHERE lane.head_run IS NOT run.id
             OR lane.head_seq <> coalesce(run.seq, lane.next_seq)
             OR lane.rank <> coalesce(-run.priority, 0)
             OR lane.next_seq <= last
             OR lane.state <> CASE WHEN run.id IS NULL THEN 'idle' WHEN run.state = 'running' THEN 'leased'
                                   WHEN run.state = 'waiting' THEN 'waiting' WHEN run.state = 'parked' THEN 'parked'
                                   WHEN run.due_at IS NOT NULL THEN 'waiting' ELSE 'ready' END",
        ),
        remedy: "the head is found anew from the runs",
        repair: Some(rebuild),
    },
    Promise {
        kind: "lane_overlap",
        search: Search::Sql(
            "SELECT 'run ' || run.id, 'it is ' || run.state || ' behind the head of its lane', run.id, 0
             FROM run JOIN lane ON lane.id = run.lane
             WHERE run.state IN ('running', 'waiting') AND run.ended_at IS NULL AND lane.head_run IS NOT run.id",
        ),
        remedy: "it waits for its turn, and goes on at the end of its journal",
        repair: Some(queue),
    },
    Promise {
        kind: "lane_runs",
        search: Search::Sql(
            "SELECT 'lane ' || lane.id || ' (' || rule || ', ' || key || ')',
                    'it counts ' || runs || ' runs, and there are ' || coalesce(there, 0), lane.id, coalesce(there, 0)
             FROM lane LEFT JOIN (SELECT lane AS of_lane, count(*) AS there FROM run GROUP BY lane) ON of_lane = lane.id
             WHERE runs <> coalesce(there, 0)",
        ),
        remedy: "its runs are counted anew",
        repair: Some(|repair, found| {
            repair.db.execute(
                "UPDATE lane SET runs = ?2 WHERE id = ?1",
                [found.key, found.other],
            )?;
            Ok(())
        }),
    },
];

/// A head that runs keeps its lease; anything else is as [`lanes::advance`] makes it.
fn rebuild(repair: &Repair<'_>, found: &Break) -> Result<(), StoreError> {
    let lane = found.key;
    repair.db.execute(
        "UPDATE lane SET next_seq = max(next_seq, 1 + coalesce(
                (SELECT max(seq) FROM run WHERE run.lane = lane.id AND ended_at IS NULL), -1)) WHERE id = ?1",
        [lane],
    )?;
    lanes::advance(repair.db, lane, repair.now)?;
    let running: bool = repair.db.query_row(
        "SELECT EXISTS (SELECT 1 FROM lane JOIN run ON run.id = lane.head_run WHERE lane.id = ?1 AND run.state = ?2)",
        rusqlite::params![lane, RunState::Running.as_str()],
        |row| row.get(0),
    )?;
    if running {
        lanes::set_state(repair.db, lane, "leased")?;
    }
    Ok(())
}

/// What would wake it now must not: it waits for its lane.
fn queue(repair: &Repair<'_>, found: &Break) -> Result<(), StoreError> {
    for table in ["timer", "event_wait", "job_wait"] {
        take_out(repair, table, "run = ?1", found)?;
    }
    waits::forget(repair.db, RunId(found.key))?;
    repair.change(
        "UPDATE run SET state = 'queued', due_at = NULL, waits_for = NULL WHERE id = ?1",
        found.key,
    )
}
