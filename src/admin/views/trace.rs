//! The journal of a run as a trace that a person can read: step by step, each with its line of the script.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::masked::{masked, masked_query};
use crate::model::{Effect, FilePosition, LogLevel, LogLine, RuleSet, Run, RunId, StateAccess};
use crate::store::{Remark, Trace};

/// The most bytes of a body that are shown whole, unless everything is asked for.
const SHOWN_BYTES: usize = 2_000;

/// The way of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JournalView {
    /// The run.
    #[schema(value_type = i64)]
    pub run: RunId,
    /// The rule's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The answered steps.
    pub steps: Vec<StepView>,
    /// The write that was asked for and not answered: it may have happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<OpenView>,
    /// What was logged and noted after the last step.
    pub logs: Vec<LogView>,
    /// What the gateway found out and people decided after the last step.
    pub remarks: Vec<RemarkView>,
}

/// One answered step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepView {
    /// Counts from 0.
    pub number: u32,
    /// The file that asked, if it is not the rule's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The text of that line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
    /// `call`, `egress`, `sleep`, `wait_for_event`, `wait_for_job` or `state`.
    pub kind: String,
    /// What was asked for, in words.
    pub asks: String,
    /// The query of a request.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// What was sent with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<BodyView>,
    /// When it was about to be sent, if it is a write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// How often it was sent before, and proved not to have happened.
    pub withdrawn: u32,
    /// The status of the answer.
    pub status: u16,
    /// The answer.
    pub answer: BodyView,
    /// When it was complete.
    pub at: Timestamp,
    /// What the script logged before it.
    pub logs: Vec<LogView>,
    /// What the gateway found out and people decided about it.
    pub remarks: Vec<RemarkView>,
}

/// A write without an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OpenView {
    /// The step's number.
    pub number: u32,
    /// What was asked for, in words.
    pub asks: String,
    /// The file that asked, if it is not the rule's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The text of that line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
    /// What was sent with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<BodyView>,
    /// When it was about to be sent.
    pub at: Timestamp,
}

/// JSON that may be too long to show, without secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BodyView {
    /// Its length as text, in bytes.
    pub bytes: usize,
    /// All of it, if it is short or everything was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// Else its beginning, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beginning: Option<String>,
}

impl BodyView {
    fn of(body: &Value, full: bool) -> Self {
        let body = masked(body);
        let text = body.to_string();
        let whole = full || text.len() <= SHOWN_BYTES;
        Self {
            bytes: text.len(),
            json: whole.then_some(body),
            beginning: (!whole).then(|| {
                let end = text.floor_char_boundary(SHOWN_BYTES);
                text[..end].to_owned()
            }),
        }
    }

    /// One line of text.
    pub fn line(&self) -> String {
        match (&self.json, &self.beginning) {
            (Some(json), _) => json.to_string(),
            (None, Some(beginning)) => format!("{beginning}… ({} bytes)", self.bytes),
            (None, None) => String::new(),
        }
    }
}

/// A line that the script logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogView {
    /// `trace`, `info`, `warn` or `error`.
    pub level: String,
    /// The text.
    pub text: String,
}

/// A sentence about a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemarkView {
    /// When.
    pub at: Timestamp,
    /// The sentence.
    pub text: String,
}

/// The files that a trace points into.
pub(in crate::admin) struct SourceOf<'a> {
    set: Option<&'a RuleSet>,
    /// The rule's own.
    file: Option<&'a str>,
}

impl<'a> SourceOf<'a> {
    /// The rule of a run in the set that it runs on.
    pub(in crate::admin) fn rule(set: Option<&'a RuleSet>, run: &Run) -> Self {
        let header = set.and_then(|set| set.header(&run.rule));
        Self {
            set,
            file: header.map(|header| header.file.as_str()),
        }
    }

    fn excerpt(&self, place: Option<&FilePosition>) -> Option<String> {
        let place = place?;
        let path = place.file.as_deref().or(self.file)?;
        let mut files = self.set?.files.iter();
        let file = files.find(|file| file.path == path)?;
        let index = usize::try_from(place.at.line).ok()?.checked_sub(1)?;
        let text = file.source.lines().nth(index)?.trim();
        Some(text.chars().take(240).collect())
    }
}

