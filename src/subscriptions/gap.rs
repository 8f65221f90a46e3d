//! What was missed while a webhook did not deliver, as far as a search can tell.
//!
//! Iconik keeps no list of undelivered events (documented: there is no such operation). What it can be asked is which
//! assets or collections have changed since: of each only the last change is seen, and nothing of metadata, contents or
//! other realms.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::definition::Found;
use super::registry::{Registry, RegistryError};
use crate::model::Method;

/// Where searches go.
const SEARCH: &str = "search/v1/search/";

/// How many objects a page has.
const PER_PAGE: &str = "100";

/// The object types whose changes a search finds.
const SEARCHABLE: [&str; 2] = ["assets", "collections"];

/// What a search can find out about an object.
const OPERATIONS: [&str; 3] = ["create", "delete", "update"];

/// The keys of an object that become the `data` of an event (documented: `SearchDocumentSchema`).
const FIELDS: [&str; 6] = [
    "id",
    "title",
    "type",
    "status",
    "date_created",
    "date_modified",
];

/// A time in which a webhook did not deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What the webhook listens to.
    pub subject: String,
    /// Since when.
    pub since: Timestamp,
    object_type: &'static str,
    operations: BTreeSet<&'static str>,
    /// What it listens to besides, which no search can find.
    pub blind: Option<String>,
}

/// A change that a webhook would have told of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Missing {
    event_type: &'static str,
    operation: &'static str,
    object_id: String,
    /// When it happened.
    at: Timestamp,
    data: Value,
}

