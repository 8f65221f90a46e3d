//! Going through a query page by page, each page a step of the run.

use std::collections::{BTreeSet, VecDeque};

use rhai::Dynamic;
use serde_json::{Value, json};

use super::super::convert::to_dynamic;
use super::super::session::{Fallible, error};
use super::call::{Request, text_at};
use super::job;
use super::query::{Objects, Source};
use super::search::Search;
use super::segment::{has_next, objects};

/// How many objects a search is asked for at once: what clients that are in use ask for (reference, 3.5).
const SEARCHED: usize = 150;
/// How many entries of another list: they come whole, and a page of them must fit into one answer.
const LISTED: usize = 50;

/// The objects of a query, asked for as they are wanted. It ends after an error.
pub(super) struct Pages {
    of: Objects,
    at: Option<Cursor>,
    /// Objects of the present page that nobody has taken.
    page: VecDeque<Found>,
    /// What has been shown: an object that several sources name comes once.
    seen: BTreeSet<(String, String)>,
    searched: usize,
    failed: bool,
}

/// An object as a list shows it.
pub(super) enum Found {
    Object(Value),
    Job(Value),
}

/// How far a source is.
enum Cursor {
    Search {
        search: Box<Search>,
        after: Option<Value>,
        /// How many objects the pages so far had.
        count: usize,
    },
    Contents {
        /// Collections to be read, the first one under way.
        open: VecDeque<String>,
        known: BTreeSet<String>,
        page: usize,
        recursive: bool,
    },
    Jobs {
        filters: Vec<(String, String)>,
        page: usize,
    },
}

impl Pages {
    pub(super) fn of(objects: Objects) -> Self {
        let mut of = objects;
        of.sources.reverse();
        Self {
            of,
            at: None,
            page: VecDeque::new(),
            seen: BTreeSet::new(),
            searched: SEARCHED,
            failed: false,
        }
    }

    /// For somebody who wants no more than one object.
    pub(super) fn first_only(objects: Objects) -> Self {
        Self {
            searched: 1,
            ..Self::of(objects)
        }
    }

    /// Asks for pages until there is an object or nothing more to ask for.
    pub(super) fn next_object(&mut self) -> Fallible<Option<Found>> {
        loop {
            while let Some(found) = self.page.pop_front() {
                if found.name().is_none_or(|name| self.seen.insert(name)) {
                    return Ok(Some(found));
                }
            }
            match self.at.take() {
                Some(cursor) => self.at = self.turn(cursor)?,
                None => match self.of.sources.pop() {
                    Some(source) => self.open(source),
                    None => return Ok(None),
                },
            }
        }
    }

    fn open(&mut self, source: Source) {
        self.at = match source {
            Source::Search(search) => Some(Cursor::Search {
                search,
                after: None,
                count: 0,
            }),
            Source::Contents { id, recursive } => Some(Cursor::Contents {
                known: BTreeSet::from([id.clone()]),
                open: VecDeque::from([id]),
                page: 1,
                recursive,
            }),
            Source::Jobs(filters) => Some(Cursor::Jobs {
                filters: filters.into_iter().collect(),
                page: 1,
            }),
            Source::Ids { object_type, ids } => {
                let named = |id: String| json!({ "id": id, "object_type": object_type });
                let objects = ids.into_iter().map(named).map(Found::Object);
                self.page.extend(objects);
                None
            }
        };
    }

