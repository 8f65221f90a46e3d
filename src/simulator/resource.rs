//! Plain families of the API: objects that are made, listed, read, changed and removed below one path. Such
//! a family is a table of its keys and a few words on where the API's habits differ, and no code.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::cursor::page_after;
use super::operation::{Ask, Change, Done};
use super::paging::{Bounds, Row, page};
use super::refusal::Refusal;
use super::shape::{Extent, Key, blank, checked};
use super::shelf::Place;
use super::table::{Document, text};
use super::world::{World, overlay};
use crate::model::Method;

/// What can be done with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// GET of the list.
    List,
    /// POST to the list.
    Create,
    /// GET of one.
    Read,
    /// PATCH of one.
    Edit,
    /// PUT of one.
    Replace,
    /// DELETE of one.
    Remove,
    /// DELETE of all at a place.
    Clear,
}

impl Verb {
    /// The HTTP method that stands for it.
    pub(super) fn method(self) -> Method {
        match self {
            Self::List | Self::Read => Method::Get,
            Self::Create => Method::Post,
            Self::Edit => Method::Patch,
            Self::Replace => Method::Put,
            Self::Remove | Self::Clear => Method::Delete,
        }
    }

    /// Whether it changes anything.
    pub(super) fn writes(self) -> bool {
        !matches!(self, Self::List | Self::Read)
    }
}

/// By what a document is found among its like.
#[derive(Clone, Copy, Debug)]
pub(super) enum Naming {
    /// By the id that it gets, which is the key `id` and stands in the path under this name.
    Fresh(&'static str),
    /// By one of its keys, which stands in the path under the name beside it.
    Key(&'static str, &'static str),
    /// By its place alone: each place has one.
    Place,
}

/// How a list is shown.
#[derive(Clone, Copy, Debug)]
pub(super) enum Listing {
    /// In pages.
    Pages,
    /// Read on after the last id.
    After,
    /// All at once, under `objects` and nothing beside it.
    Whole,
}

/// What may still be decided about a document before it is kept.
pub(super) type Settle = fn(&mut World, &Ask, Verb, &mut Document) -> Result<(), Refusal>;

/// A plain family.
#[derive(Debug)]
pub(super) struct Resource {
    what: &'static str,
    shelf: &'static str,
    naming: Naming,
    keys: &'static [Key],
    listing: Listing,
    created: StatusCode,
    changed: StatusCode,
    removed: StatusCode,
    shows_removed: bool,
    event: Option<(&'static str, &'static str)>,
    settle: Option<Settle>,
    is_always_there: bool,
}

impl Resource {
    /// A family whose documents get an id, which the path calls like the shelf: "Proxy", `proxy_id`.
    pub(super) const fn new(what: &'static str, shelf: &'static str, keys: &'static [Key]) -> Self {
        Self {
            what,
            shelf,
            naming: Naming::Fresh(shelf),
            keys,
            listing: Listing::Pages,
            created: StatusCode::CREATED,
            changed: StatusCode::OK,
            removed: StatusCode::NO_CONTENT,
            shows_removed: false,
            event: None,
            settle: None,
            is_always_there: false,
        }
    }

    /// The same, found by this key, which stands in the path under the name beside it.
    pub(super) const fn named_by(self, key: &'static str, param: &'static str) -> Self {
        Self {
            naming: Naming::Key(key, param),
            ..self
        }
    }

    /// The same, with one document for each place.
    pub(super) const fn one_each(self) -> Self {
        Self {
            naming: Naming::Place,
            ..self
        }
    }

    /// The same, with one document for each place, which is there before anybody has written it.
    pub(super) const fn always_there(self) -> Self {
        Self {
            naming: Naming::Place,
            is_always_there: true,
            ..self
        }
    }

    /// The same, listed like this.
    pub(super) const fn listed(self, listing: Listing) -> Self {
        Self { listing, ..self }
    }