impl Gap {
    /// Of a webhook that did not deliver since then.
    ///
    /// # Errors
    ///
    /// A sentence, if no search finds anything of what it listens to.
    pub fn of(found: &Found, since: Timestamp) -> Result<Self, String> {
        let subject = &found.subject;
        let named = found.text("event_type").unwrap_or_default();
        let Some(object_type) = SEARCHABLE.into_iter().find(|name| *name == named) else {
            return Err(format!(
                "what {subject} has missed cannot be searched for: a search knows when assets and collections have \
                 changed, and nothing else"
            ));
        };
        let (realm, operation) = (found.text("realm"), found.text("operation"));
        let asks = |name: &str| operation.is_none_or(|operation| operation == name);
        let operations: BTreeSet<_> = OPERATIONS.into_iter().filter(|name| asks(name)).collect();
        if realm.is_some_and(|realm| realm != "entity") || operations.is_empty() {
            return Err(format!(
                "what {subject} has missed cannot be searched for: of the realm `entity` alone a search knows what was \
                 created, updated or deleted"
            ));
        }
        let blind = (realm.is_none() || operation.is_none()).then(|| {
            format!(
                "of {subject} only {} was searched for: what else it listens to leaves no trace in a search",
                operations
                    .iter()
                    .map(|operation| format!("{object_type}/entity/{operation}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        });
        Ok(Self {
            subject: subject.clone(),
            since,
            object_type,
            operations,
            blind,
        })
    }

    /// What has happened to an object that was found. Of several changes only the last can be seen.
    fn missed(&self, object: &Value) -> Vec<Missing> {
        let time = |key: &str| object.get(key)?.as_str()?.parse::<Timestamp>().ok();
        let Some(id) = object.get("id").and_then(Value::as_str) else {
            return Vec::new();
        };
        let (created, modified) = (time("date_created"), time("date_modified"));
        let mut happened = Vec::new();
        if object.get("status").and_then(Value::as_str) == Some("DELETED") {
            happened.push(("delete", time("date_deleted").or(modified)));
        } else {
            happened.push(("create", created));
            happened.push(("update", modified.filter(|at| created != Some(*at))));
        }
        let data: serde_json::Map<String, Value> = FIELDS
            .iter()
            .filter_map(|key| Some(((*key).to_owned(), object.get(*key)?.clone())))
            .collect();
        happened
            .into_iter()
            .filter(|(operation, _)| self.operations.contains(operation))
            .filter_map(|(operation, at)| Some((operation, at.filter(|at| *at >= self.since)?)))
            .map(|(operation, at)| Missing {
                event_type: self.object_type,
                operation,
                object_id: id.to_owned(),
                at,
                data: Value::Object(data.clone()),
            })
            .collect()
    }
}

impl Registry<'_> {
    /// One page of what was missed, oldest first, and where the next one begins, if there may be one.
    ///
    /// # Errors
    ///
    /// If Iconik does not answer, or refuses.
    pub async fn missed(
        &self,
        gap: &Gap,
        after: Option<&Value>,
    ) -> Result<(Vec<Missing>, Option<Value>), RegistryError> {
        let what = format!("what {} has missed cannot be searched for", gap.subject);
        let mut fields = FIELDS.to_vec();
        fields.push("date_deleted");
        let mut body = json!({
            "doc_types": [gap.object_type],
            "filter": {
                "operator": "AND",
                "terms": [{ "name": "date_modified", "range": { "min": gap.since.to_string() } }],
            },
            "include_fields": fields,
            "sort": [{ "name": "date_modified", "order": "asc" }, { "name": "id", "order": "asc" }],
        });
        if let Some(after) = after {
            body["search_after"] = after.clone();
        }
        let query = [("per_page".to_owned(), PER_PAGE.to_owned())].into();
        let answer = self
            .ask(what, Method::Post, SEARCH.to_owned(), (query, Some(body)))
            .await?;
        let objects = answer.get("objects").and_then(Value::as_array);
        let objects = objects.map(Vec::as_slice).unwrap_or_default();
        let missed = objects
            .iter()
            .flat_map(|object| gap.missed(object))
            .collect();
        let next = objects.last().and_then(|last| last.get("_sort")).cloned();
        Ok((missed, next.filter(|next| Some(next) != after)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::definition::Kind;
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn webhook(realm: Option<&str>, operation: Option<&str>) -> Found {
        let document =
            json!({ "id": "w", "event_type": "assets", "realm": realm, "operation": operation });
        Found::of(Kind::Webhook, document).unwrap()
    }

    fn since() -> Timestamp {
        at("2026-03-01T12:00:00Z")
    }

    fn told(gap: &Gap, object: &Value) -> Vec<(&'static str, Timestamp)> {
        let missed = gap.missed(object).into_iter();
        missed
            .map(|missing| (missing.operation, missing.at))
            .collect()
    }

    #[test]
    fn an_object_tells_what_has_happened_to_it_since() {
        let gap = Gap::of(&webhook(None, None), since()).unwrap();
        let object = |created: &str, modified: &str, status: &str| json!({ "id": "a", "date_created": created, "date_modified": modified, "status": status });
        let (before, then, later) = (
            "2026-03-01T11:59:59+00:00",
            "2026-03-01T12:00:00+00:00",
            "2026-03-02T08:00:00.5+00:00",
        );
        assert_eq!(
            told(&gap, &object(then, then, "ACTIVE")),
            [("create", at(then))]
        );
        assert_eq!(
            told(&gap, &object(before, later, "ACTIVE")),
            [("update", at(later))]
        );
        assert_eq!(
            told(&gap, &object(then, later, "ACTIVE")),
            [("create", at(then)), ("update", at(later))]
        );
        assert_eq!(
            told(&gap, &object(then, later, "DELETED")),
            [("delete", at(later))]
        );
        assert_eq!(told(&gap, &object(before, before, "ACTIVE")), []);
        let updates = Gap::of(&webhook(Some("entity"), Some("update")), since()).unwrap();
        assert_eq!(told(&updates, &object(then, then, "ACTIVE")), []);
        assert_eq!(updates.blind, None);
        assert!(gap.blind.unwrap().contains("assets/entity/delete"));
    }

    #[test]
    fn what_no_search_finds_is_said() {
        for (realm, operation) in [(Some("metadata"), None), (Some("entity"), Some("download"))] {
            let refused = Gap::of(&webhook(realm, operation), since()).unwrap_err();
            assert!(refused.contains("cannot be searched for"), "{refused}");
        }
    }
}
