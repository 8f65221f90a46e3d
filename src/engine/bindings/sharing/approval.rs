//! Approvals, and asking people for them.

use rhai::{Array, Dynamic, Map, NativeCallContext};
use serde_json::json;

use super::super::super::catalog::{FunctionDoc, Registry};
use super::super::super::convert::to_dynamic;
use super::super::super::session::Fallible;
use super::super::call::Request;
use super::super::ids::{ids_of, in_turns, one_of};
use super::super::job;
use super::super::kinds::{self, Kind};
use super::super::listing::{self, Paging};
use super::super::record::{Record, doc};
use crate::model::Method;

type Context<'a> = NativeCallContext<'a>;

/// `ApprovalBySchema`.
const STATUSES: [&str; 5] = ["N/A", "REQUESTED", "APPROVED", "NOT_APPROVED", "MIXED"];
/// What is approved.
const APPROVED: [&str; 2] = ["assets", "collections"];

pub(super) fn register(registry: &mut Registry) {
    register_own::<kinds::Asset>(registry);
    register_requests::<kinds::Asset>(registry);
    register_own::<kinds::Collection>(registry);
    register_requests::<kinds::Collection>(registry);
    register_many(registry);
}

fn register_own<K: Kind>(registry: &mut Registry) {
    let it = K::VARIABLE;
    registry.add(
        doc::<K>(
            "approvals()",
            "Who has approved it or not, as a list of maps with `status` (`N/A`, `REQUESTED`, `APPROVED`, `NOT_APPROVED`, `MIXED`), \
             `user`, `external`, `change_date`.",
            &format!("for approval in {it}.approvals() {{ log::info(approval.status); }}"),
        ),
        |context: Context<'_>, record: &mut Record<K>| -> Fallible<Array> {
            let request = Request::get(record.below("approvals/"));
            let found = listing::all(&context, "approvals", Paging::Whole, &request)?;
            Ok(found.iter().map(to_dynamic).collect())
        },
    );
    registry.add(
        doc::<K>(
            "set_approval(status)",
            "Approves it or not in the name of the gateway's user, and returns that as a map. Needs `approvals:write`.",
            &format!("{it}.set_approval(\"APPROVED\");"),
        ),
        |context: Context<'_>, record: &mut Record<K>, status: &str| -> Fallible<Dynamic> {
            let body = json!({ "status": one_of("status of an approval", status, &STATUSES)? });
            Ok(to_dynamic(&Request::put(record.below("approvals/")).body(body).send(&context)?))
        },
    );
    registry.add(
        doc::<K>(
            "remove_approval()",
            "Takes that back. Needs `approvals:delete`.",
            &format!("{it}.set_approval(\"APPROVED\");\n{it}.remove_approval();"),
        ),
        |context: Context<'_>, record: &mut Record<K>| -> Fallible<()> {
            Request::delete(record.below("approvals/"))
                .send(&context)
                .map(drop)
        },
    );
}

fn register_requests<K: Kind>(registry: &mut Registry) {
    let it = K::VARIABLE;
    let asked = format!("{it}.request_review(#{{ users: [event.user_id] }});\n");
    registry.add(
        doc::<K>(
            "request_review(values)",
            "Asks people to approve it: `users`, `groups`, `externals`, `min_number` (`ApprovalSchema`). Returns the request as a map, \
             or the Job where Iconik does it later. Needs `approvals:write`.",
            &asked,
        ),
        |context: Context<'_>, record: &mut Record<K>, values: Map| -> Fallible<Dynamic> {
            let answer = Request::post(record.below("approvals/request/")).values(&values)?.send(&context)?;
            match answer.get("job_id") {
                Some(_) => job::named(&answer),
                None => Ok(to_dynamic(&answer)),
            }
        },
    );
    registry.add(
        doc::<K>(
            "review_request()",
            "What was asked of whom, as a map, or `()` where nothing was.",
            &format!("{asked}log::info({it}.review_request().status);"),
        ),
        |context: Context<'_>, record: &mut Record<K>| -> Fallible<Dynamic> {
            let answer =
                Request::get(record.below("approvals/request/")).send_optional(&context)?;
            Ok(answer.as_ref().map_or(Dynamic::UNIT, to_dynamic))
        },
    );
    registry.add(
        doc::<K>(
            "update_review_request(values)",
            "Changes keys of the request (`PATCH`) and returns it as a map. Needs `approvals:write`.",
            &format!("{asked}{it}.update_review_request(#{{ min_number: 1 }});"),
        ),
        |context: Context<'_>, record: &mut Record<K>, values: Map| -> Fallible<Dynamic> {
            let request = Request::new(Method::Patch, record.below("approvals/request/"));
            Ok(to_dynamic(&request.values(&values)?.send(&context)?))
        },
    );
    registry.add(
        doc::<K>(
            "cancel_review_request()",
            "Takes the request back. Needs `approvals:delete`.",
            &format!("{asked}{it}.cancel_review_request();"),
        ),
        |context: Context<'_>, record: &mut Record<K>| -> Fallible<()> {
            Request::delete(record.below("approvals/request/"))
                .send(&context)
                .map(drop)
        },
    );
}

fn register_many(registry: &mut Registry) {
    let doc = FunctionDoc::of_iconik;
    registry.add(
        doc(
            "set_approvals(object_type, ids, status)",
            "Approves many assets or collections or not, 500 in a request. Needs `approvals:write`.",
            "iconik::set_approvals(\"assets\", [event.asset_id], \"APPROVED\");",
        ),
        |context: Context<'_>, object_type: &str, ids: Array, status: &str| -> Fallible<()> {
            let object_type = one_of("type of objects here", object_type, &APPROVED)?;
            let status = one_of("status of an approval", status, &STATUSES)?;
            in_turns(&context, &ids_of("object", &ids)?, |ids| {
                let body = json!({ "object_ids": ids, "object_type": object_type, "status": status });
                Ok(Request::post("assets/v1/approvals/bulk/").body(body))
            })
            .map(drop)
        },
    );
    registry.add(
        doc(
            "remove_approvals(object_type, ids)",
            "Takes the approvals of many back, likewise. Needs `approvals:delete`.",
            "iconik::remove_approvals(\"assets\", [event.asset_id]);",
        ),
        |context: Context<'_>, object_type: &str, ids: Array| -> Fallible<()> {
            let object_type = one_of("type of objects here", object_type, &APPROVED)?;
            in_turns(&context, &ids_of("object", &ids)?, |ids| {
                let body = json!({ "object_ids": ids, "object_type": object_type });
                Ok(Request::post("assets/v1/approvals/bulk_remove/").body(body))
            })
            .map(drop)
        },
    );
}
