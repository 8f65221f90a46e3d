//! Runs of a lane follow each other, claims are fenced, nothing is started that is not ready.

use std::task::{Context, Waker};

use super::*;

fn names(claims: &[Claim]) -> Vec<(&str, &str)> {
    claims
        .iter()
        .map(|claim| (claim.run.rule.as_str(), claim.run.lane.as_str()))
        .collect()
}

pub(crate) async fn runs_of_a_lane_follow_each_other_in_order(place: &dyn Place) {
    let store = open(place).await;
    let runs = enqueue(&*store, 0, &[("tag", "a"), ("tag", "a"), ("tag", "a")]).await;
    for (run, number) in runs.into_iter().zip(0..) {
        let claim = claim_one(&*store).await;
        assert_eq!(claim.run.id, run);
        assert_eq!(claim.event, event(number));
        assert_eq!(claim.run.state, RunState::Running);
        nothing_to_claim(&*store).await;
        assert_eq!(
            settle(&*store, claim.lease, Settlement::Succeeded).await,
            Fenced::Written
        );
    }
    nothing_to_claim(&*store).await;
    enqueue(&*store, 7, &[("tag", "a")]).await;
    claim_one(&*store).await;
}

pub(crate) async fn lanes_do_not_wait_for_each_other(place: &dyn Place) {
    let store = open(place).await;
    // The same key under another rule is another lane.
    enqueue(
        &*store,
        0,
        &[("tag", "a"), ("tag", "b"), ("clip", "a"), ("tag", "a")],
    )
    .await;
    let two = store.claim(Claiming::up_to(2), at(0)).await.unwrap();
    assert_eq!(two.len(), 2);
    let mut all = two;
    all.extend(store.claim(Claiming::up_to(100), at(0)).await.unwrap());
    let mut lanes = names(&all);
    lanes.sort_unstable();
    assert_eq!(lanes, [("clip", "a"), ("tag", "a"), ("tag", "b")]);
}

pub(crate) async fn rules_take_turns_and_the_oldest_goes_first(place: &dyn Place) {
    let store = open(place).await;
    let flood = [("a", "1"), ("a", "2"), ("a", "3"), ("a", "4"), ("a", "5")];
    enqueue(&*store, 0, &flood).await;
    enqueue(&*store, 10, &[("b", "1"), ("c", "1"), ("b", "2")]).await;
    let mut claims = Vec::new();
    // The turn is kept from one claim to the next.
    for limit in [1, 1, 2, 3, 100] {
        claims.extend(store.claim(Claiming::up_to(limit), at(0)).await.unwrap());
    }
    let order = names(&claims);
    assert_eq!(
        order,
        [
            ("a", "1"),
            ("b", "1"),
            ("c", "1"),
            ("a", "2"),
            ("b", "2"),
            ("a", "3"),
            ("a", "4"),
            ("a", "5")
        ]
    );
}

pub(crate) async fn a_settled_claim_cannot_be_used_again(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a"), ("tag", "a")]).await;
    let first = claim_one(&*store).await;
    settle(&*store, first.lease, Settlement::Succeeded).await;
    let second = claim_one(&*store).await;
    for how in [Settlement::Succeeded, Settlement::Released] {
        assert_eq!(settle(&*store, first.lease, how).await, Fenced::Lost);
    }
    let forged = Lease {
        run: second.run.id,
        token: first.lease.token,
    };
    assert_eq!(
        settle(&*store, forged, Settlement::Succeeded).await,
        Fenced::Lost
    );
    assert_eq!(
        store.run(first.run.id).await.unwrap().unwrap().state,
        RunState::Succeeded
    );
    assert_eq!(
        store.run(second.run.id).await.unwrap().unwrap().state,
        RunState::Running
    );
    assert_eq!(
        settle(&*store, second.lease, Settlement::Succeeded).await,
        Fenced::Written
    );
}

pub(crate) async fn a_crash_takes_the_claim_from_its_holder(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a")]).await;
    let before = claim_one(&*store).await;
    drop(store);
    let store = place.open().await;
    assert_eq!(
        store.run(before.run.id).await.unwrap().unwrap().state,
        RunState::Queued
    );
    let step = JournalEntry::Answer(Box::new(read(0)));
    assert_eq!(
        append(&*store, before.lease, step.clone()).await,
        Fenced::Lost
    );
    let after = claim_one(&*store).await;
    assert_eq!(after.run.id, before.run.id);
    assert_ne!(after.lease, before.lease);
    assert_eq!(
        settle(&*store, before.lease, Settlement::Succeeded).await,
        Fenced::Lost
    );
    assert_eq!(
        append(&*store, before.lease, step.clone()).await,
        Fenced::Lost
    );
    assert_eq!(store.journal(after.run.id).await.unwrap().0, []);
    assert_eq!(append(&*store, after.lease, step).await, Fenced::Written);
}

