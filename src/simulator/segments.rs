//! Segments: markers, comments and ranges on an asset's time line. Their events are, like those of shares,
//! inferred to carry the segment's own id as `object_id` and its document, with `asset_id`, as `data`.

use serde_json::{Value, json};

use super::metadata::{self, Target};
use super::operation::{Ask, Caller, Change, Done};
use super::paging::{Bounds, Row};
use super::refusal::Refusal;
use super::routes::{Routes, operations};
use super::search::Query;
use super::shape::{Extent, Key, Kind, checked, key};
use super::table::{Document, text};
use super::world::{World, current_version, document, new_id, overlay};
use crate::model::Method::{Delete, Get, Patch, Post, Put};

/// The types of segments.
pub(super) const TYPES: [&str; 10] = [
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

/// The writable keys of `SegmentSchema`.
pub(super) const KEYS: [Key; 25] = [
    key("segment_type", Kind::OneOf(&TYPES)).required(),
    key("time_start_milliseconds", Kind::Whole).nullable(),
    key("time_end_milliseconds", Kind::Whole).nullable(),
    key("segment_text", Kind::Text).nullable(),
    key("segment_color", Kind::Text),
    key("segment_track", Kind::Text).nullable(),
    key("segment_checked", Kind::Flag),
    key("drawing", Kind::Object).nullable(),
    key("external_id", Kind::Text).nullable(),
    key("face_bounding_boxes", Kind::List).nullable(),
    key("keyframe_id", Kind::Id).nullable(),
    key("metadata", Kind::Object),
    key("metadata_view_id", Kind::Id).nullable(),
    key("parent_id", Kind::Id),
    key("path", Kind::Text),
    key("person_id", Kind::Id).nullable(),
    key("project_id", Kind::Id).nullable(),
    key("share_id", Kind::Id).nullable(),
    key("share_user_email", Kind::Text).nullable(),
    key("status", Kind::OneOf(&["ACTIVE", "DELETED"])),
    key("top_level", Kind::Flag),
    key("transcription", Kind::Object),
    key("transcription_id", Kind::Id).nullable(),
    key("user_id", Kind::Id),
    key("version_id", Kind::Id),
];

/// The query parameters of the list that compare with the key of the same name.
const FILTERS: [&str; 8] = [
    "segment_type",
    "segment_color",
    "transcription_id",
    "version_id",
    "status",
    "person_id",
    "share_id",
    "project_id",
];

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/assets/v1/assets/{asset_id}/segments/",
            operations([(Get, list), (Post, create)]),
        )
        .route(
            "/assets/v1/assets/{asset_id}/segments/{segment_id}/",
            operations([
                (Get, read_or_list_by_type),
                (Patch, change),
                (Put, replace),
                (Delete, remove),
            ]),
        )
        .also(Get, "/assets/v1/assets/{asset_id}/segments/{segment_type}/")
}

/// The segments of the current version, unless a version or all are asked for.
fn list(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    list_of_type(world, ask, None)
}

/// One path is two: `/segments/{segment_id}/` and `/segments/{segment_type}/`.
fn read_or_list_by_type(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    match ask.param("segment_id") {
        kind if TYPES.contains(&kind) => list_of_type(world, ask, Some(kind)),
        _ => Ok(Done::ok(find(world, ask)?.clone())),
    }
}

fn list_of_type(world: &mut World, ask: &Ask, kind: Option<&str>) -> Result<Done, Refusal> {
    if let Some(batch) = world.scrolls.next(ask) {
        return batch.map(Done::ok);
    }
    let asset = world.asset(ask.param("asset_id"))?;
    let current = current_version(asset).to_owned();
    let mut wanted = ask.wanted(&FILTERS);
    wanted.extend(kind.map(|kind| ("segment_type", kind)));
    if !ask.flag("include_all_versions") && !ask.query.contains_key("version_id") {
        wanted.push(("version_id", current.as_str()));
    }
    if !ask.query.contains_key("status") {
        wanted.push(("status", "ACTIVE"));
    }
    let times = times(ask)?;
    let query = Query::of(ask, "segment_text", &world.fields)?;
    let shown = world.index.shown(ask.caller.now);
    let rows = shown
        .segments
        .group(ask.param("asset_id"))
        .filter(|it| wanted.iter().all(|(key, value)| text(it, key) == *value))
        .filter(|it| ask.among("ids", text(it, "id")))
        .filter(|it| times.iter().all(|time| time.holds(it)))
        .filter(|it| query.means("segments", it, shown))
        .map(Row::plain)
        .collect();
    world.scrolls.list(rows, ask, Bounds::INDEXED).map(Done::ok)
}

/// What a query parameter wants of a segment's times.
struct TimeWanted {
    key: &'static str,
    holds: fn(i64, i64) -> bool,
    than: i64,
}

impl TimeWanted {
    /// A segment without the time has none that could be compared.
    fn holds(&self, segment: &Document) -> bool {
        let time = segment.get(self.key).and_then(Value::as_i64);
        time.is_some_and(|time| (self.holds)(time, self.than))
    }
}

