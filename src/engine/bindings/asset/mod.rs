//! Assets: reading, changing, the trash. What they consist of has files of its own.

mod history;
mod versions;

use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::session::{Fallible, Session};
use super::call::{Request, text_at};
use super::ids::{id_of, jobs_of, objects_in_turns};
use super::kinds;
use super::listing;
use super::metadata;
use super::record::{self, Record, doc};
use crate::model::Method;

type Context<'a> = NativeCallContext<'a>;
/// An asset as it was when it was read.
pub(super) type Asset = Record<kinds::Asset>;

pub(super) const LIST: &str = "assets/v1/assets/";

/// The query parameters of reading one asset.
const READ_OPTIONS: [&str; 2] = ["include_collections", "include_users"];
/// The query parameters of making one.
const CREATE_OPTIONS: [&str; 4] = [
    "apply_collection_acls",
    "apply_default_acls",
    "assign_to_collection",
    "generate_subclip_keyframes",
];
/// The query parameters of the list of all assets.
const LIST_OPTIONS: [&str; 3] = ["page", "per_page", "sort"];

impl Asset {
    /// The newest version, which metadata and segments belong to. No document says in which order `versions`
    /// is, so the youngest `date_created` decides.
    pub(super) fn version_id(&self) -> Option<&str> {
        let versions = self.document().get("versions")?.as_array()?;
        let newest = versions
            .iter()
            .max_by_key(|version| text_at(version, "date_created").unwrap_or_default())?;
        text_at(newest, "id")
    }
}

pub(super) fn register(registry: &mut Registry) {
    record::register::<kinds::Asset>(registry);
    record::register_reload::<kinds::Asset>(registry);
    register_properties(registry);
    register_reading(registry);
    register_changing(registry);
    register_many(registry);
    register_trash(registry);
    register_marks(registry);
    metadata::register_verbs::<kinds::Asset>(registry);
    metadata::register_whole::<kinds::Asset>(registry);
    metadata::register_of_version(registry);
    versions::register(registry);
    history::register(registry);
}

fn register_properties(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Asset>("title", "The asset's title.", "log::info(asset.title);"),
        |asset: &mut Asset| asset.text("title"),
    );
    registry.add(
        doc::<kinds::Asset>(
            "status",
            "`ACTIVE`, or `DELETED` when it is in the trash (`AssetSchema`).",
            "if asset.status == \"DELETED\" { return skip(\"in the trash\"); }",
        ),
        |asset: &mut Asset| asset.text("status"),
    );
    registry.add(
        doc::<kinds::Asset>(
            "url",
            "The asset's page in Iconik: the host of `[iconik] base_url` and `/asset/<id>` (inferred from the address bar; \
             no document says so).",
            "log::info(`look at ${asset.url}`);",
        ),
        |context: Context<'_>, asset: &mut Asset| -> Fallible<String> {
            Ok(format!("{}/asset/{}", Session::of(&context)?.program().site, asset.id()))
        },
    );
}

fn register_reading(registry: &mut Registry) {
    let doc = FunctionDoc::of_iconik;
    registry.add(
        doc(
            "asset(id)",
            "Reads an asset.",
            "let asset = iconik::asset(event.asset_id);\nlog::info(asset.title);",
        ),
        |context: Context<'_>, id: Dynamic| -> Fallible<Asset> {
            Asset::read(&context, LIST, &id_of("asset", &id)?)
        },
    );
    registry.add(
        doc(
            "asset(id, options)",
            "The same with more about it: `include_collections` for the ids in `in_collections`, `include_users` for \
             `created_by_user_info` and the like.",
            "let asset = iconik::asset(event.asset_id, #{ include_collections: true, include_users: true });\n\
             log::info(asset.in_collections);",
        ),
        |context: Context<'_>, id: Dynamic, options: Map| -> Fallible<Asset> {
            let path = format!("{LIST}{}/", id_of("asset", &id)?);
            Asset::of(LIST, Request::get(path).options(&options, &READ_OPTIONS)?.send(&context)?)
        },
    );
    registry.add(
        doc(
            "assets(options)",
            "One page of the list of all assets, as a list of Assets: `page`, `per_page`, `sort` such as `\"date_created,desc\"`. \
             The list may lag. To go through many, use `search::assets()`.",
            "for asset in iconik::assets(#{ per_page: 10, sort: \"date_created,desc\" }) { log::info(asset.title); }",
        ),
        |context: Context<'_>, options: Map| {
            let request = Request::get(LIST).options(&options, &LIST_OPTIONS)?;
            Asset::all(LIST, listing::page(&context, request)?)
        },
    );
}

