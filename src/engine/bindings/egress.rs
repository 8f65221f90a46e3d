//! The module `egress`: other systems, by the names that the configuration gives them.

use std::collections::BTreeMap;

use rhai::{Array, Dynamic, Map, Module, NativeCallContext};
use serde_json::Value;

use super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::convert::{to_dynamic, to_json};
use super::super::header::EGRESS;
use super::super::here::Here;
use super::super::session::{Fallible, Session, error};
use super::call::perform;
use super::event::nearest;
use crate::model::{Effect, EgressCall, Method};

type Context<'a> = NativeCallContext<'a>;

/// One target; what `egress::NAME` is.
#[derive(Clone, Debug)]
pub(in super::super) struct Target(String);

/// The module that holds the targets that a rule may reach.
pub(in super::super) fn egress_module(allow: &[String]) -> Module {
    let mut module = Module::new();
    for name in allow.iter().filter_map(|scope| scope.strip_prefix(EGRESS)) {
        module.set_var(name, Dynamic::from(Target(name.to_owned())));
    }
    module
}

const ANSWER: &str = "Needs `egress:NAME` in `allow`. The answer is `#{ status, headers, body, dropped }`: names of headers in \
                      lower case, a JSON body as its value, any other as text. Statuses from 400 to 499 do not throw; passing \
                      trouble is repeated below the rule. `dropped` is true, and `status` 0, where nobody knows what became of \
                      the request and the target's `uncertain` says not to care.";
const WITH_OPTIONS: &str = "The same with `#{ headers: #{…}, query: #{…} }`.";
const BELOW: &str = "The same at a path below the target's URL.";
const BELOW_WITH_OPTIONS: &str =
    "The same at a path below the target's URL, with `#{ headers: #{…}, query: #{…} }`.";

/// Signatures, descriptions and examples of one method: with a body, and below a path with a body.
type Shown = [(&'static str, &'static str, &'static str); 4];

const SENDING: [(Method, Shown); 4] = [
    (
        Method::Post,
        [
            (
                "post(body)",
                ANSWER,
                "let answer = egress::desk.post(#{ text: `look at ${event.asset_id}` });\n\
                 if answer.status >= 400 { fail(`the desk answered ${answer.status}`); }",
            ),
            (
                "post(body, options)",
                WITH_OPTIONS,
                "egress::desk.post(#{ text: \"new\" }, #{ headers: #{ \"x-priority\": \"high\" } });",
            ),
            (
                "post(path, body)",
                BELOW,
                "egress::desk.post(\"messages\", #{ text: \"new\" });",
            ),
            (
                "post(path, body, options)",
                BELOW_WITH_OPTIONS,
                "egress::desk.post(\"messages\", #{ text: \"new\" }, #{ query: #{ silent: true } });",
            ),
        ],
    ),
    (
        Method::Put,
        [
            (
                "put(body)",
                "Like `post(body)`, as `PUT`.",
                "egress::desk.put(#{ open: true });",
            ),
            (
                "put(body, options)",
                WITH_OPTIONS,
                "egress::desk.put(#{ open: true }, #{ query: #{ silent: true } });",
            ),
            (
                "put(path, body)",
                BELOW,
                "egress::desk.put(`items/${event.asset_id}`, #{ open: true });",
            ),
            (
                "put(path, body, options)",
                BELOW_WITH_OPTIONS,
                "egress::desk.put(\"items/1\", #{ open: true }, #{ query: #{ silent: true } });",
            ),
        ],
    ),
    (
        Method::Patch,
        [
            (
                "patch(body)",
                "Like `post(body)`, as `PATCH`.",
                "egress::desk.patch(#{ open: false });",
            ),
            (
                "patch(body, options)",
                WITH_OPTIONS,
                "egress::desk.patch(#{ open: false }, #{ query: #{ silent: true } });",
            ),
            (
                "patch(path, body)",
                BELOW,
                "egress::desk.patch(`items/${event.asset_id}`, #{ open: false });",
            ),
            (
                "patch(path, body, options)",
                BELOW_WITH_OPTIONS,
                "egress::desk.patch(\"items/1\", #{ open: false }, #{ query: #{ silent: true } });",
            ),
        ],
    ),
    (
        Method::Delete,
        [
            (
                "delete(body)",
                "Like `post(body)`, as `DELETE`.",
                "egress::desk.delete(#{ ids: [event.asset_id] });",
            ),
            (
                "delete(body, options)",
                WITH_OPTIONS,
                "egress::desk.delete(#{ ids: [event.asset_id] }, #{ query: #{ silent: true } });",
            ),
            (
                "delete(path, body)",
                "The same at a path below the target's URL; `()` for no body.",
                "egress::desk.delete(`items/${event.asset_id}`, ());",
            ),
            (
                "delete(path, body, options)",
                BELOW_WITH_OPTIONS,
                "egress::desk.delete(\"items/1\", (), #{ query: #{ silent: true } });",
            ),
        ],
    ),
];

fn doc((signature, about, example): (&'static str, &'static str, &'static str)) -> FunctionDoc {
    FunctionDoc {
        place: Place::Type("egress::NAME"),
        signature,
        about,
        example,
    }
}

pub(super) fn register(registry: &mut Registry) {
    registry.global().set_custom_type::<Target>("egress target");
    register_reading(registry);
    for (method, [plain, with_options, below, below_with_options]) in SENDING {
        registry.add(
            doc(plain),
            move |context: Context<'_>, target: &mut Target, body: Map| {
                send(&context, (target, method, ""), &body.into(), None)
            },
        );
        registry.add(
            doc(plain),
            move |context: Context<'_>, target: &mut Target, body: Array| {
                send(&context, (target, method, ""), &body.into(), None)
            },
        );
        registry.add(
            doc(with_options),
            move |context: Context<'_>, target: &mut Target, body: Map, options: Map| {
                send(&context, (target, method, ""), &body.into(), Some(&options))
            },
        );
        registry.add(
            doc(with_options),
            move |context: Context<'_>, target: &mut Target, body: Array, options: Map| {
                send(&context, (target, method, ""), &body.into(), Some(&options))
            },
        );
        registry.add(
            doc(below),
            move |context: Context<'_>, target: &mut Target, path: &str, body: Dynamic| {
                send(&context, (target, method, path), &body, None)
            },
        );
        registry.add(
            doc(below_with_options),
            move |context: Context<'_>,
                  target: &mut Target,
                  path: &str,
                  body: Dynamic,
                  options: Map| {
                send(&context, (target, method, path), &body, Some(&options))
            },
        );
    }
}

