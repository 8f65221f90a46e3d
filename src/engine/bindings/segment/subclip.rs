//! Subclips: assets of their own that show a part of another one.

use rhai::{Map, NativeCallContext};
use serde_json::json;

use super::super::super::catalog::Registry;
use super::super::super::session::{Fallible, error};
use super::super::asset::{self, Asset};
use super::super::call::{Request, text_at};
use super::super::event::nearest;
use super::super::ids::id_of;
use super::super::kinds;
use super::super::record::doc;

type Context<'a> = NativeCallContext<'a>;

pub(super) fn register(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Asset>(
            "create_subclip(values)",
            "Makes a subclip of this asset and returns the new Asset: `title`, `start` and `end` in milliseconds, and \
             `segment_id` if the segment is there already; otherwise a `GENERIC` segment is made first, because no document \
             says that Iconik makes one. Needs `assets:write`, and `segments:write` without `segment_id`.",
            "let clip = asset.create_subclip(#{ title: \"Goal\", start: 1_000, end: 9_000 });\nlog::info(clip.id);",
        ),
        |context: Context<'_>, asset: &mut Asset, values: Map| create(&context, asset, &values),
    );
}

fn create(context: &Context<'_>, asset: &Asset, values: &Map) -> Fallible<Asset> {
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
        Some(id) => id_of("segment", id)?,
        None => {
            let body = json!({
                "segment_type": "GENERIC", "time_start_milliseconds": start, "time_end_milliseconds": end,
            });
            let segment = Request::post(asset.below("segments/"))
                .body(body)
                .send(context)?;
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
        asset::LIST,
        Request::post(asset::LIST).body(body).send(context)?,
    )
}