    /// Asks for the next page; where it goes on, if it does.
    fn turn(&mut self, cursor: Cursor) -> Fallible<Option<Cursor>> {
        match cursor {
            Cursor::Search {
                search,
                after,
                count,
            } => self.search(search, after, count),
            Cursor::Contents {
                mut open,
                mut known,
                page,
                recursive,
            } => {
                let Some(collection) = open.front() else {
                    return Ok(None);
                };
                let path = format!("assets/v1/collections/{collection}/contents/");
                let answer = self.list(Request::get(path), page)?;
                let inner = objects(&answer)
                    .filter(|entry| {
                        recursive && text_at(entry, "object_type") == Some("collections")
                    })
                    .filter_map(|entry| text_at(entry, "id"));
                for id in inner {
                    if known.insert(id.to_owned()) {
                        open.push_back(id.to_owned());
                    }
                }
                self.page
                    .extend(objects(&answer).cloned().map(Found::Object));
                let page = if has_next(&answer) {
                    page + 1
                } else {
                    open.pop_front();
                    1
                };
                Ok(Some(Cursor::Contents {
                    open,
                    known,
                    page,
                    recursive,
                }))
            }
            Cursor::Jobs { filters, page } => {
                let request = filters
                    .iter()
                    .fold(Request::get("jobs/v1/jobs/"), |request, (name, text)| {
                        request.query(name, text)
                    });
                let answer = self.list(request, page)?;
                self.page.extend(objects(&answer).cloned().map(Found::Job));
                let more = has_next(&answer);
                Ok(more.then_some(Cursor::Jobs {
                    filters,
                    page: page + 1,
                }))
            }
        }
    }

    fn search(
        &mut self,
        search: Box<Search>,
        after: Option<Value>,
        count: usize,
    ) -> Fallible<Option<Cursor>> {
        let mut body = search.page_body();
        if let Some(after) = after {
            body.insert("search_after".to_owned(), after);
        }
        let request = Request::search(body.into()).query("per_page", self.searched);
        let answer = request.send_from(&self.of.session, self.of.here.clone())?;
        let mut hits: Vec<Value> = objects(&answer).cloned().collect();
        let keys: Vec<Value> = hits.iter_mut().map(take_sort).collect();
        let count = count + hits.len();
        // A page may be shorter than it was asked to be without being the last one.
        let short = hits.len() < self.searched;
        let total = answer.get("total").and_then(Value::as_u64);
        let is_last = short && total.is_none_or(|total| total <= count as u64);
        self.page.extend(hits.into_iter().map(Found::Object));
        let Some(after) = keys.last().filter(|_| !is_last) else {
            return Ok(None);
        };
        if !after.is_array() {
            return Err(error(
                "Iconik gave no `_sort` with what it found, so there is no way to its next page",
            ));
        }
        Ok(Some(Cursor::Search {
            search,
            after: Some(after.clone()),
            count,
        }))
    }

    fn list(&self, request: Request, page: usize) -> Fallible<Value> {
        request
            .query("per_page", LISTED)
            .query("page", page)
            .send_from(&self.of.session, self.of.here.clone())
    }
}

/// The key of a hit, which is nothing that a rule reads.
fn take_sort(hit: &mut Value) -> Value {
    let fields = hit.as_object_mut();
    fields
        .and_then(|fields| fields.remove("_sort"))
        .unwrap_or_default()
}

impl Found {
    /// What tells it from other objects, if it says so.
    fn name(&self) -> Option<(String, String)> {
        let object_type = match self {
            Self::Object(object) => text_at(object, "object_type")?,
            // The `object_type` of a job is that of the object that it works on.
            Self::Job(_) => "jobs",
        };
        Some((object_type.to_owned(), self.id()?.to_owned()))
    }

    /// Its id, if it has one.
    pub(super) fn id(&self) -> Option<&str> {
        let (Self::Object(document) | Self::Job(document)) = self;
        text_at(document, "id")
    }

    fn shown(self) -> Fallible<Dynamic> {
        match self {
            Self::Object(object) => Ok(to_dynamic(&object)),
            Self::Job(document) => Ok(Dynamic::from(job::of(document)?)),
        }
    }
}

impl Iterator for Pages {
    type Item = Fallible<Dynamic>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.next_object();
        self.failed = next.is_err();
        next.and_then(|found| found.map(Found::shown).transpose())
            .transpose()
    }
}
