//! Senders take turns in routing: a flood of one does not delay another, and each keeps its order.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::*;

const SENDERS: [&str; 3] = ["a", "b", "c"];

/// An event of a sender.
pub(crate) fn of(source: &str, number: u32) -> Event {
    let source = SourceName::from(source);
    let key = EventKey::of_message(&source, &number.to_string());
    Event {
        id: key.event_id(7),
        key,
        source,
        ..event(number)
    }
}

fn flood(numbers: std::ops::Range<u32>) -> Vec<Event> {
    numbers.map(|number| of("flood", number)).collect()
}

/// Sender and number of each.
fn names(batch: &Unrouted) -> Vec<String> {
    let name = |event: &Event| format!("{} {}", event.source, event.text("object_id").unwrap());
    batch.events.iter().map(name).collect()
}

/// Routes the next batch to no rule; answers which events it had.
pub(crate) async fn route_one_batch(store: &dyn Store, limit: usize) -> Vec<String> {
    let batch = store.unrouted(limit).await.unwrap();
    let names = names(&batch);
    let decisions = vec![routed(Vec::new()); batch.events.len()];
    if !names.is_empty() {
        let routed = store.route(routing(batch.batch, decisions)).await.unwrap();
        assert!(matches!(routed, Routed::Committed { .. }), "{routed:?}");
    }
    names
}

pub(crate) async fn a_sender_of_little_does_not_wait_behind_a_flood(place: &dyn Place) {
    let store = open(place).await;
    store.accept(flood(0..100)).await.unwrap();
    store.accept(vec![of("quiet", 1)]).await.unwrap();
    store.accept(flood(100..200)).await.unwrap();
    let first = route_one_batch(&*store, 10).await;
    assert!(first.contains(&"quiet 1".to_owned()), "{first:?}");
    store.accept(vec![of("quiet", 2)]).await.unwrap();
    let second = route_one_batch(&*store, 10).await;
    assert!(second.contains(&"quiet 2".to_owned()), "{second:?}");
    assert!(!second.contains(&"quiet 1".to_owned()), "{second:?}");
}

pub(crate) async fn senders_take_turns_and_each_keeps_its_order(place: &dyn Place) {
    let store = open(place).await;
    for number in 0..40 {
        store.accept(vec![of("a", number)]).await.unwrap();
    }
    store
        .accept((0..7).map(|number| of("b", number)).collect())
        .await
        .unwrap();
    store
        .accept((0..25).map(|number| of("c", number)).collect())
        .await
        .unwrap();
    let mut all: Vec<String> = Vec::new();
    loop {
        let batch = route_one_batch(&*store, 9).await;
        if batch.is_empty() {
            break;
        }
        all.extend(batch);
    }
    for (sender, count) in [("a", 40), ("b", 7), ("c", 25)] {
        let of_sender: Vec<&String> = all.iter().filter(|name| name.starts_with(sender)).collect();
        let expected: Vec<String> = (0..count).map(|n| format!("{sender} {n}")).collect();
        assert_eq!(of_sender, expected.iter().collect::<Vec<_>>());
    }
    let last_of_b = all.iter().position(|name| name == "b 6").unwrap();
    assert!(last_of_b < 27, "three of nine are its share: {last_of_b}");
}

pub(crate) async fn what_a_sender_leaves_of_its_share_is_for_the_others(place: &dyn Place) {
    let store = open(place).await;
    store.accept(flood(0..100)).await.unwrap();
    store.accept(vec![of("quiet", 1)]).await.unwrap();
    assert_eq!(route_one_batch(&*store, 20).await.len(), 20);
    assert_eq!(
        route_one_batch(&*store, 20).await.len(),
        20,
        "the flood alone has all of it"
    );
    assert_eq!(store.counts().await.unwrap().unrouted, 61);
}

pub(crate) async fn what_was_routed_ahead_is_not_routed_again_after_a_crash(place: &dyn Place) {
    let store = open(place).await;
    store.accept(flood(0..30)).await.unwrap();
    store
        .accept((0..3).map(|number| of("quiet", number)).collect())
        .await
        .unwrap();
    let mut all = route_one_batch(&*store, 4).await;
    drop(store);
    let store = place.open().await;
    store.accept(vec![of("quiet", 3)]).await.unwrap();
    loop {
        let batch = route_one_batch(&*store, 4).await;
        if batch.is_empty() {
            break;
        }
        all.extend(batch);
    }
    all.sort();
    let before = all.len();
    all.dedup();
    assert_eq!((before, all.len()), (34, 34), "each once");
    assert_eq!(store.counts().await.unwrap().unrouted, 0);
}

