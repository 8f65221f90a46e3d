//! Objects by id that remember the order in which they were made: lists and pages need an order that
//! stays, and a simulated Iconik may hold many thousands of objects.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

/// A JSON object, as the API shows it.
pub(super) type Document = Map<String, Value>;

/// Documents by id, oldest first.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: BTreeMap<u64, Document>,
    numbers: HashMap<String, u64>,
    made: u64,
}

impl Table {
    /// The document with the id.
    pub(super) fn get(&self, id: &str) -> Option<&Document> {
        self.rows.get(self.numbers.get(id)?)
    }

    /// The document with the id, to be changed.
    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Document> {
        self.rows.get_mut(self.numbers.get(id)?)
    }

    /// Whether there is one with the id.
    pub(super) fn contains(&self, id: &str) -> bool {
        self.numbers.contains_key(id)
    }

    /// Adds a document, or replaces the one with its id in its place.
    pub(super) fn put(&mut self, id: &str, document: Document) {
        let number = *self.numbers.entry(id.to_owned()).or_insert_with(|| {
            self.made += 1;
            self.made
        });
        self.rows.insert(number, document);
    }

    /// Takes the document with the id away.
    pub(super) fn remove(&mut self, id: &str) -> Option<Document> {
        self.rows.remove(&self.numbers.remove(id)?)
    }

    /// Takes away every document that the condition does not hold for.
    pub(super) fn retain(&mut self, keep: impl Fn(&Document) -> bool) {
        self.rows.retain(|_, document| keep(document));
        let rows = &self.rows;
        self.numbers.retain(|_, number| rows.contains_key(number));
    }

    /// All documents, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Document> {
        self.rows.values()
    }
}

/// The text under a key, or nothing where there is none.
pub(super) fn text<'a>(document: &'a Document, key: &str) -> &'a str {
    document.get(key).and_then(Value::as_str).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(name: &str) -> Document {
        Map::from_iter([("name".to_owned(), json!(name))])
    }

    fn names(table: &Table) -> Vec<&str> {
        table
            .iter()
            .map(|document| text(document, "name"))
            .collect()
    }

    #[test]
    fn documents_keep_the_order_in_which_they_were_made() {
        let mut table = Table::default();
        for name in ["c", "a", "b"] {
            table.put(name, named(name));
        }
        table.put("a", named("a again"));
        assert_eq!(names(&table), ["c", "a again", "b"]);
    }

    #[test]
    fn what_is_not_retained_is_found_neither_by_id_nor_in_the_list() {
        let mut table = Table::default();
        table.put("1", named("stays"));
        table.put("2", named("goes"));
        table.retain(|document| text(document, "name") == "stays");
        assert_eq!(names(&table), ["stays"]);
        assert!(table.contains("1") && !table.contains("2"));
        assert!(table.get("2").is_none());
    }
}
