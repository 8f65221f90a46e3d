//! A run that waits holds its lane and nothing else, and wakes when it is time.

use super::*;

fn until(seconds: i64) -> Settlement {
    Settlement::Waiting {
        waits: Waits::Retry,
        until: at(seconds),
        reason: format!("asleep until {seconds}"),
        failing_since: Some(at(3)),
    }
}

pub(crate) async fn a_waiting_run_wakes_at_its_time_and_not_before(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a"), ("tag", "a")]).await;
    let claim = claim_one(&*store).await;
    settle(&*store, claim.lease, until(100)).await;
    let waiting = store.run(claim.run.id).await.unwrap().unwrap();
    assert_eq!(
        (waiting.state, waiting.due_at),
        (RunState::Waiting, Some(at(100)))
    );
    assert_eq!(waiting.reason.as_deref(), Some("asleep until 100"));
    nothing_to_claim(&*store).await;
    assert_eq!(store.wake_due(at(99)).await.unwrap(), (0, Some(at(100))));
    nothing_to_claim(&*store).await;
    assert_eq!(store.wake_due(at(100)).await.unwrap(), (1, None));
    assert_eq!(store.wake_due(at(100)).await.unwrap(), (0, None));
    let again = claim_one(&*store).await;
    assert_eq!(again.run.id, claim.run.id);
    assert_eq!(again.run.due_at, None);
    assert_eq!(
        again.run.failing_since,
        Some(at(3)),
        "how long a call fails is kept over the wait"
    );
    assert_eq!(
        settle(&*store, claim.lease, Settlement::Succeeded).await,
        Fenced::Lost
    );
}

/// A pause is a length of time: what is left of it is not known once the clock was set back, and it does no harm
/// to end it. A sleep is until an hour, which is still to come.
pub(crate) async fn a_pause_does_not_outlast_its_length_when_the_clock_is_set_back(
    place: &dyn Place,
) {
    const HOUR: i64 = 3_600;
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a"), ("tag", "b"), ("tag", "c")]).await;
    let claims = store.claim(Claiming::up_to(3), at(0)).await.unwrap();
    let mut asleep = None;
    for (claim, waits) in claims
        .iter()
        .zip([Waits::Retry, Waits::Gateway, Waits::Time])
    {
        asleep = Some(claim.run.id);
        let settle = Settle {
            at: at(HOUR),
            ..settlement(
                claim.lease,
                Settlement::Waiting {
                    waits,
                    until: at(HOUR + 1),
                    reason: "for a second".to_owned(),
                    failing_since: None,
                },
            )
        };
        assert_eq!(store.settle(vec![settle]).await.unwrap(), [Fenced::Written]);
    }
    let next = Some(at(HOUR + 1));
    assert_eq!(store.wake_due(at(HOUR)).await.unwrap(), (0, next));
    assert_eq!(store.wake_due(at(10)).await.unwrap(), (2, next));
    let left = store.run(asleep.unwrap()).await.unwrap().unwrap();
    assert_eq!((left.state, left.due_at), (RunState::Waiting, next));
}

pub(crate) async fn a_waiting_run_holds_its_lane_over_a_crash(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a"), ("tag", "a")]).await;
    let claim = claim_one(&*store).await;
    settle(&*store, claim.lease, until(100)).await;
    drop(store);
    let store = place.open().await;
    nothing_to_claim(&*store).await;
    assert_eq!(store.wake_due(at(50)).await.unwrap(), (0, Some(at(100))));
    store.wake_due(at(200)).await.unwrap();
    assert_eq!(claim_one(&*store).await.run.id, claim.run.id);
}

pub(crate) async fn waking_is_no_failed_attempt(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a")]).await;
    for round in 0..5 {
        let claim = claim_one(&*store).await;
        assert_eq!(claim.run.attempt, 1);
        settle(&*store, claim.lease, until(round)).await;
        store.wake_due(at(round)).await.unwrap();
    }
    let claim = claim_one(&*store).await;
    append(
        &*store,
        claim.lease,
        JournalEntry::Answer(Box::new(read(0))),
    )
    .await;
    let answered = store.run(claim.run.id).await.unwrap().unwrap();
    assert_eq!(answered.failing_since, None, "an answer ends the trouble");
}

pub(crate) async fn timers_wake_in_the_order_in_which_they_are_due(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a"), ("tag", "b"), ("tag", "c")]).await;
    for claim in store.claim(Claiming::up_to(100), at(0)).await.unwrap() {
        let due = match claim.run.lane.as_str() {
            "a" => 300,
            "b" => 100,
            _ => 200,
        };
        settle(&*store, claim.lease, until(due)).await;
    }
    for (now, lane, next) in [
        (100, "b", Some(at(200))),
        (200, "c", Some(at(300))),
        (300, "a", None),
    ] {
        assert_eq!(store.wake_due(at(now)).await.unwrap(), (1, next));
        assert_eq!(claim_one(&*store).await.run.lane, LaneKey::from(lane));
    }
}
