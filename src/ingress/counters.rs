//! What the door counts. Only names from the configuration become labels: what strangers send must not be
//! able to grow the metrics.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use crate::model::{EventKind, SourceName};

const ACCEPTED: &str = "cuegate_events_accepted_total";
const REFUSED: &str = "cuegate_hooks_refused_total";
const SECRET_USED: &str = "cuegate_hook_secret_used_total";
const SECONDS: &str = "cuegate_hook_seconds";

/// Stands for every name that no source has; no name in TOML's bare form can be written like this.
const NO_SOURCE: &str = "(none)";

/// Tells the recorder what the names mean.
pub(super) fn describe() {
    describe_counter!(ACCEPTED, "Events that were stored and answered 200");
    describe_counter!(REFUSED, "Requests that were not accepted, by reason");
    describe_counter!(
        SECRET_USED,
        "Verified requests by the number of the secret that fitted; 0 is the newest"
    );
    describe_histogram!(
        SECONDS,
        Unit::Seconds,
        "From a request's header to its answer"
    );
}

pub(super) fn accepted(source: &SourceName, kind: EventKind) {
    counter!(ACCEPTED, "source" => source.to_string(), "kind" => kind.as_str()).increment(1);
}

pub(super) fn refused(source: Option<&SourceName>, reason: &'static str) {
    let source = source.map_or(NO_SOURCE, SourceName::as_str).to_owned();
    counter!(REFUSED, "source" => source, "reason" => reason).increment(1);
}

pub(super) fn secret_used(source: &SourceName, number: usize) {
    counter!(SECRET_USED, "source" => source.to_string(), "secret" => number.to_string())
        .increment(1);
}

pub(super) fn took(source: &SourceName, time: Duration) {
    histogram!(SECONDS, "source" => source.to_string()).record(time);
}
