//! A run that a person retries goes on where it failed, and makes no finished write a second time.

use super::*;

pub(crate) fn deciding() -> Deciding {
    Deciding {
        by: Some("anna".to_owned()),
        at: at(500),
    }
}

async fn retry(store: &dyn Store, run: RunId, how: Option<RetryAs>) -> Result<RunId, StoreError> {
    let retrying = Retrying {
        how,
        deciding: deciding(),
    };
    store.retry(run, retrying).await
}

/// What the store says against it.
#[track_caller]
pub(crate) fn refusal<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    match answer {
        Err(StoreError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn look(store: &dyn Store, run: RunId) -> Run {
    store.run(run).await.unwrap().unwrap()
}

async fn write(store: &dyn Store, lease: Lease, number: u32) {
    append(store, lease, JournalEntry::Intent(intent(number))).await;
    let answer = JournalEntry::Answer(Box::new(answer(number)));
    assert_eq!(append(store, lease, answer).await, Fenced::Written);
}

/// A read that Iconik refuses.
fn refused(number: u32) -> Step {
    let mut step = read(number);
    step.answer.status = 404;
    step
}

async fn journal(store: &dyn Store, lease: Lease, steps: &[Step]) {
    for step in steps {
        if step.effect.is_write() {
            append(store, lease, JournalEntry::Intent(intent(step.number))).await;
        }
        append(store, lease, JournalEntry::Answer(Box::new(step.clone()))).await;
    }
}

async fn die(store: &dyn Store, lease: Lease, class: DeadClass) {
    let how = Settlement::Dead(Failure::new(class, "it failed"));
    assert_eq!(settle(store, lease, how).await, Fenced::Written);
}

async fn park(store: &dyn Store, lease: Lease, class: ParkedClass) {
    let how = Settlement::Parked {
        class,
        reason: "nobody knows".to_owned(),
    };
    assert_eq!(settle(store, lease, how).await, Fenced::Written);
}

fn line(step: u32, text: &str) -> LogLine {
    LogLine {
        step,
        index: 0,
        level: LogLevel::Info,
        text: text.to_owned(),
    }
}

pub(crate) async fn a_dead_run_goes_on_before_the_step_that_failed(place: &dyn Place) {
    let store = open(place).await;
    let runs = enqueue(&*store, 0, &[("tag", "a"), ("tag", "a")]).await;
    let claim = claim_one(&*store).await;
    let logged = |entry, logs| Append {
        lease: claim.lease,
        entry,
        logs,
    };
    let read_first = JournalEntry::Answer(Box::new(read(0)));
    store
        .append(vec![logged(read_first, vec![line(0, "begins")])])
        .await
        .unwrap();
    write(&*store, claim.lease, 1).await;
    let fails = JournalEntry::Answer(Box::new(refused(2)));
    store
        .append(vec![logged(fails, vec![line(2, "looks")])])
        .await
        .unwrap();
    die(&*store, claim.lease, DeadClass::ApiError).await;

    let fork = retry(&*store, runs[0], None).await.unwrap();
    drop(store);
    let store = place.open().await;
    let (old, new) = (look(&*store, runs[0]).await, look(&*store, fork).await);
    assert_eq!((old.state, old.followed_by), (RunState::Dead, Some(fork)));
    assert_eq!(store.journal(runs[0]).await.unwrap().0.len(), 3);
    assert_eq!(new.origin, Some(Origin::Retry(runs[0])));
    assert_eq!(
        (new.version, new.rule_set, new.binding, new.lane, new.event),
        (old.version, old.rule_set, old.binding, old.lane, old.event)
    );
    assert_eq!((new.state, new.created_at), (RunState::Queued, at(500)));

    let second = claim_one(&*store).await;
    assert_eq!(second.run.id, runs[1], "it comes last in its lane");
    settle(&*store, second.lease, Settlement::Succeeded).await;
    let again = claim_one(&*store).await;
    assert_eq!(again.run.id, fork);
    assert_eq!(again.journal, [read(0), answer(1)]);
    assert_eq!(again.open_intent, None);
    assert_eq!(
        again.run.started_at, old.started_at,
        "its first step may have asked for the time"
    );
    assert_eq!(store.logs(fork).await.unwrap(), [line(0, "begins")]);
    let trace = store.trace(fork).await.unwrap();
    assert_eq!(trace.announced.len(), 1);
    assert_eq!(trace.remarks.len(), 1);
    let remark = &trace.remarks[0];
    assert_eq!((remark.number, remark.at), (2, at(500)));
    assert!(remark.text.contains("anna"), "{remark:?}");
    assert!(remark.text.contains("dead (api_error)"), "{remark:?}");
}

pub(crate) async fn a_finished_write_is_never_left_out(place: &dyn Place) {
    // What failed, what died of it, and how many steps go on.
    let cases: [(&[Step], DeadClass, usize); 5] = [
        (&[refused(0), answer(1), read(2)], DeadClass::ScriptError, 3),
        (&[answer(0), refused(1), read(2)], DeadClass::Failed, 1),
        (
            &[answer(0), refused(1), read(2), refused(3)],
            DeadClass::ApiError,
            1,
        ),
        (&[refused(0), read(1)], DeadClass::Limit, 2),
        (&[refused(0)], DeadClass::ApiError, 0),
    ];
    for (steps, class, kept) in cases {
        let store = open(place).await;
        let first = u32::try_from(store.runs(RunFilter::default()).await.unwrap().len()).unwrap();
        let run = enqueue(&*store, first, &[("tag", "a")]).await[0];
        let claim = claim_one(&*store).await;
        journal(&*store, claim.lease, steps).await;
        die(&*store, claim.lease, class).await;
        let fork = retry(&*store, run, None).await.unwrap();
        let claim = claim_one(&*store).await;
        assert_eq!(claim.run.id, fork);
        assert_eq!(claim.journal, steps[..kept], "{class:?}");
        settle(&*store, claim.lease, Settlement::Succeeded).await;
        store.close().await.unwrap();
    }
}

pub(crate) async fn a_parked_run_gives_its_place_to_the_one_that_goes_on(place: &dyn Place) {
    let store = open(place).await;
    let runs = enqueue(&*store, 0, &[("tag", "a"), ("tag", "a")]).await;
    let claim = claim_one(&*store).await;
    journal(&*store, claim.lease, &[read(0)]).await;
    append(&*store, claim.lease, JournalEntry::Intent(intent(1))).await;
    park(&*store, claim.lease, ParkedClass::Uncertain).await;
    nothing_to_claim(&*store).await;

    let why = refusal(retry(&*store, runs[0], None).await);
    assert!(why.contains("step 1 of run"), "{why}");
    assert!(why.contains("--as happened"), "{why}");
    nothing_to_claim(&*store).await;

    let fork = retry(&*store, runs[0], Some(RetryAs::Again)).await.unwrap();
    let old = look(&*store, runs[0]).await;
    assert_eq!(old.state, RunState::Cancelled);
    let reason = old.reason.unwrap();
    assert!(
        reason.starts_with(&format!("retried as run {fork} by anna")),
        "{reason}"
    );
    assert!(reason.contains("nobody knows"), "{reason}");
    assert_eq!(
        look(&*store, fork).await.released,
        Some(ParkedClass::Uncertain)
    );
    let again = claim_one(&*store).await;
    assert_eq!(
        (again.run.id, &again.journal, &again.open_intent),
        (fork, &vec![read(0)], &None)
    );
    settle(&*store, again.lease, Settlement::Succeeded).await;
    assert_eq!(claim_one(&*store).await.run.id, runs[1]);
}

pub(crate) async fn a_call_that_a_person_saw_is_not_sent_again(place: &dyn Place) {
    let store = open(place).await;
    let run = enqueue(&*store, 0, &[("tag", "a")]).await[0];
    let claim = claim_one(&*store).await;
    let logs = vec![line(0, "asks")];
    let entry = JournalEntry::Intent(intent(0));
    let append_all = vec![Append {
        lease: claim.lease,
        entry,
        logs,
    }];
    store.append(append_all).await.unwrap();
    park(&*store, claim.lease, ParkedClass::Uncertain).await;
    let fork = retry(&*store, run, Some(RetryAs::Happened)).await.unwrap();
    let again = claim_one(&*store).await;
    assert_eq!((again.run.id, again.run.attempt), (fork, 1));
    assert_eq!(again.run.started_at, claim.run.started_at);
    assert_eq!(again.open_intent, None);
    let answered = &again.journal[0];
    assert_eq!((answered.number, answered.digest), (0, intent(0).digest));
    assert_eq!(
        answered.answer,
        Answer {
            status: 204,
            body: serde_json::Value::Null,
            at: at(500)
        }
    );
    assert_eq!(store.logs(fork).await.unwrap(), [line(0, "asks")]);
    let trace = store.trace(fork).await.unwrap();
    assert_eq!(trace.announced.len(), 1);
    assert!(
        trace.remarks[0]
            .text
            .contains("anna decided that this call"),
        "{:?}",
        trace.remarks
    );
    // What was made stays made: a replay would make it twice.
    settle(&*store, again.lease, Settlement::Succeeded).await;
    assert_eq!(store.repeats(fork).await.unwrap().made, 1);
}

pub(crate) async fn a_call_that_may_have_happened_needs_a_word_from_any_state(place: &dyn Place) {
    let store = open(place).await;
    let lanes = [("tag", "a"), ("tag", "b")];
    let runs = enqueue(&*store, 0, &lanes).await;
    for claim in store.claim(Claiming::up_to(2), at(10)).await.unwrap() {
        journal(&*store, claim.lease, &[refused(0)]).await;
        append(&*store, claim.lease, JournalEntry::Intent(intent(1))).await;
        if claim.run.id == runs[0] {
            die(&*store, claim.lease, DeadClass::ApiError).await;
        }
    }
    let cancelling = Cancelling {
        reason: "enough".to_owned(),
        deciding: deciding(),
    };
    store.cancel(runs[1], cancelling).await.unwrap();
    for run in runs {
        let why = refusal(retry(&*store, run, None).await);
        assert!(why.contains("may have happened"), "{why}");
        retry(&*store, run, Some(RetryAs::Happened)).await.unwrap();
        let again = claim_one(&*store).await;
        assert_eq!(again.journal.len(), 2, "{:?}", again.journal);
        settle(&*store, again.lease, Settlement::Succeeded).await;
    }
}

pub(crate) async fn runs_that_have_not_failed_are_not_retried(place: &dyn Place) {
    let store = open(place).await;
    let lanes = [
        ("tag", "running"),
        ("tag", "waiting"),
        ("tag", "succeeded"),
        ("tag", "skipped"),
        ("tag", "running"),
    ];
    let runs = enqueue(&*store, 0, &lanes).await;
    for claim in store.claim(Claiming::up_to(9), at(10)).await.unwrap() {
        let how = match claim.run.lane.as_str() {
            "waiting" => Settlement::Waiting {
                waits: Waits::Time,
                until: at(900),
                reason: "asleep".to_owned(),
                failing_since: None,
            },
            "succeeded" => Settlement::Succeeded,
            "skipped" => Settlement::Skipped {
                reason: "no need".to_owned(),
            },
            _ => continue,
        };
        settle(&*store, claim.lease, how).await;
    }
    let counts = store.counts().await.unwrap();
    for run in &runs {
        let state = look(&*store, *run).await.state.as_str();
        for how in [None, Some(RetryAs::Again), Some(RetryAs::Happened)] {
            let why = refusal(retry(&*store, *run, how).await);
            assert!(why.contains(&format!("run {run} is {state}")), "{why}");
            assert!(why.contains("cuegate runs"), "{why}");
        }
    }
    let why = refusal(retry(&*store, RunId(4_711), None).await);
    assert_eq!(why, "there is no run 4711");
    assert_eq!(store.counts().await.unwrap(), counts, "nothing was made");
}

pub(crate) async fn a_run_is_retried_once(place: &dyn Place) {
    let store = open(place).await;
    let run = enqueue(&*store, 0, &[("tag", "a")]).await[0];
    let claim = claim_one(&*store).await;
    die(&*store, claim.lease, DeadClass::ApiError).await;
    let fork = retry(&*store, run, None).await.unwrap();
    let why = refusal(retry(&*store, run, None).await);
    assert!(
        why.contains(&format!("retried as run {fork} already, which is queued")),
        "{why}"
    );
    let claim = claim_one(&*store).await;
    die(&*store, claim.lease, DeadClass::ApiError).await;
    retry(&*store, fork, None).await.unwrap();
}

pub(crate) async fn what_was_stopped_or_superseded_goes_on(place: &dyn Place) {
    let store = open(place).await;
    let run = enqueue(&*store, 0, &[("tag", "a")]).await[0];
    let claim = claim_one(&*store).await;
    journal(&*store, claim.lease, &[refused(0), read(1)]).await;
    let cancelling = Cancelling {
        reason: "not now".to_owned(),
        deciding: deciding(),
    };
    assert_eq!(store.cancel(run, cancelling).await.unwrap(), 1);
    let fork = retry(&*store, run, None).await.unwrap();
    let again = claim_one(&*store).await;
    assert_eq!(
        (again.run.id, again.journal.len()),
        (fork, 2),
        "nothing had failed: it was stopped"
    );
    assert_eq!(look(&*store, fork).await.released, None);
}

/// Three objects; their runs end as told.
async fn family(store: &dyn Store, how: &[Option<DeadClass>]) -> (Claim, Vec<RunId>) {
    enqueue(store, 0, &[("tag", "rule")]).await;
    let parent = claim_one(store).await;
    let objects = (0..how.len()).map(|number| {
        let object = Object {
            object_type: "assets".to_owned(),
            object_id: format!("asset-{number}"),
        };
        let lane = LaneKey(object.object_id.clone());
        (object, lane)
    });
    let page = WalkPage {
        lease: parent.lease,
        objects: objects.collect(),
        place: json!({}),
        last: true,
        priority: -1,
        at: at(30),
    };
    store.extend_walk(page).await.unwrap();
    let waits = Settlement::Waiting {
        waits: Waits::Children,
        until: at(9_000),
        reason: "waits for its children".to_owned(),
        failing_since: None,
    };
    settle(store, parent.lease, waits).await;
    let mut children = Vec::new();
    for (claim, how) in store
        .claim(Claiming::up_to(how.len()), at(40))
        .await
        .unwrap()
        .into_iter()
        .zip(how)
    {
        children.push(claim.run.id);
        if let Some(class) = how {
            die(store, claim.lease, *class).await;
        }
    }
    (parent, children)
}

async fn tally(store: &dyn Store, run: RunId) -> Tally {
    store.standing(run).await.unwrap().children.unwrap()
}

pub(crate) async fn a_child_that_is_retried_is_under_way_for_its_parent(place: &dyn Place) {
    let store = open(place).await;
    let dead = Some(DeadClass::ApiError);
    let (parent, children) = family(&*store, &[dead, None]).await;
    let parent = parent.run.id;
    let before = tally(&*store, parent).await;
    assert_eq!((before.count(RunState::Dead), before.failed.len()), (1, 1));

    let fork = retry(&*store, children[0], None).await.unwrap();
    let now = tally(&*store, parent).await;
    assert_eq!((now.count(RunState::Dead), now.failed.len()), (0, 0));
    let made = look(&*store, fork).await;
    assert_eq!(
        (made.parent, made.object.as_deref()),
        (Some(parent), Some("asset-0"))
    );
    let cancelling = Cancelling {
        reason: "not this one".to_owned(),
        deciding: deciding(),
    };
    store.cancel(children[1], cancelling).await.unwrap();
    let state = look(&*store, parent).await.state;
    assert_eq!(state, RunState::Waiting, "one is still under way");
    let again = claim_one(&*store).await;
    assert_eq!(again.run.id, fork);
    assert_eq!(again.event.body["object_id"], "asset-0");
    settle(&*store, again.lease, Settlement::Succeeded).await;
    let woken = claim_one(&*store).await;
    assert_eq!(woken.run.id, parent);
    let tally = woken.walk.unwrap().tally;
    assert_eq!(tally.ended(), 2);
    assert_eq!(tally.count(RunState::Succeeded), 1);
    assert_eq!(tally.count(RunState::Cancelled), 1);
}

pub(crate) async fn a_walk_is_taken_over_by_the_run_that_goes_on(place: &dyn Place) {
    let store = open(place).await;
    let run = enqueue(&*store, 0, &[("tag", "rule")]).await[0];
    let claim = claim_one(&*store).await;
    let object = Object {
        object_type: "assets".to_owned(),
        object_id: "one too many".to_owned(),
    };
    let page = WalkPage {
        lease: claim.lease,
        objects: vec![(object, LaneKey::from("x"))],
        place: json!({ "page": 2 }),
        last: false,
        priority: -1,
        at: at(30),
    };
    store.extend_walk(page.clone()).await.unwrap();
    park(&*store, claim.lease, ParkedClass::Limit).await;
    let fork = retry(&*store, run, None).await.unwrap();
    let again = claim_one(&*store).await;
    assert_eq!(again.run.released, Some(ParkedClass::Limit));
    assert_eq!(again.walk, claim_walk(&page));
    let further = WalkPage {
        lease: again.lease,
        last: true,
        ..page
    };
    assert_eq!(
        store.extend_walk(further).await.unwrap(),
        Some(1),
        "what was found before is known"
    );
    let old = tally(&*store, run).await;
    assert_eq!(old.objects, 1, "the old run keeps its walk");
    die(&*store, again.lease, DeadClass::Crash).await;
    let third = retry(&*store, fork, None).await.unwrap();
    assert_eq!(
        look(&*store, third).await.released,
        Some(ParkedClass::Limit),
        "it stays released"
    );
}

fn claim_walk(page: &WalkPage) -> Option<Walk> {
    Some(Walk {
        steps_before: 0,
        place: page.place.clone(),
        ended_at: None,
        done_at: None,
        tally: Tally {
            objects: 1,
            ..Tally::default()
        },
    })
}

pub(crate) async fn a_run_that_died_after_its_children_does_not_make_them_again(place: &dyn Place) {
    let store = open(place).await;
    let dead = Some(DeadClass::Failed);
    let (parent, _) = family(&*store, &[dead, dead]).await;
    let woken = claim_one(&*store).await;
    assert_eq!(woken.run.id, parent.run.id);
    let tally_then = woken.walk.clone().unwrap().tally;
    die(&*store, woken.lease, DeadClass::ApiError).await;
    let fork = retry(&*store, parent.run.id, None).await.unwrap();
    let again = claim_one(&*store).await;
    assert_eq!(again.run.id, fork);
    let walk = again.walk.unwrap();
    assert!(walk.done_at.is_some());
    assert_eq!(walk.tally, tally_then, "with the children that failed");
}

pub(crate) async fn a_run_whose_children_are_under_way_is_not_retried(place: &dyn Place) {
    let store = open(place).await;
    let dead = Some(DeadClass::Failed);
    let (parent, _) = family(&*store, &[None, dead]).await;
    store.wake_due(at(9_000)).await.unwrap();
    let late = claim_one(&*store).await;
    assert_eq!(late.run.id, parent.run.id);
    die(&*store, late.lease, DeadClass::Expired).await;
    let why = refusal(retry(&*store, parent.run.id, None).await);
    assert!(
        why.contains("2 runs for its 2 objects, 1 of them unfinished"),
        "{why}"
    );
    assert!(why.contains("--parent"), "{why}");
}

pub(crate) async fn children_that_outlive_their_parent_are_counted_to_the_last(place: &dyn Place) {
    let store = open(place).await;
    let dead = Some(DeadClass::Failed);
    let (parent, children) = family(&*store, &[None, dead]).await;
    let parent = parent.run.id;
    store.wake_due(at(9_000)).await.unwrap();
    let late = claim_one(&*store).await;
    assert_eq!(late.run.id, parent);
    die(&*store, late.lease, DeadClass::Expired).await;
    // One that had failed is under way again, and counts so.
    let again = retry(&*store, children[1], None).await.unwrap();
    assert_eq!(tally(&*store, parent).await.ended(), 0);
    let second = claim_one(&*store).await;
    assert_eq!(second.run.id, again);
    settle(&*store, second.lease, Settlement::Succeeded).await;
    let cancelling = Cancelling {
        reason: "not this one".to_owned(),
        deciding: deciding(),
    };
    store.cancel(children[0], cancelling).await.unwrap();
    let after = tally(&*store, parent).await;
    assert_eq!(after.count(RunState::Succeeded), 1);
    assert_eq!(after.count(RunState::Cancelled), 1);
    let fork = retry(&*store, parent, None).await.unwrap();
    let walk = claim_one(&*store).await;
    assert_eq!(walk.run.id, fork);
    assert_eq!(
        walk.walk.unwrap().tally.ended(),
        2,
        "none is left to wait for"
    );
}
