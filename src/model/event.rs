//! What arrived: one webhook, one pressed button, one message of another sender.
//!
//! Iconik's envelope has neither an id nor a time nor a signature (public recordings of 2021, 2022 and
//! 2024), so the key that tells a repeated delivery from a new event is made here from what it does have.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{EventId, Object, RuleId, SourceName};

/// The source of events that the clock makes.
pub const SCHEDULE_SOURCE: &str = "schedule";

/// The static header by which a custom action says which rule it belongs to.
pub const RULE_HEADER: &str = "cuegate-rule";

/// The request headers that are stored with an event; every other one is dropped before it is stored.
pub const KEPT_HEADERS: &[&str] = &[
    RULE_HEADER,
    "content-type",
    "user-agent",
    "webhook-id",
    "webhook-timestamp",
];

/// What kind of thing an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// An Iconik webhook: it has `event_type`, `realm` and `operation`.
    Webhook,
    /// An Iconik custom action: it has `context` and `action_id`.
    Button,
    /// A time of a rule's `schedule`: `rule`, `scheduled_for`, `fired_at`.
    Schedule,
    /// One object of `each`: `object_type`, `object_id`, and the event that `each` belongs to as `parent`. It is
    /// made for a run and never stored.
    Object,
    /// A message of another sender.
    Other,
}

impl EventKind {
    /// The name in tables, metrics and rules.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Button => "button",
            Self::Schedule => "schedule",
            Self::Object => "object",
            Self::Other => "other",
        }
    }
}

/// How far an event has come, and why it made no runs if it made none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventState {
    /// Durable, not looked at yet.
    Stored,
    /// Every rule has decided about it.
    #[default]
    Routed,
    /// At least one rule's `when` failed on it; the others have decided.
    WhenFailed,
    /// It names another Iconik domain than ours; no rule sees it.
    WrongDomain,
    /// Kept back until a person releases it.
    Held,
}

impl EventState {
    /// Every state.
    pub const ALL: [Self; 5] = [
        Self::Stored,
        Self::Routed,
        Self::WhenFailed,
        Self::WrongDomain,
        Self::Held,
    ];

    /// The name in tables, metrics and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Routed => "routed",
            Self::WhenFailed => "when_failed",
            Self::WrongDomain => "wrong_domain",
            Self::Held => "held",
        }
    }
}

/// What makes two deliveries the same event.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventKey(pub [u8; 32]);

impl std::fmt::Debug for EventKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EventKey({})", hex::encode(self.0))
    }
}

/// One stored event. `body` is what the sender sent, without the secrets that it carried; of kind `other`, see
/// [`Event::other_body`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Derived from the key and the deduplication window.
    pub id: EventId,
    /// What makes a second delivery the same event.
    pub key: EventKey,
    /// The number of the deduplication window that it arrived in; see [`EventKey::window`].
    pub window: i64,
    /// The sender's name in the configuration.
    pub source: SourceName,
    /// What kind of thing arrived.
    pub kind: EventKind,
    /// When the request had been read, by the gateway's clock.
    pub received_at: Timestamp,
    /// The kept request headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The JSON that was sent.
    pub body: Value,
}

impl Serialize for EventKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for EventKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut bytes = [0_u8; 32];
        hex::decode_to_slice(String::deserialize(deserializer)?, &mut bytes)
            .map_err(serde::de::Error::custom)?;
        Ok(Self(bytes))
    }
}

impl EventKey {
    /// The key of an Iconik webhook or custom action: source and the parts of the body that tell one
    /// event from another. Keys of objects are sorted, so the sender's order does not matter.
    pub fn of_iconik(source: &SourceName, kind: EventKind, body: &Value) -> Self {
        let parts: &[&str] = match kind {
            EventKind::Webhook => &[
                "request_id",
                "event_type",
                "realm",
                "operation",
                "object_id",
                "data",
            ],
            EventKind::Button | EventKind::Schedule | EventKind::Object | EventKind::Other => &[
                "action_id",
                "user_id",
                "date_created",
                "context",
                "asset_ids",
                "collection_ids",
                "saved_search_ids",
            ],
        };
        let mut hash = Self::hasher(source);
        for part in parts {
            hash.update(canonical_json(body.get(part).unwrap_or(&Value::Null)));
            hash.update([0]);
        }
        Self(hash.finalize().into())
    }

    /// The key of a message whose sender gives it a unique id.
    pub fn of_message(source: &SourceName, message_id: &str) -> Self {
        let mut hash = Self::hasher(source);
        hash.update(message_id);
        Self(hash.finalize().into())
    }

    /// The key of a message without an id: its bytes.
    pub fn of_bytes(source: &SourceName, raw: &[u8]) -> Self {
        let mut hash = Self::hasher(source);
        hash.update(raw);
        Self(hash.finalize().into())
    }

    fn hasher(source: &SourceName) -> Sha256 {
        let mut hash = Sha256::new();
        hash.update(source.as_str());
        hash.update([0]);
        hash
    }

    /// The number of the deduplication window that `at` falls in.
    pub fn window(at: Timestamp, dedup_window: Duration) -> i64 {
        let seconds = i64::try_from(dedup_window.as_secs())
            .unwrap_or(i64::MAX)
            .max(1);
        at.as_second().div_euclid(seconds)
    }

