//! Everything that the simulated Iconik holds.
//!
//! Documents are kept as the JSON that the API shows: the API's schemas are wide, mostly optional and
//! change every year, and nothing here computes with them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::collections::Entry;
use super::metadata::Values;
use super::refusal::Refusal;
use super::table::{Document, Table, text};

/// Everything that the simulated Iconik holds.
#[derive(Debug, Default)]
pub(super) struct World {
    /// The `system_domain_id`.
    pub(super) domain: String,
    /// Users by id.
    pub(super) users: Table,
    /// Assets by id, with their versions.
    pub(super) assets: Table,
    /// Collections by id.
    pub(super) collections: Table,
    /// What lies in each collection, by its id, in the order of adding.
    pub(super) contents: BTreeMap<String, Vec<Entry>>,
    /// Segments of all assets by id.
    pub(super) segments: Table,
    /// Jobs by id.
    pub(super) jobs: Table,
    /// Metadata fields by name.
    pub(super) fields: BTreeMap<String, Document>,
    /// Metadata views by id.
    pub(super) views: Table,
    /// Metadata values.
    pub(super) values: Values,
    /// Webhook definitions by id.
    pub(super) webhooks: Table,
    /// Custom actions by id.
    pub(super) custom_actions: Table,
}

impl World {
    /// The asset.
    ///
    /// # Errors
    ///
    /// 404. An asset in the trash is found, with the status `DELETED`.
    pub(super) fn asset(&self, id: &str) -> Result<&Document, Refusal> {
        self.assets
            .get(id)
            .ok_or_else(|| Refusal::not_found("Asset", id))
    }

    /// The collection.
    ///
    /// # Errors
    ///
    /// 404.
    pub(super) fn collection(&self, id: &str) -> Result<&Document, Refusal> {
        self.collections
            .get(id)
            .ok_or_else(|| Refusal::not_found("Collection", id))
    }

    /// The ids of the collections that the object lies in.
    pub(super) fn collections_with(&self, object_id: &str) -> Vec<&str> {
        self.contents
            .iter()
            .filter(|(_, entries)| entries.iter().any(|entry| entry.object_id == object_id))
            .map(|(collection, _)| collection.as_str())
            .collect()
    }
}

/// The id of the version that metadata belongs to: the newest.
pub(super) fn current_version(asset: &Document) -> &str {
    asset
        .get("versions")
        .and_then(Value::as_array)
        .and_then(|versions| versions.first())
        .and_then(|version| version.get("id"))
        .and_then(Value::as_str)
        .unwrap_or("")
}

/// A new id.
pub(super) fn new_id() -> String {
    Uuid::new_v4().to_string()
}

/// A time as the API writes it: microseconds, and the offset spelled out.
pub(super) fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}

/// Marks a document as deleted by somebody.
pub(super) fn mark_deleted(document: &mut Document, by: &str, at: Value) {
    document.insert("status".to_owned(), json!("DELETED"));
    document.insert("date_deleted".to_owned(), at);
    document.insert("deleted_by_user".to_owned(), json!(by));
}

/// Undoes [`mark_deleted`].
pub(super) fn mark_restored(document: &mut Document) {
    document.insert("status".to_owned(), json!("ACTIVE"));
    document.insert("date_deleted".to_owned(), Value::Null);
    document.insert("deleted_by_user".to_owned(), Value::Null);
}

/// Whether a document lies in the trash.
pub(super) fn is_deleted(document: &Document) -> bool {
    text(document, "status") == "DELETED"
}

/// Lays `given` over a document.
pub(super) fn overlay(document: &mut Document, given: Document) {
    document.extend(given);
}

/// An object of known shape as a document.
pub(super) fn document(value: Value) -> Document {
    match value {
        Value::Object(document) => document,
        _ => Document::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_microseconds_and_a_spelled_out_offset() {
        let at = "2021-07-30T15:16:54Z".parse().unwrap();
        assert_eq!(stamp(at), "2021-07-30T15:16:54.000000+00:00");
    }
}
