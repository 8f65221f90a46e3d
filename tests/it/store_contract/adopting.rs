//! An object that a call may have made is the answer of one step and of no other.

use super::*;

/// Two claimed runs with the same request open, but only the first has sent it.
async fn two(store: &dyn Store) -> [Claim; 2] {
    enqueue(store, 0, &[("tag", "a"), ("tag", "b")]).await;
    let claims = store.claim(Claiming::up_to(2), at(10)).await.unwrap();
    let claims: [Claim; 2] = claims.try_into().unwrap();
    append(store, claims[0].lease, JournalEntry::Intent(intent(0))).await;
    claims
}

fn adoption(lease: Lease, object: &str) -> Adoption {
    Adoption {
        lease,
        step: answer(0),
        object: object.to_owned(),
        remark: Remark {
            number: 0,
            at: at(40),
            text: "found".to_owned(),
        },
        logs: Vec::new(),
    }
}

pub(crate) async fn an_object_that_was_found_answers_the_step_and_survives_a_crash(
    place: &dyn Place,
) {
    let store = open(place).await;
    let [claim, _] = two(&*store).await;
    let adopted = store.adopt(adoption(claim.lease, "X")).await.unwrap();
    assert_eq!(adopted, Adopted::Written);
    drop(store);
    let store = place.open().await;
    let journal = store.journal(claim.run.id).await.unwrap();
    assert_eq!(journal, (vec![answer(0)], None));
}

pub(crate) async fn an_object_is_taken_by_one_step_only(place: &dyn Place) {
    let store = open(place).await;
    let [first, second] = two(&*store).await;
    let answered = [
        JournalEntry::Answer(Box::new(answer(0))),
        JournalEntry::Made {
            number: 0,
            object: "X".to_owned(),
        },
    ];
    let batch = answered.map(|entry| Append {
        lease: first.lease,
        entry,
        logs: Vec::new(),
    });
    store.append(batch.into()).await.unwrap();
    assert_eq!(store.maker("X").await.unwrap(), Some(first.run.id));
    assert_eq!(store.maker("Y").await.unwrap(), None);
    append(&*store, second.lease, JournalEntry::Intent(intent(0))).await;
    drop(store);
    let store = place.open().await;
    let claims = store.claim(Claiming::up_to(2), at(11)).await.unwrap();
    let second = claims
        .iter()
        .find(|claim| claim.run.id == second.run.id)
        .unwrap();
    let taken = store.adopt(adoption(second.lease, "X")).await.unwrap();
    assert_eq!(taken, Adopted::Taken);
    assert_eq!(store.journal(second.run.id).await.unwrap().0, []);
    let written = store.adopt(adoption(second.lease, "Y")).await.unwrap();
    assert_eq!(written, Adopted::Written);
}

pub(crate) async fn an_object_is_not_taken_while_the_same_request_is_under_way(place: &dyn Place) {
    let store = open(place).await;
    let [first, second] = two(&*store).await;
    let ask = || store.adopt(adoption(second.lease, "X"));
    assert_eq!(ask().await.unwrap(), Adopted::InFlight);
    append(&*store, first.lease, JournalEntry::Withdrawn { number: 0 }).await;
    append(&*store, first.lease, JournalEntry::Intent(intent(0))).await;
    assert_eq!(ask().await.unwrap(), Adopted::InFlight, "it is sent again");
    let waits = Settlement::Waiting {
        waits: Waits::LookUp,
        until: at(100),
        reason: "looks later".to_owned(),
        failing_since: None,
    };
    settle(&*store, first.lease, waits).await;
    assert_eq!(ask().await.unwrap(), Adopted::Written);
}

pub(crate) async fn nothing_is_taken_without_a_claim(place: &dyn Place) {
    let store = open(place).await;
    let [claim, _] = two(&*store).await;
    let stale = Lease {
        token: claim.lease.token - 1,
        ..claim.lease
    };
    let adopted = store.adopt(adoption(stale, "X")).await.unwrap();
    assert_eq!(adopted, Adopted::Lost);
    assert!(store.journal(claim.run.id).await.unwrap().1.is_some());
}
