//! Rules, calls and outcomes that the tests share.

use std::collections::BTreeMap;

use cuegate::iconik::{CallError, Reply};
use cuegate::model::{
    Button, Call, Method, Pattern, RuleFile, RuleHeader, RuleId, RuleSet, RuleSetId, RuleVersion,
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// The path of the only asset.
pub(super) const ASSET: &str = "assets/v1/assets/A/";

pub(super) fn webhook(object: &str) -> Value {
    json!({"event_type": "assets", "realm": "entity", "operation": "create", "object_id": object,
        "system_domain_id": "D"})
}

/// A rule that wants every webhook and may do what the tests do.
pub(super) fn rule(id: &str) -> RuleHeader {
    RuleHeader {
        on: vec![Pattern {
            source: "iconik".to_owned(),
            parts: vec!["*".to_owned(); 3],
        }],
        allow: ["assets:write", "assets:delete", "jobs:write"]
            .map(str::to_owned)
            .to_vec(),
        ..RuleHeader::new(
            RuleId::from(id),
            RuleVersion::from("1"),
            format!("{id}.rhai"),
        )
    }
}

pub(super) fn button() -> Button {
    Button {
        title: "Press".to_owned(),
        contexts: vec!["ASSET".to_owned()],
        ..Button::default()
    }
}

/// A rule set whose id says what is in it.
pub(super) fn rule_set(rules: Vec<RuleHeader>) -> RuleSet {
    let names: Vec<_> = rules
        .iter()
        .map(|rule| format!("{} {}", rule.rule, rule.version))
        .collect();
    RuleSet {
        id: RuleSetId(names.join(", ")),
        files: rules
            .iter()
            .map(|rule| RuleFile {
                path: rule.file.clone(),
                source: "fn run(event) {}".to_owned(),
            })
            .collect(),
        rules,
        site: String::new(),
        vars: json!({}),
    }
}

pub(super) fn call(method: Method, path: &str) -> Call {
    Call {
        method,
        path: path.to_owned(),
        query: BTreeMap::new(),
        body: None,
        cacheable: false,
        position: None,
    }
}

pub(super) fn read() -> Call {
    call(Method::Get, ASSET)
}

/// An idempotent write.
pub(super) fn trash() -> Call {
    call(Method::Delete, ASSET)
}

/// A creating write.
pub(super) fn create_job() -> Call {
    let mut call = call(Method::Post, "jobs/v1/jobs/");
    call.body = Some(json!({"title": "Cut", "type": "CUSTOM", "status": "READY"}));
    call
}

/// A creating write of which nothing tells afterwards whether it happened.
pub(super) fn relate() -> Call {
    let mut call = call(Method::Post, "assets/v1/assets/A/relations/");
    call.body = Some(json!({"related_to_asset_id": "B", "relation_type": "similar"}));
    call
}

/// An acting write.
pub(super) fn abort_job() -> Call {
    let mut call = call(Method::Put, "jobs/v1/jobs/state/");
    call.body = Some(json!({"action": "ABORT", "job_ids": ["J"]}));
    call
}

pub(super) fn reply(status: u16, body: Value) -> Reply {
    Reply {
        status,
        body,
        at: Timestamp::UNIX_EPOCH,
    }
}

pub(super) fn refused(status: u16) -> CallError {
    CallError::Refused {
        status,
        message: "no".to_owned(),
        errors: json!(["no"]),
        body: json!({"errors": ["no"]}),
    }
}

pub(super) fn uncertain() -> CallError {
    CallError::Uncertain {
        status: Some(502),
        what: "it answered 502".to_owned(),
    }
}

pub(super) fn throttled() -> CallError {
    CallError::Throttled { retry_after: None }
}

pub(super) fn unauthorized() -> CallError {
    CallError::Unauthorized {
        message: "unknown token".to_owned(),
    }
}