    /// The id of the event with this key that arrives in this window.
    pub fn event_id(&self, window: i64) -> EventId {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(window.to_be_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let mut id = [0_u8; 16];
        id.copy_from_slice(&digest[..16]);
        EventId(id)
    }
}

/// JSON with sorted keys and without white space. `serde_json`'s map is sorted, so this is its plain form.
fn canonical_json(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("a JSON value always has a text form")
}

impl Event {
    /// The body of an event of kind `other`: what it is and what it is about, as far as that is known, and the whole
    /// message.
    pub fn other_body(kind: Option<&str>, object: Option<&str>, message: Value) -> Value {
        let parts = [
            ("type", kind.map(Value::from)),
            ("object_id", object.map(Value::from)),
            ("data", Some(message)),
        ];
        let parts = parts.map(|(key, value)| (key.to_owned(), value.unwrap_or_default()));
        Value::Object(parts.into_iter().collect())
    }

    /// Text at `key` of the body's top level.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.body.get(key)?.as_str()
    }

    fn data_text(&self, key: &str) -> Option<&str> {
        self.body.get("data")?.get(key)?.as_str()
    }

    /// The asset that the event is about, if it can be told (`data` first, the top level only where it is known to be right).
    pub fn asset_id(&self) -> Option<&str> {
        self.object_of("asset_id", "assets")
    }

    /// The collection that the event is about, if it can be told.
    pub fn collection_id(&self) -> Option<&str> {
        self.object_of("collection_id", "collections")
    }

    /// Iconik's top-level `object_id` is not always the object that `event_type` names (for a share it is
    /// the share), so the id is looked for in `data` first and at the top only where it is known to be right.
    /// A button that was pressed on exactly one object is about that object.
    fn object_of(&self, id_key: &str, object_type: &str) -> Option<&str> {
        if self.kind == EventKind::Button {
            let ids = self.body.get(format!("{id_key}s"))?.as_array()?;
            return if ids.len() == 1 {
                ids[0].as_str()
            } else {
                None
            };
        }
        if self.kind == EventKind::Object {
            let ours = self.text("object_type") == Some(object_type);
            return self.text("object_id").filter(|_| ours);
        }
        if let Some(id) = self.data_text(id_key) {
            return Some(id);
        }
        if self.data_text("object_type") == Some(object_type) {
            return self.data_text("object_id");
        }
        let about_itself = matches!(self.text("realm"), Some("entity" | "metadata"));
        if self.text("event_type") == Some(object_type) && about_itself {
            return self.text("object_id");
        }
        None
    }

    /// `event_type/realm/operation` of a webhook, as the patterns of `on` name it.
    pub fn subject(&self) -> String {
        match self.kind {
            EventKind::Webhook => ["event_type", "realm", "operation"]
                .map(|key| self.text(key).unwrap_or("-"))
                .join("/"),
            EventKind::Button => format!("button/{}", self.text("context").unwrap_or("-")),
            EventKind::Schedule => format!("schedule/{}", self.text("rule").unwrap_or("-")),
            EventKind::Object => format!("object/{}", self.text("object_type").unwrap_or("-")),
            EventKind::Other => self.text("type").unwrap_or("-").to_owned(),
        }
    }

    /// The object that the event is about, for lists and for telling loops: the asset, else the collection, else
    /// whatever `object_id` names.
    pub fn object(&self) -> Option<&str> {
        self.asset_id()
            .or_else(|| self.collection_id())
            .or_else(|| self.text("object_id"))
            .filter(|id| !id.is_empty())
    }

    /// What the event says under a name that `wait_for` takes: a key of the body's top level, `asset_id` and
    /// `collection_id` as rules see them, or `data.` and a path into `data`.
    pub fn field(&self, name: &str) -> Value {
        match name {
            "asset_id" => self.asset_id().map_or(Value::Null, Value::from),
            "collection_id" => self.collection_id().map_or(Value::Null, Value::from),
            _ => {
                let mut at = &self.body;
                for key in name.split('.') {
                    match at.get(key) {
                        Some(inner) => at = inner,
                        None => return Value::Null,
                    }
                }
                at.clone()
            }
        }
    }

    /// The rule that a pressed button names: the header that its custom action was registered with.
    pub fn pressed_rule(&self) -> Option<&str> {
        let rule = self.headers.get(RULE_HEADER).map(String::as_str);
        rule.filter(|_| self.kind == EventKind::Button)
    }

    /// The event of a time of a schedule. One time of one rule always has the same key, so it fires once.
    pub fn of_schedule(rule: &RuleId, scheduled_for: Timestamp, fired_at: Timestamp) -> Self {
        let source = SourceName::from(SCHEDULE_SOURCE);
        let key = EventKey::of_message(&source, &format!("{rule} {scheduled_for}"));
        Self {
            id: key.event_id(0),
            key,
            window: 0,
            source,
            kind: EventKind::Schedule,
            received_at: fired_at,
            headers: BTreeMap::new(),
            body: serde_json::json!({
                "rule": rule, "scheduled_for": scheduled_for, "fired_at": fired_at,
            }),
        }
    }

    /// What a child of `each` sees: one object, and the event that `each` belongs to.
    pub fn of_object(parent: &Self, object: &Object) -> Self {
        Self {
            kind: EventKind::Object,
            headers: BTreeMap::new(),
            body: serde_json::json!({
                "object_type": object.object_type, "object_id": object.object_id, "parent": parent,
            }),
            ..parent.clone()
        }
    }
}