/// A trace to read; bodies are cut short unless `full`.
pub(in crate::admin) fn journal_view(
    run: RunId,
    trace: &Trace,
    source: &SourceOf<'_>,
    full: bool,
) -> JournalView {
    let steps = u32::try_from(trace.steps.len()).unwrap_or(u32::MAX);
    let open = trace.open.as_ref().map(|open| {
        let place = open.effect.position();
        OpenView {
            number: open.number,
            asks: open.effect.to_string(),
            file: place.and_then(|place| place.file.clone()),
            line: place.map(|place| place.at.line),
            excerpt: source.excerpt(place),
            request: request(&open.effect).map(|body| BodyView::of(body, full)),
            at: open.at,
        }
    });
    JournalView {
        run,
        file: source.file.map(str::to_owned),
        steps: (0..steps)
            .map(|number| step_view(trace, number, source, full))
            .collect(),
        open,
        logs: logs(&trace.logs, steps..),
        remarks: remarks(&trace.remarks, steps..),
    }
}

fn step_view(trace: &Trace, number: u32, source: &SourceOf<'_>, full: bool) -> StepView {
    let step = &trace.steps[usize::try_from(number).unwrap_or(usize::MAX)];
    let place = step.effect.position();
    let announced = || trace.announced.iter().filter(|one| one.number == number);
    let withdrawn = announced().filter(|one| one.withdrawn).count();
    StepView {
        number,
        file: place.and_then(|place| place.file.clone()),
        line: place.map(|place| place.at.line),
        excerpt: source.excerpt(place),
        kind: kind(&step.effect).to_owned(),
        asks: step.effect.to_string(),
        query: masked_query(&query(&step.effect)),
        request: request(&step.effect).map(|body| BodyView::of(body, full)),
        sent_at: announced().find(|one| !one.withdrawn).map(|one| one.at),
        withdrawn: u32::try_from(withdrawn).unwrap_or(u32::MAX),
        status: step.answer.status,
        answer: BodyView::of(&step.answer.body, full),
        at: step.answer.at,
        logs: logs(&trace.logs, number..=number),
        remarks: remarks(&trace.remarks, number..=number),
    }
}

fn kind(effect: &Effect) -> &'static str {
    match effect {
        Effect::Call(_) => "call",
        Effect::Egress(_) => "egress",
        Effect::Sleep(_) => "sleep",
        Effect::WaitForEvent(_) => "wait_for_event",
        Effect::WaitForJob(_) => "wait_for_job",
        Effect::State(_) => "state",
    }
}

fn query(effect: &Effect) -> BTreeMap<String, String> {
    match effect {
        Effect::Call(call) => call.query.clone(),
        Effect::Egress(call) => call.query.clone(),
        _ => BTreeMap::new(),
    }
}

fn request(effect: &Effect) -> Option<&Value> {
    match effect {
        Effect::Call(call) => call.body.as_ref(),
        Effect::Egress(call) => call.body.as_ref(),
        Effect::State(call) => match &call.access {
            StateAccess::Set { value, .. } | StateAccess::SetIf { value, .. } => Some(value),
            StateAccess::Get | StateAccess::Add { .. } | StateAccess::Delete => None,
        },
        Effect::Sleep(_) | Effect::WaitForEvent(_) | Effect::WaitForJob(_) => None,
    }
}

fn logs(lines: &[LogLine], steps: impl std::ops::RangeBounds<u32>) -> Vec<LogView> {
    let of_step = lines.iter().filter(|line| steps.contains(&line.step));
    of_step
        .map(|line| LogView {
            level: level(line.level).to_owned(),
            text: line.text.clone(),
        })
        .collect()
}

fn level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Trace => "trace",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}

fn remarks(remarks: &[Remark], steps: impl std::ops::RangeBounds<u32>) -> Vec<RemarkView> {
    let of_step = remarks
        .iter()
        .filter(|remark| steps.contains(&remark.number));
    of_step
        .map(|remark| RemarkView {
            at: remark.at,
            text: remark.text.clone(),
        })
        .collect()
}
