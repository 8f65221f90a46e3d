//! Every combination of filters walks an index.

use rusqlite::params_from_iter;

use super::*;
use crate::store::sqlite::schema;

/// What SQLite does for a statement, line by line.
fn plan(db: &Connection, sql: &str, values: Vec<rusqlite::types::Value>) -> Vec<String> {
    let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let lines = statement.query_map(params_from_iter(values), |row| row.get(3));
    lines.unwrap().collect::<Result<_, _>>().unwrap()
}

fn filters() -> Vec<RunFilter> {
    let at: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    (0..1 << 9)
        .map(|bits: u32| {
            let has = |bit: u32| bits & (1 << bit) != 0;
            RunFilter {
                states: if has(0) {
                    vec![RunState::Dead, RunState::Queued]
                } else {
                    Vec::new()
                },
                rule: has(1).then(|| RuleId::from("tag")),
                class: has(2).then(|| "limit".to_owned()),
                event: has(3).then_some(EventId([7; 16])),
                object: has(4).then(|| "A".to_owned()),
                parent: has(5).then_some(RunId(3)),
                since: has(6).then_some(at),
                until: has(7).then_some(at),
                dead_letters: has(8),
                before: has(6).then_some(RunId(99)),
                limit: 10,
            }
        })
        .collect()
}

#[test]
fn every_list_of_runs_walks_an_index() {
    let dir = tempfile::tempdir().unwrap();
    let db = schema::MAIN.open(&dir.path().join("cuegate.db")).unwrap();
    db.execute(
        "INSERT INTO event (id, source, received_at, state, rule_set) VALUES (?1, 'iconik', 0, 'routed', 1)",
        [[7_u8; 16]],
    )
    .unwrap();
    for filter in filters() {
        let queries = queries(&db, &filter).unwrap();
        assert!(!queries.is_empty(), "{filter:?}");
        let whole = RunFilter {
            since: None,
            until: None,
            before: None,
            limit: 0,
            ..filter.clone()
        } == RunFilter::default();
        for query in queries {
            for (sql, order) in [
                (
                    format!(
                        "{} {} ORDER BY run.id DESC LIMIT ?",
                        select_run(query.by),
                        query.condition()
                    ),
                    "newest",
                ),
                (
                    format!(
                        "SELECT run.id FROM run {} {} ORDER BY run.id LIMIT ?",
                        query.by,
                        query.condition()
                    ),
                    "oldest",
                ),
            ] {
                for line in plan(&db, &sql, query.values_and(10)) {
                    // The numbers themselves, and an index that holds nothing but dead letters, are walked whole.
                    let fine = whole || line.contains("run_dead_letter");
                    assert!(
                        fine || !line.starts_with("SCAN"),
                        "{order} {filter:?}: {line}"
                    );
                    assert!(!line.contains("TEMP B-TREE"), "{order} {filter:?}: {line}");
                }
            }
        }
    }
}
