//! Looking at the world without asking over HTTP: for tests, and for whoever shows what a day changed.
//! Every answer is a copy; nothing stays locked.

use std::collections::BTreeMap;
use std::sync::MutexGuard;

use serde_json::{Value, json};

use super::table::Document;
use super::world::{World, current_version};
use super::{Site, portrait};

/// What the simulated Iconik holds, as its API shows it.
#[derive(Clone, Copy, Debug)]
pub struct WorldReader<'a> {
    pub(super) site: &'a Site,
}

impl WorldReader<'_> {
    /// The system domain.
    pub fn domain(&self) -> String {
        self.world().domain.clone()
    }

    /// The asset, also one in the trash (`status` is `DELETED`).
    pub fn asset(&self, id: &str) -> Option<Value> {
        self.world().assets.get(id).map(value)
    }

    /// All assets, oldest first, those in the trash included.
    pub fn assets(&self) -> Vec<Value> {
        self.world().assets.iter().map(|it| value(it)).collect()
    }

    /// The metadata of an object by field, of an asset that of its current version. Fields without values
    /// are absent. `object_type` is `assets`, `collections` or `segments`.
    pub fn metadata(&self, object_type: &str, object_id: &str) -> BTreeMap<String, Vec<Value>> {
        let world = self.world();
        let asset = world.assets.get(object_id);
        let version = match asset.filter(|_| object_type == "assets") {
            Some(asset) => current_version(asset),
            None => object_id,
        };
        let plain = world.values.plain(object_id, version);
        let plain = plain.into_iter().flat_map(|fields| fields.iter());
        plain
            .map(|(name, values)| {
                let values = values.as_array().cloned();
                (name.clone(), values.unwrap_or_default())
            })
            .collect()
    }

    /// The collection.
    pub fn collection(&self, id: &str) -> Option<Value> {
        self.world().collections.get(id).map(value)
    }

    /// All collections, oldest first.
    pub fn collections(&self) -> Vec<Value> {
        self.world()
            .collections
            .iter()
            .map(|it| value(it))
            .collect()
    }

    /// What lies in a collection, in the order of adding: object type and object id.
    pub fn contents(&self, collection_id: &str) -> Vec<(String, String)> {
        let world = self.world();
        let entries = world.contents.of(collection_id);
        entries
            .map(|entry| (entry.object_type.clone(), entry.object_id.clone()))
            .collect()
    }

    /// The segments of an asset, oldest first.
    pub fn segments(&self, asset_id: &str) -> Vec<Value> {
        let world = self.world();
        world.segments.group(asset_id).map(|it| value(it)).collect()
    }

    /// The job.
    pub fn job(&self, id: &str) -> Option<Value> {
        self.world().jobs.get(id).map(value)
    }

    /// All jobs, oldest first.
    pub fn jobs(&self) -> Vec<Value> {
        self.world().jobs.iter().map(|it| value(it)).collect()
    }

    /// The formats of an asset, oldest first, of all its versions and the deleted included.
    pub fn formats(&self, asset_id: &str) -> Vec<Value> {
        let world = self.world();
        world.formats.group(asset_id).map(|it| value(it)).collect()
    }

    /// The file sets of an asset, oldest first, the deleted included.
    pub fn file_sets(&self, asset_id: &str) -> Vec<Value> {
        let world = self.world();
        world
            .file_sets
            .group(asset_id)
            .map(|it| value(it))
            .collect()
    }

    /// The files of an asset, oldest first.
    pub fn files(&self, asset_id: &str) -> Vec<Value> {
        let world = self.world();
        world.files.group(asset_id).map(|it| value(it)).collect()
    }

    /// The world as sorted lines of text, one for each object, without ids and times, so that the worlds of
    /// two simulators can be compared: the same lines are there if the same things were done, in whatever
    /// order and with whatever ids. Ids of the seed and of users stay. Objects with these keys, at any depth
    /// and among metadata, look as if they had them not: for marks and times of the test's own. Webhooks and
    /// buttons are not shown, for their addresses differ from test to test.
    pub fn portrait(&self, leave_out: &[&str]) -> Vec<String> {
        portrait::lines(&self.world(), leave_out)
    }

    /// [`WorldReader::portrait`] as one short text.
    pub fn digest(&self, leave_out: &[&str]) -> String {
        portrait::digest(&self.portrait(leave_out))
    }

    /// All webhooks, oldest first.
    pub fn webhooks(&self) -> Vec<Value> {
        self.world().webhooks.iter().map(|it| value(it)).collect()
    }

    /// All custom actions, oldest first.
    pub fn custom_actions(&self) -> Vec<Value> {
        self.world()
            .custom_actions
            .iter()
            .map(|it| value(it))
            .collect()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.site.world()
    }
}

fn value(document: &Document) -> Value {
    json!(document)
}
