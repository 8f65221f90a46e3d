//! Everything that the simulated Iconik holds.
//!
//! Documents are kept as the JSON that the API shows: the API's schemas are wide, mostly optional and
//! change every year, and nothing here computes with them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::acls::Acls;
use super::contents::Contents;
use super::index::{Index, Listed, Update};
use super::metadata::Values;
use super::operation::Ask;
use super::refusal::Refusal;
use super::scroll::Scrolls;
use super::shelf::Shelf;
use super::table::{Document, Table, text};
use super::tokens::Tokens;
use super::works::Works;
use crate::model::Secret;

/// Everything that the simulated Iconik holds.
#[derive(Debug)]
pub(super) struct World {
    /// The `system_domain_id`.
    pub(super) domain: String,
    /// Users by id.
    pub(super) users: Table,
    /// Assets by id, with their versions.
    pub(super) assets: Table,
    /// Collections by id.
    pub(super) collections: Table,
    /// What lies in which collection.
    pub(super) contents: Contents,
    /// Segments of all assets by id, grouped by asset.
    pub(super) segments: Table,
    /// Formats of all assets by id, grouped by asset.
    pub(super) formats: Table,
    /// File sets of all assets by id, grouped by asset.
    pub(super) file_sets: Table,
    /// Files of all assets by id, grouped by asset.
    pub(super) files: Table,
    /// Jobs by id.
    pub(super) jobs: Table,
    /// Metadata fields by name.
    pub(super) fields: BTreeMap<String, Arc<Document>>,
    /// Metadata views by id.
    pub(super) views: Table,
    /// Metadata values.
    pub(super) values: Values,
    /// What plain families hold, by the name of their shelf.
    pub(super) shelves: BTreeMap<&'static str, Shelf>,
    /// The jobs that end by themselves.
    pub(super) works: Works,
    /// The passwords of users, by their ids.
    pub(super) passwords: BTreeMap<String, Secret>,
    /// The tokens that were given out.
    pub(super) tokens: Tokens,
    /// Who may do what with which object.
    pub(super) acls: Acls,
    /// Webhook definitions by id.
    pub(super) webhooks: Table,
    /// Custom actions by id.
    pub(super) custom_actions: Table,
    /// The ids of what was there from the start.
    pub(super) planted: BTreeSet<String>,
    /// What lists and searches see.
    pub(super) index: Index,
    /// Lists that somebody reads on in.
    pub(super) scrolls: Scrolls,
}

impl World {
    /// An empty world whose lists are this far behind, and whose jobs take this long.
    pub(super) fn new(domain: String, index_lag: Duration, work_takes: Duration) -> Self {
        Self {
            domain,
            users: Table::default(),
            assets: Table::default().watched(),
            collections: Table::default().watched(),
            contents: Contents::watched(),
            segments: Table::grouped_by("asset_id").watched(),
            formats: Table::grouped_by("asset_id"),
            file_sets: Table::grouped_by("asset_id"),
            files: Table::grouped_by("asset_id"),
            jobs: Table::default().watched(),
            fields: BTreeMap::new(),
            views: Table::default(),
            values: Values::default(),
            shelves: BTreeMap::new(),
            works: Works::taking(work_takes),
            passwords: BTreeMap::new(),
            tokens: Tokens::default(),
            acls: Acls::default(),
            webhooks: Table::default(),
            custom_actions: Table::default(),
            planted: BTreeSet::new(),
            index: Index::new(index_lag),
            scrolls: Scrolls::default(),
        }
    }

    /// What is there now was there from the start.
    pub(super) fn remember_planted(&mut self) {
        let tables = [
            &self.users,
            &self.assets,
            &self.collections,
            &self.segments,
            &self.jobs,
            &self.views,
            &self.webhooks,
            &self.custom_actions,
        ];
        let documents = tables.into_iter().flat_map(Table::iter);
        let ids = documents.map(|it| text(it, "id").to_owned());
        self.planted = ids.chain([self.domain.clone()]).collect();
    }

    /// Tells the index what has changed since the last time.
    pub(super) fn reindex(&mut self, now: Timestamp) {
        let tables = [
            (Listed::Assets, &mut self.assets),
            (Listed::Collections, &mut self.collections),
            (Listed::Segments, &mut self.segments),
            (Listed::Jobs, &mut self.jobs),
        ];
        let mut described = self.values.touched();
        for (listed, table) in tables {
            for id in table.touched() {
                let document = table.shared(&id).cloned();
                if matches!(listed, Listed::Assets) {
                    // A new version may have other metadata.
                    described.insert(id.clone());
                }
                self.index.learn(now, Update::Object(listed, id, document));
            }
        }
        for id in described {
            let version = self.assets.get(&id).map_or(id.as_str(), current_version);
            let values = self.values.plain(&id, version).map(Arc::clone);
            self.index.learn(now, Update::Metadata(id, values));
        }
        for (collection, object_id) in self.contents.touched() {
            let entry = self.contents.entry(&collection, &object_id).cloned();
            let update = Update::Content(collection, object_id, entry);
            self.index.learn(now, update);
        }
        self.index.catch_up(now);
    }

