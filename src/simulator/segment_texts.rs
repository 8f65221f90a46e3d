//! Segments in bulk, and segments as texts: a table, or subtitles.
//!
//! The columns of the table are not published: they are the times, the type, the text and the user.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::operation::{Ask, Done};
use super::refusal::Refusal;
use super::routes::{Routes, operations};
use super::segments;
use super::shape::{Extent, Key, Kind, checked, key};
use super::table::{Document, text};
use super::world::World;
use crate::model::Method::{Delete, Get, Post, Put};

/// The most segments of one request, as documented for deleting.
const SEGMENTS_MAX: usize = 500;

/// The keys of `DeleteSegmentsSchema`.
const DELETE_KEYS: [Key; 3] = [
    key("segment_ids", Kind::TextList),
    key("segment_type", Kind::OneOf(&segments::TYPES)),
    key("version_id", Kind::Id).nullable(),
];

pub(super) fn routes() -> Routes {
    const OF: &str = "/assets/v1/assets/{asset_id}/segments";
    Routes::new()
        .route(
            &format!("{OF}/bulk/"),
            operations([(Post, create), (Put, change), (Delete, remove)]),
        )
        .route(&format!("{OF}/csv/"), operations([(Get, table)]))
        .route(&format!("{OF}/srt/"), operations([(Get, srt)]))
        .route(&format!("{OF}/vtt/"), operations([(Get, vtt)]))
}

fn objects(ask: &Ask) -> Result<Vec<Document>, Refusal> {
    let keys = [key("objects", Kind::List).required()];
    let given = checked(&ask.body()?, &keys, Extent::Whole)?;
    let objects = given["objects"].as_array().into_iter().flatten();
    let objects: Option<Vec<_>> = objects.map(|it| it.as_object().cloned()).collect();
    let objects = objects.filter(|them| (1..=SEGMENTS_MAX).contains(&them.len()));
    let message = format!("Must be 1 to {SEGMENTS_MAX} objects");
    objects.ok_or_else(|| Refusal::invalid("objects", message))
}

/// All or none: every object is checked before the first is made; inferred.
fn create(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let asset = ask.param("asset_id");
    world.asset(asset)?;
    let objects = objects(ask)?;
    for object in &objects {
        checked(object, &segments::KEYS, Extent::Whole)?;
    }
    let mut made = Vec::new();
    let mut changes = Vec::new();
    for object in &objects {
        let (segment, change) = segments::add(world, &ask.caller, asset, object, None)?;
        made.push(segment);
        changes.push(change);
    }
    let answer = json!({ "objects": made });
    Ok(Done::created(answer).with(changes))
}

fn change(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let asset = ask.param("asset_id");
    world.asset(asset)?;
    let objects = objects(ask)?;
    for object in &objects {
        segments::of_asset(world, asset, text(object, "id"))?;
        checked(object, &segments::KEYS, Extent::Part)?;
    }
    let mut changed = Vec::new();
    let mut changes = Vec::new();
    for object in &objects {
        let id = text(object, "id");
        let (segment, change) =
            segments::edit(world, &ask.caller, asset, id, object, Extent::Part)?;
        changed.push(segment);
        changes.push(change);
    }
    let answer = json!({ "objects": changed });
    Ok(Done::created(answer).with(changes))
}

/// By their ids, or all of a type.
fn remove(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let asset = ask.param("asset_id");
    world.asset(asset)?;
    let given = checked(&ask.body()?, &DELETE_KEYS, Extent::Part)?;
    let named = given.get("segment_ids").and_then(Value::as_array);
    if named.is_some_and(|named| named.len() > SEGMENTS_MAX) {
        let message = format!("Must be at most {SEGMENTS_MAX} ids");
        return Err(Refusal::invalid("segment_ids", message));
    }
    let (kind, version) = (text(&given, "segment_type"), text(&given, "version_id"));
    if named.is_none() && kind.is_empty() {
        return Err(Refusal::bad("segment_ids or segment_type must be given"));
    }
    let meant = world.segments.group(asset).filter(|segment| {
        let is_named = named.is_none_or(|named| named.contains(&segment["id"]));
        let of_kind = kind.is_empty() || text(segment, "segment_type") == kind;
        let of_version = version.is_empty() || text(segment, "version_id") == version;
        is_named && of_kind && of_version
    });
    let meant: Vec<_> = meant.map(|it| text(it, "id").to_owned()).collect();
    let changes = meant.iter().filter_map(|id| segments::erase(world, id));
    let changes: Vec<_> = changes.collect();
    Ok(Done::bare(StatusCode::NO_CONTENT).with(changes))
}

/// What the exports show of a segment.
struct Line<'a> {
    start: i64,
    end: i64,
    segment: &'a Document,
}

fn lines<'a>(world: &'a World, ask: &Ask) -> Result<Vec<Line<'a>>, Refusal> {
    world.asset(ask.param("asset_id"))?;
    let wanted = ask.query.get("segment_type");
    let time = |segment: &Document, key: &str| segment.get(key).and_then(Value::as_i64);
    let mut lines: Vec<_> = world
        .segments
        .group(ask.param("asset_id"))
        .filter(|it| text(it, "status") == "ACTIVE")
        .filter(|it| wanted.is_none_or(|wanted| text(it, "segment_type") == wanted))
        .map(|segment| {
            let start = time(segment, "time_start_milliseconds").unwrap_or(0);
            Line {
                start,
                end: time(segment, "time_end_milliseconds").unwrap_or(start),
                segment,
            }
        })
        .collect();
    lines.sort_by_key(|line| line.start);
    Ok(lines)
}

fn table(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut rows = vec![
        "time_start_milliseconds,time_end_milliseconds,segment_type,segment_text,user_id"
            .to_owned(),
    ];
    for Line {
        start,
        end,
        segment,
    } in lines(world, ask)?
    {
        let said =
            ["segment_type", "segment_text", "user_id"].map(|key| quoted(text(segment, key)));
        rows.push(format!("{start},{end},{}", said.join(",")));
    }
    Ok(Done::text("text/csv", rows.join("\r\n") + "\r\n"))
}

fn srt(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let lines = lines(world, ask)?;
    let cues = (1..).zip(&lines).map(|(number, line)| {
        let (from, to) = (clock(line.start, ','), clock(line.end, ','));
        format!(
            "{number}\n{from} --> {to}\n{}\n",
            text(line.segment, "segment_text")
        )
    });
    Ok(Done::text("text/srt", cues.collect::<Vec<_>>().join("\n")))
}

fn vtt(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let lines = lines(world, ask)?;
    let cues = lines.iter().map(|line| {
        let (from, to) = (clock(line.start, '.'), clock(line.end, '.'));
        format!(
            "\n{from} --> {to}\n{}\n",
            text(line.segment, "segment_text")
        )
    });
    Ok(Done::text(
        "text/vtt",
        format!("WEBVTT\n{}", cues.collect::<String>()),
    ))
}

/// `00:01:02,345`.
fn clock(milliseconds: i64, mark: char) -> String {
    let (seconds, rest) = (milliseconds.div_euclid(1000), milliseconds.rem_euclid(1000));
    let (minutes, second) = (seconds / 60, seconds % 60);
    format!(
        "{:02}:{:02}:{second:02}{mark}{rest:03}",
        minutes / 60,
        minutes % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_as_subtitles_show_it() {
        assert_eq!(clock(3_723_045, ','), "01:02:03,045");
        assert_eq!(clock(0, '.'), "00:00:00.000");
    }
}
