//! The children of `each`: found first, then made a bounded number at a time, counted to the last.

use super::*;

fn object(number: usize) -> (Object, LaneKey) {
    let object = Object {
        object_type: "assets".to_owned(),
        object_id: format!("asset-{number}"),
    };
    let lane = LaneKey(object.object_id.clone());
    (object, lane)
}

async fn page(
    store: &dyn Store,
    claim: &Claim,
    objects: std::ops::Range<usize>,
    last: bool,
) -> Option<u64> {
    let page = WalkPage {
        lease: claim.lease,
        place: json!({ "page": objects.end }),
        objects: objects.map(object).collect(),
        last,
        priority: -1,
        at: at(30),
    };
    store.extend_walk(page).await.unwrap()
}

async fn wait_for_children(store: &dyn Store, claim: &Claim) {
    let how = Settlement::Waiting {
        waits: Waits::Children,
        until: at(100_000),
        reason: "waits for its children".to_owned(),
        failing_since: None,
    };
    assert_eq!(settle(store, claim.lease, how).await, Fenced::Written);
}

/// A parent whose walk has found so many objects, waiting for its children.
async fn parent(store: &dyn Store, objects: usize) -> Claim {
    enqueue(store, 0, &[("tag", "rule")]).await;
    let claim = claim_one(store).await;
    page(store, &claim, 0..objects, true).await;
    wait_for_children(store, &claim).await;
    claim
}

async fn claim_all(store: &dyn Store) -> Vec<Claim> {
    store.claim(Claiming::up_to(10_000), at(40)).await.unwrap()
}

pub(crate) async fn a_walk_counts_every_object_once_and_goes_on_after_a_crash(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "rule")]).await;
    let claim = claim_one(&*store).await;
    assert_eq!(claim.walk, None);
    append(
        &*store,
        claim.lease,
        JournalEntry::Answer(Box::new(read(0))),
    )
    .await;
    assert_eq!(page(&*store, &claim, 0..10, false).await, Some(10));
    assert_eq!(page(&*store, &claim, 5..15, false).await, Some(15));
    drop(store);
    let store = place.open().await;
    assert_eq!(
        page(&*store, &claim, 15..20, true).await,
        None,
        "the claim no longer holds"
    );
    let claim = claim_one(&*store).await;
    let walk = claim.walk.clone().unwrap();
    assert_eq!((walk.steps_before, walk.ended_at), (1, None));
    assert_eq!(walk.place, json!({ "page": 15 }));
    assert_eq!(page(&*store, &claim, 15..20, true).await, Some(20));
    nothing_to_claim(&*store).await;
}

pub(crate) async fn children_are_made_when_the_walk_is_over_and_their_parent_wakes_after_the_last(
    place: &dyn Place,
) {
    let store = open(place).await;
    let parent = parent(&*store, 3).await;
    let children = claim_all(&*store).await;
    assert_eq!(children.len(), 3);
    for (number, child) in children.iter().enumerate() {
        assert_eq!(child.run.parent, Some(parent.run.id));
        assert_eq!(child.run.priority, -1);
        assert_eq!(child.event.kind, EventKind::Object);
        assert_eq!(
            child.event.asset_id(),
            Some(format!("asset-{number}").as_str())
        );
        assert_eq!(child.event.id, parent.event.id);
        assert_eq!(child.run.version, parent.run.version);
    }
    settle(&*store, children[0].lease, Settlement::Succeeded).await;
    let failure = Failure::new(DeadClass::ApiError, "no such view");
    settle(&*store, children[1].lease, Settlement::Dead(failure)).await;
    nothing_to_claim(&*store).await;
    let reason = "on hold".to_owned();
    settle(&*store, children[2].lease, Settlement::Skipped { reason }).await;
    let woken = claim_one(&*store).await;
    assert_eq!(woken.run.id, parent.run.id);
    let walk = woken.walk.unwrap();
    assert!(walk.done_at.is_some());
    let count = |state| walk.tally.count(state);
    assert_eq!(
        [RunState::Succeeded, RunState::Skipped, RunState::Dead].map(count),
        [1, 1, 1]
    );
    assert_eq!(walk.tally.failed.len(), 1);
    let failed = &walk.tally.failed[0];
    assert_eq!(failed.object.object_id, "asset-1");
    assert_eq!(
        (failed.class, failed.message.as_str()),
        (Some(DeadClass::ApiError), "no such view")
    );
    assert_eq!(walk.tally.to_string(), "3 of 3 objects done, 1 failed");
}

pub(crate) async fn a_walk_that_found_nothing_wakes_its_parent_at_once(place: &dyn Place) {
    let store = open(place).await;
    let parent = parent(&*store, 0).await;
    let woken = claim_one(&*store).await;
    assert_eq!(woken.run.id, parent.run.id);
    assert!(woken.walk.unwrap().done_at.is_some());
}

pub(crate) async fn no_more_than_five_hundred_children_are_unfinished(place: &dyn Place) {
    let store = open(place).await;
    let parent = parent(&*store, 1_200).await;
    let mut ended = 0;
    while ended < 1_200 {
        let children = claim_all(&*store).await;
        let counts = store.counts().await.unwrap();
        let open: u64 = counts
            .runs
            .iter()
            .filter(|(state, _)| matches!(state, RunState::Queued | RunState::Running))
            .map(|(_, count)| count)
            .sum();
        assert!(open <= 500, "{open}");
        assert!(!children.is_empty(), "after {ended}");
        ended += children.len();
        let settlements = children
            .iter()
            .map(|child| settlement(child.lease, Settlement::Succeeded));
        store.settle(settlements.collect()).await.unwrap();
    }
    let woken = claim_one(&*store).await;
    assert_eq!(woken.run.id, parent.run.id);
    assert_eq!(woken.walk.unwrap().tally.count(RunState::Succeeded), 1_200);
}

pub(crate) async fn children_come_after_live_events_of_their_rule(place: &dyn Place) {
    let store = open(place).await;
    parent(&*store, 3).await;
    enqueue(&*store, 7, &[("tag", "live")]).await;
    let first = store.claim(Claiming::up_to(1), at(40)).await.unwrap();
    assert_eq!(first[0].run.lane.as_str(), "live");
}
