//! What a sender was answered holds.

use std::time::Duration;

use super::*;

pub(crate) async fn accepted_events_come_out_in_order(place: &dyn Place) {
    let store = open(place).await;
    store.accept(events([3, 1])).await.unwrap();
    store.accept(events([2])).await.unwrap();
    assert_eq!(store.accept(Vec::new()).await.unwrap(), []);
    let batch = store.unrouted(2).await.unwrap();
    assert_eq!(batch.events, events([3, 1]));
    let batch = store.unrouted(100).await.unwrap();
    assert_eq!(batch.events, events([3, 1, 2]));
    assert_eq!(store.counts().await.unwrap().unrouted, 3);
}

pub(crate) async fn accepted_events_survive_a_crash(place: &dyn Place) {
    let store = open(place).await;
    store.accept(events([1, 2])).await.unwrap();
    drop(store);
    let store = open(place).await;
    assert_eq!(store.unrouted(100).await.unwrap().events, events([1, 2]));
    store.accept(events([3])).await.unwrap();
    assert_eq!(store.unrouted(100).await.unwrap().events, events([1, 2, 3]));
}

pub(crate) async fn events_accepted_at_the_same_time_are_all_there(place: &dyn Place) {
    let store = open(place).await;
    let senders = (0..200).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.accept(events([number])).await })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap().unwrap();
    }
    let mut found = store.unrouted(1_000).await.unwrap().events;
    found.sort_by_key(|event| event.received_at);
    assert_eq!(found, events(0..200));
}

pub(crate) async fn a_repeated_delivery_gets_the_same_id(place: &dyn Place) {
    let store = open(place).await;
    let first = store.accept(events([1])).await.unwrap();
    assert!(!first[0].duplicate);
    let again = store.accept(events([1, 2])).await.unwrap();
    assert_eq!(again[0].id, first[0].id);
    assert_ne!(again[1].id, first[0].id);
    assert!(!again[1].duplicate);
}

pub(crate) async fn an_event_is_found_before_it_is_routed(place: &dyn Place) {
    let store = open(place).await;
    store.accept(events([1])).await.unwrap();
    let found = store.event(event(1).id).await.unwrap().unwrap();
    assert_eq!(found.event, event(1));
    assert_eq!(found.state, EventState::Stored);
    assert_eq!(found.rule_set, None);
    assert_eq!(store.event(event(2).id).await.unwrap(), None);
}

pub(crate) async fn the_wait_for_a_change_ends_with_an_event_that_came_after_it_began(
    place: &dyn Place,
) {
    let store = open(place).await;
    let changed = store.changed(Change::Routable, Duration::from_secs(3_600));
    assert!(store.unrouted(1).await.unwrap().events.is_empty());
    store.accept(events([1])).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), changed)
        .await
        .expect("the event ends the wait, although it came before the wait was polled");
}

pub(crate) async fn the_wait_for_a_change_ends_by_itself(place: &dyn Place) {
    let store = open(place).await;
    store
        .changed(Change::Claimable, Duration::from_millis(1))
        .await;
}

pub(crate) async fn a_closed_store_says_so_and_has_kept_everything(place: &dyn Place) {
    let store = open(place).await;
    enqueue(&*store, 0, &[("tag", "a")]).await;
    store.accept(events([5])).await.unwrap();
    store.close().await.unwrap();
    assert!(matches!(
        store.accept(events([6])).await,
        Err(StoreError::Closed)
    ));
    assert!(matches!(
        store.claim(Claiming::up_to(1), at(0)).await,
        Err(StoreError::Closed)
    ));
    assert!(matches!(store.counts().await, Err(StoreError::Closed)));
    assert!(matches!(store.close().await, Err(StoreError::Closed)));
    // The files are free although the closed store is still there.
    let again = place.open().await;
    assert_eq!(again.unrouted(100).await.unwrap().events, events([5]));
    assert_eq!(
        again
            .claim(Claiming::up_to(100), at(0))
            .await
            .unwrap()
            .len(),
        1
    );
}
