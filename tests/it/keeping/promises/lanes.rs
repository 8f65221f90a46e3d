//! Lanes: who is next in each.

use super::{Plant, each_is_found_repaired_and_outlived};

pub(super) const PLANTS: &[Plant] = &[
    Plant {
        kind: "lane_place",
        sql: "PRAGMA writable_schema = ON;
          CREATE TEMP TABLE hidden AS SELECT type, name, tbl_name, rootpage, sql FROM main.sqlite_schema WHERE name = 'run_open';
          DELETE FROM main.sqlite_schema WHERE name = 'run_open';
          PRAGMA writable_schema = RESET;
          UPDATE run SET seq = 1 WHERE id = 3;
          PRAGMA writable_schema = ON;
          INSERT INTO main.sqlite_schema SELECT * FROM hidden;
          PRAGMA writable_schema = RESET",
        place: "run 3",
        says: "it has the place of run 2",
        besides: &["file_damaged"],
        changed: &["+class_count dead/diverged/tag", "~lane 1", "~run 3", "~run_count dead", "~run_count queued"],
        aside: &["run"],
    },
    Plant {
        kind: "lane_head",
        sql: "UPDATE lane SET state = 'idle', head_run = NULL WHERE key = 'a'",
        place: "lane 1 (tag, a)",
        says: "it is idle at no run",
        besides: &[],
        changed: &["~lane 1"],
        aside: &[],
    },
    Plant {
        kind: "lane_head",
        sql: "UPDATE lane SET head_run = 3, head_seq = 2 WHERE key = 'a'",
        place: "lane 1 (tag, a)",
        says: "its first unfinished run is 2",
        besides: &[],
        changed: &["~lane 1"],
        aside: &[],
    },
    Plant {
        kind: "lane_head",
        sql: "UPDATE lane SET state = 'ready' WHERE key = 'd'",
        place: "lane 4 (sleep, d)",
        says: "it is ready at run 6",
        besides: &[],
        changed: &[],
        aside: &[],
    },
    Plant {
        kind: "lane_head",
        sql: "UPDATE lane SET next_seq = 1 WHERE key = 'a'",
        place: "lane 1 (tag, a)",
        says: "it is ready",
        besides: &[],
        changed: &[],
        aside: &[],
    },
    Plant {
        kind: "lane_head",
        sql: "UPDATE lane SET rank = 5 WHERE key = 'a'",
        place: "lane 1 (tag, a)",
        says: "it is ready",
        besides: &[],
        changed: &[],
        aside: &[],
    },
    Plant {
        kind: "lane_overlap",
        sql: "UPDATE run SET state = 'running' WHERE id = 3",
        place: "run 3",
        says: "it is running behind the head",
        besides: &[],
        changed: &[],
        aside: &[],
    },
    Plant {
        kind: "lane_runs",
        sql: "UPDATE lane SET runs = 7 WHERE key = 'd'",
        place: "lane 4 (sleep, d)",
        says: "it counts 7 runs, and there are 1",
        besides: &[],
        changed: &[],
        aside: &[],
    },
];

#[tokio::test]
async fn breaks_of_lanes_are_found_repaired_and_outlived() {
    each_is_found_repaired_and_outlived(PLANTS).await;
}
