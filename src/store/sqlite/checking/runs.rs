//! Promises about runs: what they name is there, and what is written about them can be read.

use super::removal::{end, placeholder_lane, take_out_run};
use super::{Promise, Search, values};

pub(super) const PROMISES: &[Promise] = &[
    Promise {
        kind: "run_without_event",
        search: Search::Sql(
            "SELECT 'run ' || run.id, 'its event, number ' || run.event || ', is missing', run.id, 0
             FROM run LEFT JOIN event ON event.number = run.event WHERE event.number IS NULL",
        ),
        remedy: "the run and its journal are set aside",
        repair: Some(|repair, found| take_out_run(repair, found.key, &found.text)),
    },
    Promise {
        kind: "run_without_lane",
        search: Search::Sql(
            "SELECT 'run ' || run.id, 'its lane, number ' || run.lane || ', is missing', run.id, run.lane
             FROM run LEFT JOIN lane ON lane.id = run.lane WHERE lane.id IS NULL",
        ),
        remedy: "a lane is made for it, and the run ends, because its order is lost",
        repair: Some(|repair, found| {
            placeholder_lane(repair, found.key, found.other)?;
            end(repair, found.key, &found.text)
        }),
    },
    Promise {
        kind: "run_outside_retention",
        search: Search::Sql(
            "SELECT 'run ' || run.id, 'it is unfinished, and what it needs to go on is outside retention', run.id, 0
             FROM run JOIN event ON event.number = run.event
             WHERE run.ended_at IS NULL AND (run.pruned_at IS NOT NULL OR event.pruned_at IS NOT NULL)",
        ),
        remedy: "the run ends with the reason",
        repair: Some(|repair, found| end(repair, found.key, &found.text)),
    },
    Promise {
        kind: "run_unreadable",
        search: Search::Rows(values::runs),
        remedy: "its row is set aside as it was; what cannot be read is emptied, and the run ends if it had not",
        repair: Some(values::mend_run),
    },
    Promise {
        kind: "run_in_strange_lane",
        search: Search::Sql(
            "SELECT 'run ' || run.id, 'it is of rule ' || run.rule || ' and in a lane of rule ' || lane.rule, run.id, 0
             FROM run JOIN lane ON lane.id = run.lane WHERE run.ended_at IS NULL AND run.rule <> lane.rule",
        ),
        remedy: "the run ends with the reason",
        repair: Some(|repair, found| end(repair, found.key, &found.text)),
    },
    Promise {
        kind: "run_end",
        search: Search::Sql(
            "SELECT 'run ' || id, 'it is ' || state || ' and ' || iif(ended_at IS NULL, 'has no end', 'has an end'), id,
                    ended_at IS NULL
             FROM run WHERE (ended_at IS NULL) = (state IN ('succeeded', 'skipped', 'dead', 'cancelled', 'superseded'))",
        ),
        remedy: "an ended run gets now as its end; one that has an end and is not ended is ended with the reason",
        repair: Some(|repair, found| {
            if found.other == 0 {
                return end(repair, found.key, &found.text);
            }
            repair.db.execute(
                "UPDATE run SET ended_at = ?2 WHERE id = ?1",
                [found.key, repair.now],
            )?;
            Ok(())
        }),
    },
    Promise {
        kind: "run_class",
        search: Search::Sql(
            "SELECT 'run ' || id, 'it is ' || state || ' of class ' || coalesce(class, 'none'), id, state = 'parked'
             FROM run WHERE (state = 'parked' AND (class IS NULL OR class NOT IN ('uncertain', 'loop', 'limit', 'restored')))
                         OR (state = 'dead' AND json_valid(failure) AND class IS NOT json_extract(failure, '$.class'))",
        ),
        remedy: "a dead run gets the class of its failure, a parked one `uncertain`",
        repair: Some(|repair, found| {
            repair.change(
                "UPDATE run SET class = iif(state = 'parked', 'uncertain', json_extract(failure, '$.class'))
                 WHERE id = ?1",
                found.key,
            )
        }),
    },
    Promise {
        kind: "child_without_parent",
        search: Search::Sql(
            "SELECT 'run ' || child.id, 'it was made by `each` of run ' || child.parent || ', which is missing',
                    child.id, 0
             FROM run AS child LEFT JOIN run AS parent ON parent.id = child.parent
             WHERE child.parent IS NOT NULL AND child.ended_at IS NULL AND parent.id IS NULL",
        ),
        remedy: "the run ends with the reason",
        repair: Some(|repair, found| end(repair, found.key, &found.text)),
    },
];
