//! Access control: who may read, write, delete and pass on an object.
//!
//! Without a mode Iconik overwrites what others may do (`CreateACLsSchema`), so a mode has to be said here.

use rhai::{Array, Dynamic, Map, NativeCallContext};
use serde_json::Value;

use super::super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::super::convert::to_dynamic;
use super::super::super::session::{Fallible, error};
use super::super::call::{Request, text_at};
use super::super::ids::{id_of, ids_of, in_turns, is_uuid, one_of, only, path_name};
use super::super::job;
use super::super::kinds::{self, Kind};
use super::super::listing::{self, Paging};
use super::super::record::{Record, doc};

type Context<'a> = NativeCallContext<'a>;

const MODES: [&str; 2] = ["APPEND", "OVERWRITE"];
const PERMISSIONS: [&str; 4] = ["read", "write", "delete", "change-acl"];
const TEMPLATES: &str = "acls/v1/acl/templates/";
/// An example that changes what a user may do.
const VALUES: &str = "#{ mode: \"APPEND\", permissions: [\"read\"], user_ids: [event.user_id] }";

pub(super) fn register(registry: &mut Registry) {
    register_own::<kinds::Asset>(registry, "assets");
    register_own::<kinds::Collection>(registry, "collections");
    register_many(registry);
    register_contents(registry);
    register_templates(registry);
}

fn register_own<K: Kind>(registry: &mut Registry, object_type: &'static str) {
    let it = K::VARIABLE;
    registry.add(
        doc::<K>(
            "acl()",
            "Who may do what, as a map: `users_acl`, `groups_acl`, `inherited_users_acl` and so on (`ACLSchema`).",
            &format!("for entry in {it}.acl().users_acl {{ log::info(entry.user_id); }}"),
        ),
        move |context: Context<'_>, record: &mut Record<K>| -> Fallible<Dynamic> {
            let path = format!("acls/v1/acl/{object_type}/{}/", record.id());
            Ok(to_dynamic(&Request::get(path).send(&context)?))
        },
    );
    registry.add(
        doc::<K>(
            "may(permission)",
            "Whether the gateway's user may `read`, `write`, `delete` or `change-acl` it.",
            &format!("if !{it}.may(\"write\") {{ return skip(\"it is somebody else's\"); }}"),
        ),
        move |context: Context<'_>, record: &mut Record<K>, permission: &str| -> Fallible<bool> {
            let permission = one_of("permission", permission, &PERMISSIONS)?;
            Request::get(format!(
                "acls/v1/acl/{object_type}/{}/{permission}/",
                record.id()
            ))
            .send_granted(&context)
        },
    );
    registry.add(
        doc::<K>(
            "set_acl(values)",
            "Lets users and groups do something: `permissions` (of `read`, `write`, `delete`, `change-acl`), `user_ids`, `group_ids`, and \
             a `mode`, which has to be said: `\"APPEND\"` adds, `\"OVERWRITE\"` takes everything else away from them. Needs `acls:write`.",
            &format!("{it}.set_acl({VALUES});"),
        ),
        move |context: Context<'_>, record: &mut Record<K>, values: Map| {
            set(&context, object_type, &[record.id().to_owned()], &values)
        },
    );
    registry.add(
        doc::<K>(
            "remove_acl(values)",
            "Takes all permissions from `user_ids` and `group_ids`. Needs `acls:delete`.",
            &format!("{it}.remove_acl(#{{ user_ids: [event.user_id] }});"),
        ),
        move |context: Context<'_>, record: &mut Record<K>, values: Map| {
            remove(&context, object_type, &[record.id().to_owned()], &values)
        },
    );
    registry.add(
        doc::<K>(
            "apply_acl_template(template)",
            "Gives it the permissions of a template, given by its name or id. Needs `acls:write`.",
            &format!("iconik::create_acl_template(\"Desk\");\n{it}.apply_acl_template(\"Desk\");"),
        ),
        move |context: Context<'_>, record: &mut Record<K>, template: Dynamic| -> Fallible<()> {
            let template = template_id(&context, &template)?;
            let path = format!("{TEMPLATES}{template}/{object_type}/{}/", record.id());
            Request::post(path).send(&context).map(drop)
        },
    );
}

fn register_many(registry: &mut Registry) {
    let doc = |signature, about, example: &str| FunctionDoc {
        place: Place::Module("iconik"),
        signature,
        about,
        example: example.to_owned().leak(),
    };
    registry.add(
        doc(
            "set_acl(object_type, ids, values)",
            "Lets users and groups do something with many objects, 500 in a request; the values are those of `.set_acl`. Needs \
             `acls:write`.",
            &format!("iconik::set_acl(\"assets\", [event.asset_id], {VALUES});"),
        ),
        |context: Context<'_>, object_type: &str, ids: Array, values: Map| {
            set(&context, object_type, &ids_of("object", &ids)?, &values)
        },
    );
    registry.add(
        doc(
            "remove_acl(object_type, ids, values)",
            "Takes all permissions on many objects from `user_ids` and `group_ids`, likewise. Needs `acls:delete`.",
            "iconik::remove_acl(\"assets\", [event.asset_id], #{ user_ids: [event.user_id] });",
        ),
        |context: Context<'_>, object_type: &str, ids: Array, values: Map| {
            remove(&context, object_type, &ids_of("object", &ids)?, &values)
        },
    );
}

