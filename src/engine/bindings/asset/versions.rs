//! Versions of an asset. Metadata, segments and files belong to a version; the newest is the current one.

use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::super::super::catalog::Registry;
use super::super::super::convert::to_dynamic;
use super::super::super::session::Fallible;
use super::super::call::Request;
use super::super::ids::id_of;
use super::super::kinds;
use super::super::record::doc;
use super::Asset;
use crate::model::Method;

type Context<'a> = NativeCallContext<'a>;

pub(super) fn register(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Asset>(
            "add_version(values)",
            "Makes a new version, which is the current one from then on, and returns all versions as a list of maps. \
             `copy_metadata`, `copy_segments`, `copy_persons` take these over; without them the new version may start empty \
             (`CreateAssetVersionSchema`). Needs `assets:write`.",
            "let versions = asset.add_version(#{ copy_metadata: true });\nif versions.len() != 2 { fail(\"versions\"); }",
        ),
        |context: Context<'_>, asset: &mut Asset, values: Map| -> Fallible<Dynamic> {
            let answer = Request::post(asset.below("versions/")).values(&values)?.send(&context)?;
            Ok(answer.get("versions").map_or_else(|| Array::new().into(), to_dynamic))
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "update_version(version, values)",
            "Changes keys of a version (`PATCH`), given by its id or as a map with `id`, and returns it as a map. Needs \
             `assets:write`.",
            "asset.update_version(asset.versions[0], #{ archive_status: \"ARCHIVED\" });",
        ),
        |context: Context<'_>, asset: &mut Asset, version: Dynamic, values: Map| -> Fallible<Dynamic> {
            let path = path(asset, &version, "")?;
            Ok(to_dynamic(&Request::new(Method::Patch, path).values(&values)?.send(&context)?))
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "promote_version(version)",
            "Makes a version the current one. Needs `assets:write`.",
            "let first = asset.versions[0];\nasset.add_version(#{});\nasset.promote_version(first);",
        ),
        |context: Context<'_>, asset: &mut Asset, version: Dynamic| -> Fallible<()> {
            Request::put(path(asset, &version, "promote/")?).send(&context).map(drop)
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "delete_version(version)",
            "Deletes a version with what belongs to it. Needs `assets:delete`.",
            "let first = asset.versions[0];\nasset.add_version(#{});\nasset.delete_version(first);",
        ),
        |context: Context<'_>, asset: &mut Asset, version: Dynamic| -> Fallible<()> {
            Request::delete(path(asset, &version, "")?)
                .send(&context)
                .map(drop)
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "add_version_from(source)",
            "Makes the files and metadata of another asset a new version of this one; Iconik does it later, and names no job. \
             Needs `assets:write`.",
            "let other = iconik::create_asset(#{ title: \"Take 2\" });\nasset.add_version_from(other);",
        ),
        |context: Context<'_>, asset: &mut Asset, source: Dynamic| -> Fallible<()> {
            let source = id_of("asset", &source)?;
            let path = asset.below(&format!("versions/from/assets/{source}/"));
            Request::post(path).values(&Map::new())?.send(&context).map(drop)
        },
    );
}

fn path(asset: &Asset, version: &Dynamic, rest: &str) -> Fallible<String> {
    Ok(asset.below(&format!("versions/{}/{rest}", id_of("version", version)?)))
}
