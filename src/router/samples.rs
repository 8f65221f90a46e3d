//! Values that the router's tests share.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::{
    Button, Concurrency, Event, EventKey, EventKind, Lane, Limits, Pattern, Retry, RuleFile,
    RuleHeader, RuleId, RuleSet, RuleSetId, RuleVersion, SourceName,
};

pub(super) fn event(kind: EventKind, body: Value) -> Event {
    let source = SourceName::from("iconik");
    let key = EventKey::of_bytes(&source, body.to_string().as_bytes());
    Event {
        id: key.event_id(0),
        key,
        window: 0,
        source,
        kind,
        received_at: Timestamp::UNIX_EPOCH,
        headers: std::collections::BTreeMap::new(),
        body,
    }
}

/// A rule that wants every webhook of Iconik.
pub(super) fn rule(id: &str) -> RuleHeader {
    RuleHeader {
        rule: RuleId::from(id),
        version: RuleVersion::from("1"),
        file: format!("{id}.rhai"),
        imports: Vec::new(),
        on: vec![Pattern {
            source: "iconik".to_owned(),
            parts: vec!["*".to_owned(); 3],
        }],
        button: None,
        allow: Vec::new(),
        lane: Lane::Default,
        concurrency: Concurrency::Queued,
        retry: Retry::default(),
        limits: Limits::default(),
        expires: Duration::from_secs(86_400),
        owner: None,
        has_when: false,
        about: String::new(),
    }
}

pub(super) fn button() -> Button {
    Button {
        title: "Press".to_owned(),
        contexts: vec!["ASSET".to_owned()],
    }
}

pub(super) fn set(rules: Vec<RuleHeader>) -> RuleSet {
    RuleSet {
        id: RuleSetId::from("set"),
        files: rules
            .iter()
            .map(|rule| RuleFile {
                path: rule.file.clone(),
                source: String::new(),
            })
            .collect(),
        rules,
        site: String::new(),
        vars: Value::Null,
    }
}
