//! A rule as everything outside the engine knows it: its header, its files, its version.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Event, EventKind, RuleId, RuleSetId, RuleVersion};

/// A file of the rules directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleFile {
    /// The path below the rules directory with `/` and with its ending: `news/tag.rhai`, `lib/dates.rhai`.
    pub path: String,
    /// The whole text.
    pub source: String,
}

/// All rules that decide about an event together. A set is replaced as a whole or not at all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleSet {
    /// The hash of everything below.
    pub id: RuleSetId,
    /// Every file, rules and libraries.
    pub files: Vec<RuleFile>,
    /// The rules that are enabled, by id.
    pub rules: Vec<RuleHeader>,
    /// The web address of Iconik, for links: `https://app.iconik.io`.
    pub site: String,
    /// The `[vars]` that the rules see.
    pub vars: Value,
}

/// Everything that a worker needs to advance one rule. Two programs with equal `version` and `vars` behave alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// Which rule.
    pub rule: RuleId,
    /// Which version of it.
    pub version: RuleVersion,
    /// The scopes that the header allows.
    pub allow: Vec<String>,
    /// The groups whose members may press the rule's button; everybody if there are none.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The title of the job that shows how a run is getting on, if there is to be one.
    #[serde(default)]
    pub progress: Option<String>,
    /// The most calls that one run may make.
    pub calls_max: u32,
    /// The rule's own file.
    pub main: RuleFile,
    /// The libraries that it imports, directly or not, in the order of their paths.
    pub libraries: Vec<RuleFile>,
    /// The web address of Iconik, for links: `https://app.iconik.io`.
    pub site: String,
    /// The `[vars]` that its runs see.
    pub vars: Value,
}

/// What a rule's header says, checked and with defaults filled in.
///
/// Sets that earlier versions of this program have stored lack what came later, and have to be read all the same: it
/// means then what it means when a rule leaves it out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleHeader {
    /// The rule's name.
    pub rule: RuleId,
    /// Hash of its source and of its imports.
    pub version: RuleVersion,
    /// Its file, a path below the rules directory.
    pub file: String,
    /// The library files that it imports, directly or not, sorted.
    pub imports: Vec<String>,
    /// The events that wake it.
    pub on: Vec<Pattern>,
    /// The custom action that wakes it.
    pub button: Option<Button>,
    /// The clock that wakes it.
    pub schedule: Option<Schedule>,
    /// The scopes that it may write under, such as `metadata:write`.
    pub allow: Vec<String>,
    /// Whom its calls are made as.
    #[serde(default)]
    pub run_as: RunAs,
    /// The title of the job of Iconik that shows how a run is getting on, if there is to be one.
    #[serde(default)]
    pub progress: Option<String>,
    /// How its runs are ordered.
    pub lane: Lane,
    /// What happens when an event arrives while a run of the lane is unfinished.
    pub concurrency: Concurrency,
    /// How long a lane must be quiet before its newest event makes a run.
    pub debounce: Option<Debounce>,
    /// Whether events that our own writes caused wake it too.
    #[serde(default)]
    pub echoes: bool,
    /// Who goes first when the API budget is short; higher first.
    #[serde(default)]
    pub priority: i32,
    /// The most script time and calls in flight together that one run may take; waits do not count.
    #[serde(default = "default_timeout")]
    pub timeout: Duration,
    /// How its calls are retried.
    pub retry: Retry,
    /// Bounds of one run.
    pub limits: Limits,
    /// The age at which an unfinished run is given up.
    pub expires: Duration,
    /// Who to ask about it.
    pub owner: Option<String>,
    /// Whether it has a `fn when(event)`.
    pub has_when: bool,
    /// Whether it has a `fn lane(event)`.
    #[serde(default)]
    pub has_lane: bool,
    /// Whether it has a `fn each(event)`.
    #[serde(default)]
    pub has_each: bool,
    /// Whether it has a `fn done(event, result)`.
    #[serde(default)]
    pub has_done: bool,
    /// The file's `//!` comment, for listings.
    pub about: String,
}

/// One entry of `on`: `event_type/realm/operation`, `*` for any, with the source it listens to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern {
    /// The source's name; `iconik` unless the entry says otherwise.
    pub source: String,
    /// Three parts for webhooks; for a foreign source its `type`, cut at slashes.
    pub parts: Vec<String>,
}

/// The custom action that a rule answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// The text on the button.
    pub title: String,
    /// Where Iconik shows it: `ASSET`, `COLLECTION`, `BULK` and so on.
    pub contexts: Vec<String>,
    /// The metadata view that Iconik shows as a form before it calls, by name or id.
    #[serde(default)]
    pub form: Option<String>,
    /// The groups whose members may press it, by name or id; everybody who sees it if there are none.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The web address that Iconik opens for whoever has pressed it.
    #[serde(default)]
    pub redirect: Option<String>,
}

/// Whom the calls of a rule are made as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunAs {
    /// The user of the configured credentials.
    #[default]
    Service,
    /// Whoever has pressed the button.
    User,
}

