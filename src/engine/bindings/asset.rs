//! Assets: reading, metadata, segments, subclips, the trash.

use std::sync::Arc;

use rhai::{Array, Dynamic, FuncRegistration, ImmutableString, Map, NativeCallContext};
use serde_json::Value;

use super::super::catalog::{FunctionDoc, Place, Registry, or_unit};
use super::super::convert::to_dynamic;
use super::super::session::{Fallible, Session, error};
use super::call::{Request, path_id, text_at};
use super::event::nearest;
use super::metadata::{self, Metadata, Target};
use super::segment;
use crate::model::Method;

type Context<'a> = NativeCallContext<'a>;
const ASSET: Place = Place::Type("Asset");

/// The keys of `AssetSchema` (Iconik's assets document, May 2025): absent ones read as `()`.
const KEYS: &[&str] = &[
    "analyze_status",
    "archive_status",
    "category",
    "created_by_user",
    "custom_keyframe",
    "custom_poster",
    "date_created",
    "date_deleted",
    "date_imported",
    "date_modified",
    "date_viewed",
    "deleted_by_user",
    "external_id",
    "external_link",
    "face_recognition_status",
    "favoured",
    "has_unconfirmed_persons",
    "in_collections",
    "is_blocked",
    "is_online",
    "last_archive_restore_date",
    "original_asset_id",
    "original_segment_id",
    "original_version_id",
    "person_ids",
    "site_name",
    "time_end_milliseconds",
    "time_start_milliseconds",
    "type",
    "updated_by_user",
    "versions",
    "warning",
];

/// An asset as it was when it was read.
#[derive(Clone, Debug)]
pub(in super::super) struct Asset {
    id: String,
    document: Arc<Value>,
}

impl Asset {
    pub(super) fn of(document: Value) -> Fallible<Self> {
        let id = text_at(&document, "id")
            .ok_or_else(|| error("Iconik answered an asset without an id"))?
            .to_owned();
        Ok(Self {
            id,
            document: Arc::new(document),
        })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The newest version, which metadata and segments belong to. No document says in which order `versions`
    /// is, so the youngest `date_created` decides.
    pub(super) fn version_id(&self) -> Option<&str> {
        let versions = self.document.get("versions")?.as_array()?;
        let newest = versions
            .iter()
            .max_by_key(|version| text_at(version, "date_created").unwrap_or_default())?;
        text_at(newest, "id")
    }

    fn target(&self) -> Target<'_> {
        Target {
            object_type: "assets",
            id: &self.id,
        }
    }

    fn text(&self, key: &str) -> Dynamic {
        or_unit(text_at(&self.document, key).map(ToOwned::to_owned))
    }

    fn get(&self, key: &str) -> Fallible<Dynamic> {
        if let Some(value) = self.document.get(key) {
            return Ok(to_dynamic(value));
        }
        if KEYS.contains(&key) {
            return Ok(Dynamic::UNIT);
        }
        let near = nearest(
            key,
            KEYS.iter().copied().chain(["id", "title", "status", "url"]),
        );
        let advice = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        Err(error(format!("an Asset has no `{key}`{advice}")))
    }
}

pub(super) fn register(registry: &mut Registry) {
    let module = registry.global();
    module.set_custom_type::<Asset>("Asset");
    FuncRegistration::new_index_getter()
        .set_into_module(module, |asset: &mut Asset, key: ImmutableString| {
            asset.get(&key)
        });
    register_properties(registry);
    register_metadata(registry);
    register_segments(registry);
    register_trash(registry);
}

fn register_properties(registry: &mut Registry) {
    let property = |signature, about, example| FunctionDoc {
        place: ASSET,
        signature,
        about,
        example,
    };
    registry.add(
        property("id", "The asset's id.", "let asset = iconik::asset(event.asset_id);\nif asset.id != event.asset_id { fail(\"id\"); }"),
        |asset: &mut Asset| asset.id.clone(),
    );
    registry.add(
        property(
            "title",
            "The asset's title.",
            "let asset = iconik::asset(event.asset_id);\nlog::info(asset.title);",
        ),
        |asset: &mut Asset| asset.text("title"),
    );
    registry.add(
        property(
            "status",
            "`ACTIVE`, or `DELETED` when it is in the trash (`AssetSchema`).",
            "let asset = iconik::asset(event.asset_id);\nif asset.status == \"DELETED\" { return skip(\"in the trash\"); }",
        ),
        |asset: &mut Asset| asset.text("status"),
    );
    registry.add(
        property(
            "url",
            "The asset's page in Iconik: the host of `[iconik] base_url` and `/asset/<id>` (inferred from the address bar; \
             no document says so).",
            "let asset = iconik::asset(event.asset_id);\nlog::info(`look at ${asset.url}`);",
        ),
        |context: Context<'_>, asset: &mut Asset| -> Fallible<String> {
            Ok(format!("{}/asset/{}", Session::of(&context)?.program().site, asset.id))
        },
    );
}

