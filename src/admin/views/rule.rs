//! The active rules and the gateway itself, as the API shows them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::PauseView;
use crate::model::{RuleHeader, RuleId, RuleVersion, format_duration};

/// A rule that is active.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleView {
    /// Its name.
    #[schema(value_type = String)]
    pub rule: RuleId,
    /// Its version.
    #[schema(value_type = String)]
    pub version: RuleVersion,
    /// Its file.
    pub file: String,
    /// What it is for, as its author says.
    pub about: String,
    /// The events that wake it.
    pub on: Vec<String>,
    /// The title of the button that wakes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub button: Option<String>,
    /// The times that wake it: cron, and the zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The scopes that it may write under.
    pub allow: Vec<String>,
    /// The age at which an unfinished run is given up.
    pub expires: String,
    /// Who to ask about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Its pause or quarantine, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<PauseView>,
    /// Its runs that wait, are parked or are dead letters, by state.
    pub runs: BTreeMap<String, u64>,
}

impl RuleView {
    pub(in crate::admin) fn of(header: &RuleHeader) -> Self {
        Self {
            rule: header.rule.clone(),
            version: header.version.clone(),
            file: header.file.clone(),
            about: header.about.clone(),
            on: header.on.iter().map(ToString::to_string).collect(),
            button: header.button.as_ref().map(|button| button.title.clone()),
            schedule: header
                .schedule
                .as_ref()
                .map(|schedule| format!("{} {}", schedule.cron, schedule.timezone)),
            allow: header.allow.clone(),
            expires: format_duration(header.expires),
            owner: header.owner.clone(),
            stopped: None,
            runs: BTreeMap::new(),
        }
    }
}

/// The active rule set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleList {
    /// Its id; nothing while no set that compiles has been loaded.
    pub rule_set: Option<String>,
    /// Its rules.
    pub rules: Vec<RuleView>,
}

/// The gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// What `/readyz` says.
    pub readiness: Value,
    /// The active rule set.
    pub rule_set: Option<String>,
    /// Accepted events that no rule has been asked about yet.
    pub unrouted: u64,
    /// Routed events by state.
    pub events: BTreeMap<String, u64>,
    /// Runs by state.
    pub runs: BTreeMap<String, u64>,
    /// Since when the oldest run is due that is not claimed.
    pub due_since: Option<Timestamp>,
    /// Everything that is stopped.
    pub pauses: Vec<PauseView>,
}
