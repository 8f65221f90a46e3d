//! Transcriptions: what is said in an asset, as segments that belong together.

use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::super::super::catalog::Registry;
use super::super::super::convert::to_dynamic;
use super::super::super::session::{Fallible, error};
use super::super::asset::Asset;
use super::super::call::Request;
use super::super::ids::id_of;
use super::super::kinds;
use super::super::listing::{self, Paging};
use super::super::record::doc;
use crate::model::Method;

type Context<'a> = NativeCallContext<'a>;

pub(super) fn register(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Asset>(
            "transcriptions()",
            "What is known of the transcriptions of the current version, as a list of maps with `id`, `language`, \
             `speaker_labels`.",
            "for transcription in asset.transcriptions() { log::info(transcription.language); }",
        ),
        |context: Context<'_>, asset: &mut Asset| -> Fallible<Array> {
            let request = Request::get(path(asset, "properties/")?);
            let found = listing::all(&context, "transcriptions", Paging::Whole, &request)?;
            Ok(found.iter().map(to_dynamic).collect())
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "create_transcription(values)",
            "Begins a transcription of the current version, `language` and `speaker_labels` given, and returns it as a map. Its `id` \
             is the `transcription_id` of the segments of type `TRANSCRIPTION` that `create_segments` makes next; each has \
             `transcription: #{ speaker, words: [#{ value, start_ms, end_ms, score }] }`, times from the segment's start. Needs \
             `segments:write`.",
            "let transcription = asset.create_transcription(#{ language: \"en\" });\n\
             asset.create_segments([#{ segment_type: \"TRANSCRIPTION\", transcription_id: transcription.id, segment_text: \"Good evening\", \
             time_start_milliseconds: 0, time_end_milliseconds: 800 }]);",
        ),
        |context: Context<'_>, asset: &mut Asset, values: Map| -> Fallible<Dynamic> {
            Ok(to_dynamic(&Request::post(path(asset, "properties/")?).values(&values)?.send(&context)?))
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "update_transcription(transcription, values)",
            "Changes the `language` or the `speaker_labels` (`PATCH`), and returns the transcription as a map. Needs \
             `segments:write`.",
            "let transcription = asset.create_transcription(#{ language: \"en\" });\n\
             asset.update_transcription(transcription, #{ language: \"de\" });",
        ),
        |context: Context<'_>, asset: &mut Asset, transcription: Dynamic, values: Map| -> Fallible<Dynamic> {
            let path = path(asset, &format!("{}/properties/", id_of("transcription", &transcription)?))?;
            Ok(to_dynamic(&Request::new(Method::Patch, path).values(&values)?.send(&context)?))
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "delete_transcription(transcription)",
            "Deletes what is known of a transcription. Its segments are deleted by `delete_segments`. Needs `segments:delete`.",
            "let transcription = asset.create_transcription(#{ language: \"en\" });\n\
             asset.delete_transcription(transcription);",
        ),
        |context: Context<'_>, asset: &mut Asset, transcription: Dynamic| -> Fallible<()> {
            let path = path(asset, &format!("{}/properties/", id_of("transcription", &transcription)?))?;
            Request::delete(path).send(&context).map(drop)
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "import_subtitles(values)",
            "Makes a transcription of the current version from subtitles: `content`, `format` (`\"VTT\"`, `\"WEBVTT\"`, `\"SRT\"`), \
             `language`, and `delete_old_transcriptions` if the old ones shall go. Returns what is known of it as a map. Needs \
             `segments:write`.",
            "asset.import_subtitles(#{ format: \"SRT\", language: \"en\", content: \"1\\n00:00:00,000 --> 00:00:01,000\\nGood evening\\n\" });",
        ),
        |context: Context<'_>, asset: &mut Asset, values: Map| -> Fallible<Dynamic> {
            Ok(to_dynamic(&Request::post(path(asset, "subtitles/")?).values(&values)?.send(&context)?))
        },
    );
}

/// A path below the transcriptions of the current version.
fn path(asset: &Asset, rest: &str) -> Fallible<String> {
    let version = asset
        .version_id()
        .ok_or_else(|| error("the asset has no version"))?;
    Ok(asset.below(&format!("versions/{version}/transcriptions/{rest}")))
}
