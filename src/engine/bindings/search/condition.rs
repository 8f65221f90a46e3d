//! What must hold for an object to be found: one comparison of one field.
//!
//! `value`, `value_in`, `range`, `exists` and `missing` are documented (`CriteriaTerm`); that both ends belong to a range,
//! and that `NOT` is true of objects without a value, is inferred.

use rhai::{Array, Dynamic, NativeCallContext};
use serde_json::{Value, json};

use super::super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::super::moment::Time;
use super::super::super::session::{Fallible, error};
use super::super::query::Objects;
use super::field::Field;
use super::{changed, doc};

type Context<'a> = NativeCallContext<'a>;

/// A field of a search about which nothing has been said yet.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) objects: Objects,
    pub(super) field: Field,
}

impl Condition {
    /// The search with what the term says about the field.
    fn holds(&self, context: &Context<'_>, term: Value) -> Fallible<Objects> {
        let term = self.named(term);
        changed(context, &self.objects, |search| {
            search.terms.push(term);
            Ok(())
        })
    }

    fn holds_not(&self, context: &Context<'_>, term: Value) -> Fallible<Objects> {
        let term = self.named(term);
        changed(context, &self.objects, |search| {
            search.excluded.push(term);
            Ok(())
        })
    }

    fn named(&self, mut term: Value) -> Value {
        term["name"] = self.field.name.clone().into();
        term
    }

    fn values(&self, values: &Array) -> Fallible<Vec<String>> {
        if values.is_empty() {
            return Err(error("`one_of` takes at least one value"));
        }
        let values = values.iter().map(|value| self.field.value(value));
        values.collect()
    }
}

fn shown(signature: &'static str, about: &'static str, example: &'static str) -> FunctionDoc {
    doc(Place::Type("Condition"), signature, about, example)
}

pub(super) fn register(registry: &mut Registry) {
    registry.global().set_custom_type::<Condition>("Condition");
    register_values(registry);
    register_times(registry);
    register_presence(registry);
}

fn register_values(registry: &mut Registry) {
    registry.add(
        shown(
            "equals(value)",
            "The field has this value, or it is one of its values.",
            "for asset in search::assets().field(\"Rights.keywords\").equals(\"draft\") { log::info(asset.title); }",
        ),
        |context: Context<'_>, of: &mut Condition, value: Dynamic| {
            of.holds(&context, json!({ "value": of.field.value(&value)? }))
        },
    );
    registry.add(
        shown(
            "is_not(value)",
            "The field has not this value. One that is unset has not.",
            "for asset in search::assets().field(\"Rights.hold\").is_not(true) { log::info(asset.title); }",
        ),
        |context: Context<'_>, of: &mut Condition, value: Dynamic| {
            of.holds_not(&context, json!({ "value": of.field.value(&value)? }))
        },
    );
    registry.add(
        shown(
            "one_of(values)",
            "The field has one of these values.",
            "for asset in search::assets().field(\"status\").one_of([\"ACTIVE\"]) { log::info(asset.title); }",
        ),
        |context: Context<'_>, of: &mut Condition, values: Array| {
            of.holds(&context, json!({ "value_in": of.values(&values)? }))
        },
    );
    registry.add(
        shown(
            "between(least, most)",
            "The field has a value from the one to the other: numbers, or Times. Both ends are taken to belong to it.",
            "let long = search::assets().field(\"time_end_milliseconds\").between(60_000, 90_000);\nlog::info(long.ids().len());",
        ),
        |context: Context<'_>, of: &mut Condition, least: Dynamic, most: Dynamic| {
            let (min, max) = (of.field.value(&least)?, of.field.value(&most)?);
            of.holds(&context, json!({ "range": { "min": min, "max": max } }))
        },
    );
}

fn register_times(registry: &mut Registry) {
    registry.add(
        shown(
            "before(time)",
            "The field has a time up to this one; a date field is compared by its day, in UTC. Fields without a value are not \
             found. The time itself is taken to belong to it: read the object again before you act on it.",
            "let expired = search::assets().field(\"Rights.expires\").before(time::now());\nlog::info(expired.ids().len());",
        ),
        |context: Context<'_>, of: &mut Condition, time: Time| {
            of.holds(&context, json!({ "range": { "max": of.field.time(time)? } }))
        },
    );
    registry.add(
        shown(
            "after(time)",
            "The field has a time from this one on.",
            "let fresh = search::assets().field(\"date_created\").after(time::now().minus(\"1h\"));\nlog::info(fresh.ids().len());",
        ),
        |context: Context<'_>, of: &mut Condition, time: Time| {
            of.holds(&context, json!({ "range": { "min": of.field.time(time)? } }))
        },
    );
}

fn register_presence(registry: &mut Registry) {
    registry.add(
        shown(
            "exists()",
            "The field has a value.",
            "for asset in search::assets().field(\"Rights.expires\").exists() { log::info(asset.title); }",
        ),
        |context: Context<'_>, of: &mut Condition| of.holds(&context, json!({ "exists": true })),
    );
    registry.add(
        shown(
            "missing()",
            "The field has no value.",
            "for asset in search::assets().field(\"Rights.owner\").missing() { log::info(asset.title); }",
        ),
        |context: Context<'_>, of: &mut Condition| of.holds(&context, json!({ "missing": true })),
    );
}
