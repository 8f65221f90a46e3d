//! `event` as rules see it: every documented key is there, `()` where unknown, and a misspelt key of the
//! event itself is an error, because a rule that waits for `event.assetid` would silently do nothing.

use std::sync::{Arc, OnceLock};

use rhai::{Array, Dynamic, FuncRegistration, ImmutableString, Map, NativeCallContext};
use serde_json::Value;

use super::super::catalog::Registry;
use super::super::convert::to_dynamic;
use super::super::moment::Time;
use super::super::session::{Fallible, error};
use super::form;
use crate::model::{Event, EventKind};

const ALWAYS: &[&str] = &[
    "id",
    "source",
    "kind",
    "received_at",
    "asset_id",
    "collection_id",
];
pub(super) const WEBHOOK: &[&str] = &[
    "event_type",
    "realm",
    "operation",
    "object_id",
    "user_id",
    "system_domain_id",
    "request_id",
    "data",
];
/// What a webhook's event has besides what was sent.
const ABOUT_WEBHOOK: &[&str] = &["reconciled"];
const BUTTON: &[&str] = &[
    "user_id",
    "context",
    "asset_ids",
    "collection_ids",
    "saved_search_ids",
    "form",
    "raw",
];
const SCHEDULE: &[&str] = &["scheduled_for", "fired_at"];
const OBJECT: &[&str] = &["object_type", "object_id", "parent", "form"];
pub(super) const OTHER: &[&str] = &["type", "object_id", "data"];

/// The event, read-only; `data` and `parent` are converted when they are first asked for.
#[derive(Clone, Debug)]
pub(in super::super) struct EventView {
    event: Arc<Event>,
    data: Arc<OnceLock<Dynamic>>,
    parent: Arc<OnceLock<Dynamic>>,
    form: Arc<OnceLock<Dynamic>>,
}

impl EventView {
    pub(in super::super) fn new(event: Arc<Event>) -> Self {
        Self {
            event,
            data: Arc::default(),
            parent: Arc::default(),
            form: Arc::default(),
        }
    }

    pub(super) fn event(&self) -> &Event {
        &self.event
    }

    fn keys(&self) -> impl Iterator<Item = &'static str> {
        let special = match self.event.kind {
            EventKind::Webhook => WEBHOOK,
            EventKind::Button => BUTTON,
            EventKind::Schedule => SCHEDULE,
            EventKind::Object => OBJECT,
            EventKind::Other => OTHER,
        };
        let about: &[&str] = match self.event.kind {
            EventKind::Webhook => ABOUT_WEBHOOK,
            _ => &[],
        };
        ALWAYS.iter().chain(special).chain(about).copied()
    }

    fn get(&self, context: &NativeCallContext<'_>, key: &str) -> Fallible<Dynamic> {
        if !self.keys().any(|known| known == key) {
            return Err(self.unknown(key));
        }
        let event = &self.event;
        let text = |value: Option<&str>| value.map_or(Dynamic::UNIT, |text| text.to_owned().into());
        Ok(match key {
            "id" => event.id.to_string().into(),
            "source" => event.source.to_string().into(),
            "kind" => event.kind.as_str().into(),
            "received_at" => Dynamic::from(Time(event.received_at)),
            "asset_id" => text(event.asset_id()),
            "collection_id" => text(event.collection_id()),
            "data" => self.data.get_or_init(|| self.convert_data()).clone(),
            "form" => self.form(context)?,
            "reconciled" => event.is_reconciled().into(),
            "scheduled_for" | "fired_at" => {
                let time = event.text(key).and_then(Time::parse);
                time.map_or(Dynamic::UNIT, Dynamic::from)
            }
            "parent" => self.parent.get_or_init(|| self.convert_parent()).clone(),
            "raw" => to_dynamic(&event.body),
            "asset_ids" | "collection_ids" | "saved_search_ids" => event
                .body
                .get(key)
                .map_or_else(|| Array::new().into(), to_dynamic),
            _ => event.body.get(key).map_or(Dynamic::UNIT, to_dynamic),
        })
    }

    fn convert_data(&self) -> Dynamic {
        let data = self.event.body.get("data");
        data.map_or_else(|| Map::new().into(), to_dynamic)
    }

    /// What was filled in, read once in an advance; of an object, in the button of `each`.
    fn form(&self, context: &NativeCallContext<'_>) -> Fallible<Dynamic> {
        if let Some(form) = self.form.get() {
            return Ok(form.clone());
        }
        let body = match self.event.kind {
            EventKind::Object => self.event.body.get("parent").and_then(button_body),
            _ => Some(&self.event.body),
        };
        let form = match body {
            Some(body) => form::read(context, body)?,
            None => Dynamic::UNIT,
        };
        Ok(self.form.get_or_init(|| form).clone())
    }

    /// The event that `each` was called with, as it saw it.
    fn convert_parent(&self) -> Dynamic {
        let parent = self.event.body.get("parent").cloned().unwrap_or_default();
        serde_json::from_value::<Event>(parent).map_or(Dynamic::UNIT, |parent| {
            Dynamic::from(Self::new(Arc::new(parent))).into_read_only()
        })
    }

    fn unknown(&self, key: &str) -> Box<rhai::EvalAltResult> {
        let near = nearest(key, self.keys());
        let advice = near.map_or_else(String::new, |near| {
            format!("; did you mean `event.{near}`?")
        });
        error(format!("an event has no key `{key}`{advice}"))
    }
}

/// What Iconik sent, of a stored event that is a pressed button.
fn button_body(event: &Value) -> Option<&Value> {
    let kind = event.get("kind").and_then(Value::as_str);
    (kind == Some(EventKind::Button.as_str())).then(|| event.get("body"))?
}

/// The candidate that `name` is probably a slip of.
pub(in super::super) fn nearest<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    // Lengths first: a name may be as long as a file, and most candidates are not worth the matrix.
    let distance_max = |candidate: &str| (candidate.len().min(name.len()) + 1) / 3;
    candidates
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= 4 * distance_max(candidate))
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= distance_max(candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

pub(super) fn register(registry: &mut Registry) {
    let module = registry.global();
    module.set_custom_type::<EventView>("event");
    FuncRegistration::new_index_getter().set_into_module(
        module,
        |context: NativeCallContext<'_>, event: &mut EventView, key: ImmutableString| {
            event.get(&context, &key)
        },
    );
}
