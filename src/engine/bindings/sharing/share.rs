//! Shares: what people outside see of an asset or a collection.

use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::super::super::catalog::Registry;
use super::super::super::convert::to_dynamic;
use super::super::super::session::{Fallible, error};
use super::super::call::Request;
use super::super::kinds::{self, Kind};
use super::super::listing::{self, AFTER_ID};
use super::super::record::{self, Record, doc};

type Context<'a> = NativeCallContext<'a>;
/// A share as it was when it was read or made.
type Share = Record<kinds::Share>;

/// What Iconik wants to be told in every share (`ShareCreateSchema`).
const RIGHTS: [&str; 4] = [
    "allow_approving_comments",
    "allow_comments",
    "allow_download",
    "allow_setting_approve_status",
];

pub(super) fn register(registry: &mut Registry) {
    record::register::<kinds::Share>(registry);
    register_sharing::<kinds::Asset>(registry);
    register_sharing::<kinds::Collection>(registry);
    registry.add(
        doc::<kinds::Share>(
            "replace(values)",
            "Sets the whole share (`PUT`; Iconik has no `PATCH` of it) and returns the changed Share; `allow_…` that is not given is \
             false. Needs `shares:write`.",
            "share = share.replace(#{ title: \"For you\", allow_download: true });",
        ),
        |context: Context<'_>, share: &mut Share, values: Map| -> Fallible<Share> {
            let request = Request::put(share.path()).values(&with_rights(values))?;
            Ok(share.renewed(request.send(&context)?))
        },
    );
    record::register_delete::<kinds::Share>(registry, "Ends the share. Needs `shares:delete`.");
    registry.add(
        doc::<kinds::Share>(
            "users()",
            "Who the share is for, as a list of maps with `email` (`ShareUserSchema`).",
            "for user in share.users() { log::info(user.email); }",
        ),
        |context: Context<'_>, share: &mut Share| -> Fallible<Array> {
            let request = Request::get(share.below("users/"));
            let found = listing::all(&context, "users of a share", AFTER_ID, &request)?;
            Ok(found.iter().map(to_dynamic).collect())
        },
    );
    registry.add(
        doc::<kinds::Share>(
            "add_user(email)",
            "Lets somebody else see it and returns that as a map; Iconik sends a mail. Needs `shares:write`.",
            "share.add_user(\"guest@studio.example\");",
        ),
        |context: Context<'_>, share: &mut Share, email: &str| -> Fallible<Dynamic> {
            let body = serde_json::json!({ "email": email });
            Ok(to_dynamic(&Request::post(share.below("users/")).body(body).send(&context)?))
        },
    );
}

/// The path of the shares of an object.
fn list<K: Kind>(record: &Record<K>) -> String {
    record.below("shares/")
}

fn register_sharing<K: Kind>(registry: &mut Registry) {
    let it = K::VARIABLE;
    registry.add(
        doc::<K>(
            "shares()",
            "The shares, as a list of Shares.",
            &format!("for share in {it}.shares() {{ log::info(share.title); }}"),
        ),
        |context: Context<'_>, record: &mut Record<K>| -> Fallible<Array> {
            let list = list(record);
            Share::all(
                &list,
                listing::all(&context, "shares", AFTER_ID, &Request::get(&list))?,
            )
        },
    );
    registry.add(
        doc::<K>(
            "share(values)",
            "Shares it with people by mail and returns the Share: `emails` is required; `allow_download`, `allow_comments` and the \
             like are false unless said otherwise; `expires`, `title`, `message`, `password` (`ShareCreateSchema`). Needs \
             `shares:write`.",
            &format!("{it}.share(#{{ emails: [\"guest@studio.example\"], title: \"For you\", allow_comments: true }});"),
        ),
        |context: Context<'_>, record: &mut Record<K>, values: Map| -> Fallible<Share> {
            if !values.contains_key("emails") {
                return Err(error("share needs `emails`, a list; `share_url` makes an address that anybody can use"));
            }
            Share::create(&context, &list(record), &with_rights(values))
        },
    );
    registry.add(
        doc::<K>(
            "share_url(values)",
            "Shares it by an address, in `url` of the Share that is returned: whoever knows it can use it. Otherwise as `share` \
             (`ShareURLCreateSchema`). Needs `shares:write`.",
            &format!("log::info({it}.share_url(#{{ title: \"For you\", expires: time::now().plus(\"7d\") }}).url);"),
        ),
        |context: Context<'_>, record: &mut Record<K>, values: Map| -> Fallible<Share> {
            let list = list(record);
            let request = Request::post(format!("{list}url/")).values(&with_rights(values))?;
            Share::of(&list, request.send(&context)?)
        },
    );
}

/// Nothing is allowed that nobody has allowed.
fn with_rights(mut values: Map) -> Map {
    for right in RIGHTS {
        values.entry(right.into()).or_insert(false.into());
    }
    values
}
