//! Which runs and events are meant, from words to what the store takes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use super::asked::meant;
use super::refusal::Refusal;
use crate::model::{
    DeadClass, EventId, EventState, MOMENTS, ParkedClass, RuleId, RunId, RunState, SourceName,
    parse_moment,
};
use crate::store::{EventFilter, RunFilter};

/// The longest page.
pub(super) const PAGE_MAX: usize = 500;

/// The length of a page if nothing is said.
const PAGE: usize = 50;

/// The fewest digits that an event may be looked for by.
const ID_DIGITS_MIN: usize = 6;

/// Which runs are meant. What is left out does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams, ToSchema)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct RunsAsked {
    /// Only in these states, separated by commas.
    #[param(required = false, example = "dead,parked")]
    pub state: Option<String>,
    /// Only of this rule.
    #[param(required = false)]
    pub rule: Option<String>,
    /// Only dead or parked for this reason.
    #[param(required = false, example = "api_error")]
    pub class: Option<String>,
    /// Only of this event, by its id or an alias of it.
    #[param(required = false)]
    pub event: Option<String>,
    /// Only about this object of Iconik.
    #[param(required = false)]
    pub object: Option<String>,
    /// Only those that the `each` of this run made.
    #[param(required = false)]
    pub parent: Option<String>,
    /// Only made since then: a time (`2026-03-01T12:00:00Z`), a day in UTC, or how long ago (`24h`).
    #[param(required = false, example = "24h")]
    pub since: Option<String>,
    /// Only made before then, written like `since`.
    #[param(required = false)]
    pub until: Option<String>,
    /// `true`: only dead runs that nobody has retried or replayed.
    #[param(required = false, example = "true")]
    pub dead_letters: Option<String>,
}

impl RunsAsked {
    /// What the store takes.
    pub(super) fn filter(&self, now: Timestamp) -> Result<RunFilter, Refusal> {
        Ok(RunFilter {
            states: self
                .state
                .as_deref()
                .map(run_states)
                .transpose()?
                .unwrap_or_default(),
            rule: self.rule.as_deref().map(RuleId::from),
            class: self.class.as_deref().map(class).transpose()?,
            event: self.event.as_deref().map(event_id).transpose()?,
            object: self.object.clone(),
            parent: self
                .parent
                .as_deref()
                .map(|text| run_id("parent", text))
                .transpose()?,
            since: moment("since", self.since.as_deref(), now)?,
            until: moment("until", self.until.as_deref(), now)?,
            dead_letters: flag("dead_letters", self.dead_letters.as_deref())?,
            ..RunFilter::default()
        })
    }

    /// Whether nothing is said at all.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Which page of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct PageAsked {
    /// Only what is behind this in the list: the `before` of the last answer.
    #[param(required = false)]
    before: Option<String>,
    /// At most this many, 1 to 500; 50 if it is left out.
    #[param(required = false)]
    limit: Option<String>,
}

/// Which page of which runs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RunsPage {
    #[serde(flatten)]
    asked: RunsAsked,
    #[serde(flatten)]
    page: PageAsked,
}

impl IntoParams for RunsPage {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameters = RunsAsked::into_params(&place);
        parameters.extend(PageAsked::into_params(&place));
        parameters
    }
}

impl RunsPage {
    /// What the store takes.
    pub(super) fn filter(&self, now: Timestamp) -> Result<RunFilter, Refusal> {
        let before = self.page.before.as_deref();
        Ok(RunFilter {
            before: before.map(|text| run_id("before", text)).transpose()?,
            limit: limit(self.page.limit.as_deref())?,
            ..self.asked.filter(now)?
        })
    }
}

/// How long a list may be.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct PageLength {
    /// At most this many, 1 to 500; 50 if it is left out.
    #[param(required = false)]
    limit: Option<String>,
}

impl PageLength {
    /// In rows.
    pub(super) fn limit(&self) -> Result<usize, Refusal> {
        limit(self.limit.as_deref())
    }
}

/// Which events are meant. What is left out does not matter.
#[derive(Clone, Debug, Default, Deserialize, IntoParams, ToSchema)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsAsked {
    /// Only in these states, separated by commas.
    #[param(required = false, example = "when_failed,held")]
    state: Option<String>,
    /// Only of this sender.
    #[param(required = false)]
    source: Option<String>,
    /// Only with this subject, as patterns name it. Events that are not routed yet are left out then.
    #[param(required = false, example = "assets/entity/create")]
    subject: Option<String>,
    /// Only about this object of Iconik. Events that are not routed yet are left out then.
    #[param(required = false)]
    object: Option<String>,
    /// Only received since then: a time (`2026-03-01T12:00:00Z`), a day in UTC, or how long ago (`24h`).
    #[param(required = false, example = "24h")]
    since: Option<String>,
    /// Only received before then, written like `since`.
    #[param(required = false)]
    until: Option<String>,
    /// Only with an id that begins so: at least six hexadecimal digits.
    #[param(required = false)]
    id: Option<String>,
}

