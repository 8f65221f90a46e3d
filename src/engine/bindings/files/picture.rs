//! Proxies and keyframes: what people see of an asset.

use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::super::super::catalog::Registry;
use super::super::super::convert::to_dynamic;
use super::super::super::session::Fallible;
use super::super::asset::Asset;
use super::super::call::Request;
use super::super::ids::id_of;
use super::super::kinds::{self, Kind};
use super::super::listing::{self, AFTER_ID};
use super::super::record::{self, Record, doc};
use super::entry::{self, LIST_OPTIONS};

type Context<'a> = NativeCallContext<'a>;
/// A proxy as it was when it was read.
type Proxy = Record<kinds::Proxy>;
/// A keyframe as it was when it was read.
type Keyframe = Record<kinds::Keyframe>;

pub(super) fn register(registry: &mut Registry) {
    register_proxies(registry);
    register_keyframes(registry);
    register_subtitles(registry);
}

fn list(asset: &Asset, kind: &str) -> String {
    format!("files/v1/assets/{}/{kind}/", asset.id())
}

fn all<K: Kind>(
    context: &Context<'_>,
    asset: &Asset,
    kind: &str,
    options: &Map,
) -> Fallible<Array> {
    let list = list(asset, kind);
    let request = Request::get(&list).options(options, &LIST_OPTIONS)?;
    Record::<K>::all(&list, listing::all(context, kind, AFTER_ID, &request)?)
}

fn register_proxies(registry: &mut Registry) {
    record::register::<kinds::Proxy>(registry);
    record::register_reload::<kinds::Proxy>(registry);
    registry.add(
        doc::<kinds::Asset>(
            "proxies()",
            "The proxies of the current version, as a list of Proxies.",
            "for proxy in asset.proxies() { log::info(proxy.resolution); }",
        ),
        |context: Context<'_>, asset: &mut Asset| {
            all::<kinds::Proxy>(&context, asset, "proxies", &Map::new())
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "proxies(options)",
            "The same with `generate_signed_url: true` for a `url` that anybody can read for about 12 hours, and \
             `content_disposition`.",
            "for proxy in asset.proxies(#{ generate_signed_url: true }) { log::info(proxy.url); }",
        ),
        |context: Context<'_>, asset: &mut Asset, options: Map| all::<kinds::Proxy>(&context, asset, "proxies", &options),
    );
    registry.add(
        doc::<kinds::Asset>(
            "proxy(id)",
            "Reads one proxy.",
            "for proxy in asset.proxies() { log::info(asset.proxy(proxy.id).status); }",
        ),
        |context: Context<'_>, asset: &mut Asset, id: Dynamic| {
            Proxy::read(&context, &list(asset, "proxies"), &id_of("proxy", &id)?)
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "create_proxy(values)",
            "Makes the entry of a proxy and returns it with the address to upload it to (`ProxySchema`). Needs `files:write`.",
            "let proxy = asset.create_proxy(#{ name: \"low.mp4\", codec: \"h264\" });\nlog::info(proxy.id);",
        ),
        |context: Context<'_>, asset: &mut Asset, values: Map| {
            Proxy::create(&context, &list(asset, "proxies"), &values)
        },
    );
    record::register_update::<kinds::Proxy>(
        registry,
        "Changes keys of the proxy (`PATCH`), such as `status: \"CLOSED\"` after an upload, and returns the changed Proxy. Needs \
         `files:write`.",
        "#{ status: \"CLOSED\" }",
    );
    record::register_delete::<kinds::Proxy>(registry, "Deletes the proxy. Needs `files:delete`.");
    entry::register_download_url::<kinds::Proxy>(registry);
    entry::register_keyframes::<kinds::Proxy>(registry);
}

fn register_keyframes(registry: &mut Registry) {
    record::register::<kinds::Keyframe>(registry);
    registry.add(
        doc::<kinds::Asset>(
            "keyframes()",
            "The keyframes and posters of the current version, as a list of Keyframes.",
            "for keyframe in asset.keyframes() { log::info(keyframe.type); }",
        ),
        |context: Context<'_>, asset: &mut Asset| {
            all::<kinds::Keyframe>(&context, asset, "keyframes", &Map::new())
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "keyframes(options)",
            "The same with `generate_signed_url: true` and `content_disposition`, as for `proxies`.",
            "for keyframe in asset.keyframes(#{ generate_signed_url: true }) { log::info(keyframe.url); }",
        ),
        |context: Context<'_>, asset: &mut Asset, options: Map| {
            all::<kinds::Keyframe>(&context, asset, "keyframes", &options)
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "create_keyframe(values)",
            "Makes the entry of a keyframe or poster and returns it: `type` is `KEYFRAME_MAP`, `KEYFRAME` or `POSTER` \
             (`KeyframeSchema`). Needs `files:write`.",
            "asset.create_keyframe(#{ type: \"POSTER\", name: \"poster.jpg\" });",
        ),
        |context: Context<'_>, asset: &mut Asset, values: Map| {
            Keyframe::create(&context, &list(asset, "keyframes"), &values)
        },
    );
    record::register_update::<kinds::Keyframe>(
        registry,
        "Changes keys of the keyframe (`PATCH`) and returns the changed Keyframe. Needs `files:write`.",
        "#{ status: \"CLOSED\" }",
    );
    record::register_delete::<kinds::Keyframe>(
        registry,
        "Deletes the keyframe. Needs `files:delete`.",
    );
}

fn register_subtitles(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Asset>(
            "subtitles()",
            "The subtitle files of the asset, as a list of maps with `language`, `closed_captions`, `format_id` (`SubtitleSchema`).",
            "for subtitle in asset.subtitles() { log::info(subtitle.language); }",
        ),
        |context: Context<'_>, asset: &mut Asset| -> Fallible<Array> {
            let request = Request::get(list(asset, "subtitles"));
            let found = listing::all(&context, "subtitles", AFTER_ID, &request)?;
            Ok(found.iter().map(to_dynamic).collect())
        },
    );
    registry.add(
        doc::<kinds::Asset>(
            "create_subtitle(values)",
            "Makes a subtitle file and returns it as a map: `language`, `closed_captions` and `format_id` are required, `content` is \
             its text (`SubtitleSchema`). Needs `files:write`.",
            "let format = asset.create_format(#{ name: \"EDIT\" });\n\
             asset.create_subtitle(#{ language: \"en\", closed_captions: false, format_id: format.id, content: \"WEBVTT\\n\" });",
        ),
        |context: Context<'_>, asset: &mut Asset, values: Map| -> Fallible<Dynamic> {
            Ok(to_dynamic(&Request::post(list(asset, "subtitles")).values(&values)?.send(&context)?))
        },
    );
}
