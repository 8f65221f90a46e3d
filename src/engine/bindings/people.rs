//! People: users, groups, and telling somebody something.

use rhai::{Array, Dynamic, Map, NativeCallContext};
use serde_json::json;

use super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::convert::to_dynamic;
use super::super::session::{Fallible, error};
use super::call::{Request, text_at};
use super::ids::{id_of, is_uuid, only};
use super::kinds;
use super::listing::{self, Paging};

type Context<'a> = NativeCallContext<'a>;

const USERS: &str = "users/v1/users/";
const GROUPS: &str = "users/v1/groups/";
/// The query parameters of the list of users.
const USER_FILTERS: [&str; 6] = [
    "email",
    "first_name",
    "groups",
    "last_name",
    "query",
    "status",
];

fn doc(signature: &'static str, about: &'static str, example: &'static str) -> FunctionDoc {
    FunctionDoc {
        place: Place::Module("iconik"),
        signature,
        about,
        example,
    }
}

pub(super) fn register(registry: &mut Registry) {
    register_users(registry);
    register_groups(registry);
    registry.add(
        doc(
            "notify(user, short, long, object)",
            "Tells a user something at the bell of Iconik, in a short and a long text, about an Asset or a Collection, or about what \
             `#{ object_type, object_id }` names. It comes from the gateway's user, whose id is looked up; its `event_type` is \
             `CUSTOM` (inferred: no document lists the types). Needs `notifications:write`.",
            "let asset = iconik::asset(event.asset_id);\n\
             iconik::notify(iconik::current_user(), \"Sent\", `${asset.title} went to the station.`, asset);",
        ),
        |context: Context<'_>, user: Dynamic, short: &str, long: &str, object: Dynamic| {
            notify(&context, &user, (short, long), &object)
        },
    );
}

fn register_users(registry: &mut Registry) {
    registry.add(
        doc(
            "user(id)",
            "Reads a user, as a map with `email`, `first_name`, `last_name`, `groups` and so on (`UserSchema`).",
            "let me = iconik::current_user();\nlog::info(iconik::user(me.id).email);",
        ),
        |context: Context<'_>, id: Dynamic| -> Fallible<Dynamic> {
            let path = format!("{USERS}{}/", id_of("user", &id)?);
            Ok(to_dynamic(&Request::get(path).send(&context)?))
        },
    );
    registry.add(
        doc(
            "current_user()",
            "The user that the gateway acts as, as a map; the answer may be a minute old.",
            "if event.user_id == iconik::current_user().id { return skip(\"our own write\"); }",
        ),
        |context: Context<'_>| -> Fallible<Dynamic> { Ok(to_dynamic(&current_user(&context)?)) },
    );
    registry.add(
        doc(
            "users(filters)",
            "The users that these filters let through, as a list of maps: `email`, `first_name`, `last_name`, `groups`, `status`, `query`; \
             `#{}` for all.",
            "for user in iconik::users(#{ status: \"ACTIVE\" }) { log::info(user.email); }",
        ),
        |context: Context<'_>, filters: Map| -> Fallible<Array> {
            let request = Request::get(USERS).options(&filters, &USER_FILTERS)?;
            let found = listing::all(&context, "users", Paging::Page, &request)?;
            Ok(found.iter().map(to_dynamic).collect())
        },
    );
}

