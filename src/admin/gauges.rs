//! Gauges that only the store knows, refreshed when somebody looks.
//!
//! A store in trouble is exactly when an operator needs `/metrics`: then the gauges keep their last values, a
//! counter goes up, and everything else is answered as ever.

use std::time::Duration;

use metrics::{counter, gauge};

use crate::model::{EventState, RunState};
use crate::store::{Counted, Counts};

/// How long a scrape waits for the store; scrapers give up after ten seconds.
const WITHIN: Duration = Duration::from_secs(3);

const EVENT_STATES: [EventState; 5] = [
    EventState::Stored,
    EventState::Routed,
    EventState::WhenFailed,
    EventState::WrongDomain,
    EventState::Held,
];

/// Asks the store and sets `cuegate_runs`, `cuegate_events` and `cuegate_unrouted_events`.
pub(super) async fn refresh(store: &dyn Counted) {
    let trouble = match tokio::time::timeout(WITHIN, store.counts()).await {
        Ok(Ok(counts)) => return set(&counts),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("it did not answer within {} s", WITHIN.as_secs()),
    };
    tracing::warn!(%trouble, "the store's gauges at /metrics are old: the store cannot be counted");
    counter!("cuegate_store_count_failures_total").increment(1);
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float; nobody keeps 2^53 rows"
)]
fn set(counts: &Counts) {
    gauge!("cuegate_unrouted_events").set(counts.unrouted as f64);
    // States that have become empty are not in the answer and must not keep their last value.
    for state in RunState::ALL {
        let count = counts
            .runs
            .iter()
            .find(|(s, _)| *s == state)
            .map_or(0, |(_, n)| *n);
        gauge!("cuegate_runs", "state" => state.as_str()).set(count as f64);
    }
    for state in EVENT_STATES {
        let count = counts
            .events
            .iter()
            .find(|(s, _)| *s == state)
            .map_or(0, |(_, n)| *n);
        gauge!("cuegate_events", "state" => name(state)).set(count as f64);
    }
}

fn name(state: EventState) -> &'static str {
    match state {
        EventState::Stored => "stored",
        EventState::Routed => "routed",
        EventState::WhenFailed => "when_failed",
        EventState::WrongDomain => "wrong_domain",
        EventState::Held => "held",
    }
}
