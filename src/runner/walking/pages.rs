//! Where a walk stands, which page it asks for next, and what a page says: pure, so that every list with every
//! accident is a test.
//!
//! A place is stored after every page and must lead on from there, whoever reads it: after a crash the same page is
//! read twice, and the store knows an object when it sees it again.

mod answers;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::answers::{documents, objects, too_deep};
use crate::model::{Answer, Call, Method, Object, Query, QuerySource};

/// Objects on a page of a search, without their metadata: what clients are seen to ask for.
const SEARCH_PAGE: usize = 150;

/// Objects on a page of a collection's contents. They come whole and must fit into one answer together.
const CONTENTS_PAGE: u32 = 50;

/// How many objects of a collection can be listed: pages of lists that the index answers end there (inferred), and
/// this list has neither a scroll nor `search_after`.
const CONTENTS_MAX: u32 = 10_000;

/// Jobs on a page: the most that Iconik's documents allow.
const JOBS_PAGE: usize = 100;

/// Ids that are taken over at a time.
const IDS_PAGE: usize = 1_000;

/// How often the contents of a collection are read that keep moving.
const PASSES_MAX: u32 = 5;

/// How often a scroll is begun anew that Iconik has forgotten.
const SCROLLS_MAX: u32 = 10;

/// What can be read of every object; the title is there because Iconik's documents call it required.
const FIELDS: [&str; 3] = ["id", "object_type", "title"];

/// Where a walk stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The source of the query that is being walked.
    source: usize,
    at: At,
}

/// Where in a source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum At {
    #[default]
    Beginning,
    /// After the object with these sort keys.
    Search { after: Vec<Value> },
    /// In a collection.
    Contents(Contents),
    /// In a scroll.
    Scroll { id: String, begun: u32 },
    /// At this id.
    Ids { next: usize },
}

/// Where in the contents of a collection and of those inside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Contents {
    /// The collection that is being read.
    collection: String,
    /// The page that comes next.
    page: u32,
    /// How many objects the first page said that there are.
    total: Option<u64>,
    /// How often it has been read already.
    passes: u32,
    /// Collections that come after it.
    pending: Vec<String>,
    /// Every collection that was seen, so that none is read twice and no circle has no end.
    seen: BTreeSet<String>,
}

/// What a walk needs to go on.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Next {
    /// The answer to this.
    Page(Call),
    /// Nothing: here are objects, and the place after them.
    Objects(Vec<Object>, Place),
    /// Nothing: it is over.
    Nothing,
}

/// What a page says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Page {
    /// The objects on it.
    pub(super) objects: Vec<Object>,
    /// Where the walk stands after it.
    pub(super) place: Place,
    /// What a person should know.
    pub(super) remark: Option<String>,
}

impl Place {
    /// What the walk of `query` needs here.
    pub(super) fn next(&self, query: &Query) -> Next {
        let Some(source) = query.sources.get(self.source) else {
            return Next::Nothing;
        };
        match source {
            QuerySource::Search { body } => Next::Page(search(body, &self.at)),
            QuerySource::Collection { id, .. } => Next::Page(contents(&self.contents(id))),
            QuerySource::Jobs { query } => Next::Page(jobs(query, &self.at)),
            QuerySource::Ids { object_type, ids } => {
                let from = match self.at {
                    At::Ids { next } => next.min(ids.len()),
                    _ => 0,
                };
                let to = (from + IDS_PAGE).min(ids.len());
                let objects = ids[from..to].iter().map(|id| Object {
                    object_type: object_type.clone(),
                    object_id: id.clone(),
                });
                let place = if to == ids.len() {
                    self.next_source()
                } else {
                    self.at(At::Ids { next: to })
                };
                Next::Objects(objects.collect(), place)
            }
        }
    }

    /// Whether nothing comes after this place.
    pub(super) fn is_end_of(&self, query: &Query) -> bool {
        self.source >= query.sources.len()
    }

