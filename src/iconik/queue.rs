//! Whose turn it is when more wants to be sent than the budget allows.
//!
//! A weighted fair queue on two levels: rules share the budget, and inside a rule its priorities and sources do. Each
//! request moves its rule and its flow on by what it costs, which halves with every step of priority; who is least
//! far on is served next. What was not asked for is not saved up: whoever comes anew begins where the others are.
//! The steps are bounded, and that is the floor: a rule that waits gets at least 1/64 of what it would get if all
//! were alike.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use crate::model::{RuleId, SourceName};

/// Priorities further from 0 than this count as this.
const PRIORITY_MAX: i32 = 3;

/// On whose account a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Higher goes first.
    pub priority: i32,
    /// The rule of the run.
    pub rule: RuleId,
    /// The source of its event.
    pub source: SourceName,
}

impl Share {
    /// What the gateway itself asks: rarely, and others wait for the answer.
    pub fn gateway() -> Self {
        Self {
            priority: PRIORITY_MAX,
            rule: RuleId::from(""),
            source: SourceName::from(""),
        }
    }
}

fn cost(priority: i32) -> u64 {
    1 << (PRIORITY_MAX - priority.clamp(-PRIORITY_MAX, PRIORITY_MAX))
}

/// Requests that wait, each with what is to be done about it.
#[derive(Debug)]
pub(super) struct FairQueue<T> {
    rules: Turns<RuleId, Turns<(Reverse<i32>, SourceName), VecDeque<T>>>,
    waiting: usize,
}

/// Parties that take turns.
#[derive(Debug)]
struct Turns<K, Q> {
    parties: BTreeMap<K, Party<Q>>,
    /// How far on the one that was served last was before that.
    reached: u64,
}

#[derive(Debug)]
struct Party<Q> {
    /// How far on it is.
    served: u64,
    queue: Q,
}

/// What a party has waiting.
trait Waiting {
    fn is_empty(&self) -> bool;
}

impl<T> Waiting for VecDeque<T> {
    fn is_empty(&self) -> bool {
        VecDeque::is_empty(self)
    }
}

impl<K: Ord, Q: Waiting> Waiting for Turns<K, Q> {
    fn is_empty(&self) -> bool {
        self.parties.values().all(|party| party.queue.is_empty())
    }
}

impl<K, Q> Default for Turns<K, Q> {
    fn default() -> Self {
        Self {
            parties: BTreeMap::new(),
            reached: 0,
        }
    }
}

impl<K: Ord + Clone, Q: Waiting + Default> Turns<K, Q> {
    /// The queue of a party that has something to add.
    fn join(&mut self, key: K) -> &mut Q {
        let reached = self.reached;
        let party = self.parties.entry(key).or_insert_with(|| Party {
            served: reached,
            queue: Q::default(),
        });
        if party.queue.is_empty() {
            party.served = party.served.max(reached);
        }
        &mut party.queue
    }

    /// The party whose turn it is.
    fn next(&self) -> Option<K> {
        let waiting = self.parties.iter();
        let waiting = waiting.filter(|(_, party)| !party.queue.is_empty());
        waiting
            .min_by_key(|(_, party)| party.served)
            .map(|(key, _)| key.clone())
    }

    /// Moves a party on that was served, and forgets those that have nothing waiting and are not ahead of others.
    fn charge(&mut self, key: &K, cost: u64) {
        if let Some(party) = self.parties.get_mut(key) {
            self.reached = self.reached.max(party.served);
            party.served += cost;
        }
        let reached = self.reached;
        self.parties
            .retain(|_, party| !party.queue.is_empty() || party.served > reached);
    }
}