    /// The same, answering the creation like this.
    pub(super) const fn created(self, created: StatusCode) -> Self {
        Self { created, ..self }
    }

    /// The same, answering changes like this.
    pub(super) const fn changed(self, changed: StatusCode) -> Self {
        Self { changed, ..self }
    }

    /// The same, answering the removal like this.
    pub(super) const fn removed(self, removed: StatusCode) -> Self {
        Self { removed, ..self }
    }

    /// The same, answering the removal with what was removed.
    pub(super) const fn shows_removed(self, removed: StatusCode) -> Self {
        Self {
            removed,
            shows_removed: true,
            ..self
        }
    }

    /// The same, whose changes are events of this type and realm, with the document's own id; inferred from
    /// the recorded event of a share.
    pub(super) const fn raising(self, event_type: &'static str, realm: &'static str) -> Self {
        Self {
            event: Some((event_type, realm)),
            ..self
        }
    }

    /// The same, with something to decide before a document is kept.
    pub(super) const fn settled(self, settle: Settle) -> Self {
        Self {
            settle: Some(settle),
            ..self
        }
    }

    /// Carries out what is asked.
    pub(super) fn act(&self, verb: Verb, world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
        self.check_place(world, ask)?;
        match verb {
            Verb::List => self.list(world, ask, |_| true),
            Verb::Create => self.create(world, ask),
            Verb::Read => self.read(world, ask),
            Verb::Edit => self.update(world, ask, verb, Extent::Part),
            Verb::Replace => self.update(world, ask, verb, Extent::Whole),
            Verb::Remove => self.remove(world, ask),
            Verb::Clear => Ok(self.clear(world, ask)),
        }
    }

    /// Those of the place that are meant.
    pub(super) fn list(
        &self,
        world: &World,
        ask: &Ask,
        is_meant: impl Fn(&Document) -> bool,
    ) -> Result<Done, Refusal> {
        let place = self.place(ask);
        let there = world.shelf(self.shelf).into_iter();
        let there = there.flat_map(|shelf| shelf.at(&place));
        let rows: Vec<_> = there
            .filter(|document| is_meant(document))
            .map(Row::plain)
            .collect();
        match self.listing {
            Listing::Pages => page(rows, &ask.path(), &ask.query, Bounds::PLAIN).map(Done::ok),
            Listing::After => page_after(&rows, &ask.path(), &ask.query).map(Done::ok),
            Listing::Whole => {
                let objects: Vec<_> = rows.iter().map(Row::shown).collect();
                Ok(Done::ok(json!({ "objects": objects })))
            }
        }
    }

    fn create(&self, world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
        let document = self.add(world, ask, &ask.given()?)?;
        let change = self.change("create", &document);
        Ok(Done::with_status(self.created, document).with(change))
    }

    /// Makes a document of the body.
    pub(super) fn add(
        &self,
        world: &mut World,
        ask: &Ask,
        body: &Document,
    ) -> Result<Document, Refusal> {
        let mut document = blank(self.keys, ask, &world.domain);
        overlay(&mut document, checked(body, self.keys, Extent::Whole)?);
        self.keep(world, ask, Verb::Create, document)
    }

    fn read(&self, world: &World, ask: &Ask) -> Result<Done, Refusal> {
        self.find(world, ask).map(Done::ok)
    }

    /// The document that the path names.
    ///
    /// # Errors
    ///
    /// 404.
    pub(super) fn find(&self, world: &World, ask: &Ask) -> Result<Document, Refusal> {
        let place = self.place(ask);
        let name = self.name_in_path(ask);
        let shelf = world.shelf(self.shelf);
        let found = shelf.and_then(|shelf| shelf.find(&place, &self.row(&place, name)));
        match found {
            Some(document) => Ok(document.clone()),
            None if self.is_always_there => Ok(blank(self.keys, ask, &world.domain)),
            None => Err(Refusal::not_found(self.what, name)),
        }
    }

