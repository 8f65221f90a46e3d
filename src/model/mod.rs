//! The words that every other module shares: ids, the event, the effect, the step, the rule's header.
//!
//! Only data and what follows from it alone. Nothing here reads a clock, a file or the network, so that
//! everything above can be tested with values made by hand.

mod causes;
mod diagnostic;
mod duration;
mod effect;
mod event;
mod ids;
mod key;
mod lane;
mod moment;
mod reconciled;
mod rule;
mod run;
mod secret;
mod timetable;
mod walk;

pub use causes::causes;
pub use diagnostic::{Diagnostic, FilePosition, Position};
pub use duration::{format_duration, parse_duration};
pub use effect::{
    Answer, Call, Digest, Effect, EgressCall, Method, Sleep, StateAccess, StateCall, Step,
    WaitForEvent, WaitForJob,
};
pub use event::{
    Event, EventKey, EventKind, EventState, KEPT_HEADERS, RULE_HEADER, SCHEDULE_SOURCE,
};
pub use ids::{EventId, LaneKey, RuleId, RuleSetId, RuleVersion, RunId, SourceName};
pub use key::parse_key;
pub use lane::lane_of;
pub use moment::{MOMENTS, parse_moment};
pub use reconciled::ObjectChange;
pub use rule::{
    Button, Concurrency, Debounce, Lane, Limits, Missed, Pattern, Program, Retry, RuleFile,
    RuleHeader, RuleSet, RunAs, Schedule, Uncertain,
};
pub use run::{
    DeadClass, Failure, LogLevel, LogLine, Origin, ParkedClass, Run, RunState, WaitsFor,
};
pub use secret::Secret;
pub use timetable::Timetable;
pub use walk::{FailedObject, Object, Query, QuerySource, Tally};
