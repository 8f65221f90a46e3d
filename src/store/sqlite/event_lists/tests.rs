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

#[test]
fn every_list_of_events_walks_an_index() {
    let dir = tempfile::tempdir().unwrap();
    let db = schema::MAIN.open(&dir.path().join("cuegate.db")).unwrap();
    let at: jiff::Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    for bits in 0_u32..1 << 8 {
        let has = |bit: u32| bits & (1 << bit) != 0;
        let filter = EventFilter {
            states: if has(0) {
                vec![EventState::Routed, EventState::Held]
            } else {
                Vec::new()
            },
            source: has(1).then(|| SourceName::from("iconik")),
            subject: has(2).then(|| "assets/entity/create".to_owned()),
            object: has(3).then(|| "A".to_owned()),
            since: has(4).then_some(at),
            until: has(5).then_some(at),
            id: has(6).then(|| "abcdef".to_owned()),
            before: None,
            limit: 10,
        };
        let place = if has(7) {
            Place::Routed(7)
        } else {
            Place::Newest
        };
        let whole = bits & 0b100_1111 == 0;
        for query in queries(&db, &filter, &place).unwrap() {
            for line in plan(&db, &sql(&query), query.values_and(10)) {
                assert!(whole || !line.starts_with("SCAN"), "{filter:?}: {line}");
                // Few events begin with the same six digits.
                let sorted = line.contains("TEMP B-TREE");
                assert!(has(6) || !sorted, "{filter:?}: {line}");
            }
        }
    }
}

#[test]
fn the_beginning_of_an_id_is_a_range_of_ids() {
    let (low, high) = id_range("abc").unwrap();
    assert_eq!(EventId(low).to_string(), format!("abc{}", "0".repeat(29)));
    assert_eq!(EventId(high).to_string(), format!("abc{}", "f".repeat(29)));
    for wrong in ["xyz", &"a".repeat(33), "ö"] {
        assert!(id_range(wrong).is_err(), "{wrong}");
    }
}