    /// Reads the answer to what [`Self::next`] asked for.
    ///
    /// # Errors
    ///
    /// A sentence when the walk cannot go on.
    pub(super) fn read(&self, query: &Query, answer: &Answer) -> Result<Page, String> {
        match query.sources.get(self.source) {
            Some(QuerySource::Search { body }) => self.read_search(body, answer),
            Some(QuerySource::Collection { id, recursive }) => {
                let contents = self.contents(id);
                // A collection inside another may be gone since it was seen there; the first one must be there.
                if answer.status == 404 && contents.collection != *id {
                    return Ok(self.end_of_collection(contents, None));
                }
                self.read_contents(contents, *recursive, answer)
            }
            Some(QuerySource::Jobs { .. }) => self.read_jobs(answer),
            Some(QuerySource::Ids { .. }) | None => Err("no page was asked for".to_owned()),
        }
    }

    fn at(&self, at: At) -> Self {
        Self {
            source: self.source,
            at,
        }
    }

    fn next_source(&self) -> Self {
        Self {
            source: self.source + 1,
            at: At::Beginning,
        }
    }

    fn contents(&self, root: &str) -> Contents {
        match &self.at {
            At::Contents(contents) => contents.clone(),
            _ => Contents {
                collection: root.to_owned(),
                page: 1,
                total: None,
                passes: 0,
                pending: Vec::new(),
                seen: BTreeSet::from([root.to_owned()]),
            },
        }
    }

    fn read_search(&self, body: &Value, answer: &Answer) -> Result<Page, String> {
        let documents = documents(answer)?;
        let doc_types = body.get("doc_types").and_then(Value::as_array);
        let only_type = doc_types
            .filter(|types| types.len() == 1)
            .and_then(|types| types[0].as_str());
        let Some(last) = documents.last() else {
            return Ok(self.end_of_source());
        };
        let after = match last.get("_sort").and_then(Value::as_array) {
            Some(keys) => keys.clone(),
            None if sort_of(body).len() == 1 => vec![last["id"].clone()],
            None => {
                return Err("an object of the search is without `_sort`, so its next page cannot be asked for".to_owned());
            }
        };
        if matches!(&self.at, At::Search { after: before } if *before == after) {
            return Err("the search answers the same page again and again".to_owned());
        }
        Ok(Page {
            objects: objects(documents, only_type)?,
            place: self.at(At::Search { after }),
            remark: None,
        })
    }

    fn read_jobs(&self, answer: &Answer) -> Result<Page, String> {
        let (known, begun) = match &self.at {
            At::Scroll { id, begun } => (Some(id), *begun),
            _ => (None, 1),
        };
        // A scroll that nobody read for a while is gone. What it had shown is known.
        if known.is_some() && matches!(answer.status, 400 | 404 | 410) && begun < SCROLLS_MAX {
            return Ok(Page {
                place: self.at(At::Scroll {
                    id: String::new(),
                    begun: begun + 1,
                }),
                ..Page::default()
            });
        }
        let documents = documents(answer)?;
        if documents.is_empty() {
            return Ok(self.end_of_source());
        }
        let id = answer.body.get("scroll_id").and_then(Value::as_str);
        let id = id.or(known.map(String::as_str)).unwrap_or_default();
        if id.is_empty() {
            return Err(
                "the list of jobs is without a `scroll_id`, so its next page cannot be asked for"
                    .to_owned(),
            );
        }
        let id = id.to_owned();
        Ok(Page {
            objects: objects(documents, Some("jobs"))?,
            place: self.at(At::Scroll { id, begun }),
            remark: None,
        })
    }