fn register_metadata(registry: &mut Registry) {
    let method = |signature, about, example| FunctionDoc {
        place: ASSET,
        signature,
        about,
        example,
    };
    registry.add(
        method(
            "metadata(view)",
            "The values of a metadata view, given by its name or id, by field: `()` when unset, a Time for dates, a list if \
             and only if the field is `multi`. Other names than plain ones are read as `m[\"Sende Datum\"]`. Of the current \
             version.",
            "let asset = iconik::asset(event.asset_id);\nlet rights = asset.metadata(\"Rights\");\n\
             if rights.hold == true { return skip(\"on hold\"); }",
        ),
        |context: Context<'_>, asset: &mut Asset, view: &str| Metadata::read(&context, &asset.target(), view),
    );
    registry.add(
        method(
            "set_metadata(view, values)",
            "Writes the fields whose values differ and returns how many did; nothing is sent when none does. `()` and `[]` are \
             refused: use `clear_metadata`. Needs `metadata:write`.",
            "let asset = iconik::asset(event.asset_id);\nasset.set_metadata(\"Rights\", #{ owner: \"desk\" });",
        ),
        |context: Context<'_>, asset: &mut Asset, view: &str, values: Map| {
            metadata::set(&context, &asset.target(), view, &values)
        },
    );
    registry.add(
        method(
            "append_metadata(view, values)",
            "Adds values to `multi` fields (mode `append` of the metadata document); values that are there already are not \
             added again. Returns how many fields changed. Needs `metadata:write`.",
            "let asset = iconik::asset(event.asset_id);\nasset.append_metadata(\"Rights\", #{ keywords: [\"sport\"] });",
        ),
        |context: Context<'_>, asset: &mut Asset, view: &str, values: Map| {
            metadata::append(&context, &asset.target(), view, &values)
        },
    );
    registry.add(
        method(
            "remove_metadata(view, values)",
            "Takes values out of fields (mode `delete`). Returns how many fields changed. Needs `metadata:write`.",
            "let asset = iconik::asset(event.asset_id);\nasset.remove_metadata(\"Rights\", #{ keywords: [\"draft\"] });",
        ),
        |context: Context<'_>, asset: &mut Asset, view: &str, values: Map| {
            metadata::remove(&context, &asset.target(), view, &values)
        },
    );
    registry.add(
        method(
            "clear_metadata(view, fields)",
            "Empties fields. Returns how many were not empty. Needs `metadata:write`.",
            "let asset = iconik::asset(event.asset_id);\nasset.clear_metadata(\"Rights\", [\"owner\"]);",
        ),
        |context: Context<'_>, asset: &mut Asset, view: &str, fields: Array| {
            metadata::clear(&context, &asset.target(), view, &fields)
        },
    );
}

fn register_segments(registry: &mut Registry) {
    let method = |signature, about, example| FunctionDoc {
        place: ASSET,
        signature,
        about,
        example,
    };
    registry.add(
        method(
            "segments(kind)",
            "The segments of one type (`MARKER`, `COMMENT`, `GENERIC` and so on, `SegmentSchema`) as a list of maps, of the \
             current version, in Iconik's order. The list may lag behind writes by a minute.",
            "let asset = iconik::asset(event.asset_id);\nfor marker in asset.segments(\"MARKER\") { log::info(marker.id); }",
        ),
        |context: Context<'_>, asset: &mut Asset, kind: &str| segment::list(&context, asset, kind),
    );
    registry.add(
        method(
            "create_segment(values)",
            "Makes a segment and returns it as a map; `segment_type` is required, times are milliseconds (`SegmentSchema`). \
             Needs `segments:write`.",
            "let asset = iconik::asset(event.asset_id);\n\
             asset.create_segment(#{ segment_type: \"MARKER\", time_start_milliseconds: 0, time_end_milliseconds: 1000 });",
        ),
        |context: Context<'_>, asset: &mut Asset, values: Map| segment::create(&context, asset, &values),
    );
    registry.add(
        method(
            "create_subclip(values)",
            "Makes a subclip of this asset and returns the new Asset: `title`, `start` and `end` in milliseconds, and \
             `segment_id` if the segment is there already; otherwise a `GENERIC` segment is made first, because no document \
             says that Iconik makes one. Needs `assets:write`, and `segments:write` without `segment_id`.",
            "let asset = iconik::asset(event.asset_id);\n\
             let clip = asset.create_subclip(#{ title: \"Goal\", start: 1_000, end: 9_000 });\nlog::info(clip.id);",
        ),
        |context: Context<'_>, asset: &mut Asset, values: Map| segment::create_subclip(&context, asset, &values),
    );
}

fn register_trash(registry: &mut Registry) {
    registry.add(
        FunctionDoc {
            place: ASSET,
            signature: "trash()",
            about: "Moves the asset to Iconik's delete queue, from where a person can restore it (`DELETE` of an asset: its \
                    status becomes `DELETED`). Needs `assets:delete`.",
            example: "let asset = iconik::asset(event.asset_id);\nasset.trash();",
        },
        |context: Context<'_>, asset: &mut Asset| -> Fallible<()> {
            Request::new(Method::Delete, format!("assets/v1/assets/{}/", asset.id)).send(&context).map(drop)
        },
    );
}

/// Reads one asset.
pub(super) fn fetch(context: &Context<'_>, id: &Dynamic) -> Fallible<Asset> {
    let id = path_id("asset", id)?;
    Asset::of(Request::get(format!("assets/v1/assets/{id}/")).send(context)?)
}
