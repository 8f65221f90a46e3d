//! What people have stopped.

use jiff::Timestamp;

use crate::model::RuleId;

/// Something that a person has stopped, or that was stopped for their sake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// What.
    pub scope: PauseScope,
    /// Whether the gateway did it, because the rule kept breaking its workers. Its events are held back then.
    pub quarantine: bool,
    /// Why, for people.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// What can be stopped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PauseScope {
    /// Every run: nothing is claimed.
    All,
    /// Every write: a run that comes to one waits before its intent.
    Writes,
    /// The runs of one rule.
    Rule(RuleId),
}

impl PauseScope {
    /// Reads what [`std::fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "all" => Some(Self::All),
            "writes" => Some(Self::Writes),
            _ => text
                .strip_prefix("rule:")
                .map(|rule| Self::Rule(rule.into())),
        }
    }
}

impl std::fmt::Display for PauseScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Writes => f.write_str("writes"),
            Self::Rule(rule) => write!(f, "rule:{rule}"),
        }
    }
}
