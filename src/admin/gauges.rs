//! Gauges that only the store knows, refreshed when somebody looks.
//!
//! A store in trouble is exactly when an operator needs `/metrics`: then the gauges keep their last values, a
//! counter goes up, and everything else is answered as ever.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use metrics::{counter, gauge};

use crate::model::{DeadClass, EventState, ParkedClass, RunState, WaitsFor};
use crate::store::{Counted, Counts, PauseScope};

/// How long a scrape waits for the store; scrapers give up after ten seconds.
const WITHIN: Duration = Duration::from_secs(3);

/// What was shown at the last scrape under names that come and go.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    rules: Mutex<BTreeMap<(String, &'static str), f64>>,
    rule_sets: Mutex<BTreeMap<String, f64>>,
}

impl Gauges {
    /// Asks the store and sets what only it knows.
    pub(super) async fn refresh(&self, store: &dyn Counted, now: Timestamp) {
        let trouble = match tokio::time::timeout(WITHIN, store.counts()).await {
            Ok(Ok(counts)) => return self.set(&counts, now),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it did not answer within {} s", WITHIN.as_secs()),
        };
        tracing::warn!(%trouble, "the store's gauges at /metrics are old: the store cannot be counted");
        counter!("cuegate_store_count_failures_total").increment(1);
    }

    fn set(&self, counts: &Counts, now: Timestamp) {
        set_states(counts);
        set_classes(counts);
        gauge!("cuegate_oldest_due_seconds").set(due_for(counts.due_since, now));
        self.set_stopped(counts);
        let id = counts.rule_set.as_ref().map(|id| (id.to_string(), 1.0));
        for (id, value) in with_zeros(&self.rule_sets, id.into_iter().collect()) {
            gauge!("cuegate_rule_set", "id" => id).set(value);
        }
    }

    fn set_stopped(&self, counts: &Counts) {
        for scope in [PauseScope::All, PauseScope::Writes] {
            let stopped = counts.stopped.iter().any(|pause| pause.scope == scope);
            let value = if stopped { 1.0 } else { 0.0 };
            gauge!("cuegate_paused", "scope" => scope.to_string()).set(value);
        }
        let mut rules = BTreeMap::new();
        for pause in &counts.stopped {
            if let PauseScope::Rule(rule) = &pause.scope {
                let by = if pause.quarantine {
                    "quarantine"
                } else {
                    "pause"
                };
                rules.insert((rule.to_string(), by), 1.0);
            }
        }
        for ((rule, by), value) in with_zeros(&self.rules, rules) {
            gauge!("cuegate_rule_stopped", "rule" => rule, "by" => by).set(value);
        }
    }
}

fn set_states(counts: &Counts) {
    gauge!("cuegate_unrouted_events").set(float(counts.unrouted));
    // States that have become empty are not in the answer and must not keep their last value.
    for state in RunState::ALL {
        let count = counts.runs.iter().find(|(s, _)| *s == state);
        gauge!("cuegate_runs", "state" => state.as_str()).set(float(count.map_or(0, |(_, n)| *n)));
    }
    for state in EventState::ALL {
        let count = counts.events.iter().find(|(s, _)| *s == state);
        gauge!("cuegate_events", "state" => state.as_str())
            .set(float(count.map_or(0, |(_, n)| *n)));
    }
}

fn set_classes(counts: &Counts) {
    let number = |state: RunState, class: &str| -> u64 {
        let of_class = counts.classes.iter();
        of_class
            .filter(|count| count.state == state && count.class == class)
            .map(|count| count.number)
            .sum()
    };
    for class in DeadClass::ALL.map(DeadClass::as_str) {
        gauge!("cuegate_dead_letters", "class" => class).set(float(number(RunState::Dead, class)));
    }
    for class in ParkedClass::ALL.map(ParkedClass::as_str) {
        gauge!("cuegate_runs_parked", "class" => class).set(float(number(RunState::Parked, class)));
    }
    for class in WaitsFor::ALL.map(WaitsFor::as_str) {
        gauge!("cuegate_runs_waiting", "for" => class).set(float(number(RunState::Waiting, class)));
    }
}

/// How long the oldest run is due; what is due tomorrow is not due for less than no time.
fn due_for(since: Option<Timestamp>, now: Timestamp) -> f64 {
    let age = since.map(|since| now.duration_since(since).as_secs_f64());
    age.unwrap_or(0.0).max(0.0)
}

/// What has been shown once keeps being shown, as 0 when it is no more: a gauge cannot be taken back.
fn with_zeros<K: Ord + Clone>(
    shown: &Mutex<BTreeMap<K, f64>>,
    now: BTreeMap<K, f64>,
) -> BTreeMap<K, f64> {
    let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
    for value in shown.values_mut() {
        *value = 0.0;
    }
    shown.extend(now);
    let all = shown.clone();
    // Each is shown as 0 once; then it is known to be.
    shown.retain(|_, value| *value > 0.0);
    all
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float; nobody keeps 2^53 rows"
)]
fn float(number: u64) -> f64 {
    number as f64
}