pub(crate) async fn a_released_run_is_not_counted(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a"), ("tag", "a")]).await;
    let first = claim_one(&*store).await;
    assert_eq!(first.run.attempt, 1);
    assert_eq!(
        settle(&*store, first.lease, Settlement::Released).await,
        Fenced::Written
    );
    assert_eq!(
        settle(&*store, first.lease, Settlement::Succeeded).await,
        Fenced::Lost
    );
    let again = claim_one(&*store).await;
    assert_eq!((again.run.id, again.run.attempt), (first.run.id, 1));
}

pub(crate) async fn claims_are_counted_until_the_journal_grows(place: &dyn Place) {
    let mut store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a")]).await;
    for attempt in 1..=3 {
        let claim = store
            .claim(Claiming::up_to(1), at(i64::from(attempt)))
            .await
            .unwrap()
            .remove(0);
        assert_eq!(claim.run.attempt, attempt);
        assert_eq!(
            claim.run.started_at,
            Some(at(1)),
            "the first claim is the start"
        );
        drop(store);
        store = place.open().await;
    }
    let claim = claim_one(&*store).await;
    append(
        &*store,
        claim.lease,
        JournalEntry::Answer(Box::new(read(0))),
    )
    .await;
    assert_eq!(store.run(claim.run.id).await.unwrap().unwrap().attempt, 0);
    drop(store);
    let store = place.open().await;
    assert_eq!(claim_one(&*store).await.run.attempt, 1);
}

pub(crate) async fn a_run_that_is_under_way_at_many_stops_is_never_taken_for_their_cause(
    place: &dyn Place,
) {
    let mut store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a"), ("cut", "b"), ("clip", "c")]).await;
    let (mut stops, mut steps) = (0, [0; 3]);
    while stops < 20 {
        let claims = store.claim(Claiming::up_to(10), at(stops)).await.unwrap();
        for claim in &claims {
            let suspect = claim.run.attempt > SUSPECT_AFTER;
            assert!(claim.run.attempt <= SUSPECT_AFTER + 1);
            assert!(!suspect || claims.len() == 1, "it is alone");
        }
        let more = store.claim(Claiming::up_to(10), at(stops)).await.unwrap();
        assert!(more.is_empty(), "nor does anything come beside it");
        if let [alone] = &claims[..] {
            let step = &mut steps[usize::try_from(alone.run.id.0).unwrap() % 3];
            let entry = JournalEntry::Answer(Box::new(read(*step)));
            assert_eq!(append(&*store, alone.lease, entry).await, Fenced::Written);
            settle(&*store, alone.lease, Settlement::Released).await;
            *step += 1;
        } else {
            assert_eq!(claims.len(), 3);
            drop(store);
            store = place.open().await;
            stops += 1;
        }
    }
    assert_eq!(steps, [3; 3], "each was alone after five stops");
}

pub(crate) async fn a_run_that_is_alone_at_a_stop_is_counted_and_holds_nobody_back_once_it_waits(
    place: &dyn Place,
) {
    let mut store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a")]).await;
    for attempt in 1..=SUSPECT_AFTER + 2 {
        assert_eq!(claim_one(&*store).await.run.attempt, attempt);
        drop(store);
        store = place.open().await;
    }
    enqueue(&*store, 1, &[("tag", "b")]).await;
    let alone = claim_one(&*store).await;
    assert_eq!(alone.run.attempt, SUSPECT_AFTER + 3);
    assert!(
        store
            .claim(Claiming::up_to(10), at(0))
            .await
            .unwrap()
            .is_empty(),
        "nobody else begins"
    );
    settle(&*store, alone.lease, Settlement::Succeeded).await;
    assert_eq!(claim_one(&*store).await.run.attempt, 1);
}

pub(crate) async fn a_dead_run_lets_its_lane_go_on(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a"), ("tag", "a"), ("tag", "a")]).await;
    let first = claim_one(&*store).await;
    let mut failure = Failure::new(DeadClass::ScriptError, "no view `Rights`");
    failure.position = Some(Position { line: 3, column: 1 });
    settle(&*store, first.lease, Settlement::Dead(failure.clone())).await;
    let second = claim_one(&*store).await;
    let reason = "on hold".to_owned();
    settle(
        &*store,
        second.lease,
        Settlement::Skipped {
            reason: reason.clone(),
        },
    )
    .await;
    claim_one(&*store).await;
    let dead = store.run(first.run.id).await.unwrap().unwrap();
    assert_eq!((dead.state, dead.failure), (RunState::Dead, Some(failure)));
    assert_eq!(dead.ended_at, Some(at(20)));
    let skipped = store.run(second.run.id).await.unwrap().unwrap();
    assert_eq!(
        (skipped.state, skipped.reason),
        (RunState::Skipped, Some(reason))
    );
}