pub(crate) async fn a_batch_of_several_senders_is_routed_once(place: &dyn Place) {
    let store = open(place).await;
    store.accept(flood(0..20)).await.unwrap();
    store.accept(vec![of("quiet", 1)]).await.unwrap();
    let decide = |batch: &Unrouted| {
        let decisions = vec![routed(vec![new_run("tag", "a")]); batch.events.len()];
        routing(batch.batch.clone(), decisions)
    };
    let batch = store.unrouted(6).await.unwrap();
    let other = store.unrouted(4).await.unwrap();
    let committed = store.route(decide(&batch)).await.unwrap();
    assert!(matches!(committed, Routed::Committed { events: 6, .. }));
    for late in [&batch, &other] {
        assert_eq!(store.route(decide(late)).await.unwrap(), Routed::Stale);
    }
    assert_eq!(store.runs(RunFilter::default()).await.unwrap().len(), 6);
}

pub(crate) async fn what_is_not_routed_is_counted_with_what_is_ahead(place: &dyn Place) {
    let store = open(place).await;
    store.accept(flood(0..10)).await.unwrap();
    store
        .accept((0..4).map(|number| of("quiet", number)).collect())
        .await
        .unwrap();
    let mut left = 14;
    loop {
        assert_eq!(store.counts().await.unwrap().unrouted, left);
        let batch = route_one_batch(&*store, 4).await;
        if batch.is_empty() {
            break;
        }
        left -= u64::try_from(batch.len()).unwrap();
        let stored = EventFilter {
            states: vec![EventState::Stored],
            limit: 100,
            ..EventFilter::default()
        };
        let listed = store.events(stored).await.unwrap().len();
        assert_eq!(u64::try_from(listed).unwrap(), left);
    }
    assert_eq!(left, 0);
}

/// What may happen, in any order.
#[derive(Clone, Debug)]
enum Step {
    /// So many events of a sender are accepted.
    Accept(usize, u32),
    /// A batch of at most so many is routed.
    Route(usize),
    /// A batch is handed out, another one is routed, and the first one comes too late.
    Race(usize, usize),
    /// The process dies.
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..SENDERS.len(), 1_u32..12).prop_map(|(sender, count)| Step::Accept(sender, count)),
        4 => (1_usize..10).prop_map(Step::Route),
        1 => (1_usize..10, 1_usize..10).prop_map(|(one, other)| Step::Race(one, other)),
        1 => Just(Step::Crash),
    ]
}

/// What was accepted and what of it was routed, by sender.
#[derive(Default)]
struct Ledger {
    accepted: BTreeMap<String, u32>,
    routed: BTreeMap<String, u32>,
}

impl Ledger {
    /// The numbers of a sender are 0, 1, 2 and so on, so the next one is the number of those before.
    fn take(&mut self, names: &[String]) {
        for name in names {
            let (sender, number) = name.split_once(' ').unwrap();
            let next = self.routed.entry(sender.to_owned()).or_default();
            assert_eq!(
                number,
                next.to_string(),
                "{sender} keeps its order, each once"
            );
            *next += 1;
        }
    }

    fn waiting(&self) -> BTreeMap<&str, u32> {
        let left = |(sender, accepted): (&'_ String, &u32)| {
            accepted - self.routed.get(sender).copied().unwrap_or(0)
        };
        self.accepted
            .iter()
            .map(|entry| (entry.0.as_str(), left(entry)))
            .filter(|(_, left)| *left > 0)
            .collect()
    }
}

pub(crate) async fn any_mixture_of_senders_batches_and_crashes_routes_each_event_once_in_order(
    place: &dyn Place,
) {
    let mut runner = TestRunner::default();
    let mut store = open(place).await;
    let mut ledger = Ledger::default();
    for _ in 0..300 {
        match step().new_tree(&mut runner).unwrap().current() {
            Step::Accept(sender, count) => {
                let sender = SENDERS[sender];
                let first = ledger.accepted.entry(sender.to_owned()).or_default();
                let events = (*first..*first + count).map(|number| of(sender, number));
                store.accept(events.collect()).await.unwrap();
                *first += count;
            }
            Step::Route(limit) => {
                let waiting: Vec<String> =
                    ledger.waiting().keys().map(ToString::to_string).collect();
                let names = route_one_batch(&*store, limit).await;
                for sender in waiting {
                    let has_turn = names.iter().any(|name| name.starts_with(&sender));
                    assert!(has_turn, "{sender} waits and has no turn in {names:?}");
                }
                ledger.take(&names);
            }
            Step::Race(one, other) => {
                let late = store.unrouted(one).await.unwrap();
                let names = route_one_batch(&*store, other).await;
                ledger.take(&names);
                let decisions = vec![routed(Vec::new()); late.events.len()];
                let late = store.route(routing(late.batch, decisions)).await.unwrap();
                let is_idle = names.is_empty();
                assert!(is_idle || late == Routed::Stale, "{late:?}");
            }
            Step::Crash => {
                drop(store);
                store = place.open().await;
            }
        }
        let left: u32 = ledger.waiting().values().sum();
        assert_eq!(store.counts().await.unwrap().unrouted, u64::from(left));
    }
}
