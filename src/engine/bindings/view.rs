//! A metadata view: which fields it has and how their values look to a rule.
//!
//! The list of views names no types, one view does (`MetadataViewForListSchema` and `MetadataViewSchema` of
//! Iconik's metadata document), so a view is looked up by name in the list and then read by id. Both change
//! seldom and may come from the gateway's cache.

use rhai::{Array, Dynamic, NativeCallContext};
use serde_json::Value;

use super::super::convert::{to_dynamic, to_json, type_name};
use super::super::moment::Time;
use super::super::session::{Fallible, error};
use super::call::{Request, text_at};
use super::event::nearest;
use super::ids::{is_uuid, only};

/// A view with its fields.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) fields: Vec<Field>,
}

/// A field of a view.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    kind: String,
    pub(super) multi: bool,
}

impl View {
    /// Looks a view up by its name or id.
    pub(super) fn look_up(context: &NativeCallContext<'_>, name_or_id: &str) -> Fallible<Self> {
        let id = Self::id_of(context, name_or_id)?;
        let document = Request::get(format!("metadata/v1/views/{id}/"))
            .query("merge_fields", true)
            .cacheable()
            .send(context)?;
        let fields = document
            .get("view_fields")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Field::of);
        Ok(Self {
            name: text_at(&document, "name").unwrap_or(name_or_id).to_owned(),
            id,
            fields: fields.collect(),
        })
    }

    /// The id of the view of this name, or the id itself.
    pub(super) fn id_of(context: &NativeCallContext<'_>, name: &str) -> Fallible<String> {
        if is_uuid(name) {
            return Ok(name.to_owned());
        }
        let answer = Request::get("metadata/v1/views/")
            .cacheable()
            .send(context)?;
        let views: Vec<(&str, &str)> = answer
            .get("objects")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|view| Some((text_at(view, "name")?, text_at(view, "id")?)))
            .collect();
        only("metadata view", name, &views)
    }

    /// The field of this name.
    pub(super) fn field(&self, name: &str) -> Fallible<&Field> {
        self.fields
            .iter()
            .find(|field| field.name == name)
            .ok_or_else(|| {
                let near = nearest(name, self.fields.iter().map(|field| field.name.as_str()));
                let names = || {
                    self.fields
                        .iter()
                        .map(|field| format!("`{}`", field.name))
                        .take(20)
                        .collect::<Vec<_>>()
                        .join(", ")
                };
                let advice = near.map_or_else(
                    || format!("it has {}", names()),
                    |near| format!("did you mean `{near}`?"),
                );
                error(format!(
                    "the view `{}` has no field `{name}`; {advice}",
                    self.name
                ))
            })
    }
}

impl Field {
    fn of(document: &Value) -> Option<Self> {
        let name = text_at(document, "name")?;
        if name == "__separator__" {
            return None;
        }
        Some(Self {
            name: name.to_owned(),
            kind: text_at(document, "field_type")
                .unwrap_or("string")
                .to_owned(),
            multi: document
                .get("multi")
                .and_then(Value::as_bool)
                .unwrap_or(false),
        })
    }

    /// Its type, as Iconik names it.
    pub(super) fn kind(&self) -> &str {
        &self.kind
    }

    /// A stored value in the one form that values are compared in.
    fn normal(&self, value: &Value) -> Value {
        let text = || {
            value
                .as_str()
                .map_or_else(|| value.to_string(), ToOwned::to_owned)
        };
        let normal = match self.kind.as_str() {
            "integer" => value
                .as_i64()
                .or_else(|| text().trim().parse().ok())
                .map(Value::from),
            "float" => value
                .as_f64()
                .or_else(|| text().trim().parse().ok())
                .map(Value::from),
            "boolean" => value
                .as_bool()
                .or_else(|| text().trim().parse().ok())
                .map(Value::from),
            "date" => Time::parse(&text()).map(|time| Value::from(time.date())),
            "datetime" => Time::parse(&text()).map(|time| Value::from(time.to_string())),
            _ => Some(Value::from(text())),
        };
        normal.unwrap_or_else(|| value.clone())
    }

    /// What a rule sees: one value, or a list if and only if the field is `multi`; `()` when it is unset.
    pub(super) fn read(&self, values: &[Value]) -> Dynamic {
        if values.is_empty() {
            return Dynamic::UNIT;
        }
        if self.multi {
            return values
                .iter()
                .map(|value| self.read_one(value))
                .collect::<Array>()
                .into();
        }
        self.read_one(&values[0])
    }

    fn read_one(&self, value: &Value) -> Dynamic {
        let normal = self.normal(value);
        if matches!(self.kind.as_str(), "date" | "datetime")
            && let Some(time) = normal.as_str().and_then(Time::parse)
        {
            return Dynamic::from(time);
        }
        to_dynamic(&normal)
    }

    /// The values that a rule gives, checked against the field's type, in their normal form.
    pub(super) fn write(&self, value: &Dynamic) -> Fallible<Vec<Value>> {
        if let Some(items) = value.read_lock::<Array>() {
            if !self.multi {
                return Err(error(format!(
                    "the field `{}` takes one value, not a list",
                    self.name
                )));
            }
            return items.iter().map(|item| self.write_one(item)).collect();
        }
        Ok(vec![self.write_one(value)?])
    }

    fn write_one(&self, value: &Dynamic) -> Fallible<Value> {
        let wrong = |wanted: &str| {
            error(format!(
                "the field `{}` takes {wanted}, and this is a {}",
                self.name,
                type_name(value)
            ))
        };
        let json = to_json(value)?;
        let fits = match self.kind.as_str() {
            "integer" => json
                .is_i64()
                .then_some(())
                .ok_or_else(|| wrong("a whole number")),
            "float" => json
                .is_number()
                .then_some(())
                .ok_or_else(|| wrong("a number")),
            "boolean" => json
                .is_boolean()
                .then_some(())
                .ok_or_else(|| wrong("true or false")),
            "date" | "datetime" => json
                .as_str()
                .and_then(Time::parse)
                .map(|_| ())
                .ok_or_else(|| wrong("a Time, or a text such as 2026-03-01")),
            _ => json
                .is_string()
                .then_some(())
                .ok_or_else(|| wrong("a text")),
        };
        fits.map(|()| self.normal(&json))
    }

    /// Stored values in their normal form.
    pub(super) fn normalize(&self, values: &[Value]) -> Vec<Value> {
        values.iter().map(|value| self.normal(value)).collect()
    }
}
