//! What a rule keeps changes together with the step that changed it.

use super::*;

async fn access(store: &dyn Store, lease: Lease, number: u32, access: StateAccess) -> Option<Step> {
    let call = StateCall {
        key: "count".to_owned(),
        access,
        position: None,
    };
    let step = StateStep {
        lease,
        number,
        call,
        logs: Vec::new(),
        at: at(50 + i64::from(number)),
    };
    store.access_state(step).await.unwrap()
}

fn add(amount: i64) -> StateAccess {
    StateAccess::Add {
        amount,
        expires_at: None,
    }
}

fn set(value: serde_json::Value, expires_at: Option<Timestamp>) -> StateAccess {
    StateAccess::Set { value, expires_at }
}

pub(crate) async fn an_addition_is_made_once_with_its_step(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a"), ("tag", "a"), ("clip", "a")]).await;
    let claims = store.claim(Claiming::up_to(2), at(10)).await.unwrap();
    let of = |rule: &str| claims.iter().find(|c| c.run.rule.as_str() == rule).unwrap();
    let tag = of("tag");
    let step = access(&*store, tag.lease, 0, add(5)).await.unwrap();
    assert_eq!(step.answer.body, json!(5));
    drop(store);
    let store = place.open().await;
    assert_eq!(
        access(&*store, tag.lease, 1, add(5)).await,
        None,
        "the claim no longer holds, so nothing is added"
    );
    let again = store.claim(Claiming::up_to(2), at(10)).await.unwrap();
    let tag = again.iter().find(|c| c.run.rule.as_str() == "tag").unwrap();
    assert_eq!(tag.journal, [step], "what was added is in the journal");
    let sum = access(&*store, tag.lease, 1, add(2)).await.unwrap();
    assert_eq!(sum.answer.body, json!(7));
    let clip = again
        .iter()
        .find(|c| c.run.rule.as_str() == "clip")
        .unwrap();
    let other = access(&*store, clip.lease, 0, StateAccess::Get).await;
    assert_eq!(
        other.unwrap().answer.body,
        json!(null),
        "each rule has its own"
    );
}

pub(crate) async fn every_access_answers_what_it_found(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a")]).await;
    let lease = claim_one(&*store).await.lease;
    let set_if = |expected, value| StateAccess::SetIf {
        expected,
        value,
        expires_at: None,
    };
    let accesses = [
        (StateAccess::Get, 200, json!(null)),
        (StateAccess::Delete, 200, json!(false)),
        (set_if(json!(null), json!("first")), 200, json!(true)),
        (set_if(json!(null), json!("second")), 200, json!(false)),
        (StateAccess::Get, 200, json!("first")),
        (set_if(json!("first"), json!([1])), 200, json!(true)),
        (add(1), 409, json!([1])),
        (set(json!(41), None), 200, json!(null)),
        (add(1), 200, json!(42)),
        (add(i64::MAX), 409, json!(42)),
        (StateAccess::Delete, 200, json!(true)),
        (StateAccess::Get, 200, json!(null)),
    ];
    for (number, (what, status, body)) in (0..).zip(accesses) {
        let step = access(&*store, lease, number, what).await.unwrap();
        assert_eq!(
            (step.answer.status, step.answer.body),
            (status, body),
            "step {number}"
        );
    }
}

pub(crate) async fn an_entry_disappears_at_its_time(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a")]).await;
    let lease = claim_one(&*store).await.lease;
    access(&*store, lease, 0, set(json!(1), Some(at(52)))).await;
    let before = access(&*store, lease, 1, StateAccess::Get).await.unwrap();
    assert_eq!(before.answer.body, json!(1));
    let after = access(&*store, lease, 2, StateAccess::Get).await.unwrap();
    assert_eq!(after.answer.body, json!(null));
    let anew = access(&*store, lease, 3, add(1)).await.unwrap();
    assert_eq!(anew.answer.body, json!(1), "counted from nothing");
}
