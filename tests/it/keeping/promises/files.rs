//! What SQLite tells about the files, what one says about the other, and what is counted beside the rows.

use super::{Plant, each_is_found_repaired_and_outlived};

pub(super) const PLANTS: &[Plant] = &[
    Plant {
        kind: "file_damaged",
        sql: "PRAGMA writable_schema = ON;
          CREATE TEMP TABLE hidden AS SELECT type, name, tbl_name, rootpage, sql FROM main.sqlite_schema WHERE name = 'event_by_source';
          DELETE FROM main.sqlite_schema WHERE name = 'event_by_source';
          PRAGMA writable_schema = RESET;
          UPDATE event SET source = 'elsewhere' WHERE number = 11;
          PRAGMA writable_schema = ON;
          INSERT INTO main.sqlite_schema SELECT * FROM hidden;
          PRAGMA writable_schema = RESET",
        place: "cuegate.db",
        says: "event_by_source",
        besides: &[],
        changed: &["~event 11"],
        aside: &[],
    },
    Plant {
        kind: "generation",
        sql: "DELETE FROM inbox.generation",
        place: "inbox.db",
        says: "no generation",
        besides: &[],
        changed: &["~generation 1"],
        aside: &[],
    },
    Plant {
        kind: "cursor",
        sql: "UPDATE cursor SET number = 1000",
        place: "inbox.db",
        says: "is routed up to number 1000",
        besides: &[],
        changed: &["~cursor 1", "~generation 1"],
        aside: &[],
    },
    Plant {
        kind: "event_count",
        sql: "UPDATE event_count SET number = number + 1 WHERE state = 'routed'",
        place: "the count of events routed",
        says: "it says",
        besides: &[],
        changed: &[],
        aside: &[],
    },
    Plant {
        kind: "run_count",
        sql: "DELETE FROM run_count WHERE state = 'waiting'",
        place: "the count of runs waiting",
        says: "there are 4",
        besides: &[],
        changed: &["-run_count running"],
        aside: &[],
    },
    Plant {
        kind: "class_count",
        sql: "UPDATE class_count SET number = 7 WHERE state = 'dead'",
        place: "the count of runs dead script_error of rule fall",
        says: "it says 7 and there are 1",
        besides: &[],
        changed: &[],
        aside: &[],
    },
    Plant {
        kind: "run_hour",
        sql: "DELETE FROM run_hour",
        place: "run 1",
        says: "would leave it out",
        besides: &[],
        changed: &[],
        aside: &[],
    },
    Plant {
        kind: "run_hour",
        sql: "UPDATE run_hour SET last = last - 1",
        place: "run 12",
        says: "would leave it out",
        besides: &[],
        changed: &[],
        aside: &[],
    },
    Plant {
        kind: "event_hour",
        sql: "UPDATE event_hour SET first = first + 1",
        place: "event number 1",
        says: "would leave it out",
        besides: &[],
        changed: &[],
        aside: &[],
    },
];

#[tokio::test]
async fn breaks_of_files_and_counts_are_found_repaired_and_outlived() {
    each_is_found_repaired_and_outlived(PLANTS).await;
}
