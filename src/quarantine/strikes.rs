//! The counting of strikes: which rules have lost workers lately, and how many.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::RuleId;

/// How long a strike counts.
pub(super) const RECENT: Duration = Duration::from_secs(10 * 60);

/// So many strikes in that time put a rule in quarantine.
pub(super) const STRIKES_MAX: u32 = 5;

/// The recent strikes of each rule.
#[derive(Debug, Default)]
pub(super) struct Strikes {
    rules: BTreeMap<RuleId, VecDeque<Instant>>,
    /// Which of the struck rules is served first next time.
    turn: usize,
}

impl Strikes {
    /// A rule has lost so many workers; whether it is out. A rule that is out begins anew.
    pub(super) fn record(&mut self, rule: &RuleId, workers: u32, now: Instant) -> bool {
        let strikes = self.rules.entry(rule.clone()).or_default();
        for _ in 0..workers {
            strikes.push_back(now);
        }
        self.forget(now);
        let is_out = self
            .rules
            .get(rule)
            .is_some_and(|strikes| strikes.len() >= STRIKES_MAX as usize);
        if is_out {
            self.rules.remove(rule);
        }
        is_out
    }

    /// How many more workers a rule may lose before it is out.
    pub(super) fn left(&mut self, rule: &RuleId, now: Instant) -> u32 {
        self.forget(now);
        let strikes = self.rules.get(rule).map_or(0, VecDeque::len);
        STRIKES_MAX.saturating_sub(u32::try_from(strikes).unwrap_or(u32::MAX))
    }

    /// How many runs of each rule with a recent strike may be claimed, so that together they leave a worker to others.
    /// `claimed` says how many are at the moment.
    pub(super) fn bounds(
        &mut self,
        workers: usize,
        claimed: impl Fn(&RuleId) -> usize,
        now: Instant,
    ) -> Vec<(RuleId, usize)> {
        self.forget(now);
        let mut bounds: Vec<(RuleId, usize)> = self
            .rules
            .keys()
            .map(|rule| (rule.clone(), claimed(rule)))
            .collect();
        if bounds.is_empty() {
            return bounds;
        }
        let together = workers.saturating_sub(1).max(1);
        let taken: usize = bounds.iter().map(|(_, claimed)| claimed).sum();
        self.turn = self.turn.wrapping_add(1);
        for spare in 0..together.saturating_sub(taken) {
            let place = self.turn.wrapping_add(spare) % bounds.len();
            bounds[place].1 += 1;
        }
        bounds
    }

    fn forget(&mut self, now: Instant) {
        self.rules.retain(|_, strikes| {
            strikes.retain(|at| now.duration_since(*at) < RECENT);
            !strikes.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn rule(name: &str) -> RuleId {
        RuleId::from(name)
    }

    #[test]
    fn the_fifth_strike_in_ten_minutes_is_one_too_many() {
        let (mut strikes, start) = (Strikes::default(), Instant::now());
        let mut record = |minute: u32| strikes.record(&rule("a"), 1, start + MINUTE * minute);
        assert_eq!([0, 2, 4, 6].map(&mut record), [false; 4]);
        assert!(!record(10), "the first does not count any more");
        assert!(record(11));
        assert!(!record(11), "it begins anew");
    }

    #[test]
    fn rules_are_counted_apart_and_workers_one_by_one() {
        let (mut strikes, now) = (Strikes::default(), Instant::now());
        assert!(!strikes.record(&rule("a"), 4, now));
        assert!(!strikes.record(&rule("b"), 4, now));
        assert!(strikes.record(&rule("a"), 2, now));
    }

    #[test]
    fn what_a_rule_may_still_lose_grows_again_with_time() {
        let (mut strikes, now) = (Strikes::default(), Instant::now());
        assert_eq!(strikes.left(&rule("a"), now), STRIKES_MAX);
        strikes.record(&rule("a"), 3, now);
        assert_eq!(strikes.left(&rule("a"), now), STRIKES_MAX - 3);
        assert_eq!(strikes.left(&rule("b"), now), STRIKES_MAX);
        assert_eq!(strikes.left(&rule("a"), now + RECENT), STRIKES_MAX);
    }

    #[test]
    fn a_rule_without_a_recent_strike_is_not_bounded() {
        let (mut strikes, now) = (Strikes::default(), Instant::now());
        assert_eq!(strikes.bounds(2, |_| 0, now), []);
        strikes.record(&rule("a"), 1, now);
        assert_eq!(strikes.bounds(4, |_| 0, now), [(rule("a"), 3)]);
        assert_eq!(
            strikes.bounds(4, |_| 5, now),
            [(rule("a"), 5)],
            "none is added"
        );
        assert_eq!(strikes.bounds(2, |_| 0, now + RECENT), []);
    }

    #[test]
    fn struck_rules_take_turns_for_what_they_may_have() {
        let (mut strikes, now) = (Strikes::default(), Instant::now());
        strikes.record(&rule("a"), 1, now);
        strikes.record(&rule("b"), 1, now);
        let mut first = || {
            let bounds = strikes.bounds(2, |_| 0, now);
            bounds
                .into_iter()
                .find(|(_, bound)| *bound == 1)
                .map(|(rule, _)| rule)
        };
        let firsts = [first(), first(), first()];
        assert_eq!(firsts[0], firsts[2]);
        assert_ne!(firsts[0], firsts[1]);
    }

    proptest! {
        #[test]
        fn together_they_always_leave_a_worker(
            workers in 2_usize..16,
            claimed in prop::collection::vec(0_usize..4, 1..6),
        ) {
            let (mut strikes, now) = (Strikes::default(), Instant::now());
            let name = |number: usize| rule(&number.to_string());
            for number in 0..claimed.len() {
                strikes.record(&name(number), 1, now);
            }
            let of = |rule: &RuleId| claimed[rule.as_str().parse::<usize>().unwrap()];
            let bounds = strikes.bounds(workers, of, now);
            let taken: usize = claimed.iter().sum();
            let may: usize = bounds.iter().map(|(_, bound)| bound).sum();
            prop_assert_eq!(may, taken.max(workers - 1));
        }
    }
}
