//! Segments of an asset: markers, comments, tags, transcription and so on, and the subclips that are cut along them.

mod many;
mod subclip;
mod transcription;

use rhai::{Array, Dynamic, Map, NativeCallContext};
use serde_json::Value;

use super::super::catalog::Registry;
use super::super::session::{Fallible, error};
use super::asset::Asset;
use super::call::{Request, text_at};
use super::ids::{id_of, one_of};
use super::kinds;
use super::metadata;
use super::record::{self, Record, doc};

type Context<'a> = NativeCallContext<'a>;
/// A segment as it was when it was read.
pub(super) type Segment = Record<kinds::Segment>;

/// How many segments are asked for at once: what clients that are in use ask for (reference, 3.5).
const PER_PAGE: usize = 150;
/// How many pages are read before the rule is told to narrow its question.
const PAGES_MAX: usize = 20;
/// The types (`SegmentSchema` of May 2025; the last two are from the list of 2026).
const TYPES: [&str; 10] = [
    "MARKER",
    "QC",
    "GENERIC",
    "COMMENT",
    "TAG",
    "TRANSCRIPTION",
    "SCENE",
    "PERSON",
    "SHOT",
    "SEMANTIC_TRANSCRIPTION",
];

pub(super) fn register(registry: &mut Registry) {
    record::register::<kinds::Segment>(registry);
    record::register_reload::<kinds::Segment>(registry);
    register_reading(registry);
    register_changing(registry);
    many::register(registry);
    subclip::register(registry);
    transcription::register(registry);
    metadata::register_verbs::<kinds::Segment>(registry);
}

fn register_reading(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Asset>(
            "segments(kind)",
            "The segments of one type (`MARKER`, `QC`, `GENERIC`, `COMMENT`, `TAG`, `TRANSCRIPTION`, `SCENE`, `PERSON`, `SHOT`, \
             `SEMANTIC_TRANSCRIPTION`) as a list of Segments, of the current version, in Iconik's order. The list may lag behind \
             writes by a minute.",
            "for marker in asset.segments(\"MARKER\") { log::info(marker.id); }",
        ),
        |context: Context<'_>, asset: &mut Asset, kind: &str| list(&context, asset, kind),
    );
    registry.add(
        doc::<kinds::Asset>(
            "segment(id)",
            "Reads one segment.",
            "let marker = asset.segment(asset.segments(\"MARKER\")[0].id);\nlog::info(marker.segment_type);",
        ),
        |context: Context<'_>, asset: &mut Asset, id: Dynamic| -> Fallible<Segment> {
            Segment::read(&context, &asset.below("segments/"), &id_of("segment", &id)?)
        },
    );
}

fn register_changing(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Asset>(
            "create_segment(values)",
            "Makes a segment of any type and returns it; `segment_type` is required, times are milliseconds (`SegmentSchema`). \
             Needs `segments:write`.",
            "asset.create_segment(#{ segment_type: \"MARKER\", time_start_milliseconds: 0, time_end_milliseconds: 1000 });",
        ),
        |context: Context<'_>, asset: &mut Asset, values: Map| create(&context, asset, &values),
    );
    registry.add(
        doc::<kinds::Segment>(
            "reply(text)",
            "Answers a comment: makes a comment at the same time whose `parent_id` is this segment, and returns it. Needs \
             `segments:write`.",
            "let comment = iconik::asset(event.asset_id).create_segment(#{ segment_type: \"COMMENT\", segment_text: \"Too dark?\", time_start_milliseconds: 0, time_end_milliseconds: 0 });\n\
             if comment.reply(\"Mended.\").parent_id != comment.id { fail(\"parent\"); }",
        ),
        |context: Context<'_>, segment: &mut Segment, text: &str| reply(&context, segment, text),
    );
    record::register_update::<kinds::Segment>(
        registry,
        "Changes keys of the segment (`PATCH`) and returns the changed Segment. Needs `segments:write`.",
        "#{ segment_text: \"Goal\", segment_color: \"#ff0000\" }",
    );
    record::register_delete::<kinds::Segment>(
        registry,
        "Deletes the segment, and the subclip that was cut along it. Needs `segments:delete`.",
    );
}

fn list(context: &Context<'_>, asset: &Asset, kind: &str) -> Fallible<Array> {
    let kind = one_of("type of segments", kind, &TYPES)?;
    let path = asset.below("segments/");
    let mut found = Array::new();
    for page in 1..=PAGES_MAX {
        let answer = Request::get(&path)
            .query("segment_type", kind)
            .query("per_page", PER_PAGE)
            .query("page", page)
            .send(context)?;
        found.extend(Segment::all(&path, objects(&answer).cloned().collect())?);
        if !has_next(&answer) {
            return Ok(found);
        }
    }
    Err(error(format!(
        "the asset has more than {} segments of type {kind}",
        PER_PAGE * PAGES_MAX
    )))
}

fn create(context: &Context<'_>, asset: &Asset, values: &Map) -> Fallible<Segment> {
    if !values.contains_key("segment_type") {
        return Err(error(
            "create_segment needs `segment_type`, for example \"MARKER\"",
        ));
    }
    Segment::create(context, &asset.below("segments/"), values)
}

fn reply(context: &Context<'_>, segment: &Segment, text: &str) -> Fallible<Segment> {
    if text_at(segment.document(), "segment_type") != Some("COMMENT") {
        return Err(error("only a segment of type COMMENT has replies"));
    }
    let mut values = Map::new();
    values.insert("segment_type".into(), "COMMENT".into());
    values.insert("segment_text".into(), text.into());
    values.insert("parent_id".into(), segment.id().to_owned().into());
    for key in ["time_start_milliseconds", "time_end_milliseconds"] {
        if let Some(at) = segment.document().get(key).and_then(Value::as_i64) {
            values.insert(key.into(), at.into());
        }
    }
    let list = segment.path().strip_suffix(&format!("{}/", segment.id()));
    Segment::create(context, list.unwrap_or_default(), &values)
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