impl<T> FairQueue<T> {
    /// Nobody waits.
    pub(super) fn new() -> Self {
        Self {
            rules: Turns::default(),
            waiting: 0,
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting
    }

    /// Lets a request wait.
    pub(super) fn push(&mut self, share: &Share, request: T) {
        let flow = (Reverse(share.priority), share.source.clone());
        let sources = self.rules.join(share.rule.clone());
        sources.join(flow).push_back(request);
        self.waiting += 1;
    }

    /// The request whose turn it is. Those that do not wait any more are dropped and cost nothing.
    pub(super) fn pop(&mut self, waits: impl Fn(&T) -> bool) -> Option<T> {
        while let Some(rule) = self.rules.next() {
            let sources = &mut self.rules.parties.get_mut(&rule)?.queue;
            let flow = sources.next()?;
            let request = sources.parties.get_mut(&flow)?.queue.pop_front()?;
            self.waiting -= 1;
            let (Reverse(priority), _) = flow;
            let cost = if waits(&request) { cost(priority) } else { 0 };
            sources.charge(&flow, cost);
            self.rules.charge(&rule, cost);
            if cost > 0 {
                return Some(request);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn share(priority: i32, rule: &str, source: &str) -> Share {
        Share {
            priority,
            rule: RuleId::from(rule),
            source: SourceName::from(source),
        }
    }

    /// Serves `turns` requests while each of these always has `backlog` waiting; how many each got.
    fn served(shares: &[Share], backlog: usize, turns: usize) -> Vec<usize> {
        let mut queue = FairQueue::new();
        for _ in 0..backlog {
            for (index, share) in shares.iter().enumerate() {
                queue.push(share, index);
            }
        }
        let mut counts = vec![0; shares.len()];
        for _ in 0..turns {
            let index = queue.pop(|_| true).expect("all have a backlog");
            counts[index] += 1;
            queue.push(&shares[index], index);
        }
        counts
    }

    #[test]
    fn rules_share_alike_however_much_each_asks_for() {
        let mut queue = FairQueue::new();
        for number in 0..100 {
            queue.push(&share(0, "flood", "iconik"), ("flood", number));
        }
        queue.push(&share(0, "quiet", "iconik"), ("quiet", 0));
        let first: Vec<_> = (0..3).filter_map(|_| queue.pop(|_| true)).collect();
        assert!(first.contains(&("quiet", 0)), "{first:?}");
    }

    #[test]
    fn inside_a_rule_sources_share_alike_and_order_is_kept() {
        let mut queue = FairQueue::new();
        for number in 0..4 {
            queue.push(&share(0, "a", "flood"), ("flood", number));
        }
        queue.push(&share(0, "a", "quiet"), ("quiet", 0));
        let all: Vec<_> = std::iter::from_fn(|| queue.pop(|_| true)).collect();
        let place = all.iter().position(|it| it.0 == "quiet").expect("served");
        assert!(place <= 1, "{all:?}");
        let flood: Vec<_> = all.iter().filter(|it| it.0 == "flood").collect();
        assert!(flood.is_sorted());
    }

    #[test]
    fn a_step_of_priority_doubles_the_share() {
        let shares = [share(1, "a", "s"), share(0, "b", "s"), share(-1, "c", "s")];
        assert_eq!(served(&shares, 1, 700), [400, 200, 100]);
    }

    #[test]
    fn children_of_a_rule_come_after_its_live_events_and_still_come() {
        let shares = [share(0, "a", "s"), share(-1, "a", "s")];
        assert_eq!(served(&shares, 1, 300), [200, 100]);
    }

    #[test]
    fn no_priority_starves_a_rule() {
        let shares = [share(1_000, "a", "s"), share(-1_000, "b", "s")];
        assert_eq!(served(&shares, 1, 65 * 4), [256, 4]);
    }

    #[test]
    fn a_rule_that_asks_one_by_one_is_charged_as_one_with_a_backlog() {
        let (high, low) = (share(3, "high", "s"), share(-3, "low", "s"));
        let mut queue = FairQueue::new();
        let mut counts = HashMap::new();
        for _ in 0..4 {
            queue.push(&high, "high");
        }
        queue.push(&low, "low");
        for _ in 0..650 {
            let got = queue.pop(|_| true).expect("both ask again");
            *counts.entry(got).or_insert(0) += 1;
            queue.push(if got == "high" { &high } else { &low }, got);
        }
        assert_eq!(counts["low"], 10);
    }

    #[test]
    fn whoever_has_gone_is_passed_over_and_pays_nothing() {
        let mut queue = FairQueue::new();
        queue.push(&share(0, "a", "s"), 1);
        queue.push(&share(0, "a", "s"), 2);
        queue.push(&share(0, "b", "s"), 3);
        assert_eq!(queue.pop(|request| *request != 1), Some(2));
        assert_eq!(queue.pop(|_| true), Some(3));
        assert_eq!(queue.pop(|_| true), None);
        assert_eq!(queue.len(), 0);
    }

    proptest! {
        #[test]
        fn every_rule_gets_its_floor(
            priorities in prop::collection::vec(-9_i32..9, 1..8),
            turns in 1_usize..2_000,
        ) {
            let rules: Vec<Share> = priorities
                .iter()
                .enumerate()
                .map(|(number, priority)| share(*priority, &format!("r{number}"), "s"))
                .collect();
            let floor = turns / (64 * rules.len());
            for count in served(&rules, 2, turns) {
                prop_assert!(count >= floor.saturating_sub(1), "{count} < {floor}");
            }
        }

        #[test]
        fn nothing_is_lost_and_nothing_is_remembered_for_ever(
            asked in prop::collection::vec((-4_i32..4, 0_u8..4, 0_u8..3), 0..200),
        ) {
            let mut queue = FairQueue::new();
            for (number, (priority, rule, source)) in asked.iter().enumerate() {
                queue.push(&share(*priority, &rule.to_string(), &source.to_string()), number);
            }
            let mut all: Vec<usize> = std::iter::from_fn(|| queue.pop(|_| true)).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..asked.len()).collect::<Vec<_>>());
            prop_assert!(queue.rules.parties.len() <= 4);
        }
    }
}
