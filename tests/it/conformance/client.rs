//! The requests that the functions of rules make, as their tested examples do: the list that
//! `examples/requests.txt` keeps of them, held against the documents.

use std::collections::BTreeSet;

use serde_json::Value;

use super::documents::{Documents, Way};

/// Stands for the id of what an example made itself.
const MADE: &str = "0a1b2c3d-7a8b-41ee-9d3f-0a580a3c0f40";

/// The operations that functions call, and what of their bodies the documents do not allow.
pub(crate) fn compared(documents: &mut Documents) -> (BTreeSet<usize>, BTreeSet<(String, String)>) {
    let listed = include_str!("../examples/requests.txt").replace("<made>", MADE);
    let (mut called, mut differences) = (BTreeSet::new(), BTreeSet::new());
    for line in listed.lines().filter_map(|line| line.strip_prefix("  ")) {
        let mut words = line.splitn(3, ' ');
        let (Some(method), Some(path)) = (words.next(), words.next()) else {
            continue;
        };
        if !matches!(method, "GET" | "POST" | "PUT" | "PATCH" | "DELETE") {
            continue;
        }
        let Some(at) = documents.of_request(method, path) else {
            let name = format!("{method} {path}");
            differences.insert((name, "a function calls what no document has".to_owned()));
            continue;
        };
        called.insert(at);
        let mut rest = serde_json::Deserializer::from_str(words.next().unwrap_or_default())
            .into_iter::<Value>()
            .skip(1);
        let operation = &documents.operations[at];
        let (name, schema) = (operation.name(), operation.request().cloned());
        if let (Some(Ok(body)), Some(schema)) = (rest.next(), schema) {
            for difference in documents.differences(at, &schema, Way::Request, &body) {
                differences.insert((name.clone(), format!("request {difference}")));
            }
        }
    }
    (called, differences)
}
