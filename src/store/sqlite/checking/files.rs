//! What SQLite itself can tell about the two files, and what one says about the other.

use rusqlite::Connection;

use super::{Break, Promise, Repair, Search};
use crate::store::StoreError;

/// When nothing else helps.
pub(super) const RESTORE: &str =
    "look at the disk, then restore a backup with `cuegate store restore DIR`";

/// A page or an index that SQLite itself finds wrong.
pub(super) const DAMAGED: &str = "file_damaged";

pub(super) const PROMISES: &[Promise] = &[
    Promise {
        kind: DAMAGED,
        search: Search::Rows(damage),
        remedy: "indexes are made anew; if that is not enough, nothing is repaired: look at the disk, and restore a backup",
        repair: Some(|repair, _| Ok(repair.db.execute_batch("REINDEX")?)),
    },
    Promise {
        kind: "generation",
        search: Search::Sql(
            "SELECT 'inbox.db', 'it has no generation, so nobody knows what of it is routed', 0, 0
             WHERE NOT EXISTS (SELECT 1 FROM inbox.generation WHERE length(id) = 16)",
        ),
        remedy: "it gets a new one and is routed from its beginning; known events are recognized",
        repair: Some(|repair, _| {
            Ok(repair.db.execute_batch(
                "INSERT OR REPLACE INTO inbox.generation (one, id) VALUES (1, randomblob(16))",
            )?)
        }),
    },
    Promise {
        kind: "cursor",
        // The cursor is read first, so that the inbox is seen at the same moment or later.
        search: Search::Sql(
            "SELECT 'inbox.db', 'it ends at number ' || last || ', but is routed up to number ' || number, 0, 0
             FROM (SELECT max(number) AS number,
                          coalesce((SELECT seq FROM inbox.sqlite_sequence WHERE name = 'accepted'), 0) AS last
                   FROM (SELECT generation, number FROM cursor UNION ALL SELECT generation, number FROM ahead)
                   WHERE generation = (SELECT id FROM inbox.generation))
             WHERE number > last",
        ),
        remedy: "it becomes a new generation and is routed from its beginning; known events are recognized",
        repair: Some(|repair, _| {
            Ok(repair
                .db
                .execute_batch("UPDATE inbox.generation SET id = randomblob(16)")?)
        }),
    },
];

/// What is counted and kept beside the rows, gone through after everything that changes rows.
pub(super) const COUNTS: &[Promise] = &[
    Promise {
        kind: "event_count",
        search: Search::Sql(
            "SELECT 'the count of events ' || state, 'it says ' || said || ' and there are ' || there, 0, 0
             FROM (SELECT state, sum(said) AS said, sum(there) AS there FROM
                   (SELECT state, number AS said, 0 AS there FROM event_count
                    UNION ALL SELECT state, 0, count(*) FROM event GROUP BY state) GROUP BY state)
             WHERE said <> there",
        ),
        remedy: "events are counted anew",
        repair: Some(|repair, _| recount(repair, "event")),
    },
    Promise {
        kind: "run_count",
        search: Search::Sql(
            "SELECT 'the count of runs ' || state, 'it says ' || said || ' and there are ' || there, 0, 0
             FROM (SELECT state, sum(said) AS said, sum(there) AS there FROM
                   (SELECT state, number AS said, 0 AS there FROM run_count
                    UNION ALL SELECT state, 0, count(*) FROM run GROUP BY state) GROUP BY state)
             WHERE said <> there",
        ),
        remedy: "runs are counted anew",
        repair: Some(|repair, _| recount(repair, "run")),
    },
    Promise {
        kind: "class_count",
        search: Search::Sql(
            "SELECT 'the count of runs ' || state || ' ' || class || ' of rule ' || rule,
                    'it says ' || said || ' and there are ' || there, 0, 0
             FROM (SELECT state, class, rule, sum(said) AS said, sum(there) AS there FROM
                   (SELECT state, class, rule, number AS said, 0 AS there FROM class_count
                    UNION ALL
                    SELECT state, coalesce(class, waits_for, ''), rule, 0, count(*) FROM run
                    WHERE state IN ('waiting', 'dead', 'parked') AND followed_by IS NULL GROUP BY 1, 2, 3)
                   GROUP BY 1, 2, 3)
             WHERE said <> there",
        ),
        remedy: "runs are counted anew",
        repair: Some(|repair, _| {
            Ok(repair.db.execute_batch(
                "DELETE FROM class_count;
                 INSERT INTO class_count (state, class, rule, number)
                 SELECT state, coalesce(class, waits_for, ''), rule, count(*) FROM run
                 WHERE state IN ('waiting', 'dead', 'parked') AND followed_by IS NULL GROUP BY 1, 2, 3",
            )?)
        }),
    },
    Promise {
        kind: "run_hour",
        search: Search::Sql(
            "SELECT 'run ' || id, 'lists by time would leave it out', id, created_at / 3600000000 FROM run
             WHERE NOT EXISTS (SELECT 1 FROM run_hour WHERE hour = created_at / 3600000000 AND id BETWEEN first AND last)",
        ),
        remedy: "its hour is widened",
        repair: Some(|repair, found| widen(repair, "run_hour", found)),
    },
    Promise {
        kind: "event_hour",
        search: Search::Sql(
            "SELECT 'event number ' || number, 'lists by time would leave it out', number, received_at / 3600000000
             FROM event WHERE NOT EXISTS (SELECT 1 FROM event_hour
                                          WHERE hour = received_at / 3600000000 AND number BETWEEN first AND last)",
        ),
        remedy: "its hour is widened",
        repair: Some(|repair, found| widen(repair, "event_hour", found)),
    },
];

fn widen(repair: &Repair<'_>, hours: &str, found: &Break) -> Result<(), StoreError> {
    repair.db.execute(
        &format!(
            "INSERT INTO {hours} (hour, first, last) VALUES (?2, ?1, ?1)
             ON CONFLICT (hour) DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last)"
        ),
        [found.key, found.other],
    )?;
    Ok(())
}

fn recount(repair: &Repair<'_>, table: &str) -> Result<(), StoreError> {
    Ok(repair.db.execute_batch(&format!(
        "DELETE FROM {table}_count;
         INSERT INTO {table}_count (state, number) SELECT state, count(*) FROM {table} GROUP BY state"
    ))?)
}

/// SQLite's own check: pages, indexes, types and conditions of columns.
fn damage(db: &Connection) -> Result<Vec<Break>, StoreError> {
    let mut found = Vec::new();
    for (schema, file) in [("main", "cuegate.db"), ("inbox", "inbox.db")] {
        let texts = match examined(db, schema) {
            // So much is damaged that SQLite cannot say what.
            Err(StoreError::Corrupt(why)) => vec![why],
            texts => texts?,
        };
        found.extend(texts.into_iter().map(|text| Break {
            place: file.to_owned(),
            text,
            key: 0,
            other: 0,
        }));
    }
    Ok(found)
}

fn examined(db: &Connection, schema: &str) -> Result<Vec<String>, StoreError> {
    let mut statement = db.prepare(&format!("PRAGMA {schema}.integrity_check(100)"))?;
    let texts = statement.query_map([], |row| row.get::<_, String>(0))?;
    let texts = texts.collect::<Result<Vec<_>, _>>()?;
    Ok(texts.into_iter().filter(|text| text != "ok").collect())
}
