//! Which Iconik domain is ours: from the configuration, else learned from Iconik with the credentials.
//!
//! Until it is known, events are kept and not routed, so that an event of another domain can never start a
//! rule with our credentials.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::iconik::IconikClient;

/// The pause after the first failure; it doubles up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Asks Iconik until it answers.
pub(super) async fn learn(client: Arc<IconikClient>, domain: watch::Sender<Option<String>>) {
    let mut pause = PAUSE;
    loop {
        match client.domain().await {
            Ok(found) => {
                tracing::info!(domain = %found, "this gateway serves this Iconik domain");
                domain.send_replace(Some(found));
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "Iconik does not tell its domain: events are kept and not routed until it does");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}