fn register_reading(registry: &mut Registry) {
    const GET: Method = Method::Get;
    registry.add(
        doc((
            "get()",
            "Reads from the target's URL. The answer is as for `post`.",
            "let answer = egress::desk.get();\nlog::info(answer.body);",
        )),
        |context: Context<'_>, target: &mut Target| {
            send(&context, (target, GET, ""), &Dynamic::UNIT, None)
        },
    );
    registry.add(
        doc((
            "get(path)",
            BELOW,
            "let answer = egress::desk.get(`items/${event.asset_id}`);\nlog::info(answer.headers);",
        )),
        |context: Context<'_>, target: &mut Target, path: &str| {
            send(&context, (target, GET, path), &Dynamic::UNIT, None)
        },
    );
    registry.add(
        doc((
            "get(path, options)",
            BELOW_WITH_OPTIONS,
            "egress::desk.get(\"items\", #{ query: #{ open: true } });",
        )),
        |context: Context<'_>, target: &mut Target, path: &str, options: Map| {
            send(
                &context,
                (target, GET, path),
                &Dynamic::UNIT,
                Some(&options),
            )
        },
    );
}

fn send(
    context: &Context<'_>,
    (target, method, path): (&Target, Method, &str),
    body: &Dynamic,
    options: Option<&Map>,
) -> Fallible<Map> {
    let session = Session::of(context)?;
    let mut call = EgressCall {
        target: target.0.clone(),
        method,
        path: path.to_owned(),
        query: BTreeMap::new(),
        headers: BTreeMap::new(),
        body: (!body.is_unit()).then(|| to_json(body)).transpose()?,
        position: None,
    };
    for (key, values) in options.into_iter().flatten() {
        let texts = texts(key, values)?;
        match key.as_str() {
            "query" => call.query = texts.collect::<Fallible<_>>()?,
            "headers" => {
                call.headers = texts
                    .map(|header| header.map(|(name, value)| (name.to_lowercase(), value)))
                    .collect::<Fallible<_>>()?;
            }
            _ => {
                let near = nearest(key, ["query", "headers"].into_iter());
                let advice = near.map_or_else(
                    || "they are `query` and `headers`".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                return Err(error(format!("a request has no option `{key}`; {advice}")));
            }
        }
    }
    let answer = perform(&session, Here::from(context), Effect::Egress(call))?;
    let part = |name: &str| answer.body.get(name).unwrap_or(&Value::Null);
    let mut shown = Map::new();
    shown.insert("status".into(), i64::from(answer.status).into());
    shown.insert("dropped".into(), (part("dropped") == true).into());
    shown.insert("headers".into(), to_dynamic(part("headers")));
    shown.insert("body".into(), to_dynamic(part("body")));
    Ok(shown)
}

/// Names with texts; numbers and true/false are written as such.
fn texts(
    option: &str,
    values: &Dynamic,
) -> Fallible<impl Iterator<Item = Fallible<(String, String)>>> {
    let fields = values.read_lock::<Map>().map(|map| map.clone());
    let fields = fields.ok_or_else(|| error(format!("the option `{option}` takes a map")))?;
    Ok(fields.into_iter().map(|(name, value)| {
        let text = match to_json(&value)? {
            Value::String(text) => Ok(text),
            plain @ (Value::Bool(_) | Value::Number(_)) => Ok(plain.to_string()),
            _ => Err(error(format!(
                "`{name}` takes a text, a number, or true or false"
            ))),
        };
        Ok((name.to_string(), text?))
    }))
}