    /// How many there are of each kind, by name.
    pub(super) fn counts(&self) -> Vec<(String, usize)> {
        let tables = [
            ("assets", &self.assets),
            ("collections", &self.collections),
            ("segments", &self.segments),
            ("formats", &self.formats),
            ("file sets", &self.file_sets),
            ("files", &self.files),
            ("jobs", &self.jobs),
            ("users", &self.users),
            ("metadata views", &self.views),
            ("webhooks", &self.webhooks),
            ("custom actions", &self.custom_actions),
        ];
        let tables = tables.map(|(name, table)| (name.to_owned(), table.iter().count()));
        let shelves = self.shelves.iter().map(|(name, shelf)| {
            let name = name.trim_end_matches("_id").replace('_', " ");
            (name, shelf.iter().count())
        });
        tables.into_iter().chain(shelves).collect()
    }

    /// A shelf, if anything was ever put on it.
    pub(super) fn shelf(&self, name: &str) -> Option<&Shelf> {
        self.shelves.get(name)
    }

    /// A shelf, to be changed.
    pub(super) fn shelf_mut(&mut self, name: &'static str) -> &mut Shelf {
        self.shelves.entry(name).or_default()
    }

    /// Takes away what plain families hold of an object that is gone.
    pub(super) fn forget_place(&mut self, param: &str, id: &str) {
        for shelf in self.shelves.values_mut() {
            shelf.forget(|_, place| place.iter().any(|part| part == (param, id)));
        }
    }

    /// Whether what a path names is there.
    ///
    /// # Errors
    ///
    /// 404. A part of a path that names no object passes.
    pub(super) fn check_exists(&self, param: &str, id: &str, ask: &Ask) -> Result<(), Refusal> {
        let is_there = match param {
            "asset_id" | "related_to_asset_id" | "source_asset_id" => self.assets.contains(id),
            "collection_id" => self.collections.contains(id),
            "segment_id" => self.segments.contains(id),
            "format_id" => self.formats.contains(id),
            "file_set_id" => self.file_sets.contains(id),
            "file_id" => self.files.contains(id),
            "job_id" => self.jobs.contains(id),
            "user_id" => self.users.contains(id),
            "view_id" => self.views.contains(id),
            "action_id" => self.custom_actions.contains(id),
            "version_id" | "source_version_id" => self.has_version(ask.param("asset_id"), id),
            "object_id" => self.has_object(ask.param("object_type"), id),
            "system_domain_id" => self.domain == id,
            _ => match param.strip_suffix("_id") {
                Some(_) => self.shelf(param).is_some_and(|it| it.contains(id)),
                None => true,
            },
        };
        match is_there {
            true => Ok(()),
            false => Err(Refusal::not_found(&told(param), id)),
        }
    }

    fn has_version(&self, asset: &str, id: &str) -> bool {
        let Some(asset) = self.assets.get(asset) else {
            // A path that names no asset says nothing about whose version it is.
            return true;
        };
        let versions = asset.get("versions").and_then(Value::as_array);
        versions.is_some_and(|versions| versions.iter().any(|version| version["id"] == id))
    }

    /// Whether there is an object of this type, as paths name types.
    pub(super) fn has_object(&self, object_type: &str, id: &str) -> bool {
        match object_type {
            "assets" => self.assets.contains(id),
            "collections" => self.collections.contains(id),
            "segments" => self.segments.contains(id),
            "saved_searches" => self.shelf("search_id").is_some_and(|it| it.contains(id)),
            _ => false,
        }
    }

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
}

/// What a part of a path is called in a message: "Export location" for `export_location_id`.
fn told(param: &str) -> String {
    let words = param.trim_end_matches("_id").replace('_', " ");
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => words,
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

    /// Whatever a world weighs, a change costs what the changed object weighs.
    #[test]
    fn the_index_shares_every_object_that_has_not_changed_since() {
        let mut world = World::new("domain".to_owned(), Duration::ZERO, Duration::ZERO);
        for id in ["1", "2"] {
            world.assets.put(id, Document::new());
        }
        world.reindex(Timestamp::UNIX_EPOCH);
        let before = Arc::clone(world.assets.shared("2").unwrap());
        world
            .assets
            .get_mut("2")
            .unwrap()
            .insert("title".to_owned(), json!("new"));
        world.reindex(Timestamp::UNIX_EPOCH);
        let World { assets, index, .. } = &mut world;
        let listed = &index.shown(Timestamp::UNIX_EPOCH).assets;
        for id in ["1", "2"] {
            let (kept, shown) = (assets.shared(id).unwrap(), listed.shared(id).unwrap());
            assert!(Arc::ptr_eq(kept, shown), "{id}");
        }
        assert!(
            before.is_empty(),
            "whoever remembers it still sees the past"
        );
    }
}
