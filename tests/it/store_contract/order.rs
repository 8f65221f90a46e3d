//! Order inside lanes while many workers claim and finish at once, with a control that must fail.
//!
//! The control is the claim that most job queues make: the oldest rows that nobody holds. It looks right until two
//! runs of one lane are in different hands.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::*;

const LANES: u32 = 20;
const RUNS: u32 = 400;

/// What was seen of one run: its lane, its place there, when it began and when it ended.
#[derive(Clone, Copy, Debug)]
struct Seen {
    lane: u32,
    place: u32,
    began: u32,
    ended: u32,
}

/// Runs of one lane that overlap or change places.
fn violations(seen: &[Seen]) -> usize {
    let mut lanes = BTreeMap::<u32, Vec<Seen>>::new();
    for run in seen {
        lanes.entry(run.lane).or_default().push(*run);
    }
    lanes
        .values_mut()
        .map(|lane| {
            lane.sort_by_key(|run| run.place);
            lane.windows(2)
                .filter(|pair| pair[1].began < pair[0].ended)
                .count()
        })
        .sum()
}

/// Something that hands out the oldest runs that may begin.
#[async_trait]
trait Queue {
    async fn claim(&mut self, limit: usize) -> Vec<u32>;
    async fn finish(&mut self, run: u32);
}

/// Claims and finishes at random until everything is done; `lanes` says the lane of each run.
async fn work(queue: &mut dyn Queue, lanes: &[u32]) -> Vec<Seen> {
    let mut runner = TestRunner::default();
    let mut random = move |below: usize| (0..below).new_tree(&mut runner).unwrap().current();
    let mut places = BTreeMap::<u32, u32>::new();
    let place_of: Vec<u32> = lanes
        .iter()
        .map(|lane| {
            let place = places.entry(*lane).or_default();
            *place += 1;
            *place
        })
        .collect();
    let (mut time, mut held, mut seen) = (0, Vec::new(), Vec::new());
    while seen.len() < lanes.len() {
        time += 1;
        if held.is_empty() || (held.len() < 8 && random(2) == 0) {
            let claimed = queue.claim(1 + random(4)).await;
            held.extend(claimed.into_iter().map(|run| (run, time)));
        } else {
            let (run, began) = held.swap_remove(random(held.len()));
            queue.finish(run).await;
            let at = usize::try_from(run).unwrap();
            seen.push(Seen {
                lane: lanes[at],
                place: place_of[at],
                began,
                ended: time,
            });
        }
    }
    seen
}

struct Stored {
    store: Arc<dyn Store>,
    runs: BTreeMap<RunId, u32>,
    leases: BTreeMap<u32, Lease>,
}

#[async_trait]
impl Queue for Stored {
    async fn claim(&mut self, limit: usize) -> Vec<u32> {
        let claims = self
            .store
            .claim(Claiming::up_to(limit), at(10))
            .await
            .unwrap();
        let mut claimed = Vec::new();
        for claim in claims {
            let run = self.runs[&claim.run.id];
            self.leases.insert(run, claim.lease);
            claimed.push(run);
        }
        claimed
    }

    async fn finish(&mut self, run: u32) {
        let lease = self.leases[&run];
        let fenced = settle(&*self.store, lease, Settlement::Succeeded).await;
        assert_eq!(fenced, Fenced::Written);
    }
}

/// The oldest that nobody holds, whatever their lane.
struct Naive {
    waiting: std::collections::VecDeque<u32>,
}

#[async_trait]
impl Queue for Naive {
    async fn claim(&mut self, limit: usize) -> Vec<u32> {
        let some = limit.min(self.waiting.len());
        self.waiting.drain(..some).collect()
    }

    async fn finish(&mut self, _: u32) {}
}

fn lanes() -> Vec<u32> {
    (0..RUNS).map(|run| (run * 7 + run / 3) % LANES).collect()
}

pub(crate) async fn workers_never_overlap_in_a_lane_and_a_naive_claim_does(place: &dyn Place) {
    let store = open(place).await;
    let lanes = lanes();
    let keys: Vec<String> = lanes.iter().map(ToString::to_string).collect();
    let named: Vec<(&str, &str)> = keys.iter().map(|key| ("tag", key.as_str())).collect();
    let made = enqueue(&*store, 0, &named).await;
    let mut stored = Stored {
        store,
        runs: made.into_iter().zip(0..).collect(),
        leases: BTreeMap::new(),
    };
    let seen = work(&mut stored, &lanes).await;
    assert_eq!(seen.len(), lanes.len());
    assert_eq!(violations(&seen), 0);
    let mut naive = Naive {
        waiting: (0..RUNS).collect(),
    };
    let seen = work(&mut naive, &lanes).await;
    assert!(
        violations(&seen) > 0,
        "the check must find what is wrong with a claim that ignores lanes"
    );
}
