//! Values that the runner's tests share.

use std::time::Duration;

use serde_json::json;

use crate::iconik::CallError;
use crate::model::{
    Call, EventId, LaneKey, Method, Program, RuleFile, RuleId, RuleSetId, RuleVersion, Run, RunId,
    RunState,
};

pub(super) fn call(method: Method, path: &str) -> Call {
    Call {
        method,
        path: path.to_owned(),
        query: std::collections::BTreeMap::new(),
        body: None,
        cacheable: false,
        position: None,
    }
}

pub(super) fn program(allow: &[&str]) -> Program {
    Program {
        rule: RuleId::from("tag"),
        version: RuleVersion::from("1"),
        allow: allow.iter().map(|&scope| scope.to_owned()).collect(),
        groups: Vec::new(),
        progress: None,
        calls_max: 200,
        main: RuleFile {
            path: "tag.rhai".to_owned(),
            source: "fn run(event) {\n    asset.trash();\n}\n".to_owned(),
        },
        libraries: Vec::new(),
        site: String::new(),
        vars: json!({}),
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

pub(super) fn not_sent() -> CallError {
    CallError::NotSent {
        what: "connection refused".to_owned(),
    }
}

pub(super) fn throttled(retry_after: Option<Duration>) -> CallError {
    CallError::Throttled { retry_after }
}

pub(super) fn unauthorized() -> CallError {
    CallError::Unauthorized {
        message: "unknown token".to_owned(),
    }
}

pub(super) fn uncertain(status: Option<u16>) -> CallError {
    CallError::Uncertain {
        status,
        what: "no whole answer".to_owned(),
    }
}

pub(super) fn too_large() -> CallError {
    CallError::TooLarge {
        status: 200,
        limit_bytes: 1 << 20,
    }
}

pub(super) fn malformed() -> CallError {
    CallError::Malformed {
        what: "no URL".to_owned(),
    }
}

pub(super) fn run(id: i64) -> Run {
    Run {
        id: RunId(id),
        event: EventId([7; 16]),
        rule: RuleId::from("tag"),
        version: RuleVersion::from("1"),
        rule_set: RuleSetId::from("set"),
        binding: 1,
        lane: LaneKey::from("A"),
        state: RunState::Running,
        attempt: 1,
        created_at: "2026-03-01T12:00:00Z".parse().expect("a time"),
        started_at: None,
        failing_since: None,
        due_at: None,
        waits_for: None,
        parked: None,
        object: None,
        priority: 0,
        parent: None,
        origin: None,
        followed_by: None,
        released: None,
        children: None,
        ended_at: None,
        reason: None,
        failure: None,
    }
}
