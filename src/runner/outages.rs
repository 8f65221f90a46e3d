//! When Iconik could not be used: time that counts against nobody.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use super::progress::between;

/// The most outages that are remembered. An older one is as if it had not been.
const KEPT_MAX: usize = 256;

/// The outages of this process, by the wall clock, because the times that they are compared with are stored.
#[derive(Debug, Default)]
pub(super) struct Outages {
    past: VecDeque<(Timestamp, Timestamp)>,
    since: Option<Timestamp>,
}

impl Outages {
    /// One begins.
    pub(super) fn begin(&mut self, at: Timestamp) {
        self.since.get_or_insert(at);
    }

    /// It is over; answers how long it took.
    pub(super) fn end(&mut self, at: Timestamp) -> Duration {
        let Some(since) = self.since.take() else {
            return Duration::ZERO;
        };
        if self.past.len() == KEPT_MAX {
            self.past.pop_front();
        }
        self.past.push_back((since, at));
        between(since, at)
    }

    /// How much of the time between two moments was no outage.
    pub(super) fn usable(&self, from: Timestamp, to: Timestamp) -> Duration {
        let present = self.since.map(|since| (since, to));
        let all = self.past.iter().copied().chain(present);
        let lost: Duration = all
            .map(|(begun, ended)| between(begun.max(from), ended.min(to)))
            .sum();
        between(from, to).saturating_sub(lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn usable(outages: &Outages, from: i64, to: i64) -> u64 {
        outages.usable(at(from), at(to)).as_secs()
    }

    #[test]
    fn only_what_an_outage_takes_of_the_time_is_left_out() {
        let mut outages = Outages::default();
        assert_eq!(usable(&outages, 0, 100), 100);
        outages.begin(at(10));
        outages.begin(at(15));
        assert_eq!(usable(&outages, 0, 30), 10, "it goes on");
        assert_eq!(outages.end(at(40)), Duration::from_secs(30));
        outages.begin(at(50));
        outages.end(at(60));
        for (from, to, expected) in [
            (0, 100, 60),
            (0, 5, 5),
            (20, 30, 0),
            (20, 45, 5),
            (35, 55, 10),
            (60, 100, 40),
            (100, 60, 0),
        ] {
            assert_eq!(usable(&outages, from, to), expected, "{from}..{to}");
        }
    }

    #[test]
    fn there_is_a_bound() {
        let mut outages = Outages::default();
        for second in 0..2_000 {
            outages.begin(at(second * 10));
            outages.end(at(second * 10 + 5));
        }
        assert_eq!(outages.past.len(), KEPT_MAX);
        assert_eq!(usable(&outages, 19_990, 20_000), 5);
    }
}
