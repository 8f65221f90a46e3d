//! What the admin API says, as types: it writes them, the commands read them, and the OpenAPI document is made of them.

mod event;
mod line;
mod masked;
mod pause;
mod rule;
mod run;
mod trace;

use std::fmt::Display;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

use crate::model::{DeadClass, EventState, ParkedClass, RunState, WaitsFor};

pub use event::{
    EventDetails, EventPage, EventRow, FailurePlace, FailurePlaces, Reconciled, Rerouted,
    WhenFailure,
};
pub use pause::{PauseList, PauseView, Resumed};
pub use rule::{RuleList, RuleView, Status};
pub use run::{
    Batch, ClassRow, Count, DeadPage, FailureView, Made, ObjectView, OneRefused, RepeatsView,
    RunDetails, RunPage, RunRow, Stopped, TallyView, WriteView,
};
pub use trace::{BodyView, JournalView, LogView, OpenView, RemarkView, StepView};

pub(super) use line::Teller;
pub(super) use trace::{SourceOf, journal_view};

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// What is wrong, in a sentence.
    pub error: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.error)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// The names of all states of runs.
pub(super) fn run_states() -> ObjectBuilder {
    words(RunState::ALL.map(RunState::as_str))
}

/// The names of all states of events.
pub(super) fn event_states() -> ObjectBuilder {
    words(EventState::ALL.map(EventState::as_str))
}

/// The names of everything that a run can wait for, be parked for or have died of.
pub(super) fn classes() -> ObjectBuilder {
    let mut names = WaitsFor::ALL.map(WaitsFor::as_str).to_vec();
    names.extend(ParkedClass::ALL.map(ParkedClass::as_str));
    names.extend(DeadClass::ALL.map(DeadClass::as_str));
    names.sort_unstable();
    names.dedup();
    words(names)
}

fn words(names: impl IntoIterator<Item = &'static str>) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .enum_values(Some(names))
}