fn register_groups(registry: &mut Registry) {
    const MADE: &str = "let group = iconik::create_group(#{ name: \"Desk\" });\nlet me = iconik::current_user();\n";
    let doc_after =
        |signature, about, example: &str| doc(signature, about, format!("{MADE}{example}").leak());
    registry.add(
        doc(
            "groups()",
            "All groups, as a list of maps with `id` and `name` (`GroupSchema`).",
            "for group in iconik::groups() { log::info(group.name); }",
        ),
        |context: Context<'_>| -> Fallible<Array> {
            let found = listing::all(&context, "groups", Paging::Page, &Request::get(GROUPS))?;
            Ok(found.iter().map(to_dynamic).collect())
        },
    );
    registry.add(
        doc_after(
            "group(name_or_id)",
            "One group, as a map; a name is looked up in a list that may be a minute old. None or several of a name are an error.",
            "if iconik::group(\"Desk\").id != group.id { fail(\"group\"); }",
        ),
        |context: Context<'_>, name: &str| -> Fallible<Dynamic> {
            let path = format!("{GROUPS}{}/", group_id(&context, &name.into())?);
            Ok(to_dynamic(&Request::get(path).send(&context)?))
        },
    );
    registry.add(
        doc(
            "create_group(values)",
            "Makes a group and returns it as a map: `name` is required (`GroupSchema`). Needs `users:write`.",
            "iconik::create_group(#{ name: \"Desk\" });",
        ),
        |context: Context<'_>, values: Map| -> Fallible<Dynamic> {
            Ok(to_dynamic(&Request::post(GROUPS).values(&values)?.send(&context)?))
        },
    );
    registry.add(
        doc_after(
            "add_to_group(group, user)",
            "Puts a user into a group, given by its name, its id or as a map. Needs `users:write`.",
            "iconik::add_to_group(\"Desk\", me);",
        ),
        |context: Context<'_>, group: Dynamic, user: Dynamic| -> Fallible<()> {
            Request::post(member(&context, &group, &user)?)
                .send(&context)
                .map(drop)
        },
    );
    registry.add(
        doc_after(
            "remove_from_group(group, user)",
            "Takes a user out of a group, likewise. Needs `users:delete`.",
            "iconik::add_to_group(group, me);\niconik::remove_from_group(group, me);",
        ),
        |context: Context<'_>, group: Dynamic, user: Dynamic| -> Fallible<()> {
            Request::delete(member(&context, &group, &user)?)
                .send(&context)
                .map(drop)
        },
    );
}

fn current_user(context: &Context<'_>) -> Fallible<serde_json::Value> {
    Request::get(format!("{USERS}current/"))
        .cacheable()
        .send(context)
}

fn member(context: &Context<'_>, group: &Dynamic, user: &Dynamic) -> Fallible<String> {
    let (group, user) = (group_id(context, group)?, id_of("user", user)?);
    Ok(format!("{GROUPS}{group}/users/{user}/"))
}

/// The id of a group; a name is looked up in a list that may be a minute old.
fn group_id(context: &Context<'_>, group: &Dynamic) -> Fallible<String> {
    let name = group
        .as_immutable_string_ref()
        .ok()
        .map(|name| name.to_string());
    let Some(name) = name.filter(|name| !is_uuid(name)) else {
        return id_of("group", group);
    };
    let all = listing::all(
        context,
        "groups",
        Paging::Page,
        &Request::get(GROUPS).cacheable(),
    )?;
    let known: Vec<_> = all
        .iter()
        .filter_map(|one| Some((text_at(one, "name")?, text_at(one, "id")?)))
        .collect();
    only("group", &name, &known)
}

fn notify(
    context: &Context<'_>,
    user: &Dynamic,
    (short, long): (&str, &str),
    object: &Dynamic,
) -> Fallible<()> {
    let (object_type, object_id) = object_of(object)?;
    let recipient = id_of("user", user)?;
    let me = current_user(context)?;
    let sender = text_at(&me, "id").ok_or_else(|| error("Iconik answered a user without an id"))?;
    let body = json!({
        "event_type": "CUSTOM",
        "message_short": short,
        "message_long": long,
        "object_type": object_type,
        "object_id": object_id,
        "recipient_id": recipient,
        "sender_id": sender,
    });
    Request::post("users-notifications/v1/notifications/")
        .body(body)
        .send(context)
        .map(drop)
}

/// The type and the id of what a notification is about.
fn object_of(object: &Dynamic) -> Fallible<(String, String)> {
    if let Some((kind, id, _)) = kinds::address(object) {
        let object_type = match kind {
            "Asset" => "assets",
            "Collection" => "collections",
            "Job" => "jobs",
            other => {
                return Err(error(format!(
                    "a notification is about an Asset, a Collection or a Job, not a {other}"
                )));
            }
        };
        return Ok((object_type.to_owned(), id));
    }
    let map = object.read_lock::<Map>();
    let map = map.ok_or_else(|| {
        error("a notification is about an Asset, a Collection or `#{ object_type, object_id }`")
    })?;
    let object_type = map
        .get("object_type")
        .and_then(|it| it.as_immutable_string_ref().ok().map(|it| it.to_string()));
    let object_type =
        object_type.ok_or_else(|| error("the `object_type` is missing, such as \"assets\""))?;
    let id = map
        .get("object_id")
        .or_else(|| map.get("id"))
        .cloned()
        .unwrap_or_default();
    Ok((object_type, id_of("object", &id)?))
}
