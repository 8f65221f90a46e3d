//! A run that a person ends frees its lane at once, and whoever drove it can write nothing more.

use super::retrying::{deciding, look, refusal};
use super::*;

async fn cancel(store: &dyn Store, run: RunId) -> Result<usize, StoreError> {
    let cancelling = Cancelling {
        reason: "a mistake".to_owned(),
        deciding: deciding(),
    };
    store.cancel(run, cancelling).await
}

fn asleep() -> Settlement {
    Settlement::Waiting {
        waits: Waits::Time,
        until: at(100),
        reason: "asleep".to_owned(),
        failing_since: None,
    }
}

pub(crate) async fn a_queued_run_is_left_out_of_its_lane(place: &dyn Place) {
    let store = open(place).await;
    let runs = enqueue(&*store, 0, &[("tag", "a"), ("tag", "a"), ("tag", "a")]).await;
    assert_eq!(cancel(&*store, runs[1]).await.unwrap(), 1);
    let gone = look(&*store, runs[1]).await;
    assert_eq!(
        (gone.state, gone.ended_at, gone.reason.as_deref()),
        (RunState::Cancelled, Some(at(500)), Some("a mistake (anna)"))
    );
    let first = claim_one(&*store).await;
    assert_eq!(first.run.id, runs[0]);
    settle(&*store, first.lease, Settlement::Succeeded).await;
    assert_eq!(claim_one(&*store).await.run.id, runs[2]);
}

pub(crate) async fn the_run_at_the_head_makes_way(place: &dyn Place) {
    let store = open(place).await;
    let runs = enqueue(&*store, 0, &[("tag", "a"), ("tag", "a"), ("tag", "a")]).await;
    cancel(&*store, runs[0]).await.unwrap();
    let claim = claim_one(&*store).await;
    assert_eq!(claim.run.id, runs[1]);
    settle(&*store, claim.lease, asleep()).await;
    nothing_to_claim(&*store).await;
    cancel(&*store, runs[1]).await.unwrap();
    assert_eq!(store.wake_due(at(100)).await.unwrap(), (0, None));
    let claim = claim_one(&*store).await;
    assert_eq!(claim.run.id, runs[2]);
    let parked = Settlement::Parked {
        class: ParkedClass::Uncertain,
        reason: "nobody knows".to_owned(),
    };
    settle(&*store, claim.lease, parked).await;
    let next = enqueue(&*store, 10, &[("tag", "a")]).await[0];
    nothing_to_claim(&*store).await;
    cancel(&*store, runs[2]).await.unwrap();
    assert_eq!(claim_one(&*store).await.run.id, next);
}

pub(crate) async fn whoever_drives_a_cancelled_run_is_fenced_off(place: &dyn Place) {
    let store = open(place).await;
    let runs = enqueue(&*store, 0, &[("tag", "a"), ("tag", "a")]).await;
    let driven = claim_one(&*store).await;
    append(&*store, driven.lease, JournalEntry::Intent(intent(0))).await;
    cancel(&*store, runs[0]).await.unwrap();
    let reason = look(&*store, runs[0]).await.reason.unwrap();
    assert!(reason.contains("Step 0"), "{reason}");
    assert!(reason.contains("may have happened"), "{reason}");
    let late = JournalEntry::Answer(Box::new(answer(0)));
    assert_eq!(append(&*store, driven.lease, late).await, Fenced::Lost);
    assert_eq!(
        settle(&*store, driven.lease, Settlement::Succeeded).await,
        Fenced::Lost
    );
    drop(store);
    let store = place.open().await;
    assert_eq!(look(&*store, runs[0]).await.state, RunState::Cancelled);
    let next = claim_one(&*store).await;
    assert_eq!(next.run.id, runs[1]);
    assert!(next.lease.token > driven.lease.token);
}

pub(crate) async fn what_has_ended_cannot_be_cancelled(place: &dyn Place) {
    let store = open(place).await;
    let run = enqueue(&*store, 0, &[("tag", "a")]).await[0];
    let claim = claim_one(&*store).await;
    settle(&*store, claim.lease, Settlement::Succeeded).await;
    let why = refusal(cancel(&*store, run).await);
    assert_eq!(why, format!("run {run} has ended already: it is succeeded"));
    assert_eq!(look(&*store, run).await.state, RunState::Succeeded);
    assert_eq!(
        refusal(cancel(&*store, RunId(5)).await),
        "there is no run 5"
    );
}

pub(crate) async fn the_children_of_a_cancelled_run_end_with_it(place: &dyn Place) {
    let store = open(place).await;
    let parent = enqueue(&*store, 0, &[("tag", "rule")]).await[0];
    let claim = claim_one(&*store).await;
    let objects = (0..600).map(|number| {
        let object = Object {
            object_type: "assets".to_owned(),
            object_id: number.to_string(),
        };
        (object, LaneKey((number % 10).to_string()))
    });
    let page = WalkPage {
        lease: claim.lease,
        objects: objects.collect(),
        place: json!({}),
        last: true,
        priority: 0,
        at: at(30),
    };
    store.extend_walk(page).await.unwrap();
    let waits = Settlement::Waiting {
        waits: Waits::Children,
        until: at(9_000),
        reason: "waits for its children".to_owned(),
        failing_since: None,
    };
    settle(&*store, claim.lease, waits).await;
    let driven = store.claim(Claiming::up_to(3), at(40)).await.unwrap();
    settle(&*store, driven[0].lease, Settlement::Succeeded).await;
    assert_eq!(cancel(&*store, parent).await.unwrap(), 1 + 500);
    nothing_to_claim(&*store).await;
    assert_eq!(
        settle(&*store, driven[1].lease, Settlement::Succeeded).await,
        Fenced::Lost
    );
    let counts = store.counts().await.unwrap().runs;
    assert_eq!(
        counts,
        [(RunState::Cancelled, 501), (RunState::Succeeded, 1)],
        "no further child was made"
    );
    let tally = store.standing(parent).await.unwrap().children.unwrap();
    assert_eq!(tally.count(RunState::Cancelled), 500);
    assert_eq!((tally.objects, tally.ended()), (600, 501));
}