/// Iconik's own parameters: both times exactly, the start from and the end up to one.
fn times(ask: &Ask) -> Result<Vec<TimeWanted>, Refusal> {
    type Comparison = (&'static str, &'static str, fn(i64, i64) -> bool);
    let (start, end) = ("time_start_milliseconds", "time_end_milliseconds");
    let comparisons: [Comparison; 4] = [
        (start, start, |time, than| time == than),
        (end, end, |time, than| time == than),
        ("time_start_milliseconds__gte", start, |time, than| {
            time >= than
        }),
        ("time_end_milliseconds__lte", end, |time, than| time <= than),
    ];
    let given = comparisons
        .into_iter()
        .filter_map(|(name, key, holds)| Some((name, key, holds, ask.query.get(name)?)));
    given
        .map(|(name, key, holds, than)| match than.parse() {
            Ok(than) => Ok(TimeWanted { key, holds, than }),
            Err(_) => Err(Refusal::invalid(name, "Must be a whole number")),
        })
        .collect()
}

fn create(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let (segment, change) = add(
        world,
        &ask.caller,
        ask.param("asset_id"),
        &ask.body()?,
        None,
    )?;
    Ok(Done::created(segment).with([change]))
}

/// Makes a segment of an asset; `id` only for a seed.
pub(super) fn add(
    world: &mut World,
    caller: &Caller,
    asset_id: &str,
    body: &Document,
    id: Option<&str>,
) -> Result<(Document, Change), Refusal> {
    let version = current_version(world.asset(asset_id)?).to_owned();
    let given = checked(body, &KEYS, Extent::Whole)?;
    let id = id.map_or_else(new_id, str::to_owned);
    let now = caller.stamp();
    let mut segment = document(json!({
        "asset_id": asset_id,
        "date_created": now,
        "date_modified": now,
        "drawing": null,
        "external_id": null,
        "face_bounding_boxes": null,
        "has_drawing": given.get("drawing").is_some_and(Value::is_object),
        "id": id,
        "keyframe_id": null,
        "metadata": {},
        "metadata_view_id": null,
        "parent_id": null,
        "person_id": null,
        "project_id": null,
        "segment_checked": false,
        "segment_color": null,
        "segment_text": null,
        "segment_track": null,
        "share_id": null,
        "share_user_email": null,
        "status": "ACTIVE",
        "subclip_id": null,
        "time_end_milliseconds": null,
        "time_start_milliseconds": null,
        "top_level": !given.contains_key("parent_id"),
        "transcription_id": null,
        "user_id": caller.user_id,
        "version_id": version,
    }));
    overlay(&mut segment, given);
    world.segments.put(&id, segment.clone());
    if let Err(refusal) = write_metadata(world, caller, &segment) {
        world.segments.remove(&id);
        return Err(refusal);
    }
    let change = changed("create", &segment);
    Ok((segment, change))
}

/// Metadata in a segment's own body is written through the view that the body names.
fn write_metadata(world: &mut World, caller: &Caller, segment: &Document) -> Result<(), Refusal> {
    let view = text(segment, "metadata_view_id");
    match segment.get("metadata") {
        Some(Value::Object(values)) if !view.is_empty() && !values.is_empty() => {
            let target = Target::current(world, "segments", text(segment, "id"))?;
            metadata::write(world, caller, &target, Some(view), values)
        }
        _ => Ok(()),
    }
}

fn change(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    update(world, ask, Extent::Part)
}

fn replace(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    update(world, ask, Extent::Whole)
}

fn update(world: &mut World, ask: &Ask, extent: Extent) -> Result<Done, Refusal> {
    let (asset, id) = (ask.param("asset_id"), ask.param("segment_id"));
    let (segment, change) = edit(world, &ask.caller, asset, id, &ask.body()?, extent)?;
    Ok(Done::ok(segment).with([change]))
}

/// Lays a body over a segment.
///
/// # Errors
///
/// 404, and 400 for a body that does not fit.
pub(super) fn edit(
    world: &mut World,
    caller: &Caller,
    asset: &str,
    id: &str,
    body: &Document,
    extent: Extent,
) -> Result<(Document, Change), Refusal> {
    let mut segment = of_asset(world, asset, id)?.clone();
    let mut given = checked(body, &KEYS, extent)?;
    given.insert("date_modified".to_owned(), caller.stamp());
    let speaks_of_metadata = given.contains_key("metadata");
    overlay(&mut segment, given);
    if speaks_of_metadata {
        write_metadata(world, caller, &segment)?;
    }
    world.segments.put(id, segment.clone());
    let change = changed("update", &segment);
    Ok((segment, change))
}

fn remove(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let mut segment = find(world, ask)?.clone();
    let id = ask.param("segment_id");
    if ask.flag("soft_delete") {
        segment.insert("status".to_owned(), json!("DELETED"));
        world.segments.put(id, segment.clone());
        return Ok(Done::no_content().with([changed("delete", &segment)]));
    }
    Ok(Done::no_content().with(erase(world, id)))
}

/// Takes a segment away for good.
pub(super) fn erase(world: &mut World, id: &str) -> Option<Change> {
    let segment = world.segments.remove(id)?;
    world.values.forget(id);
    Some(changed("delete", &segment))
}

fn find<'a>(world: &'a World, ask: &Ask) -> Result<&'a Document, Refusal> {
    of_asset(world, ask.param("asset_id"), ask.param("segment_id"))
}

/// The segment of an asset.
///
/// # Errors
///
/// 404.
pub(super) fn of_asset<'a>(
    world: &'a World,
    asset: &str,
    id: &str,
) -> Result<&'a Document, Refusal> {
    world.asset(asset)?;
    world
        .segments
        .get(id)
        .filter(|segment| text(segment, "asset_id") == asset)
        .ok_or_else(|| Refusal::not_found("Segment", id))
}

fn changed(operation: &'static str, segment: &Document) -> Change {
    let kind = ("assets", "segments", operation);
    Change::new(kind, text(segment, "id"), segment.clone())
}
