//! Objects by id that remember the order in which they were made: lists and pages need an order that
//! stays, and a simulated Iconik may hold many thousands of objects.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

/// A JSON object, as the API shows it.
pub(super) type Document = Map<String, Value>;

/// Documents by id, oldest first. They are shared, not copied, with whoever remembers an earlier state.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: BTreeMap<u64, Arc<Document>>,
    numbers: HashMap<String, u64>,
    made: u64,
    grouped_by: Option<&'static str>,
    groups: HashMap<String, BTreeSet<u64>>,
    touched: Option<Vec<String>>,
}

impl Table {
    /// A table that finds the documents with one text under `key` without looking at the others.
    pub(super) fn grouped_by(key: &'static str) -> Self {
        Self {
            grouped_by: Some(key),
            ..Self::default()
        }
    }

    /// The same table, remembering what changes until somebody asks with [`Table::touched`].
    pub(super) fn watched(self) -> Self {
        Self {
            touched: Some(Vec::new()),
            ..self
        }
    }

    /// The document with the id.
    pub(super) fn get(&self, id: &str) -> Option<&Document> {
        self.shared(id).map(Arc::as_ref)
    }

    /// The document with the id, to be kept.
    pub(super) fn shared(&self, id: &str) -> Option<&Arc<Document>> {
        self.rows.get(self.numbers.get(id)?)
    }

    /// The document with the id, to be changed. The key that groups must stay as it is.
    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Document> {
        let row = self.rows.get_mut(self.numbers.get(id)?)?;
        if let Some(touched) = &mut self.touched {
            touched.push(id.to_owned());
        }
        Some(Arc::make_mut(row))
    }

    /// Whether there is one with the id.
    pub(super) fn contains(&self, id: &str) -> bool {
        self.numbers.contains_key(id)
    }

    /// Adds a document, or replaces the one with its id in its place.
    pub(super) fn put(&mut self, id: &str, document: impl Into<Arc<Document>>) {
        let document = document.into();
        let number = *self.numbers.entry(id.to_owned()).or_insert_with(|| {
            self.made += 1;
            self.made
        });
        self.leave_group(number);
        if let Some(key) = self.grouped_by {
            let group = text(&document, key).to_owned();
            self.groups.entry(group).or_default().insert(number);
        }
        self.rows.insert(number, document);
        self.touch(id);
    }

    /// Takes the document with the id away.
    pub(super) fn remove(&mut self, id: &str) -> Option<Arc<Document>> {
        let number = self.numbers.remove(id)?;
        self.leave_group(number);
        self.touch(id);
        self.rows.remove(&number)
    }

    /// Takes every document of a group away; answers their ids.
    pub(super) fn remove_group(&mut self, group: &str) -> Vec<String> {
        let ids: Vec<String> = self
            .group(group)
            .map(|document| text(document, "id").to_owned())
            .collect();
        for id in &ids {
            self.remove(id);
        }
        ids
    }

    /// All documents, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Document>> {
        self.rows.values()
    }

    /// All documents with what each is kept under, oldest first.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&str, &Arc<Document>)> {
        let mut numbered: Vec<_> = self.numbers.iter().collect();
        numbered.sort_unstable_by_key(|(_, number)| **number);
        let rows = numbered.into_iter();
        rows.filter_map(|(id, number)| Some((id.as_str(), self.rows.get(number)?)))
    }

    /// The documents with this text under the key that groups, oldest first.
    pub(super) fn group(&self, group: &str) -> impl DoubleEndedIterator<Item = &Arc<Document>> {
        let numbers = self.groups.get(group).into_iter().flatten();
        numbers.filter_map(|number| self.rows.get(number))
    }

    /// The ids of what was added, changed or taken away since the last time, each once.
    pub(super) fn touched(&mut self) -> BTreeSet<String> {
        let touched = self.touched.as_mut().map(std::mem::take);
        touched.unwrap_or_default().into_iter().collect()
    }

    fn touch(&mut self, id: &str) {
        if let Some(touched) = &mut self.touched {
            touched.push(id.to_owned());
        }
    }

    fn leave_group(&mut self, number: u64) {
        let (Some(key), Some(row)) = (self.grouped_by, self.rows.get(&number)) else {
            return;
        };
        let group = text(row, key);
        if let Some(numbers) = self.groups.get_mut(group) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.groups.remove(group);
            }
        }
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
    fn a_removed_document_is_found_neither_by_id_nor_in_the_list() {
        let mut table = Table::default();
        table.put("1", named("stays"));
        table.put("2", named("goes"));
        table.remove("2");
        assert_eq!(names(&table), ["stays"]);
        assert!(table.contains("1") && !table.contains("2"));
        assert!(table.get("2").is_none());
    }

    #[test]
    fn a_group_holds_its_own_in_order_until_they_go() {
        let mut table = Table::grouped_by("name");
        for (id, name) in [("1", "a"), ("2", "b"), ("3", "a")] {
            let mut document = named(name);
            document.insert("id".to_owned(), json!(id));
            table.put(id, document);
        }
        let ids = |table: &Table, group: &str| {
            let group = table.group(group);
            group
                .map(|it| text(it, "id").to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(ids(&table, "a"), ["1", "3"]);
        table.remove("1");
        assert_eq!(ids(&table, "a"), ["3"]);
        table.remove_group("a");
        assert!(ids(&table, "a").is_empty());
        assert_eq!(ids(&table, "b"), ["2"]);
    }

    #[test]
    fn only_a_watched_table_tells_what_changed_and_tells_it_once() {
        let mut table = Table::default().watched();
        table.put("1", named("a"));
        table.put("2", named("b"));
        table.get_mut("1");
        table.remove("2");
        assert_eq!(table.touched(), ["1", "2"].map(str::to_owned).into());
        assert!(table.touched().is_empty());
        let mut unwatched = Table::default();
        unwatched.put("1", named("a"));
        assert!(unwatched.touched().is_empty());
    }

    #[test]
    fn whoever_remembers_a_document_does_not_see_it_change() {
        let mut table = Table::default();
        table.put("1", named("before"));
        let before = Arc::clone(table.shared("1").unwrap());
        table
            .get_mut("1")
            .unwrap()
            .insert("name".to_owned(), json!("after"));
        assert_eq!(text(&before, "name"), "before");
        assert_eq!(names(&table), ["after"]);
    }
}
