//! How SQLite would go about a statement, for tests of lists.

use rusqlite::{Connection, params_from_iter};

/// What SQLite does for a statement, line by line.
pub(super) fn plan(db: &Connection, sql: &str, values: Vec<rusqlite::types::Value>) -> Vec<String> {
    let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let lines = statement.query_map(params_from_iter(values), |row| row.get(3));
    lines.unwrap().collect::<Result<_, _>>().unwrap()
}