    fn read_contents(
        &self,
        mut contents: Contents,
        recursive: bool,
        answer: &Answer,
    ) -> Result<Page, String> {
        if answer.status == 400 && contents.page > CONTENTS_MAX / CONTENTS_PAGE {
            return Err(too_deep(&contents.collection, CONTENTS_MAX));
        }
        let documents = documents(answer)?;
        let number = |key: &str| answer.body.get(key).and_then(Value::as_u64);
        let total = number("total");
        if contents.page == 1 {
            contents.total = total;
        }
        let objects = objects(documents, None)?;
        if recursive {
            for inside in objects.iter().filter(|it| it.object_type == "collections") {
                if contents.seen.insert(inside.object_id.clone()) {
                    contents.pending.push(inside.object_id.clone());
                }
            }
        }
        let is_last = documents.is_empty()
            || number("pages").is_some_and(|pages| u64::from(contents.page) >= pages);
        let after = if is_last {
            self.end_of_collection(contents, total)
        } else {
            contents.page += 1;
            Page {
                place: self.at(At::Contents(contents)),
                ..Page::default()
            }
        };
        Ok(Page { objects, ..after })
    }

    /// After the last page of a collection: once more if it has moved, else the next one.
    fn end_of_collection(&self, mut contents: Contents, total: Option<u64>) -> Page {
        let moved = contents.total != total && total.is_some();
        contents.passes += 1;
        let mut remark = None;
        if moved && contents.passes < PASSES_MAX {
            contents.page = 1;
            contents.total = None;
            return Page {
                place: self.at(At::Contents(contents)),
                ..Page::default()
            };
        }
        if moved {
            remark = Some(format!(
                "the contents of collection {} kept changing while they were read {PASSES_MAX} times; objects that \
                 were moved meanwhile may be missing",
                contents.collection
            ));
        }
        let place = match contents.pending.pop() {
            Some(collection) => self.at(At::Contents(Contents {
                collection,
                page: 1,
                total: None,
                passes: 0,
                ..contents
            })),
            None => self.next_source(),
        };
        Page {
            objects: Vec::new(),
            place,
            remark,
        }
    }

    fn end_of_source(&self) -> Page {
        Page {
            place: self.next_source(),
            ..Page::default()
        }
    }
}

fn sort_of(body: &Value) -> Vec<Value> {
    let own = body.get("sort").and_then(Value::as_array);
    let mut sort = own.cloned().unwrap_or_default();
    sort.push(json!({ "name": "id", "order": "asc" }));
    sort
}

fn search(body: &Value, at: &At) -> Call {
    let mut body = body.clone();
    body["sort"] = Value::Array(sort_of(&body));
    body["include_fields"] = json!(FIELDS);
    if let At::Search { after } = at {
        body["search_after"] = Value::Array(after.clone());
    }
    Call {
        method: Method::Post,
        body: Some(body),
        ..get(
            "search/v1/search/".to_owned(),
            [("per_page", SEARCH_PAGE.to_string())],
        )
    }
}

fn contents(contents: &Contents) -> Call {
    get(
        format!("assets/v1/collections/{}/contents/", contents.collection),
        [
            ("page", contents.page.to_string()),
            ("per_page", CONTENTS_PAGE.to_string()),
        ],
    )
}

fn jobs(filters: &BTreeMap<String, String>, at: &At) -> Call {
    let per_page = ("per_page", JOBS_PAGE.to_string());
    let path = "jobs/v1/jobs/".to_owned();
    match at {
        At::Scroll { id, .. } if !id.is_empty() => get(path, [per_page, ("scroll_id", id.clone())]),
        _ => {
            let mut call = get(path, [per_page, ("scroll", "true".to_owned())]);
            for (name, value) in filters {
                let set = call.query.entry(name.clone());
                set.or_insert_with(|| value.clone());
            }
            call
        }
    }
}

fn get<const N: usize>(path: String, query: [(&str, String); N]) -> Call {
    Call {
        method: Method::Get,
        path,
        query: query.map(|(name, value)| (name.to_owned(), value)).into(),
        body: None,
        cacheable: false,
        position: None,
    }
}

#[cfg(test)]
mod tests;
