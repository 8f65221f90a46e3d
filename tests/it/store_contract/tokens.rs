//! Sealed tokens live for as long as a run may need them, and no longer.

use super::*;

fn sealed(number: u32, text: &str, until: i64) -> SealedToken {
    SealedToken {
        event: event(number).id,
        sealed: text.as_bytes().to_vec(),
        expires_at: at(until),
    }
}

async fn kept(store: &dyn Store, number: u32, now: i64) -> Option<String> {
    let token = store.token(event(number).id, at(now)).await.unwrap();
    token.map(|bytes| String::from_utf8(bytes).unwrap())
}

pub(crate) async fn a_token_survives_a_crash_and_ends_when_it_expires(place: &dyn Place) {
    let store = open(place).await;
    store.keep_token(sealed(0, "first", 50)).await.unwrap();
    store.keep_token(sealed(0, "newer", 100)).await.unwrap();
    store.keep_token(sealed(1, "other", 200)).await.unwrap();
    drop(store);
    let store = place.open().await;
    assert_eq!(kept(&*store, 0, 99).await.as_deref(), Some("newer"));
    assert_eq!(kept(&*store, 0, 100).await, None);
    assert_eq!(store.forget_tokens(at(100)).await.unwrap(), 1);
    assert_eq!(kept(&*store, 0, 10).await, None, "it is gone, not only old");
    assert_eq!(kept(&*store, 1, 100).await.as_deref(), Some("other"));
}

pub(crate) async fn a_token_goes_with_the_last_run_of_its_event(place: &dyn Place) {
    let store = open(place).await;
    store.keep_token(sealed(0, "kept", 10_000)).await.unwrap();
    assert_eq!(
        store.forget_tokens(at(1)).await.unwrap(),
        0,
        "it is not routed"
    );
    enqueue(&*store, 0, &[("tag", "a")]).await;
    assert_eq!(store.forget_tokens(at(1)).await.unwrap(), 0);
    let claim = claim_one(&*store).await;
    assert_eq!(claim.event.id, event(0).id);
    assert_eq!(store.forget_tokens(at(1)).await.unwrap(), 0);
    settle(&*store, claim.lease, Settlement::Succeeded).await;
    assert_eq!(store.forget_tokens(at(1)).await.unwrap(), 1);
    assert_eq!(kept(&*store, 0, 1).await, None);
    assert_eq!(store.forget_tokens(at(1)).await.unwrap(), 0);
}
