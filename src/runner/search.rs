//! The requests that look for what a create may have made.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::model::{Call, Method};
use crate::operations::{Filter, LookUp, Made, Proof, Seek};

use super::line::current_user;
use super::mark::text_in;
use super::matching::Sought;

/// How many objects a page is asked for; what jobs allow at most.
const PER_PAGE: &str = "100";

/// What a create sent, and everything that is needed to know it again.
pub(super) struct Search<'a> {
    pub(super) look_up: &'static LookUp,
    pub(super) sent: &'a Call,
    pub(super) body: &'a Value,
    pub(super) mark: String,
    pub(super) maker: String,
    pub(super) since: Timestamp,
}

impl Search<'_> {
    /// What its objects are compared with.
    pub(super) fn sought<'a>(&'a self, made: &'a Made) -> Sought<'a> {
        Sought {
            made,
            body: self.body,
            mark: &self.mark,
            maker: &self.maker,
            since: self.since,
        }
    }

    /// The first request; none if nothing can be searched for.
    pub(super) fn first_page(&self) -> Option<Call> {
        match self.look_up.seek {
            Seek::Search(object_type) => self.search_for(object_type),
            Seek::Pages(path, filters) => {
                let mut query: BTreeMap<String, String> = filters
                    .iter()
                    .filter_map(|(name, filter)| Some(((*name).to_owned(), self.value(*filter)?)))
                    .collect();
                query.insert("page".to_owned(), "1".to_owned());
                Some(self.list(path, query))
            }
            Seek::AfterLast(path) => Some(self.list(path, BTreeMap::new())),
        }
    }

    /// The request after this page, if there is one.
    pub(super) fn page_after(&self, call: &Call, page: &Value, objects: &[Value]) -> Option<Call> {
        let mut next = call.clone();
        match self.look_up.seek {
            Seek::Search(_) => return None,
            Seek::Pages(..) => {
                let number: u64 = call.query.get("page")?.parse().ok()?;
                if page.get("pages")?.as_u64()? <= number {
                    return None;
                }
                next.query
                    .insert("page".to_owned(), (number + 1).to_string());
            }
            Seek::AfterLast(_) => {
                let last = objects.last()?.get("id")?.as_str()?;
                next.query.insert("last_id".to_owned(), last.to_owned());
            }
        }
        Some(next)
    }

    fn list(&self, path: &str, mut query: BTreeMap<String, String>) -> Call {
        query.insert("per_page".to_owned(), PER_PAGE.to_owned());
        Call {
            path: self.look_up.filled(path, &self.sent.path, None),
            query,
            ..current_user()
        }
    }

    fn search_for(&self, object_type: &str) -> Option<Call> {
        let Proof::Object(made) = self.look_up.proof else {
            return None;
        };
        let value = text_in(&made, self.body)?;
        let term = json!({"name": "external_id", "value": value});
        Some(Call {
            method: Method::Post,
            path: "search/v1/search/".to_owned(),
            query: BTreeMap::from([("per_page".to_owned(), PER_PAGE.to_owned())]),
            body: Some(json!({
                "doc_types": [object_type],
                "filter": {"operator": "AND", "terms": [term]},
                "include_fields": ["id"],
            })),
            ..current_user()
        })
    }

    fn value(&self, filter: Filter) -> Option<String> {
        match filter {
            Filter::Body(key) => self.body.get(key)?.as_str().map(str::to_owned),
            Filter::Maker => Some(self.maker.clone()),
            Filter::Since => Some(format!("{};*", self.since)),
            Filter::Text(text) => Some(text.to_owned()),
        }
    }
}
