//! Runs as the API shows them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{
    Diagnostic, EventId, Failure, Origin, Position, RuleId, RuleSetId, RuleVersion, Run, RunId,
    RunState, Tally,
};
use crate::store::{ClassCount, Matching, Repeats, WriteMade};

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunRow {
    /// Its number.
    #[schema(value_type = i64)]
    pub id: RunId,
    /// How far it is.
    #[schema(schema_with = super::run_states)]
    pub state: RunState,
    /// Why it is dead or parked, or what it waits for.
    #[schema(schema_with = super::classes)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The rule.
    #[schema(value_type = String)]
    pub rule: RuleId,
    /// The version that it runs on.
    #[schema(value_type = String)]
    pub version: RuleVersion,
    /// The rule set that holds that version.
    #[schema(value_type = String)]
    pub rule_set: RuleSetId,
    /// The event.
    #[schema(value_type = String)]
    pub event: EventId,
    /// Its order key inside the rule.
    pub lane: String,
    /// The object that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Claims since its journal last grew.
    pub attempt: u32,
    /// Higher goes first.
    pub priority: i32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was first claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it goes on at the latest, or when its lane will have been quiet for long enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The run whose `each` made it.
    #[schema(value_type = Option<i64>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<RunId>,
    /// The run that a person retried to make it.
    #[schema(value_type = Option<i64>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<RunId>,
    /// The run that a person replayed to make it.
    #[schema(value_type = Option<i64>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<RunId>,
    /// The newest run that a person made from it.
    #[schema(value_type = Option<i64>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub followed_by: Option<RunId>,
    /// What a person should know about its state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it is dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureView>,
}

impl From<Run> for RunRow {
    fn from(run: Run) -> Self {
        let dead = run.failure.as_ref().map(|failure| failure.class.as_str());
        let parked = run.parked.map(crate::model::ParkedClass::as_str);
        let waits_for = run.waits_for.map(crate::model::WaitsFor::as_str);
        let (retry_of, replay_of) = match run.origin {
            Some(Origin::Retry(of)) => (Some(of), None),
            Some(Origin::Replay(of)) => (None, Some(of)),
            None => (None, None),
        };
        Self {
            id: run.id,
            state: run.state,
            class: dead.or(parked).or(waits_for).map(str::to_owned),
            rule: run.rule,
            version: run.version,
            rule_set: run.rule_set,
            event: run.event,
            lane: run.lane.0,
            object: run.object,
            attempt: run.attempt,
            priority: run.priority,
            created_at: run.created_at,
            started_at: run.started_at,
            due_at: run.due_at,
            ended_at: run.ended_at,
            parent: run.parent,
            retry_of,
            replay_of,
            followed_by: run.followed_by,
            reason: run.reason,
            failure: run.failure.map(FailureView::from),
        }
    }
}

/// Why something did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FailureView {
    /// The kind of failure.
    #[schema(schema_with = super::classes)]
    pub class: String,
    /// What happened, with the values.
    pub message: String,
    /// The rule file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The column in that line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The function that was running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// The text of the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl From<Failure> for FailureView {
    fn from(failure: Failure) -> Self {
        Self {
            class: failure.class.as_str().to_owned(),
            message: failure.message,
            file: failure.file,
            line: failure.position.map(|at| at.line),
            column: failure.position.map(|at| at.column),
            function: failure.function,
            excerpt: failure.excerpt,
            hint: failure.hint,
        }
    }
}

impl FailureView {
    /// As `check` shows its findings; a failure without a file is about `rule`.
    pub fn diagnostic(&self, rule: &RuleId) -> Diagnostic {
        let position = self.line.zip(self.column);
        Diagnostic {
            file: self.file.clone().unwrap_or_else(|| rule.to_string()),
            position: position.map(|(line, column)| Position { line, column }),
            message: self.message.clone(),
            hint: self.hint.clone(),
            excerpt: self.excerpt.clone(),
        }
    }
}

/// Runs, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunPage {
    /// The runs.
    pub runs: Vec<RunRow>,
    /// The value of `before` for the next page, if there may be one.
    #[schema(value_type = Option<i64>)]
    pub before: Option<RunId>,
}

