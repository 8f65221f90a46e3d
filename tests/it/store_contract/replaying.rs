//! A replay begins anew, and what it will write a second time is known before.

use super::retrying::{deciding, look, refusal};
use super::*;

async fn replay(store: &dyn Store, run: RunId, version: Version) -> Result<RunId, StoreError> {
    let replaying = Replaying {
        version,
        deciding: deciding(),
    };
    store.replay(run, replaying).await
}

async fn write(store: &dyn Store, lease: Lease, number: u32, status: u16) {
    append(store, lease, JournalEntry::Intent(intent(number))).await;
    let mut step = answer(number);
    step.answer.status = status;
    append(store, lease, JournalEntry::Answer(Box::new(step))).await;
}

pub(crate) async fn a_replay_begins_with_an_empty_journal_at_the_end_of_its_lane(
    place: &dyn Place,
) {
    let store = open(place).await;
    let runs = enqueue(&*store, 0, &[("tag", "a"), ("tag", "a")]).await;
    let claim = claim_one(&*store).await;
    write(&*store, claim.lease, 0, 201).await;
    settle(&*store, claim.lease, Settlement::Succeeded).await;
    let again = replay(&*store, runs[0], Version::Then { binding: 7 })
        .await
        .unwrap();
    let (old, new) = (look(&*store, runs[0]).await, look(&*store, again).await);
    assert_eq!(
        (old.state, old.followed_by),
        (RunState::Succeeded, Some(again))
    );
    assert_eq!(new.origin, Some(Origin::Replay(runs[0])));
    assert_eq!(
        (new.version, new.binding, new.started_at),
        (old.version, 7, None)
    );
    assert_eq!(claim_one(&*store).await.run.id, runs[1]);
    let second = store.runs(RunFilter::default()).await.unwrap();
    assert_eq!(second[0].id, again);
    assert_eq!(store.journal(again).await.unwrap(), (Vec::new(), None));
    // As often as a person likes.
    replay(&*store, runs[0], Version::Then { binding: 7 })
        .await
        .unwrap();
}

pub(crate) async fn a_replay_on_the_version_of_now_needs_the_active_rules(place: &dyn Place) {
    let store = open(place).await;
    let run = enqueue(&*store, 0, &[("tag", "a")]).await[0];
    let claim = claim_one(&*store).await;
    let failure = Failure::new(DeadClass::ScriptError, "a typo");
    settle(&*store, claim.lease, Settlement::Dead(failure)).await;
    store.activate_rule_set(rule_set("two")).await.unwrap();
    let now = |set: &str| Version::Now {
        rule_set: RuleSetId::from(set),
        run: NewRun {
            version: RuleVersion::from("v2"),
            priority: 3,
            ..new_run("tag", "b")
        },
    };
    let why = refusal(replay(&*store, run, now("one")).await);
    assert!(why.contains("other rules"), "{why}");
    let again = replay(&*store, run, now("two")).await.unwrap();
    let new = look(&*store, again).await;
    assert_eq!(new.version, RuleVersion::from("v2"));
    assert_eq!(new.rule_set, RuleSetId::from("two"));
    assert_eq!((new.lane, new.priority), (LaneKey::from("b"), 3));
    assert_eq!(claim_one(&*store).await.event, event(0));
}

pub(crate) async fn a_run_that_has_not_ended_is_not_replayed(place: &dyn Place) {
    let store = open(place).await;
    let runs = enqueue(&*store, 0, &[("tag", "a"), ("tag", "a")]).await;
    let claim = claim_one(&*store).await;
    for (run, state) in [(runs[0], "running"), (runs[1], "queued")] {
        let why = refusal(replay(&*store, run, Version::Then { binding: 1 }).await);
        assert!(why.contains(&format!("run {run} is {state}")), "{why}");
        assert!(why.contains("runs cancel"), "{why}");
    }
    let parked = Settlement::Parked {
        class: ParkedClass::Loop,
        reason: "round and round".to_owned(),
    };
    settle(&*store, claim.lease, parked).await;
    let why = refusal(replay(&*store, runs[0], Version::Then { binding: 1 }).await);
    assert!(why.contains("is parked"), "{why}");
    let why = refusal(replay(&*store, RunId(99), Version::Then { binding: 1 }).await);
    assert_eq!(why, "there is no run 99");
}

pub(crate) async fn the_writes_that_a_replay_repeats_are_known_before(place: &dyn Place) {
    let store = open(place).await;
    let run = enqueue(&*store, 0, &[("tag", "a")]).await[0];
    let claim = claim_one(&*store).await;
    let lease = claim.lease;
    append(&*store, lease, JournalEntry::Answer(Box::new(read(0)))).await;
    write(&*store, lease, 1, 201).await;
    write(&*store, lease, 2, 409).await;
    for (number, access) in [
        (3, StateAccess::Get),
        (
            4,
            StateAccess::Add {
                amount: 1,
                expires_at: None,
            },
        ),
    ] {
        let call = StateCall {
            key: "seen".to_owned(),
            access,
            position: None,
        };
        let step = StateStep {
            lease,
            number,
            call,
            logs: Vec::new(),
            at: at(50),
        };
        store.access_state(step).await.unwrap();
    }
    // Withdrawn: it proved not to have happened.
    append(&*store, lease, JournalEntry::Intent(intent(5))).await;
    append(&*store, lease, JournalEntry::Withdrawn { number: 5 }).await;
    let repeats = store.repeats(run).await.unwrap();
    assert_eq!((repeats.made, repeats.uncertain), (2, 0));
    let numbers: Vec<u32> = repeats.first.iter().map(|write| write.number).collect();
    assert_eq!(numbers, [1, 4]);
    assert_eq!(repeats.first[0].effect, intent(1).effect);

    append(&*store, lease, JournalEntry::Intent(intent(5))).await;
    let repeats = store.repeats(run).await.unwrap();
    assert_eq!((repeats.made, repeats.uncertain), (2, 1));
    assert_eq!(repeats.first[2].status, None);
    refusal(store.repeats(RunId(99)).await);
}

pub(crate) async fn the_writes_of_children_count_for_their_parent(place: &dyn Place) {
    let store = open(place).await;
    let parent = enqueue(&*store, 0, &[("tag", "rule")]).await[0];
    let claim = claim_one(&*store).await;
    let objects = (0..30).map(|number| {
        let object = Object {
            object_type: "assets".to_owned(),
            object_id: number.to_string(),
        };
        (object, LaneKey(number.to_string()))
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
    for claim in store.claim(Claiming::up_to(30), at(40)).await.unwrap() {
        write(&*store, claim.lease, 0, 204).await;
        settle(&*store, claim.lease, Settlement::Succeeded).await;
    }
    let repeats = store.repeats(parent).await.unwrap();
    assert_eq!(repeats.made, 30);
    assert_eq!(repeats.first.len(), Repeats::LISTED_MAX);
}
