//! Tells whoever waits that there may be something to do, or that the store will do nothing any more.
//!
//! A waiter that is created before it looks, and awaited after it found nothing, misses nothing: `Notify`
//! counts from the creation of its future. So `Store::changed` makes the future when it is called. Each kind
//! of work has its own waiters: a burst of events must not make the runner look for runs at every commit.

use std::future::Future;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::store::{Change, StoreError};

/// The hints that something has changed, and the end of it.
#[derive(Debug, Default)]
pub(super) struct Changes {
    routable: Notify,
    claimable: Notify,
    paused: Notify,
    failure: watch::Sender<Option<StoreError>>,
}

impl Changes {
    /// Wakes everybody who waits for this now.
    pub(super) fn announce(&self, change: Change) {
        self.of(change).notify_waiters();
    }

    /// Ends at the next announcement of this after this call, or after `at_most`.
    pub(super) fn next(
        &self,
        change: Change,
        at_most: Duration,
    ) -> impl Future<Output = ()> + Send + '_ {
        let next = self.of(change).notified();
        async move {
            // Either way there is nothing to say: it is a hint.
            let _ = tokio::time::timeout(at_most, next).await;
        }
    }

    /// One of the files is not written any more; the first reason stays.
    pub(super) fn fail(&self, why: &StoreError) {
        self.failure.send_if_modified(|failure| {
            let first = failure.is_none();
            failure.get_or_insert_with(|| why.clone());
            first
        });
    }

    /// Why one of the files is not written any more, if that is so.
    pub(super) fn failure(&self) -> Option<StoreError> {
        self.failure.borrow().clone()
    }

    /// Waits for that.
    pub(super) async fn failed(&self) -> StoreError {
        let mut failure = self.failure.subscribe();
        let failed = failure.wait_for(Option::is_some).await;
        let why = failed.ok().and_then(|failed| failed.clone());
        why.expect("the sender lives as long as `self`, and waits for a reason")
    }

    fn of(&self, change: Change) -> &Notify {
        match change {
            Change::Routable => &self.routable,
            Change::Claimable => &self.claimable,
            Change::Paused => &self.paused,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    #[tokio::test]
    async fn a_wait_ends_with_an_announcement_of_its_own_kind_only() {
        let changes = Changes::default();
        let mut events = Box::pin(changes.next(Change::Routable, LONG));
        let mut runs = Box::pin(changes.next(Change::Claimable, LONG));
        changes.announce(Change::Routable);
        assert_eq!((&mut events).now_or_never(), Some(()));
        assert_eq!((&mut runs).now_or_never(), None);
        changes.announce(Change::Claimable);
        assert_eq!((&mut runs).now_or_never(), Some(()));
    }

    #[tokio::test]
    async fn a_failure_is_told_to_whoever_asks_before_or_after_it_and_the_first_stays() {
        let changes = Changes::default();
        let mut before = Box::pin(changes.failed());
        assert!((&mut before).now_or_never().is_none());
        changes.fail(&StoreError::Failed("first".to_owned()));
        changes.fail(&StoreError::Failed("second".to_owned()));
        for failed in [before.await, changes.failed().await] {
            assert!(
                matches!(&failed, StoreError::Failed(why) if why == "first"),
                "{failed}"
            );
        }
    }
}
