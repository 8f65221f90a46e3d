//! The requests that look for what a create may have made.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::model::{Call, Method};
use crate::operations::{Filter, LookUp, Made, Proof, Seek};

use super::line::current_user;
use super::mark::text_in;
use super::matching::Sought;

/// How many objects a page is asked for; what jobs allow at most.
const PER_PAGE: usize = 100;

/// How much older than it can be a list is asked for what was made, so that a clock of Iconik's that is far behind is
/// noticed and not taken for absence.
const LISTED_BEFORE: Duration = Duration::from_secs(60 * 60);

/// What comes after a page.
pub(super) enum Following {
    /// Nothing: it was the last.
    None,
    /// Another page.
    Page(Call),
    /// There is more, and no way to it.
    Unreachable,
}

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

    /// What comes after this page, which lists these objects.
    pub(super) fn page_after(&self, call: &Call, page: &Value, objects: &[Value]) -> Following {
        let is_full = objects.len() >= PER_PAGE;
        let (key, value) = match self.look_up.seek {
            // So many objects have the text that is searched for that it is no mark of ours.
            Seek::Search(_) if is_full => return Following::Unreachable,
            Seek::Search(_) => return Following::None,
            Seek::Pages(..) => {
                let number = call.query.get("page").and_then(|page| page.parse().ok());
                let number: u64 = number.unwrap_or(1);
                let last = page.get("pages").and_then(Value::as_u64);
                if last.map_or(!is_full, |last| last <= number) {
                    return Following::None;
                }
                ("page", (number + 1).to_string())
            }
            Seek::AfterLast(_) => {
                let last = objects.last().and_then(|last| last.get("id")?.as_str());
                let Some(last) = last else {
                    return Following::None;
                };
                ("last_id", last.to_owned())
            }
        };
        let mut next = call.clone();
        next.query.insert(key.to_owned(), value);
        Following::Page(next)
    }

    fn list(&self, path: &str, mut query: BTreeMap<String, String>) -> Call {
        query.insert("per_page".to_owned(), PER_PAGE.to_string());
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
            query: BTreeMap::from([("per_page".to_owned(), PER_PAGE.to_string())]),
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
            Filter::Since => {
                let since = self.since.checked_sub(LISTED_BEFORE);
                Some(format!("{};*", since.unwrap_or(Timestamp::MIN)))
            }
            Filter::Text(text) => Some(text.to_owned()),
        }
    }
}
