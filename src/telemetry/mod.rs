//! What the gateway tells about itself: log lines, metrics, and whether it is ready.
//!
//! Every module logs with `tracing` and counts with the `metrics` macros; only here is decided where both go.
//! Readiness is a value that the parts set and the listeners read, so that no part needs to know a listener.

mod health;
mod logs;
mod metrics;
mod readiness;

pub use health::health_routes;
pub use logs::{LogFormat, TelemetryError, init};
pub use metrics::{Metrics, install_metrics};
pub use readiness::{Part, Readiness};