    fn update(
        &self,
        world: &mut World,
        ask: &Ask,
        verb: Verb,
        extent: Extent,
    ) -> Result<Done, Refusal> {
        let mut document = self.find(world, ask)?;
        overlay(&mut document, checked(&ask.given()?, self.keys, extent)?);
        if self.keys.iter().any(|key| key.name() == "date_modified") {
            document.insert("date_modified".to_owned(), ask.caller.stamp());
        }
        let document = self.keep(world, ask, verb, document)?;
        let change = self.change("update", &document);
        Ok(Done::with_status(self.changed, document).with(change))
    }

    fn remove(&self, world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
        let document = self.find(world, ask)?;
        let place = self.place(ask);
        let row = self.row(&place, self.name_in_path(ask));
        world.shelf_mut(self.shelf).remove(&row);
        let change = self.change("delete", &document);
        let done = match self.shows_removed {
            true => Done::with_status(self.removed, document),
            false => Done::bare(self.removed),
        };
        Ok(done.with(change))
    }

    fn clear(&self, world: &mut World, ask: &Ask) -> Done {
        let place = self.place(ask);
        let removed = world.shelf_mut(self.shelf).clear(&place);
        let changes = removed.iter().filter_map(|it| self.change("delete", it));
        Done::no_content().with(changes)
    }

    fn keep(
        &self,
        world: &mut World,
        ask: &Ask,
        verb: Verb,
        mut document: Document,
    ) -> Result<Document, Refusal> {
        if let Some(settle) = self.settle {
            settle(world, ask, verb, &mut document)?;
        }
        let place = self.place(ask);
        let name = match self.naming {
            Naming::Fresh(_) => text(&document, "id"),
            Naming::Key(key, _) => text(&document, key),
            Naming::Place => "",
        };
        let row = self.row(&place, name);
        let is_taken = world.shelf(self.shelf).is_some_and(|it| it.contains(&row));
        if verb == Verb::Create && matches!(self.naming, Naming::Key(..)) && is_taken {
            let message = format!("{} {name} exists already", self.what);
            return Err(Refusal::new(StatusCode::CONFLICT, message));
        }
        let shelf = world.shelf_mut(self.shelf);
        shelf.put(&row, place, document.clone());
        Ok(document)
    }

    /// What stands in the path besides the document's own name.
    fn place(&self, ask: &Ask) -> Place {
        let own = match self.naming {
            Naming::Fresh(param) | Naming::Key(_, param) => param,
            Naming::Place => "",
        };
        // There is one domain, which a path may name or not.
        let params = ask.params().filter(|(name, _)| *name != "system_domain_id");
        params.filter(|(name, _)| *name != own).collect()
    }

    fn name_in_path<'a>(&self, ask: &'a Ask) -> &'a str {
        match self.naming {
            Naming::Fresh(param) | Naming::Key(_, param) => ask.param(param),
            Naming::Place => "",
        }
    }

    /// Ids are unique everywhere, other names only in their place.
    fn row(&self, place: &Place, name: &str) -> String {
        match self.naming {
            Naming::Fresh(_) => name.to_owned(),
            Naming::Key(..) | Naming::Place => place.row(name),
        }
    }

    fn check_place(&self, world: &World, ask: &Ask) -> Result<(), Refusal> {
        let place = self.place(ask);
        let domain = ask.params().filter(|(name, _)| *name == "system_domain_id");
        for (name, value) in place.iter().chain(domain) {
            world.check_exists(name, value, ask)?;
        }
        Ok(())
    }

    /// The event of a change, if the family has events.
    pub(super) fn change(&self, operation: &'static str, document: &Document) -> Option<Change> {
        let (event_type, realm) = self.event?;
        let kind = (event_type, realm, operation);
        Some(Change::new(
            kind,
            text(document, "id"),
            Value::Object(document.clone()),
        ))
    }
}
