//! Metrics for Prometheus, without a listener of their own: the admin listener hands them out.
//!
//! The recorder of the `metrics` crate is one for a process. Tests and the demo start several gateways in one
//! process, so asking twice gives the same handle.

use std::sync::OnceLock;

use ::metrics::{Unit, describe_counter, describe_gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Bounds of durations, in seconds: from a fsync to a call that Iconik takes its time with.
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Bounds of sizes, in bytes.
const BYTES: &[f64] = &[
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
];

/// Bounds of batch sizes.
const BATCH: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

static INSTALLED: OnceLock<Metrics> = OnceLock::new();

/// What has been counted so far.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Everything, in the text format of Prometheus.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds what histograms have collected; has to be called now and then where nobody scrapes.
    pub fn fold(&self) {
        self.0.run_upkeep();
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

/// Begins to count; later calls answer the same handle.
pub fn install_metrics() -> Metrics {
    INSTALLED
        .get_or_init(|| {
            let builder = [("_seconds", SECONDS), ("_bytes", BYTES), ("_size", BATCH)]
                .into_iter()
                .try_fold(PrometheusBuilder::new(), |builder, (ending, bounds)| {
                    builder.set_buckets_for_metric(Matcher::Suffix(ending.to_owned()), bounds)
                })
                .expect("the bounds are not empty");
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            if ::metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!(
                    "something else in this process counts already: /metrics stays empty"
                );
            }
            describe();
            Metrics(handle)
        })
        .clone()
}

fn describe() {
    describe_gauge!("cuegate_runs", "Runs by state");
    describe_gauge!("cuegate_events", "Routed events by state");
    describe_gauge!(
        "cuegate_unrouted_events",
        "Accepted events that no rule has been asked about yet"
    );
    describe_gauge!(
        "cuegate_oldest_due_seconds",
        Unit::Seconds,
        "For how long the oldest run is due that nobody has claimed"
    );
    describe_gauge!(
        "cuegate_dead_letters",
        "Dead runs that nobody has retried or replayed, by class"
    );
    describe_gauge!(
        "cuegate_runs_parked",
        "Runs that wait for a decision, by class"
    );
    describe_gauge!("cuegate_runs_waiting", "Waiting runs by what they wait for");
    describe_gauge!("cuegate_paused", "1 if all runs, or all writes, are paused");
    describe_gauge!(
        "cuegate_rule_stopped",
        "1 if the rule is paused or in quarantine"
    );
    describe_gauge!("cuegate_rule_set", "1 for the active rule set");
    describe_gauge!(
        "cuegate_sandbox_layer",
        "1 if this wall stands around every worker"
    );
    describe_gauge!(
        "cuegate_iconik_budget",
        "The most requests to Iconik in the window"
    );
    describe_counter!(
        "cuegate_admin_refused_total",
        Unit::Count,
        "Requests to the admin API that were not let in, by reason"
    );
    describe_gauge!("cuegate_ready", "1 if the gateway is ready, else 0");
    describe_counter!(
        "cuegate_store_count_failures_total",
        Unit::Count,
        "Scrapes for which the store could not be asked; its gauges are old then"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_installs_first_everybody_sees_the_same_counts() {
        let (first, second) = (install_metrics(), install_metrics());
        ::metrics::counter!("cuegate_test_total").increment(3);
        ::metrics::histogram!("cuegate_test_seconds").record(0.02);
        first.fold();
        for metrics in [first, second] {
            let text = metrics.render();
            assert!(text.contains("cuegate_test_total 3"), "{text}");
            assert!(
                text.contains("cuegate_test_seconds_bucket{le=\"0.025\"} 1"),
                "{text}"
            );
        }
    }
}
