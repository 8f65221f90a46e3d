//! Waiting for what happens in another process: it can only be looked at again and again, and never for ever.

use std::time::Duration;

use tokio::time::Instant;

/// Nothing here takes this long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What happens in another process can only be looked at again and again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Waits until `look` finds what it looks for; `what` is told when it never does.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "in {PATIENCE:?} this did not happen: {what}"
        );
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The same deadline for what can be awaited.
pub(crate) async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| panic!("in {PATIENCE:?} this did not happen: {what}"))
}
