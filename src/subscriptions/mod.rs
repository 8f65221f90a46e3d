//! What Iconik has to send us, kept there as the rules say: a webhook for what `on` names, a custom action for `button`.
//!
//! What is needed follows from the rules, what is there is read from Iconik, and [`plan()`] compares the two without any
//! I/O. Only what carries our mark is ever changed, because others keep definitions in the same Iconik. These writes are
//! the operator's own and no rule's, so they pass no door; `registry` is the one place that makes them.

mod definition;
mod gap;
mod need;
mod plan;
mod registry;
mod terms;
mod watch;

pub use definition::{Found, Kind, Needed};
pub use gap::{Gap, Missing};
pub use need::{Impossible, Needs, needs};
pub use plan::{Change, Plan, Step, plan};
pub use registry::{Registry, RegistryError, View};
pub use terms::{Terms, TermsError};
pub use watch::Watch;