fn register_changing(registry: &mut Registry) {
    const ABOUT: &str = "Makes an asset and returns it: `title` is required; a `type` such as `\"PLACEHOLDER\"` and a `collection_id` may be \
                         among the values (`AssetCreateSchema`). It has a version, and no files. Needs `assets:write`.";
    let made = FunctionDoc::of_iconik;
    registry.add(
        made(
            "create_asset(values)",
            ABOUT,
            "let asset = iconik::create_asset(#{ title: \"Promo 12\", type: \"PLACEHOLDER\", collection_id: event.collection_id });\n\
             if asset.status != \"ACTIVE\" { fail(\"status\"); }",
        ),
        |context: Context<'_>, values: Map| Asset::create(&context, LIST, &values),
    );
    registry.add(
        made(
            "create_asset(values, options)",
            "The same with options of the request: `apply_default_acls`, `apply_collection_acls`, `assign_to_collection`, \
             `generate_subclip_keyframes`.",
            "iconik::create_asset(#{ title: \"Promo 12\" }, #{ apply_default_acls: false });",
        ),
        |context: Context<'_>, values: Map, options: Map| -> Fallible<Asset> {
            let request = Request::post(LIST).options(&options, &CREATE_OPTIONS)?;
            Asset::of(LIST, request.values(&values)?.send(&context)?)
        },
    );
    record::register_update::<kinds::Asset>(
        registry,
        "Changes keys of the asset (`PATCH`) and returns the changed Asset. Needs `assets:write`.",
        "#{ title: \"Late News\" }",
    );
    record::register_replace::<kinds::Asset>(
        registry,
        "Sets the whole asset (`PUT`): `title` is required, and what is not given is as in a new asset. Needs `assets:write`.",
        "#{ title: \"Late News\" }",
    );
}

fn register_many(registry: &mut Registry) {
    registry.add(
        FunctionDoc {
            place: Place::Module("iconik"),
            signature: "update_assets(list)",
            about: "Changes keys of many assets (`PATCH`), given as maps with `id` and what is to be changed, 500 in a request, and returns \
                    the Jobs that Iconik names for it, as a list. Needs `assets:write`.",
            example: "iconik::update_assets([#{ id: event.asset_id, title: \"Late News\" }]);",
        },
        |context: Context<'_>, list: Array| -> Fallible<Array> {
            let answers = objects_in_turns(&context, &list, "id", |objects| {
                Request::new(Method::Patch, LIST).body(objects)
            })?;
            jobs_of(&answers)
        },
    );
}

fn register_trash(registry: &mut Registry) {
    record::register_bare::<kinds::Asset>(
        registry,
        "trash()",
        "Moves the asset to Iconik's delete queue, from where a person can restore it (`DELETE` of an asset: its status \
         becomes `DELETED`). Needs `assets:delete`.",
        (Method::Delete, ""),
    );
    registry.add(
        doc::<kinds::Asset>(
            "restore()",
            "Takes the asset out of the delete queue. Needs `assets:write`.",
            "asset.trash();\nasset.restore();\nif asset.reload().status != \"ACTIVE\" { fail(\"status\"); }",
        ),
        |context: Context<'_>, asset: &mut Asset| -> Fallible<()> {
            Request::put(asset.below("restore/")).send(&context).map(drop)
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "purge()",
            "Deletes an asset that is in the trash for good, with its files. Nobody can take this back. Needs `assets:purge`.",
            "asset.trash();\nasset.purge();",
        ),
        |context: Context<'_>, asset: &mut Asset| -> Fallible<()> {
            Request::delete(asset.below("purge/")).send(&context).map(drop)
        },
    );
}

fn register_marks(registry: &mut Registry) {
    record::register_bare::<kinds::Asset>(
        registry,
        "mark_viewed()",
        "Marks the asset as viewed by the gateway's user (`date_viewed`). Needs `assets:write`.",
        (Method::Post, "views/"),
    );
}