fn register_contents(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Collection>(
            "set_contents_acl(values)",
            "Lets users and groups do something with what is in the collection, at any depth, and returns the Job, or `()` where Iconik \
             names none. The values are those of `set_acl`, and `include_assets` and `include_collections`, which have to be said. Needs \
             `acls:write`.",
            "folder.set_contents_acl(#{ mode: \"APPEND\", permissions: [\"read\"], user_ids: [event.user_id], include_assets: true, \
             include_collections: false });",
        ),
        |context: Context<'_>, folder: &mut Record<kinds::Collection>, values: Map| -> Fallible<Dynamic> {
            check(&values)?;
            for key in ["include_assets", "include_collections"] {
                if !values.get(key).is_some_and(Dynamic::is_bool) {
                    return Err(error(format!("say `{key}: true` or `{key}: false`")));
                }
            }
            let ids = serde_json::json!([folder.id()]);
            let request = Request::put("acls/v1/acl/collections/content/");
            job::named(&request.values_with(&values, [("object_ids", ids)])?.send(&context)?)
        },
    );
}

fn register_templates(registry: &mut Registry) {
    let doc = FunctionDoc::of_iconik;
    registry.add(
        doc(
            "acl_templates()",
            "The templates of permissions, as a list of maps with `id` and `name`.",
            "for template in iconik::acl_templates() { log::info(template.name); }",
        ),
        |context: Context<'_>| -> Fallible<Array> {
            let found = listing::all(
                &context,
                "templates",
                Paging::Whole,
                &Request::get(TEMPLATES),
            )?;
            Ok(found.iter().map(to_dynamic).collect())
        },
    );
    registry.add(
        doc(
            "create_acl_template(name)",
            "Makes a template of permissions and returns it as a map. Needs `acls:write`.",
            "iconik::create_acl_template(\"Desk\");",
        ),
        |context: Context<'_>, name: &str| -> Fallible<Dynamic> {
            let body = serde_json::json!({ "name": name });
            Ok(to_dynamic(
                &Request::post(TEMPLATES).body(body).send(&context)?,
            ))
        },
    );
}

/// The id of a template; a name is looked up in a list that may be a minute old.
fn template_id(context: &Context<'_>, template: &Dynamic) -> Fallible<String> {
    let name = template
        .as_immutable_string_ref()
        .ok()
        .map(|name| name.to_string());
    let Some(name) = name.filter(|name| !is_uuid(name)) else {
        return id_of("template", template);
    };
    let all = listing::all(
        context,
        "templates",
        Paging::Whole,
        &Request::get(TEMPLATES).cacheable(),
    )?;
    let known: Vec<_> = all
        .iter()
        .filter_map(|one| Some((text_at(one, "name")?, text_at(one, "id")?)))
        .collect();
    only("template", &name, &known)
}

/// What has to be said of permissions.
fn check(values: &Map) -> Fallible<()> {
    let mode = values.get("mode").and_then(|mode| {
        mode.as_immutable_string_ref()
            .ok()
            .map(|mode| mode.to_string())
    });
    let mode = mode.ok_or_else(|| {
        error(
            "say `mode: \"APPEND\"`, which adds permissions, or `mode: \"OVERWRITE\"`, which takes others away: Iconik \
             would overwrite them without it",
        )
    })?;
    one_of("mode", &mode, &MODES)?;
    let permissions = values
        .get("permissions")
        .and_then(Dynamic::read_lock::<Array>);
    let permissions = permissions.ok_or_else(|| error("set_acl needs `permissions`, a list"))?;
    for permission in permissions.iter() {
        one_of("permission", &permission.to_string(), &PERMISSIONS)?;
    }
    somebody(values)
}

fn set(context: &Context<'_>, object_type: &str, ids: &[String], values: &Map) -> Fallible<()> {
    check(values)?;
    by_keys(context, ids, |keys| {
        Request::put(list(object_type)?).values_with(values, [("object_keys", keys)])
    })
}

fn remove(context: &Context<'_>, object_type: &str, ids: &[String], values: &Map) -> Fallible<()> {
    somebody(values)?;
    by_keys(context, ids, |keys| {
        Request::delete(list(object_type)?).values_with(values, [("object_keys", keys)])
    })
}

fn by_keys(
    context: &Context<'_>,
    ids: &[String],
    request: impl Fn(Value) -> Fallible<Request>,
) -> Fallible<()> {
    in_turns(context, ids, request).map(drop)
}

fn list(object_type: &str) -> Fallible<String> {
    Ok(format!(
        "acls/v1/acl/{}/",
        path_name("type of objects", object_type)?
    ))
}

fn somebody(values: &Map) -> Fallible<()> {
    let named = |key: &str| {
        let list = values.get(key).and_then(Dynamic::read_lock::<Array>);
        list.is_some_and(|list| !list.is_empty())
    };
    if named("user_ids") || named("group_ids") {
        return Ok(());
    }
    Err(error(
        "nobody is named: give `user_ids` or `group_ids`, lists of ids",
    ))
}