/// An object of Iconik.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ObjectView {
    /// Its id.
    pub id: String,
    /// Its title, if the event or the journal tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its page in Iconik, if it is known to be an asset or a collection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// One run with everything that helps to decide about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunDetails {
    /// The run.
    pub run: RunRow,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectView>,
    /// How many steps are answered.
    pub steps: u32,
    /// Everything in one line: outcome, rule and version, object, failing line, step, what to do next.
    pub line: String,
    /// What it stands behind and waits for, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<String>,
    /// The command to run next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How its children are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub children: Option<TallyView>,
}

/// How the runs that `each` made are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TallyView {
    /// Objects that were found.
    pub objects: u64,
    /// Objects whose run has been made.
    pub released: u64,
    /// Runs by state.
    pub states: BTreeMap<String, u64>,
    /// One line of progress.
    pub line: String,
    /// The first that did not end well: their numbers.
    pub failed: Vec<i64>,
}

impl From<Tally> for TallyView {
    fn from(tally: Tally) -> Self {
        let states = tally.states.iter();
        Self {
            objects: tally.objects,
            released: tally.released,
            states: states
                .map(|(state, number)| (state.as_str().to_owned(), *number))
                .collect(),
            line: tally.to_string(),
            failed: tally.failed.iter().map(|failed| failed.run.0).collect(),
        }
    }
}

/// How many dead runs of a rule there are for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClassRow {
    /// The rule.
    #[schema(value_type = String)]
    pub rule: RuleId,
    /// The reason.
    #[schema(schema_with = super::classes)]
    pub class: String,
    /// How many.
    pub number: u64,
}

impl From<ClassCount> for ClassRow {
    fn from(count: ClassCount) -> Self {
        Self {
            rule: count.rule,
            class: count.class,
            number: count.number,
        }
    }
}

/// Dead letters: dead runs that nobody has retried or replayed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeadPage {
    /// All of them, counted by rule and class.
    pub groups: Vec<ClassRow>,
    /// Those that were asked for, newest first.
    pub runs: Vec<RunDetails>,
    /// The value of `before` for the next page, if there may be one.
    #[schema(value_type = Option<i64>)]
    pub before: Option<RunId>,
}

/// How many runs a filter means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Count {
    /// How many.
    pub number: u64,
    /// Whether there may be more than were counted.
    pub more: bool,
    /// The newest of them; `up_to` of a batch.
    #[schema(value_type = Option<i64>)]
    pub newest: Option<RunId>,
}

impl From<Matching> for Count {
    fn from(matching: Matching) -> Self {
        Self {
            number: matching.number,
            more: matching.number >= Matching::COUNTED_MAX,
            newest: matching.newest,
        }
    }
}

/// A run that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Made {
    /// The run that was pointed at.
    #[schema(value_type = i64)]
    pub from: RunId,
    /// The new one.
    #[schema(value_type = i64)]
    pub run: RunId,
}

/// Runs that were ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stopped {
    /// How many, children counted in.
    pub cancelled: usize,
}

/// What was done to one batch of runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Batch {
    /// The runs that were worked on, oldest first.
    #[schema(value_type = Vec<i64>)]
    pub done: Vec<RunId>,
    /// The runs that were left as they are.
    pub refused: Vec<OneRefused>,
    /// The value of `after` for the next batch, if there may be one.
    #[schema(value_type = Option<i64>)]
    pub after: Option<RunId>,
}

/// A run of a batch that was left as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OneRefused {
    /// The run.
    #[schema(value_type = i64)]
    pub run: RunId,
    /// Why.
    pub error: String,
}

/// The writes that a replay makes a second time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RepeatsView {
    /// How many have happened, those of children counted in.
    pub made: u64,
    /// How many may have happened.
    pub uncertain: u64,
    /// The first of them.
    pub first: Vec<WriteView>,
}

impl From<Repeats> for RepeatsView {
    fn from(repeats: Repeats) -> Self {
        Self {
            made: repeats.made,
            uncertain: repeats.uncertain,
            first: repeats.first.into_iter().map(WriteView::from).collect(),
        }
    }
}

/// A write that has happened or may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WriteView {
    /// The run that made it.
    #[schema(value_type = i64)]
    pub run: RunId,
    /// The step.
    pub step: u32,
    /// What was sent.
    pub asks: String,
    /// What came back; nothing if nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

impl From<WriteMade> for WriteView {
    fn from(write: WriteMade) -> Self {
        Self {
            run: write.run,
            step: write.number,
            asks: write.effect.to_string(),
            status: write.status,
        }
    }
}