pub(crate) async fn a_parked_run_blocks_its_lane_and_no_other(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a"), ("tag", "a")]).await;
    let first = claim_one(&*store).await;
    let reason = "the share may have been sent".to_owned();
    settle(
        &*store,
        first.lease,
        Settlement::Parked {
            class: ParkedClass::Uncertain,
            reason: reason.clone(),
        },
    )
    .await;
    nothing_to_claim(&*store).await;
    drop(store);
    let store = place.open().await;
    nothing_to_claim(&*store).await;
    assert_eq!(store.wake_due(at(1_000_000)).await.unwrap(), (0, None));
    nothing_to_claim(&*store).await;
    enqueue(&*store, 5, &[("tag", "b")]).await;
    assert_eq!(claim_one(&*store).await.run.lane, LaneKey::from("b"));
    let parked = store.run(first.run.id).await.unwrap().unwrap();
    assert_eq!(
        (parked.state, parked.reason),
        (RunState::Parked, Some(reason))
    );
}

pub(crate) async fn one_lost_claim_does_not_hinder_the_others(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a"), ("tag", "b")]).await;
    let claims = store.claim(Claiming::up_to(2), at(0)).await.unwrap();
    settle(&*store, claims[0].lease, Settlement::Released).await;
    let batch = claims
        .iter()
        .map(|claim| settlement(claim.lease, Settlement::Succeeded));
    let fenced = store.settle(batch.collect()).await.unwrap();
    assert_eq!(fenced, [Fenced::Lost, Fenced::Written]);
}

/// Whoever asks may be stopped while the store works on it; the run must not stay claimed by nobody.
pub(crate) async fn a_claim_that_nobody_waits_for_is_given_back(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a")]).await;
    for polls in 1..4 {
        let changed = store.changed(Change::Claimable, Duration::from_secs(10));
        let mut asked = store.claim(Claiming::up_to(1), at(0));
        let mut arrived = false;
        for _ in 0..polls {
            let polled = asked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            arrived = polled.is_ready();
            if arrived {
                break;
            }
            // Lets the store go on; any answer will do.
            store.counts().await.unwrap();
            store.wake_due(at(0)).await.unwrap();
        }
        drop(asked);
        if arrived {
            return;
        }
        let claim = match store.claim(Claiming::up_to(1), at(0)).await.unwrap().pop() {
            Some(claim) => claim,
            None => {
                changed.await;
                claim_one(&*store).await
            }
        };
        assert_eq!(claim.run.attempt, 1, "what nobody had is not counted");
        settle(&*store, claim.lease, Settlement::Released).await;
    }
}

pub(crate) async fn runs_are_counted_and_listed_by_state(place: &dyn Place) {
    let store = open(place).await;
    let lanes = [("tag", "a"), ("tag", "b"), ("clip", "c"), ("tag", "a")];
    let runs = enqueue(&*store, 0, &lanes).await;
    for claim in store.claim(Claiming::up_to(100), at(0)).await.unwrap() {
        let how = match claim.run.lane.as_str() {
            "a" => Settlement::Succeeded,
            "b" => Settlement::Dead(Failure::new(DeadClass::Limit, "too many calls")),
            _ => Settlement::Waiting {
                waits: Waits::Time,
                until: at(99),
                reason: "asleep".to_owned(),
                failing_since: None,
            },
        };
        settle(&*store, claim.lease, how).await;
    }
    counted_once_each(&*store).await;
    let listed = async |filter: RunFilter| -> Vec<RunId> {
        store
            .runs(filter)
            .await
            .unwrap()
            .iter()
            .map(|run| run.id)
            .collect()
    };
    let newest_first: Vec<RunId> = runs.iter().rev().copied().collect();
    assert_eq!(listed(RunFilter::default()).await, newest_first);
    assert_eq!(
        listed(RunFilter {
            limit: 2,
            ..RunFilter::default()
        })
        .await,
        newest_first[..2]
    );
    let states = vec![RunState::Dead, RunState::Queued];
    assert_eq!(
        listed(RunFilter {
            states,
            ..RunFilter::default()
        })
        .await,
        [runs[3], runs[1]]
    );
    let rule = Some(RuleId::from("clip"));
    assert_eq!(
        listed(RunFilter {
            rule,
            ..RunFilter::default()
        })
        .await,
        [runs[2]]
    );
    let event = Some(event(1).id);
    assert_eq!(
        listed(RunFilter {
            event,
            ..RunFilter::default()
        })
        .await,
        [runs[1]]
    );
    assert_eq!(store.run(RunId(9_999)).await.unwrap(), None);
}

async fn counted_once_each(store: &dyn Store) {
    let mut counted = store.counts().await.unwrap().runs;
    counted.sort_unstable();
    let expected = [
        RunState::Queued,
        RunState::Waiting,
        RunState::Succeeded,
        RunState::Dead,
    ];
    assert_eq!(counted, expected.map(|state| (state, 1)));
}
