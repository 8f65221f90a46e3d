//! Segments of an asset and the subclips that are cut along them.

use rhai::{Array, Dynamic, Map, NativeCallContext};
use serde_json::{Value, json};

use super::super::convert::{to_dynamic, to_json};
use super::super::session::{Fallible, error};
use super::asset::Asset;
use super::call::{Request, path_id, text_at};
use super::event::nearest;
use crate::model::Method;

/// How many segments are asked for at once: what clients that are in use ask for (reference, 3.5).
const PER_PAGE: usize = 150;
/// How many pages are read before the rule is told to narrow its question.
const PAGES_MAX: usize = 20;

pub(super) fn list(context: &NativeCallContext<'_>, asset: &Asset, kind: &str) -> Fallible<Array> {
    let mut found = Array::new();
    for page in 1..=PAGES_MAX {
        let answer = Request::get(format!("assets/v1/assets/{}/segments/", asset.id()))
            .query("segment_type", kind)
            .query("per_page", PER_PAGE)
            .query("page", page)
            .send(context)?;
        found.extend(objects(&answer).map(to_dynamic));
        if !has_next(&answer) {
            return Ok(found);
        }
    }
    Err(error(format!(
        "the asset has more than {} segments of type {kind}",
        PER_PAGE * PAGES_MAX
    )))
}

/// The objects of a list's answer.
pub(super) fn objects(answer: &Value) -> impl Iterator<Item = &Value> {
    answer
        .get("objects")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// Whether a list goes on: `next_url` is null, empty or absent on its last page (reference, 3.5).
pub(super) fn has_next(answer: &Value) -> bool {
    text_at(answer, "next_url").is_some_and(|url| !url.is_empty())
}

pub(super) fn create(
    context: &NativeCallContext<'_>,
    asset: &Asset,
    values: &Map,
) -> Fallible<Dynamic> {
    let body = to_json(&Dynamic::from_map(values.clone()))?;
    if body.get("segment_type").is_none() {
        return Err(error(
            "create_segment needs `segment_type`, for example \"MARKER\"",
        ));
    }
    let path = format!("assets/v1/assets/{}/segments/", asset.id());
    Ok(to_dynamic(
        &Request::new(Method::Post, path).body(body).send(context)?,
    ))
}

pub(super) fn create_subclip(
    context: &NativeCallContext<'_>,
    asset: &Asset,
    values: &Map,
) -> Fallible<Asset> {
    const KEYS: [&str; 4] = ["title", "start", "end", "segment_id"];
    if let Some(unknown) = values.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let near = nearest(unknown, KEYS.into_iter());
        let advice = near.map_or_else(
            || format!("it takes {}", KEYS.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        return Err(error(format!(
            "create_subclip has no `{unknown}`; {advice}"
        )));
    }
    let title = values
        .get("title")
        .and_then(|title| title.clone().into_immutable_string().ok())
        .ok_or_else(|| error("create_subclip needs `title`, a text"))?;
    let milliseconds = |key: &str| {
        let value = values
            .get(key)
            .and_then(|value| value.as_int().ok())
            .filter(|value| *value >= 0);
        value.ok_or_else(|| {
            error(format!(
                "create_subclip needs `{key}`, a whole number of milliseconds"
            ))
        })
    };
    let (start, end) = (milliseconds("start")?, milliseconds("end")?);
    if end <= start {
        return Err(error(format!(
            "the subclip would end ({end} ms) before it starts ({start} ms)"
        )));
    }
    let segment_id = match values.get("segment_id") {
        Some(id) => path_id("segment", id)?,
        None => {
            let body = json!({
                "segment_type": "GENERIC", "time_start_milliseconds": start, "time_end_milliseconds": end,
            });
            let path = format!("assets/v1/assets/{}/segments/", asset.id());
            let segment = Request::new(Method::Post, path).body(body).send(context)?;
            text_at(&segment, "id")
                .ok_or_else(|| error("Iconik answered a segment without an id"))?
                .to_owned()
        }
    };
    let body = json!({
        "title": title.as_str(),
        "type": "SUBCLIP",
        "original_asset_id": asset.id(),
        "original_version_id": asset.version_id(),
        "original_segment_id": segment_id,
        "time_start_milliseconds": start,
        "time_end_milliseconds": end,
    });
    Asset::of(
        Request::new(Method::Post, "assets/v1/assets/")
            .body(body)
            .send(context)?,
    )
}
