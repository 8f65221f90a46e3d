//! Where the documents of plain families are kept: each with the place that its path names, since a
//! document does not say everything that its path does.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::table::{Document, Table, text};

/// What a path says about where a document belongs: `asset_id` and the like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place(BTreeMap<String, String>);

impl<'a> FromIterator<(&'a str, &'a str)> for Place {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(parts: I) -> Self {
        let owned = parts.into_iter();
        Self(
            owned
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }
}

impl Place {
    /// Its parts by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let parts = self.0.iter();
        parts.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What stands for a name in this place and no other.
    pub(super) fn row(&self, name: &str) -> String {
        let mut parts: Vec<_> = self.0.values().map(String::as_str).collect();
        parts.push(name);
        parts.join("/")
    }
}

/// The documents of one family.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    documents: Table,
    places: HashMap<String, Place>,
}

impl Shelf {
    /// Keeps a document, or what it has become.
    pub(super) fn put(&mut self, row: &str, place: Place, document: Document) {
        self.documents.put(row, document);
        self.places.entry(row.to_owned()).or_insert(place);
    }

    /// Takes a document away.
    pub(super) fn remove(&mut self, row: &str) -> Option<Arc<Document>> {
        self.places.remove(row);
        self.documents.remove(row)
    }

    /// Whether the row is taken.
    pub(super) fn contains(&self, row: &str) -> bool {
        self.documents.contains(row)
    }

    /// The document of the row, if it belongs to the place.
    pub(super) fn find(&self, place: &Place, row: &str) -> Option<&Document> {
        let document = self.documents.get(row)?;
        self.belongs(row, document, place).then_some(document)
    }

    /// The document of the row, wherever it belongs.
    pub(super) fn get(&self, row: &str) -> Option<&Document> {
        self.documents.get(row)
    }

    /// The document of the row, wherever it belongs, to be changed.
    pub(super) fn get_mut(&mut self, row: &str) -> Option<&mut Document> {
        self.documents.get_mut(row)
    }

    /// The documents that belong to a place, oldest first.
    pub(super) fn at(&self, place: &Place) -> impl Iterator<Item = &Arc<Document>> {
        let rows = self.documents.rows();
        rows.filter(|(row, document)| self.belongs(row, document, place))
            .map(|(_, document)| document)
    }

    /// All documents, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Document>> {
        self.documents.iter()
    }

    /// Takes away and answers the documents that belong to a place.
    pub(super) fn clear(&mut self, place: &Place) -> Vec<Arc<Document>> {
        let rows = self.documents.rows();
        let gone = rows.filter(|(row, document)| self.belongs(row, document, place));
        let gone: Vec<_> = gone.map(|(row, _)| row.to_owned()).collect();
        gone.iter().filter_map(|row| self.remove(row)).collect()
    }

    /// Takes away every document that is meant.
    pub(super) fn forget(&mut self, is_meant: impl Fn(&Document, &Place) -> bool) {
        let nowhere = Place::default();
        let rows = self.documents.rows();
        let gone = rows.filter(|(row, document)| {
            is_meant(document, self.places.get(*row).unwrap_or(&nowhere))
        });
        let gone: Vec<_> = gone.map(|(row, _)| row.to_owned()).collect();
        for row in gone {
            self.remove(&row);
        }
    }

    /// What the place says is so where it was kept, or else in the document itself: a proxy lies below its
    /// asset, and below a version that it names.
    fn belongs(&self, row: &str, document: &Document, place: &Place) -> bool {
        let kept = self.places.get(row);
        place.iter().all(|(name, value)| {
            let said = kept.and_then(|kept| kept.0.get(name).map(String::as_str));
            said.unwrap_or_else(|| text(document, name)) == value
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn place(parts: &[(&str, &str)]) -> Place {
        parts.iter().copied().collect()
    }

    #[test]
    fn a_document_is_found_below_every_path_that_is_true_of_it_and_no_other() {
        let mut shelf = Shelf::default();
        let proxy = Document::from_iter([("version_id".to_owned(), json!("v"))]);
        shelf.put("p", place(&[("asset_id", "a")]), proxy);
        let count = |parts: &[(&str, &str)]| shelf.at(&place(parts)).count();
        assert_eq!(count(&[("asset_id", "a")]), 1);
        assert_eq!(count(&[("asset_id", "a"), ("version_id", "v")]), 1);
        assert_eq!(count(&[("asset_id", "b")]), 0);
        assert_eq!(count(&[("asset_id", "a"), ("version_id", "w")]), 0);
        assert!(shelf.find(&place(&[("asset_id", "b")]), "p").is_none());
    }

    #[test]
    fn the_same_name_in_two_places_is_two_rows() {
        let (one, other) = (place(&[("asset_id", "a")]), place(&[("asset_id", "b")]));
        assert_ne!(one.row("en"), other.row("en"));
    }

    #[test]
    fn what_is_meant_is_forgotten_and_the_rest_stays() {
        let mut shelf = Shelf::default();
        for asset in ["a", "b"] {
            shelf.put(asset, place(&[("asset_id", asset)]), Document::new());
        }
        shelf.forget(|_, place| place.iter().any(|part| part == ("asset_id", "a")));
        assert!(!shelf.contains("a") && shelf.contains("b"));
    }
}
