//! How long to measure, and how to say what came out.
//!
//! Machines are shared and noisy, so every figure is measured in several rounds, with what it is compared to
//! in between, and shown as the median with the smallest and the largest. `CUEGATE_BENCH_SECONDS` is the
//! measuring time of one bench as a whole; a few seconds are enough to see that a bench works.

use std::fmt;
use std::time::Duration;

use anyhow::Context as _;

/// More rounds than this only make them shorter.
const ROUNDS_MAX: u32 = 5;

/// A round shorter than this says nothing; there is one of it when time is that short.
const ROUND_LEAST: Duration = Duration::from_secs(1);

/// The measuring time, shared out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rounds {
    /// How many.
    pub(super) count: u32,
    /// How long one measurement of one round takes.
    pub(super) each: Duration,
}

impl Rounds {
    /// Shares `CUEGATE_BENCH_SECONDS`, or `default`, out to rounds of `measurements` each.
    pub(super) fn of(measurements: u32, default: Duration) -> anyhow::Result<Self> {
        let total = match std::env::var("CUEGATE_BENCH_SECONDS") {
            Ok(text) => text
                .parse()
                .ok()
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                .with_context(|| {
                    format!("CUEGATE_BENCH_SECONDS is `{text}`; write a number of seconds")
                })?,
            Err(_) => default,
        };
        let once = total / measurements;
        let count = (1..=ROUNDS_MAX)
            .rev()
            .find(|count| once / *count >= ROUND_LEAST)
            .unwrap_or(1);
        Ok(Self {
            count,
            each: once / count,
        })
    }
}

impl fmt::Display for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, each } = self;
        write!(
            f,
            "{count} round(s) of {:.2} s; median (smallest–largest)",
            each.as_secs_f64()
        )
    }
}

/// The same figure, once for each round.
#[derive(Clone, Debug, Default)]
pub(super) struct Series(Vec<f64>);

impl Series {
    /// Adds a round.
    pub(super) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// Round by round, this as a part of `other`: what disturbed both is then in neither.
    pub(super) fn ratio_to(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a / b).collect())
    }

    /// With `digits` behind the point.
    pub(super) fn show(&self, digits: usize) -> String {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (sorted.first(), sorted.last()) else {
            return "-".to_owned();
        };
        let middle = sorted.len() / 2;
        let median = f64::midpoint(sorted[middle], sorted[(sorted.len() - 1) / 2]);
        format!("{median:.digits$} ({least:.digits$}–{most:.digits$})")
    }
}