/// When the clock wakes a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Five fields of cron: minute, hour, day of the month, month, day of the week.
    pub cron: String,
    /// The name of the time zone that they are in, such as `Europe/Berlin`.
    pub timezone: String,
    /// What happens about times that passed while nobody could fire.
    pub missed: Missed,
}

/// What happens about times of a schedule that passed while nobody could fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// Nothing.
    Skip,
    /// The last of them fires once, late.
    Once,
}

/// How long a lane must be quiet before its newest event makes a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debounce {
    /// Without a further event for this long, the run begins.
    pub quiet: Duration,
    /// This long after the first event it begins in any case.
    pub max: Duration,
}

/// What the order key of a rule's runs is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// The asset, else the collection, else `object_id`; for a button the event.
    Default,
    /// The asset.
    Asset,
    /// The collection.
    Collection,
    /// The top-level `object_id`.
    Object,
    /// One lane for the whole rule.
    Rule,
    /// No order: every run has a lane of its own.
    None,
}

/// What a new run does about an unfinished one of its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Concurrency {
    /// Waits its turn.
    Queued,
    /// Runs beside it.
    Parallel,
    /// Waits its turn and takes the place of those that have not begun.
    Latest,
    /// Is dropped.
    Single,
}

/// How calls are retried below the script.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// The first pause.
    pub min: Duration,
    /// The longest pause.
    pub max: Duration,
    /// How long a call is tried before the run is given up.
    pub max_age: Duration,
    /// Statuses that count as temporary besides 429 and 5xx.
    pub statuses: Vec<u16>,
    /// What happens to an acting call that may have happened.
    pub uncertain: Uncertain,
}

/// What to do about a call of which nobody knows whether it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Uncertain {
    /// Ask a person.
    Park,
    /// Send it again.
    Repeat,
}

/// Bounds of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// The most calls.
    pub calls_per_run: u32,
    /// The most writes.
    pub writes_per_run: u32,
    /// The most objects that `each` may find; with more, nothing is begun and a person is asked.
    pub objects: u32,
}

fn default_timeout() -> Duration {
    Duration::from_secs(300)
}

impl RuleHeader {
    /// The header of a rule that says nothing: no event wakes it.
    pub fn new(rule: RuleId, version: RuleVersion, file: String) -> Self {
        Self {
            rule,
            version,
            file,
            imports: Vec::new(),
            on: Vec::new(),
            button: None,
            schedule: None,
            allow: Vec::new(),
            run_as: RunAs::Service,
            progress: None,
            lane: Lane::Default,
            concurrency: Concurrency::Queued,
            debounce: None,
            echoes: false,
            priority: 0,
            timeout: default_timeout(),
            retry: Retry::default(),
            limits: Limits::default(),
            expires: Duration::from_secs(30 * 86_400),
            owner: None,
            has_when: false,
            has_lane: false,
            has_each: false,
            has_done: false,
            about: String::new(),
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            min: Duration::from_secs(1),
            max: Duration::from_secs(600),
            max_age: Duration::from_secs(24 * 3600),
            statuses: Vec::new(),
            uncertain: Uncertain::Park,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_per_run: 200,
            writes_per_run: 200,
            objects: 5_000,
        }
    }
}

impl Pattern {
    /// Whether the pattern wants this event. A button event is never matched by a pattern.
    pub fn matches(&self, event: &Event) -> bool {
        if self.source != event.source.as_str() {
            return false;
        }
        let keys: &[&str] = match event.kind {
            EventKind::Webhook => &["event_type", "realm", "operation"],
            EventKind::Other => {
                return self.parts == ["*"] || event.text("type") == Some(&self.parts.join("/"));
            }
            EventKind::Button | EventKind::Schedule | EventKind::Object => return false,
        };
        self.parts.len() == keys.len()
            && self
                .parts
                .iter()
                .zip(keys)
                .all(|(part, key)| part == "*" || event.text(key) == Some(part))
    }
}

impl std::fmt::Display for Pattern {
    /// As a header spells it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.source != "iconik" {
            write!(f, "{}:", self.source)?;
        }
        f.write_str(&self.parts.join("/"))
    }
}

impl RuleSet {
    /// The header of one rule.
    pub fn header(&self, rule: &RuleId) -> Option<&RuleHeader> {
        self.rules.iter().find(|header| &header.rule == rule)
    }

    /// What a worker needs to advance `rule`: its file, its libraries, the vars.
    pub fn program(&self, rule: &RuleId) -> Option<Program> {
        let header = self.header(rule)?;
        let files: BTreeMap<&str, &RuleFile> = self
            .files
            .iter()
            .map(|file| (file.path.as_str(), file))
            .collect();
        Some(Program {
            rule: header.rule.clone(),
            version: header.version.clone(),
            allow: header.allow.clone(),
            groups: header
                .button
                .as_ref()
                .map(|button| button.groups.clone())
                .unwrap_or_default(),
            progress: header.progress.clone(),
            calls_max: header.limits.calls_per_run,
            main: (*files.get(header.file.as_str())?).clone(),
            libraries: header
                .imports
                .iter()
                .map(|path| files.get(path.as_str()).map(|file| (*file).clone()))
                .collect::<Option<_>>()?,
            site: self.site.clone(),
            vars: self.vars.clone(),
        })
    }
}
