//! Many segments at once.

use rhai::{Array, Dynamic, NativeCallContext};
use serde_json::json;

use super::super::super::catalog::Registry;
use super::super::super::session::{Fallible, error};
use super::super::asset::Asset;
use super::super::call::Request;
use super::super::ids::{ids_of, in_turns, jobs_of, objects_in_turns, one_of};
use super::super::job;
use super::super::kinds;
use super::super::record::doc;
use super::TYPES;

type Context<'a> = NativeCallContext<'a>;

pub(super) fn register(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Asset>(
            "create_segments(list)",
            "Makes many segments, given as maps like that of `create_segment`, 500 in a request, and returns the jobs that Iconik \
             names for it as a list of Jobs. Needs `segments:write`.",
            "asset.create_segments([\n    #{ segment_type: \"TAG\", segment_text: \"goal\", time_start_milliseconds: 0, time_end_milliseconds: 500 },\n    \
             #{ segment_type: \"TAG\", segment_text: \"foul\", time_start_milliseconds: 500, time_end_milliseconds: 900 },\n]);",
        ),
        |context: Context<'_>, asset: &mut Asset, list: Array| -> Fallible<Array> {
            let path = asset.below("segments/bulk/");
            let answers = objects_in_turns(&context, &list, "segment_type", |objects| {
                Request::post(&path).body(objects)
            })?;
            jobs_of(&answers)
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "update_segments(list)",
            "Sets many segments (`PUT`), given as maps with `id` and `segment_type`, 500 in a request, and returns the Jobs that Iconik \
             names for it as a list. Needs `segments:write`.",
            "let marker = asset.segments(\"MARKER\")[0];\n\
             asset.update_segments([#{ id: marker.id, segment_type: \"MARKER\", segment_text: \"Goal\" }]);",
        ),
        |context: Context<'_>, asset: &mut Asset, list: Array| -> Fallible<Array> {
            let path = asset.below("segments/bulk/");
            let answers = objects_in_turns(&context, &list, "id", |objects| Request::put(&path).body(objects))?;
            jobs_of(&answers)
        },
    );
    register_deleting(registry);
}

fn register_deleting(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Asset>(
            "delete_segments(segments)",
            "Deletes many segments, given as ids or Segments, 500 in a request. Needs `segments:delete`.",
            "asset.delete_segments(asset.segments(\"MARKER\"));",
        ),
        |context: Context<'_>, asset: &mut Asset, segments: Array| -> Fallible<()> {
            in_turns(&context, &ids_of("segment", &segments)?, |ids| {
                Ok(Request::delete(asset.below("segments/bulk/")).body(json!({ "segment_ids": ids })))
            })
            .map(drop)
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "delete_segments(kind)",
            "Deletes all segments of one type, of the current version. Needs `segments:delete`.",
            "asset.delete_segments(\"MARKER\");",
        ),
        |context: Context<'_>, asset: &mut Asset, kind: &str| -> Fallible<()> {
            let kind = one_of("type of segments", kind, &TYPES)?;
            let version = asset
                .version_id()
                .ok_or_else(|| error("the asset has no version"))?;
            let body = json!({ "segment_type": kind, "version_id": version });
            Request::delete(asset.below("segments/bulk/"))
                .body(body)
                .send(&context)
                .map(drop)
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "reindex_segments()",
            "Asks Iconik to read the segments into its search anew, and returns the Job, or `()` where Iconik names none. Needs \
             `segments:write`.",
            "asset.reindex_segments();",
        ),
        |context: Context<'_>, asset: &mut Asset| -> Fallible<Dynamic> {
            job::named(&Request::post(asset.below("segments/reindex/")).body(json!({})).send(&context)?)
        },
    );
}
