//! What happened to an asset, and which other assets it belongs with.

use rhai::{Array, Dynamic, Map, NativeCallContext};
use serde_json::json;

use super::super::super::catalog::{FunctionDoc, Registry};
use super::super::super::convert::to_dynamic;
use super::super::super::session::Fallible;
use super::super::call::Request;
use super::super::ids::{id_of, path_name};
use super::super::kinds;
use super::super::listing::{self, Paging};
use super::super::record::doc;
use super::{Asset, LIST};

type Context<'a> = NativeCallContext<'a>;

pub(super) fn register(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Asset>(
            "history()",
            "What happened to the asset, as a list of maps with `operation_type`, `operation_description`, `user_id`, \
             `date_created` and so on (`AssetHistorySchema`); the list may lag.",
            "for entry in asset.history() { log::info(entry.operation_type); }",
        ),
        |context: Context<'_>, asset: &mut Asset| -> Fallible<Array> {
            let request = Request::get(asset.below("history/"));
            let entries = listing::all(&context, "entries in the history", Paging::Page, &request)?;
            Ok(entries.iter().map(to_dynamic).collect())
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "add_history(values)",
            "Notes something in the history and returns the entry as a map: `operation_type` such as `\"CUSTOM\"` is required, \
             `operation_description` says what it was. Needs `assets:write`.",
            "asset.add_history(#{ operation_type: \"CUSTOM\", operation_description: \"Sent to the station\" });",
        ),
        |context: Context<'_>, asset: &mut Asset, values: Map| -> Fallible<Dynamic> {
            Ok(to_dynamic(&Request::post(asset.below("history/")).values(&values)?.send(&context)?))
        },
    );
    register_relations(registry);
    register_types(registry);
}

fn register_relations(registry: &mut Registry) {
    const MADE: &str = "let other = iconik::create_asset(#{ title: \"Trailer\" });\n\
                        iconik::create_relation_type(#{ name: \"TRAILER\", source_label: \"has trailer\", destination_label: \"is trailer of\" });\n";
    let doc = |signature, about, example: &str| {
        doc::<kinds::Asset>(signature, about, &format!("{MADE}{example}"))
    };
    registry.add(
        doc(
            "relate(relation_type, other)",
            "Relates the asset to another one by a relation type that is there, and returns the relation as a map. Needs \
             `assets:write`.",
            "asset.relate(\"TRAILER\", other);",
        ),
        |context: Context<'_>, asset: &mut Asset, kind: &str, other: Dynamic| -> Fallible<Dynamic> {
            let body = json!({ "relation_type": kind, "related_to_asset_id": id_of("asset", &other)? });
            Ok(to_dynamic(&Request::post(asset.below("relations/")).body(body).send(&context)?))
        },
    );
    registry.add(
        doc(
            "unrelate(relation_type, other)",
            "Takes such a relation away. Needs `assets:delete`.",
            "asset.relate(\"TRAILER\", other);\nasset.unrelate(\"TRAILER\", other);",
        ),
        |context: Context<'_>, asset: &mut Asset, kind: &str, other: Dynamic| -> Fallible<()> {
            let (kind, other) = (path_name("relation type", kind)?, id_of("asset", &other)?);
            Request::delete(asset.below(&format!("relations/{kind}/{other}/")))
                .send(&context)
                .map(drop)
        },
    );
    registry.add(
        doc(
            "relations()",
            "The assets that this one is related to, as a list of Assets.",
            "asset.relate(\"TRAILER\", other);\nif asset.relations()[0].id != other.id { fail(\"related\"); }",
        ),
        |context: Context<'_>, asset: &mut Asset| -> Fallible<Array> {
            let request = Request::get(asset.below("relations/"));
            Asset::all(LIST, listing::all(&context, "related assets", Paging::Page, &request)?)
        },
    );
    registry.add(
        doc(
            "relations(relation_type)",
            "Those that it is related to in one way.",
            "asset.relate(\"TRAILER\", other);\nif asset.relations(\"TRAILER\").len() != 1 { fail(\"related\"); }",
        ),
        |context: Context<'_>, asset: &mut Asset, kind: &str| -> Fallible<Array> {
            let path = asset.below(&format!("relations/{}/", path_name("relation type", kind)?));
            Asset::all(LIST, listing::all(&context, "related assets", Paging::Whole, &Request::get(path))?)
        },
    );
}

fn register_types(registry: &mut Registry) {
    const LIST: &str = "assets/v1/assets/relation_types/";
    let doc = FunctionDoc::of_iconik;
    registry.add(
        doc(
            "relation_types()",
            "The ways in which assets can be related, as a list of maps with `name`, `source_label`, `destination_label`.",
            "for kind in iconik::relation_types() { log::info(kind.name); }",
        ),
        |context: Context<'_>| -> Fallible<Array> {
            let kinds = listing::all(&context, "relation types", Paging::Whole, &Request::get(LIST))?;
            Ok(kinds.iter().map(to_dynamic).collect())
        },
    );
    registry.add(
        doc(
            "create_relation_type(values)",
            "Makes a relation type and returns it as a map: `name`, `source_label` and `destination_label` are required. Needs \
             `assets:write`.",
            "iconik::create_relation_type(#{ name: \"TRAILER\", source_label: \"has trailer\", destination_label: \"is trailer of\" });",
        ),
        |context: Context<'_>, values: Map| -> Fallible<Dynamic> {
            Ok(to_dynamic(&Request::post(LIST).values(&values)?.send(&context)?))
        },
    );
}
