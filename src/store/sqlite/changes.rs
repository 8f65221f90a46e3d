//! Tells whoever waits that there may be something to do.
//!
//! A waiter that is created before it looks, and awaited after it found nothing, misses nothing: `Notify`
//! counts from the creation of its future. So `Store::changed` makes the future when it is called.

use std::future::Future;
use std::time::Duration;

use tokio::sync::Notify;

/// The hint that something became routable or claimable.
#[derive(Debug, Default)]
pub(super) struct Changes(Notify);

impl Changes {
    /// Wakes everybody who waits now.
    pub(super) fn announce(&self) {
        self.0.notify_waiters();
    }

    /// Ends at the next announcement after this call, or after `at_most`.
    pub(super) fn next(&self, at_most: Duration) -> impl Future<Output = ()> + Send + '_ {
        let next = self.0.notified();
        async move {
            // Either way there is nothing to say: it is a hint.
            let _ = tokio::time::timeout(at_most, next).await;
        }
    }
}
