//! What somebody filled in before pressing a button: the values of a metadata view, by the types of its fields.
//!
//! Iconik sends texts and the view's id (recorded); which type a field has only the view says. So the first time that a
//! rule looks at `event.form`, the view is read: a step like any other, which may come from the gateway's cache.

use rhai::{Dynamic, Map, NativeCallContext};
use serde_json::Value;

use super::super::session::Fallible;
use super::call::text_at;
use super::metadata::stored_values;
use super::view::View;

/// The form of a button's body: fields that are empty, or that the view no longer has, are absent.
pub(super) fn read(context: &NativeCallContext<'_>, body: &Value) -> Fallible<Dynamic> {
    let Some(view) = text_at(body, "metadata_view_id") else {
        return Ok(Map::new().into());
    };
    let view = View::look_up(context, view)?;
    let mut form = Map::new();
    for field in &view.fields {
        let content = body
            .get("metadata_values")
            .and_then(|it| it.get(&field.name));
        let mut values = content.map_or_else(Vec::new, stored_values);
        values.retain(|value| value.as_str() != Some(""));
        if !values.is_empty() {
            form.insert(field.name.as_str().into(), field.read(&values));
        }
    }
    Ok(form.into())
}
