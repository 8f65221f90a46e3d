//! The words that every other module shares: ids, the event, the effect, the step, the rule's header.
//!
//! Only data and what follows from it alone. Nothing here reads a clock, a file or the network, so that
//! everything above can be tested with values made by hand.

mod diagnostic;
mod duration;
mod effect;
mod event;
mod ids;
mod rule;
mod run;
mod secret;

pub use diagnostic::{Diagnostic, Position};
pub use duration::{format_duration, parse_duration};
pub use effect::{Answer, Call, Digest, Effect, Method, Step};
pub use event::{Event, EventKey, EventKind, EventState, KEPT_HEADERS, RULE_HEADER};
pub use ids::{EventId, LaneKey, RuleId, RuleSetId, RuleVersion, RunId, SourceName};
pub use rule::{
    Button, Concurrency, Lane, Limits, Pattern, Program, Retry, RuleFile, RuleHeader, RuleSet,
    Uncertain,
};
pub use run::{DeadClass, Failure, LogLevel, LogLine, Run, RunState};
pub use secret::Secret;
