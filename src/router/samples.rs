//! Values that the router's tests share.

use jiff::Timestamp;
use serde_json::Value;

use crate::model::{
    Button, Event, EventKey, EventKind, Pattern, RuleFile, RuleHeader, RuleId, RuleSet, RuleSetId,
    RuleVersion, SourceName,
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
        on: vec![Pattern {
            source: "iconik".to_owned(),
            parts: vec!["*".to_owned(); 3],
        }],
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
