//! `event.object(kind)`: reads again what an event is about, because events come late, out of order and in part.

use rhai::{Dynamic, NativeCallContext};
use serde_json::Value;

use super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::session::{Fallible, error};
use super::event::EventView;
use super::ids::one_of;
use super::kinds::{self, Kind};
use super::record::Record;
use crate::model::Event;

type Context<'a> = NativeCallContext<'a>;

/// What can be read again.
const KINDS: [&str; 10] = [
    "asset",
    "collection",
    "file",
    "file_set",
    "format",
    "job",
    "keyframe",
    "proxy",
    "segment",
    "share",
];

pub(super) fn register(registry: &mut Registry) {
    registry.add(
        FunctionDoc {
            place: Place::Type("event"),
            signature: "object(kind)",
            about: "Reads again what the event is about: `\"asset\"`, `\"collection\"`, or a part of them: `\"share\"`, `\"segment\"`, \
                    `\"format\"`, `\"file_set\"`, `\"file\"`, `\"proxy\"`, `\"keyframe\"`, `\"job\"`. Of a part, its id is that in `data`, else the \
                    event's `object_id` (recorded for shares, inferred for the others). An error where the event names none.",
            example: "let asset = event.object(\"asset\");\nlog::info(asset.title);",
        },
        |context: Context<'_>, event: &mut EventView, kind: &str| object(&context, event.event(), kind),
    );
}

fn object(context: &Context<'_>, event: &Event, kind: &str) -> Fallible<Dynamic> {
    let kind = one_of("kind of object here", kind, &KINDS)?;
    let named = |id: Option<&str>, what: &str| {
        let id = id.filter(|id| {
            !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        });
        id.map(ToOwned::to_owned)
            .ok_or_else(|| error(format!("the event names no {what}")))
    };
    let data = |key: &str| {
        event
            .body
            .get("data")
            .and_then(|data| data.get(key))
            .and_then(Value::as_str)
    };
    let top = |key: &str| event.body.get(key).and_then(Value::as_str);
    let own = || named(data("id").or_else(|| top("object_id")), kind);
    let asset = || named(event.asset_id(), "asset");
    let part = |service: &str, list: &str| {
        Ok::<_, Box<rhai::EvalAltResult>>(format!("{service}/v1/assets/{}/{list}/", asset()?))
    };
    match kind {
        "asset" => read::<kinds::Asset>(context, "assets/v1/assets/", &asset()?),
        "collection" => read::<kinds::Collection>(
            context,
            "assets/v1/collections/",
            &named(event.collection_id(), kind)?,
        ),
        "job" => read::<kinds::Job>(context, "jobs/v1/jobs/", &own()?),
        "segment" => read::<kinds::Segment>(context, &part("assets", "segments")?, &own()?),
        "format" => read::<kinds::Format>(context, &part("files", "formats")?, &own()?),
        "file_set" => read::<kinds::FileSet>(context, &part("files", "file_sets")?, &own()?),
        "file" => read::<kinds::File>(context, &part("files", "files")?, &own()?),
        "proxy" => read::<kinds::Proxy>(context, &part("files", "proxies")?, &own()?),
        "keyframe" => read::<kinds::Keyframe>(context, &part("files", "keyframes")?, &own()?),
        _ => {
            // Recorded: `data.object_type` and `data.object_id` name what is shared, `object_id` the share.
            let shared = named(
                data("object_type").or_else(|| top("event_type")),
                "type of what is shared",
            )?;
            let id = named(data("object_id"), "shared object")?;
            read::<kinds::Share>(
                context,
                &format!("assets/v1/{shared}/{id}/shares/"),
                &own()?,
            )
        }
    }
}

fn read<K: Kind>(context: &Context<'_>, list: &str, id: &str) -> Fallible<Dynamic> {
    Ok(Dynamic::from(Record::<K>::read(context, list, id)?))
}
