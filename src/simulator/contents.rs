//! What lies in which collection, found from both ends: a collection lists its entries in the order of
//! adding, an object names the collections that it lies in. Either may be many thousands.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

/// An object in a collection.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// `assets` or `collections`.
    pub(super) object_type: String,
    /// The object.
    pub(super) object_id: String,
    /// When it was added.
    pub(super) date_created: Value,
}

/// What lies in which collection.
#[derive(Debug, Default)]
pub(super) struct Contents {
    shelves: HashMap<String, Shelf>,
    holders: HashMap<String, BTreeSet<String>>,
    touched: Option<BTreeSet<(String, String)>>,
}

/// One collection.
#[derive(Debug, Default)]
struct Shelf {
    entries: BTreeMap<u64, Entry>,
    numbers: HashMap<String, u64>,
    made: u64,
}

impl Contents {
    /// Contents that remember what changes until somebody asks with [`Contents::touched`].
    pub(super) fn watched() -> Self {
        Self {
            touched: Some(BTreeSet::new()),
            ..Self::default()
        }
    }

    /// What lies in a collection, in the order of adding.
    pub(super) fn of(&self, collection: &str) -> impl Iterator<Item = &Entry> {
        let shelf = self.shelves.get(collection);
        shelf.into_iter().flat_map(|shelf| shelf.entries.values())
    }

    /// The entry of an object in a collection.
    pub(super) fn entry(&self, collection: &str, object_id: &str) -> Option<&Entry> {
        let shelf = self.shelves.get(collection)?;
        shelf.entries.get(shelf.numbers.get(object_id)?)
    }

    /// The collections that the object lies in, by id.
    pub(super) fn holders(&self, object_id: &str) -> impl Iterator<Item = &str> {
        let holders = self.holders.get(object_id);
        holders.into_iter().flatten().map(String::as_str)
    }

    /// Puts an object into a collection; whether it was not there yet.
    pub(super) fn put(&mut self, collection: &str, entry: Entry) -> bool {
        if self.entry(collection, &entry.object_id).is_some() {
            return false;
        }
        self.touch(collection, &entry.object_id);
        self.holders
            .entry(entry.object_id.clone())
            .or_default()
            .insert(collection.to_owned());
        let shelf = self.shelves.entry(collection.to_owned()).or_default();
        shelf.made += 1;
        shelf.numbers.insert(entry.object_id.clone(), shelf.made);
        shelf.entries.insert(shelf.made, entry);
        true
    }

    /// Takes an object out of a collection.
    pub(super) fn remove(&mut self, collection: &str, object_id: &str) -> Option<Entry> {
        let shelf = self.shelves.get_mut(collection)?;
        let number = shelf.numbers.remove(object_id)?;
        let entry = shelf.entries.remove(&number);
        if let Some(holders) = self.holders.get_mut(object_id) {
            holders.remove(collection);
            if holders.is_empty() {
                self.holders.remove(object_id);
            }
        }
        self.touch(collection, object_id);
        entry
    }

    /// Type and id of all that lies in a collection, in the collections in it and so on, each once.
    pub(super) fn below(&self, collection: &str) -> Vec<(String, String)> {
        let mut seen = BTreeSet::from([collection.to_owned()]);
        let mut found = Vec::new();
        let mut open = vec![collection.to_owned()];
        while let Some(next) = open.pop() {
            for entry in self.of(&next) {
                if !seen.insert(entry.object_id.clone()) {
                    continue;
                }
                if entry.object_type == "collections" {
                    open.push(entry.object_id.clone());
                }
                found.push((entry.object_type.clone(), entry.object_id.clone()));
            }
        }
        found
    }

    /// Takes everything out of a collection.
    pub(super) fn empty(&mut self, collection: &str) {
        let lying: Vec<_> = self.of(collection).map(|it| it.object_id.clone()).collect();
        for object_id in lying {
            self.remove(collection, &object_id);
        }
    }

    /// Moves an object to a place in its collection, from 0; whether it lies there at all.
    pub(super) fn place(&mut self, collection: &str, object_id: &str, position: usize) -> bool {
        let Some(shelf) = self.shelves.get_mut(collection) else {
            return false;
        };
        let mut entries: Vec<_> = std::mem::take(&mut shelf.entries).into_values().collect();
        let found = entries.iter().position(|it| it.object_id == object_id);
        if let Some(at) = found {
            let entry = entries.remove(at);
            entries.insert(position.min(entries.len()), entry);
        }
        for (number, entry) in (1..).zip(entries) {
            shelf.numbers.insert(entry.object_id.clone(), number);
            shelf.entries.insert(number, entry);
        }
        let moved: Vec<_> = self.of(collection).map(|it| it.object_id.clone()).collect();
        for object in moved {
            self.touch(collection, &object);
        }
        found.is_some()
    }

    /// Takes an object out of every collection.
    pub(super) fn remove_everywhere(&mut self, object_id: &str) {
        let holders: Vec<String> = self.holders(object_id).map(str::to_owned).collect();
        for collection in holders {
            self.remove(&collection, object_id);
        }
    }

    /// The pairs of collection and object that were joined or parted since the last time.
    pub(super) fn touched(&mut self) -> BTreeSet<(String, String)> {
        self.touched
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    fn touch(&mut self, collection: &str, object_id: &str) {
        if let Some(touched) = &mut self.touched {
            touched.insert((collection.to_owned(), object_id.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(object_id: &str) -> Entry {
        Entry {
            object_type: "assets".to_owned(),
            object_id: object_id.to_owned(),
            date_created: Value::Null,
        }
    }

    fn lying(contents: &Contents, collection: &str) -> Vec<String> {
        let entries = contents.of(collection);
        entries.map(|entry| entry.object_id.clone()).collect()
    }

    #[test]
    fn both_ends_know_what_lies_where() {
        let mut contents = Contents::watched();
        for (collection, object) in [("a", "2"), ("a", "1"), ("b", "1")] {
            assert!(contents.put(collection, entry(object)));
        }
        assert!(!contents.put("a", entry("1")), "it is there already");
        assert_eq!(lying(&contents, "a"), ["2", "1"]);
        assert_eq!(contents.holders("1").collect::<Vec<_>>(), ["a", "b"]);
        assert!(contents.remove("a", "2").is_some());
        assert!(contents.remove("a", "2").is_none());
        assert_eq!(contents.holders("2").count(), 0);
        assert_eq!(contents.touched().len(), 3);
        contents.remove_everywhere("1");
        assert!(lying(&contents, "a").is_empty() && lying(&contents, "b").is_empty());
        assert!(contents.entry("b", "1").is_none());
        assert_eq!(contents.touched().len(), 2);
    }
}
