//! One definition: as we need it, and as Iconik has it. Its headers hold secrets, so nothing here shows a header's value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::model::{RULE_HEADER, RuleId, Secret};

/// The static header by which a custom action carries our mark: it has no description.
pub(super) const MARK_HEADER: &str = "cuegate-mark";

/// What a webhook says besides headers and status (documented: `WebhookCreateSchema`).
const WEBHOOK_KEYS: &[&str] = &[
    "event_type",
    "realm",
    "operation",
    "object_id",
    "query",
    "url",
    "name",
    "description",
];

/// What a custom action says besides headers and whether it is disabled (documented: `CustomActionSchema`). `app_id` is
/// left to Iconik where we do not need one.
const BUTTON_KEYS: &[&str] = &["title", "url", "context", "type", "metadata_view"];

/// What kind of definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A webhook.
    Webhook,
    /// A custom action.
    Button,
}

impl Kind {
    /// The name in tables and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Button => "button",
        }
    }
}

/// A definition that the rules need.
#[derive(Clone, Debug)]
pub struct Needed {
    /// What kind.
    pub kind: Kind,
    /// `assets/metadata/update` of a webhook, `news/publish in ASSET` of a custom action.
    pub subject: String,
    /// The rules that need it.
    pub rules: Vec<RuleId>,
    pub(super) keys: Map<String, Value>,
    pub(super) headers: BTreeMap<String, Secret>,
}

impl Needed {
    /// Everything that it says, switched on.
    pub(super) fn body(&self) -> Value {
        let mut body = self.keys.clone();
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| (name.clone(), value.expose().into()));
        body.insert("headers".to_owned(), Value::Object(headers.collect()));
        let (key, on) = match self.kind {
            Kind::Webhook => ("status", json!("ENABLED")),
            Kind::Button => ("disabled", json!(false)),
        };
        body.insert(key.to_owned(), on);
        Value::Object(body)
    }

    /// A name that people may see in Iconik, by which it is known again after somebody has changed what it listens to.
    pub(super) fn alias(&self) -> Option<String> {
        alias(self.kind, &self.keys)
    }

    /// In what the one in Iconik differs, one sentence each; nothing if it is as it should be.
    pub(super) fn differences(&self, found: &Found) -> Vec<String> {
        let always = match self.kind {
            Kind::Webhook => WEBHOOK_KEYS,
            Kind::Button => BUTTON_KEYS,
        };
        let more = self.keys.keys().map(String::as_str);
        let more = more.filter(|key| !always.contains(key));
        let mut differences: Vec<String> = always
            .iter()
            .copied()
            .chain(more)
            .filter_map(|key| {
                let (is, wanted) = (said(&found.document, key), said(&self.keys, key));
                (is != wanted).then(|| format!("`{key}` is {is} and should be {wanted}"))
            })
            .collect();
        let there = found.headers();
        for (name, value) in &self.headers {
            match there.get(name.as_str()) {
                None => differences.push(format!("the header `{name}` is missing")),
                Some(is) if *is != value.expose() => {
                    differences.push(format!("the header `{name}` has another value"));
                }
                Some(_) => {}
            }
        }
        let others = there
            .keys()
            .filter(|name| !self.headers.contains_key(*name));
        differences.extend(others.map(|name| format!("the header `{name}` is not ours")));
        differences
    }
}

/// A definition that is in Iconik.
#[derive(Clone, Debug)]
pub struct Found {
    /// What kind.
    pub kind: Kind,
    /// Its id.
    pub id: String,
    /// As [`Needed::subject`], of what it says.
    pub subject: String,
    document: Map<String, Value>,
}

impl Found {
    /// From Iconik's document. Nothing if it is deleted, or has no id to be named by.
    pub(super) fn of(kind: Kind, document: Value) -> Option<Self> {
        let Value::Object(document) = document else {
            return None;
        };
        if text(&document, "status") == Some("DELETED") {
            return None;
        }
        let id = text(&document, "id")?.to_owned();
        let mut found = Self {
            kind,
            id,
            subject: String::new(),
            document,
        };
        found.subject = match kind {
            Kind::Webhook => webhook_subject(&found.document),
            Kind::Button => {
                let headers = found.headers();
                let rule = headers.get(RULE_HEADER).map_or("-", String::as_str);
                button_subject(rule, found.text("context").unwrap_or("-"))
            }
        };
        Some(found)
    }

    /// Whether the gateway of this mark has made it.
    pub fn carries(&self, mark: &str) -> bool {
        match self.kind {
            Kind::Webhook => {
                let description = self.text("description").unwrap_or_default();
                description.split_whitespace().next() == Some(mark)
            }
            Kind::Button => self.headers().get(MARK_HEADER).is_some_and(|it| it == mark),
        }
    }

    /// Text at a key of the document.
    pub fn text(&self, key: &str) -> Option<&str> {
        text(&self.document, key)
    }

    /// `ENABLED`, `DISABLED`, `FAILING` and what else Iconik says. A custom action that is switched off is `DISABLED`
    /// as well, and one that works `ENABLED`.
    pub fn status(&self) -> &str {
        match self.kind {
            Kind::Webhook => self.text("status").unwrap_or("-"),
            Kind::Button if self.is_disabled() => "DISABLED",
            Kind::Button if self.text("status") == Some("FAILING") => "FAILING",
            Kind::Button => "ENABLED",
        }
    }

    /// Whether Iconik calls us by it.
    pub fn is_on(&self) -> bool {
        self.status() == "ENABLED"
    }

    /// Since when it has not worked, as far as Iconik says so: since the first failure, else since it was last changed.
    pub fn off_since(&self) -> Option<&str> {
        let failed = match self.kind {
            Kind::Webhook => "first_failed_at",
            Kind::Button => "last_error_date",
        };
        self.text(failed).or_else(|| self.text("date_modified"))
    }

    pub(super) fn is_disabled(&self) -> bool {
        self.document.get("disabled") == Some(&Value::Bool(true))
    }

    pub(super) fn alias(&self) -> Option<String> {
        alias(self.kind, &self.document)
    }

    /// Names in lower case, as HTTP has it.
    fn headers(&self) -> BTreeMap<String, String> {
        let headers = self.document.get("headers").and_then(Value::as_object);
        let headers = headers.into_iter().flatten();
        headers
            .filter_map(|(name, value)| Some((name.to_lowercase(), value.as_str()?.to_owned())))
            .collect()
    }
}

fn text<'a>(document: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    document.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// A key's value for comparison and for people. Absent, empty and `null` are the same.
fn said(document: &Map<String, Value>, key: &str) -> String {
    match document.get(key) {
        None | Some(Value::Null) => "empty".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "empty".to_owned(),
        Some(value) => value.to_string(),
    }
}

/// `assets/metadata/update` with `*` for any, and the object if it listens to a single one.
fn webhook_subject(document: &Map<String, Value>) -> String {
    let any = |key| text(document, key).unwrap_or("*");
    let pattern = [any("event_type"), any("realm"), any("operation")].join("/");
    match text(document, "object_id") {
        Some(object) => format!("{pattern} of {object}"),
        None => pattern,
    }
}

pub(super) fn button_subject(rule: &str, context: &str) -> String {
    format!("{rule} in {context}")
}

fn alias(kind: Kind, keys: &Map<String, Value>) -> Option<String> {
    match kind {
        Kind::Webhook => text(keys, "name").map(ToOwned::to_owned),
        Kind::Button => Some(format!(
            "{} in {}",
            text(keys, "title")?,
            text(keys, "context")?
        )),
    }
}
