//! Everything that is in the two files, row by row, and what has changed between two moments.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use rusqlite::types::Value;

/// `table key` of every row, with all its values.
pub(super) type Contents = BTreeMap<String, String>;

/// Everything in both files; `inbox` is attached.
pub(super) fn contents(db: &Connection) -> Contents {
    let mut all = Contents::new();
    for schema in ["main", "inbox"] {
        let tables = texts(
            db,
            &format!(
                "SELECT name FROM {schema}.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            ),
        );
        for table in tables {
            rows(db, schema, &table, &mut all);
        }
    }
    all
}

pub(super) fn texts(db: &Connection, sql: &str) -> Vec<String> {
    let mut statement = db.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn rows(db: &Connection, schema: &str, table: &str, all: &mut Contents) {
    let mut keys = texts(
        db,
        &format!(
            "SELECT name FROM pragma_table_info('{table}', '{schema}') WHERE pk > 0 ORDER BY pk"
        ),
    );
    if keys.is_empty() {
        // Only `step`, whose key is a condition of its own.
        keys = vec!["run".to_owned(), "number".to_owned()];
    }
    let mut statement = db
        .prepare(&format!("SELECT * FROM {schema}.{table}"))
        .unwrap();
    let columns: Vec<String> = statement.column_names().map(ToOwned::to_owned).collect();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let values: Vec<(&String, String)> = columns
            .iter()
            .enumerate()
            .map(|(place, column)| (column, shown(row.get(place).unwrap())))
            .collect();
        let key: Vec<&str> = keys
            .iter()
            .filter_map(|key| values.iter().find(|(column, _)| *column == key))
            .map(|(_, value)| value.as_str())
            .collect();
        // The generation of an inbox is random.
        let key = if ["cursor", "ahead"].contains(&table) {
            "1".to_owned()
        } else {
            key.join("/")
        };
        all.insert(format!("{table} {key}"), format!("{values:?}"));
    }
}

fn shown(value: Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text,
        Value::Blob(bytes) => hex::encode(bytes),
    }
}

/// `-` what is gone, `+` what is new, `~` what is another one; of `set_aside` only where its rows came from.
pub(super) fn changes(before: &Contents, after: &Contents) -> BTreeSet<String> {
    let mut changes = BTreeSet::new();
    for (row, values) in before {
        match after.get(row) {
            None => changes.insert(format!("-{row}")),
            Some(now) if now != values => changes.insert(format!("~{row}")),
            Some(_) => false,
        };
    }
    for row in after.keys().filter(|row| !before.contains_key(*row)) {
        if !row.starts_with("set_aside ") {
            changes.insert(format!("+{row}"));
        }
    }
    changes
}

/// From which tables rows were set aside, as often as there are rows.
pub(super) fn set_aside(db: &Connection) -> Vec<String> {
    texts(db, "SELECT origin FROM set_aside ORDER BY origin, number")
}
