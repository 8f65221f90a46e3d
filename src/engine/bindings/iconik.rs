//! The module `iconik`: where objects come from, and the raw verbs for everything else.

use rhai::{Dynamic, Map, NativeCallContext};

use super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::convert::{to_dynamic, to_json};
use super::super::raw_calls::canonical;
use super::super::session::{Fallible, error};
use super::call::Request;
use crate::model::Method;

type Context<'a> = NativeCallContext<'a>;

fn doc(signature: &'static str, about: &'static str, example: &'static str) -> FunctionDoc {
    FunctionDoc {
        place: Place::Module("iconik"),
        signature,
        about,
        example,
    }
}

pub(super) fn register(registry: &mut Registry) {
    register_reads(registry);
    register_writes(registry);
    register_deletes(registry);
}

fn register_reads(registry: &mut Registry) {
    registry.add(
        doc(
            "get(path)",
            "Reads any path below `/API/`, for what has no function of its own. The answer is the JSON as maps and lists.",
            "let me = iconik::get(\"users/v1/users/current/\");\nlog::info(me.id);",
        ),
        |context: Context<'_>, path: &str| raw(&context, Method::Get, path, None, None),
    );
    registry.add(
        doc(
            "get(path, query)",
            "The same with query parameters.",
            "let page = iconik::get(\"jobs/v1/jobs/\", #{ per_page: 10 });\nlog::info(page.objects.len());",
        ),
        |context: Context<'_>, path: &str, query: Map| raw(&context, Method::Get, path, None, Some(&query)),
    );
}

fn register_writes(registry: &mut Registry) {
    const ABOUT: &str = "Sends a body to any path below `/API/` that the table of operations knows, under the same permissions as \
                         the functions. An unknown path or method, a missing key and a misspelt one are errors: when the rule is \
                         checked if they stand in it, else when it runs.";
    const WITH_QUERY: &str = "The same with query parameters.";
    const WRITES: [(Method, [&str; 2], [&str; 2]); 3] = [
        (
            Method::Post,
            ["post(path, body)", "post(path, body, query)"],
            [
                "iconik::post(\"jobs/v1/jobs/\", #{ type: \"CUSTOM\", title: \"Check\", status: \"STARTED\" });",
                "iconik::post(\"assets/v1/assets/\", #{ title: \"Promo\" }, #{ apply_default_acls: true });",
            ],
        ),
        (
            Method::Put,
            ["put(path, body)", "put(path, body, query)"],
            [
                "iconik::put(`assets/v1/assets/${event.asset_id}/`, #{ title: \"New title\" });",
                "iconik::put(`assets/v1/assets/${event.asset_id}/`, #{ title: \"New title\" }, #{ generate_subclip_keyframes: false });",
            ],
        ),
        (
            Method::Patch,
            ["patch(path, body)", "patch(path, body, query)"],
            [
                "iconik::patch(`assets/v1/assets/${event.asset_id}/`, #{ title: \"New title\" });",
                "iconik::patch(`assets/v1/assets/${event.asset_id}/`, #{ title: \"New title\" }, #{ generate_subclip_keyframes: false });",
            ],
        ),
    ];
    for (method, [plain, with_query], [plain_example, query_example]) in WRITES {
        registry.add(
            doc(plain, ABOUT, plain_example),
            move |context: Context<'_>, path: &str, body: Dynamic| {
                raw(&context, method, path, Some(&body), None)
            },
        );
        registry.add(
            doc(with_query, WITH_QUERY, query_example),
            move |context: Context<'_>, path: &str, body: Dynamic, query: Map| {
                raw(&context, method, path, Some(&body), Some(&query))
            },
        );
    }
}

fn register_deletes(registry: &mut Registry) {
    registry.add(
        doc(
            "delete(path)",
            "Deletes at any path below `/API/` that the table of operations knows, under the same permissions.",
            "iconik::delete(`assets/v1/assets/${event.asset_id}/`);",
        ),
        |context: Context<'_>, path: &str| raw(&context, Method::Delete, path, None, None),
    );
    registry.add(
        doc(
            "delete(path, body)",
            "The same with a body, which deletions of many things take; `()` stands for none.",
            "iconik::delete(\"assets/v1/favorites/\", #{ object_ids: [event.asset_id], object_type: \"assets\" });",
        ),
        |context: Context<'_>, path: &str, body: Dynamic| {
            let body = Some(&body).filter(|body| !body.is_unit());
            raw(&context, Method::Delete, path, body, None)
        },
    );
    registry.add(
        doc(
            "delete(path, body, query)",
            "The same with query parameters.",
            "let mark = iconik::asset(event.asset_id).create_segment(#{ segment_type: \"MARKER\", time_start_milliseconds: 0, time_end_milliseconds: 40 });\n\
             iconik::delete(`assets/v1/assets/${event.asset_id}/segments/${mark.id}/`, (), #{ soft_delete: true });",
        ),
        |context: Context<'_>, path: &str, body: Dynamic, query: Map| {
            let body = Some(&body).filter(|body| !body.is_unit());
            raw(&context, Method::Delete, path, body, Some(&query))
        },
    );
}

fn raw(
    context: &Context<'_>,
    method: Method,
    path: &str,
    body: Option<&Dynamic>,
    query: Option<&Map>,
) -> Fallible<Dynamic> {
    let path = canonical(path).map_err(error)?;
    let body = body.map(to_json).transpose()?;
    let mut request = Request::new(method, path);
    for (key, value) in query.into_iter().flatten() {
        let value = to_json(value)?;
        request = request.query(
            key,
            value
                .as_str()
                .map_or_else(|| value.to_string(), ToOwned::to_owned),
        );
    }
    if let Some(body) = body {
        request = request.body(body);
    }
    Ok(to_dynamic(&request.send(context)?))
}
