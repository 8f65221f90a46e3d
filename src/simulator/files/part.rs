//! What formats, file sets and files have in common: each belongs to an asset, is found below it, has a
//! status and a list that is read on after the last id.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::json;

use super::super::cursor::page_after;
use super::super::operation::{Ask, Change, Done};
use super::super::paging::{Bounds, Row, page};
use super::super::refusal::Refusal;
use super::super::shape::{Extent, Key, checked};
use super::super::table::{Document, Table, text};
use super::super::world::{World, is_deleted, mark_deleted, mark_restored, overlay};

/// One kind of part.
pub(super) struct Part {
    /// Its name in messages.
    pub(super) what: &'static str,
    /// The realm of its events.
    pub(super) realm: &'static str,
    /// Where the path has its id.
    pub(super) param: &'static str,
    /// Its writable keys.
    pub(super) keys: &'static [Key],
    /// Where it is kept.
    pub(super) table: fn(&World) -> &Table,
    /// Where it is kept, to be changed.
    pub(super) table_mut: fn(&mut World) -> &mut Table,
}

impl Part {
    /// The parts of the asset that are meant and do not lie in the recycle bin.
    pub(super) fn list(
        &self,
        world: &World,
        ask: &Ask,
        is_meant: impl Fn(&Document) -> bool,
    ) -> Result<Done, Refusal> {
        let asset = ask.param("asset_id");
        world.asset(asset)?;
        let parts = (self.table)(world).group(asset);
        let rows: Vec<_> = parts
            .filter(|part| !is_deleted(part) && is_meant(part))
            .map(Row::plain)
            .collect();
        page_after(&rows, &ask.path(), &ask.query).map(Done::ok)
    }

    /// The parts of all assets that are meant and do not lie in the recycle bin.
    pub(super) fn list_everywhere(
        &self,
        world: &World,
        ask: &Ask,
        is_meant: impl Fn(&Document) -> bool,
    ) -> Result<Done, Refusal> {
        let parts = (self.table)(world).iter();
        let rows = parts.filter(|part| !is_deleted(part) && is_meant(part));
        let rows: Vec<_> = rows.map(Row::plain).collect();
        page_after(&rows, &ask.path(), &ask.query).map(Done::ok)
    }

    /// The parts of all assets that lie in the recycle bin.
    pub(super) fn list_deleted(&self, world: &World, ask: &Ask) -> Result<Done, Refusal> {
        let parts = (self.table)(world).iter();
        let rows = parts.filter(|part| is_deleted(part)).map(Row::plain);
        page(rows.collect(), &ask.path(), &ask.query, Bounds::PLAIN).map(Done::ok)
    }

    /// The part that the path names.
    pub(super) fn find<'a>(
        &self,
        world: &'a World,
        ask: &Ask,
    ) -> Result<&'a Arc<Document>, Refusal> {
        let (asset, id) = (ask.param("asset_id"), ask.param(self.param));
        world.asset(asset)?;
        let part = (self.table)(world).shared(id);
        part.filter(|part| text(part, "asset_id") == asset)
            .ok_or_else(|| Refusal::not_found(self.what, id))
    }

    /// Keeps a new part.
    pub(super) fn add(&self, world: &mut World, part: Document) -> Done {
        (self.table_mut)(world).put(text(&part, "id"), part.clone());
        let change = self.changed("create", &part);
        Done::created(part).with([change])
    }

    /// Lays the body over the part.
    pub(super) fn update(
        &self,
        world: &mut World,
        ask: &Ask,
        body: &Document,
        extent: Extent,
    ) -> Result<Done, Refusal> {
        let mut part = Document::clone(self.find(world, ask)?);
        overlay(&mut part, checked(body, self.keys, extent)?);
        part.insert("date_modified".to_owned(), ask.caller.stamp());
        let change = self.changed("update", &part);
        (self.table_mut)(world).put(ask.param(self.param), part.clone());
        Ok(Done::ok(part).with([change]))
    }

    /// Moves the part to the recycle bin: 200, as published, and no body.
    pub(super) fn trash(&self, world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
        let mut part = Document::clone(self.find(world, ask)?);
        mark_deleted(&mut part, &ask.caller.user_id, ask.caller.stamp());
        self.keep(world, ask, "delete", part)
    }

    /// Takes the part out of the recycle bin.
    pub(super) fn restore(&self, world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
        let mut part = Document::clone(self.find(world, ask)?);
        mark_restored(&mut part);
        self.keep(world, ask, "restore", part)
    }

    /// Takes the part away for good.
    pub(super) fn erase(
        &self,
        world: &mut World,
        ask: &Ask,
        operation: &'static str,
    ) -> Result<Done, Refusal> {
        let part = Arc::clone(self.find(world, ask)?);
        (self.table_mut)(world).remove(ask.param(self.param));
        Ok(Done::no_content().with([self.changed(operation, &part)]))
    }

    /// Takes a part away for good, with the files of a file set; its event.
    pub(super) fn gone(
        &self,
        world: &mut World,
        id: &str,
        operation: &'static str,
    ) -> Option<Change> {
        let part = (self.table_mut)(world).remove(id)?;
        super::file_sets::forget_files(world, id);
        Some(self.changed(operation, &part))
    }

    /// Takes a part out of the recycle bin; its event.
    pub(super) fn taken_out(&self, world: &mut World, id: &str) -> Option<Change> {
        let part = (self.table_mut)(world).get_mut(id)?;
        mark_restored(part);
        let part = part.clone();
        Some(self.changed("restore", &part))
    }

    /// 400 unless the part lies in the recycle bin, from where alone it can be purged; inferred.
    pub(super) fn check_trashed(&self, world: &World, ask: &Ask) -> Result<(), Refusal> {
        if is_deleted(self.find(world, ask)?) {
            return Ok(());
        }
        let message = format!("{} must be deleted before it is purged", self.what);
        Err(Refusal::bad(message))
    }

    fn keep(
        &self,
        world: &mut World,
        ask: &Ask,
        operation: &'static str,
        part: Document,
    ) -> Result<Done, Refusal> {
        let change = self.changed(operation, &part);
        (self.table_mut)(world).put(ask.param(self.param), part);
        Ok(Done::bare(StatusCode::OK).with([change]))
    }

    fn changed(&self, operation: &'static str, part: &Document) -> Change {
        let kind = ("assets", self.realm, operation);
        Change::new(kind, text(part, "id"), json!(part))
    }
}

/// 400 unless the key, if it is given, names a part of the same asset; that Iconik insists is inferred.
pub(super) fn check_sibling(
    table: &Table,
    asset_id: &str,
    given: &Document,
    key: &str,
) -> Result<(), Refusal> {
    let id = text(given, key);
    let sibling = table.get(id);
    if id.is_empty() || sibling.is_some_and(|it| text(it, "asset_id") == asset_id) {
        return Ok(());
    }
    Err(Refusal::invalid(key, "There is no such part of this asset"))
}
