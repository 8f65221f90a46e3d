//! Machine time: analysis, transcription, keyframes.

use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::session::Fallible;
use super::asset::Asset;
use super::call::Request;
use super::ids::{ids_of, in_turns, jobs_of, one_of};
use super::job;
use super::kinds;
use super::record::doc;

type Context<'a> = NativeCallContext<'a>;

/// What can be worked on in one request (`BulkAnalyzeSchema`).
const MANY: [&str; 3] = ["assets", "collections", "saved_searches"];

pub(super) fn register(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Asset>(
            "analyze(options)",
            "Has the asset analyzed by the default profile and returns the Job, or `()` where Iconik names none: `force`, `force_type` \
             (`\"APPEND\"`, `\"OVERWRITE\"`), `service_name` (`AnalyzeSchema`). Needs `transcode:write`.",
            "asset.analyze(#{ force: true });",
        ),
        |context: Context<'_>, asset: &mut Asset, options: Map| -> Fallible<Dynamic> {
            let path = format!("transcode/v1/analyze/assets/{}/profiles/default/", asset.id());
            job::named(&Request::post(path).values(&options)?.send(&context)?)
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "transcribe(options)",
            "Has the speech of the asset transcribed by the default profile and returns the Job, or `()` where Iconik names none: \
             `language`, `speakers`, `engine`, `force`, `translate_languages` and so on (`TranscribeSchema`). Needs `transcode:write`.",
            "asset.transcribe(#{ language: \"en\" });",
        ),
        |context: Context<'_>, asset: &mut Asset, options: Map| -> Fallible<Dynamic> {
            let path = format!("transcode/v1/transcribe/assets/{}/profiles/default/", asset.id());
            job::named(&Request::post(path).values(&options)?.send(&context)?)
        },
    );
    register_many(registry);
}

fn register_many(registry: &mut Registry) {
    const MANY_OF: [(&str, &str, &str, &str); 3] = [
        (
            "analyze(object_type, ids, options)",
            "transcode/v1/analyze/bulk/",
            "Has many assets, or what is in collections or saved searches, analyzed, 500 in a request, and returns the Jobs as a list; \
             options as for an asset, and `profile_id` (`BulkAnalyzeSchema`). Needs `transcode:write`.",
            "iconik::analyze(\"assets\", [event.asset_id], #{});",
        ),
        (
            "transcribe(object_type, ids, options)",
            "transcode/v1/transcribe/bulk/",
            "Has the speech of many transcribed, likewise (`BulkTranscribeSchema`). Needs `transcode:write`.",
            "iconik::transcribe(\"assets\", [event.asset_id], #{ language: \"en\" });",
        ),
        (
            "create_keyframes(object_type, ids, options)",
            "files/v1/assets/bulk/keyframes/",
            "Has keyframes and proxies of many made, likewise: `format_name`, `priority` and so on (`BulkTranscodeSchema`). Needs \
             `transcode:write`.",
            "iconik::create_keyframes(\"assets\", [event.asset_id], #{ format_name: \"ORIGINAL\" });",
        ),
    ];
    for (signature, path, about, example) in MANY_OF {
        registry.add(
            FunctionDoc {
                place: Place::Module("iconik"),
                signature,
                about,
                example,
            },
            move |context: Context<'_>,
                  object_type: &str,
                  ids: Array,
                  options: Map|
                  -> Fallible<Array> {
                let object_type = one_of("type of objects here", object_type, &MANY)?;
                let answers = in_turns(&context, &ids_of("object", &ids)?, |ids| {
                    Request::post(path).values_with(
                        &options,
                        [("object_ids", ids), ("object_type", object_type.into())],
                    )
                })?;
                jobs_of(&answers)
            },
        );
    }
}
