//! Formats: `ORIGINAL`, `PPRO_PROXY` and the like, of one version of an asset. A format is read by its id or
//! by its name.

use serde_json::{Value, json};

use super::super::operation::{Ask, Done};
use super::super::refusal::Refusal;
use super::super::shape::{Extent, Key, Kind, checked, key};
use super::super::table::{Document, text};
use super::super::world::{World, current_version, document, is_deleted, new_id, overlay};
use super::part::Part;

/// The writable keys of `FormatSchema`.
const KEYS: [Key; 9] = [
    key("name", Kind::Text).required(),
    key(
        "archive_status",
        Kind::OneOf(&["NOT_ARCHIVED", "ARCHIVING", "FAILED_TO_ARCHIVE", "ARCHIVED"]),
    )
    .nullable(),
    key("components", Kind::List),
    key("date_deleted", Kind::Time).nullable(),
    key("is_online", Kind::Flag),
    key("metadata", Kind::List),
    key("status", Kind::OneOf(&["ACTIVE", "DELETED"])),
    key("storage_methods", Kind::List),
    key("version_id", Kind::Id),
];

/// The writable keys of `ComponentSchema`.
const COMPONENT_KEYS: [Key; 3] = [
    key("name", Kind::Text).required(),
    key(
        "type",
        Kind::OneOf(&[
            "VIDEO",
            "AUDIO",
            "IMAGE",
            "TEXT",
            "OTHER",
            "NON_MEDIA",
            "EXIF",
            "IPTC",
            "XMP",
            "GENERAL",
        ]),
    )
    .required(),
    key("metadata", Kind::Texts),
];

/// What a format is.
pub(super) const FORMAT: Part = Part {
    what: "Format",
    realm: "formats",
    param: "format_id",
    keys: &KEYS,
    table: |world| &world.formats,
    table_mut: |world| &mut world.formats,
};

/// The formats of the current version, unless those of all are asked for.
pub(super) fn list(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let version = current_version(world.asset(ask.param("asset_id"))?);
    let all = ask.flag("include_all_versions");
    FORMAT.list(world, ask, |it| all || text(it, "version_id") == version)
}

/// With the keys of a recorded answer, and the dates that the schema has had since. Recorded is that nobody
/// becomes its user.
pub(super) fn create(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let asset_id = ask.param("asset_id");
    let version = current_version(world.asset(asset_id)?);
    let mut given = checked(&ask.body()?, &KEYS, Extent::Whole)?;
    if let Some(Value::Array(components)) = given.get_mut("components") {
        for component in components {
            *component = whole_component(component)?;
        }
    }
    let now = ask.caller.stamp();
    let mut format = document(json!({
        "archive_status": null,
        "asset_id": asset_id,
        "components": [],
        "date_created": now,
        "date_deleted": null,
        "date_modified": now,
        "deleted_by_user": null,
        "id": new_id(),
        "is_online": false,
        "metadata": [],
        "status": "ACTIVE",
        "storage_methods": [],
        "user_id": null,
        "version_id": version,
    }));
    overlay(&mut format, given);
    Ok(FORMAT.add(world, format))
}

/// A component with the keys that the server gives it.
///
/// # Errors
///
/// 400 for one that does not fit.
pub(super) fn whole_component(given: &Value) -> Result<Value, Refusal> {
    let message = "Each component must be an object";
    let given = given.as_object();
    let given = given.ok_or_else(|| Refusal::invalid("components", message))?;
    let mut component = checked(given, &COMPONENT_KEYS, Extent::Whole)?;
    component.entry("metadata").or_insert_with(|| json!({}));
    component.insert("id".to_owned(), json!(new_id()));
    Ok(Value::Object(component))
}

/// By its id or, among those that are not deleted, by its name.
pub(super) fn read(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let (asset_id, name) = (ask.param("asset_id"), ask.param("format_id"));
    let is_meant = |it: &Document| text(it, "name") == name && !is_deleted(it);
    let mut formats = world.formats.group(asset_id);
    let named = formats.rfind(|format| is_meant(format));
    let format = match named {
        Some(format) => format,
        None => FORMAT.find(world, ask)?,
    };
    Ok(Done::ok(Document::clone(format)))
}

pub(super) fn change(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    FORMAT.update(world, ask, &ask.body()?, Extent::Part)
}

pub(super) fn replace(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    FORMAT.update(world, ask, &ask.body()?, Extent::Whole)
}

pub(super) fn remove(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    if ask.flag("immediately") {
        return FORMAT.erase(world, ask, "delete");
    }
    FORMAT.trash(world, ask)
}

pub(super) fn restore(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    FORMAT.restore(world, ask)
}

pub(super) fn purge(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    FORMAT.check_trashed(world, ask)?;
    FORMAT.erase(world, ask, "purge")
}