/// Which page of which events.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EventsPage {
    #[serde(flatten)]
    asked: EventsAsked,
    #[serde(flatten)]
    page: PageAsked,
}

impl IntoParams for EventsPage {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameters = EventsAsked::into_params(&place);
        parameters.extend(PageAsked::into_params(&place));
        parameters
    }
}

impl EventsAsked {
    /// What the store takes.
    pub(super) fn filter(&self, now: Timestamp) -> Result<EventFilter, Refusal> {
        let states = self.state.as_deref().map(event_states).transpose()?;
        Ok(EventFilter {
            states: states.unwrap_or_default(),
            source: self.source.as_deref().map(SourceName::from),
            subject: self.subject.clone(),
            object: self.object.clone(),
            since: moment("since", self.since.as_deref(), now)?,
            until: moment("until", self.until.as_deref(), now)?,
            id: self.id.as_deref().map(id_beginning).transpose()?,
            ..EventFilter::default()
        })
    }
}

impl EventsPage {
    /// What the store takes.
    pub(super) fn filter(&self, now: Timestamp) -> Result<EventFilter, Refusal> {
        Ok(EventFilter {
            before: self.page.before.as_deref().map(event_id).transpose()?,
            limit: limit(self.page.limit.as_deref())?,
            ..self.asked.filter(now)?
        })
    }
}

/// A run by its number.
pub(super) fn run_id(name: &str, text: &str) -> Result<RunId, Refusal> {
    text.parse().map(RunId).map_err(|_| {
        Refusal::bad(
            format!("{name}: `{text}` is no run"),
            "a run is a number, as `cuegate runs list` shows it",
        )
    })
}

/// An event by its whole id.
pub(super) fn event_id(text: &str) -> Result<EventId, Refusal> {
    text.parse()
        .map_err(|error: String| Refusal::bad(error, "`cuegate events list` shows them"))
}

fn id_beginning(text: &str) -> Result<String, Refusal> {
    let digits = text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits && text.len() >= ID_DIGITS_MIN {
        return Ok(text.to_lowercase());
    }
    Err(Refusal::bad(
        format!("id: `{text}` begins no event id"),
        format!("an event id is 32 hexadecimal digits; give the first {ID_DIGITS_MIN} or more"),
    ))
}

fn run_states(text: &str) -> Result<Vec<RunState>, Refusal> {
    states(text, &RunState::ALL, RunState::as_str)
}

fn event_states(text: &str) -> Result<Vec<EventState>, Refusal> {
    states(text, &EventState::ALL, EventState::as_str)
}

fn states<S: Copy>(
    text: &str,
    all: &[S],
    name: impl Fn(S) -> &'static str,
) -> Result<Vec<S>, Refusal> {
    text.split(',')
        .map(|word| {
            let word = word.trim();
            let known = all.iter().copied().find(|state| name(*state) == word);
            known.ok_or_else(|| {
                let names = all.iter().map(|state| name(*state));
                Refusal::bad(format!("there is no state `{word}`"), meant(word, names))
            })
        })
        .collect()
}

fn class(text: &str) -> Result<String, Refusal> {
    let known = DeadClass::ALL.map(DeadClass::as_str).into_iter();
    // `limit` is one of both.
    let parked = ParkedClass::ALL.map(ParkedClass::as_str).into_iter();
    let known = known.chain(parked.filter(|name| *name != DeadClass::Limit.as_str()));
    if known.clone().any(|name| name == text) {
        return Ok(text.to_owned());
    }
    Err(Refusal::bad(
        format!("there is no class `{text}`"),
        meant(text, known),
    ))
}

/// A time, a day in UTC, or how long ago.
fn moment(name: &str, text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = text else {
        return Ok(None);
    };
    let moment = parse_moment(text, now);
    moment.map(Some).ok_or_else(|| {
        Refusal::bad(
            format!("{name}: `{text}` is no time"),
            format!("write {MOMENTS}"),
        )
    })
}

/// `true` or `false`, which is meant if nothing is said.
pub(super) fn flag(name: &str, text: Option<&str>) -> Result<bool, Refusal> {
    match text {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(Refusal::bad(
            format!("{name}: `{other}` is neither `true` nor `false`"),
            "",
        )),
    }
}

fn limit(text: Option<&str>) -> Result<usize, Refusal> {
    let Some(text) = text else {
        return Ok(PAGE);
    };
    text.parse()
        .ok()
        .filter(|limit| (1..=PAGE_MAX).contains(limit))
        .ok_or_else(|| {
            Refusal::bad(
                format!("limit: `{text}` is no length of a page"),
                format!("give a number from 1 to {PAGE_MAX}"),
            )
        })
}

#[cfg(test)]
mod tests;
