//! Who we are in Iconik: the domain, unless the configuration names it, and the user that our credentials act as.
//!
//! Until the domain is known, events are kept and not routed, so that an event of another domain can never start a
//! rule with our credentials. Until the user is known, events are routed, and those that our own writes caused are
//! not told from others.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::iconik::IconikClient;

/// The pause after the first failure; it doubles up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// What is known of ourselves.
#[derive(Clone, Debug)]
pub(super) struct Own {
    /// Our `system_domain_id`.
    pub(super) domain: watch::Sender<Option<String>>,
    /// Our user's id.
    pub(super) user: watch::Sender<Option<String>>,
}

impl Own {
    /// Nothing is known but what the configuration says.
    pub(super) fn new(domain: Option<String>) -> Self {
        Self {
            domain: watch::Sender::new(domain),
            user: watch::Sender::new(None),
        }
    }

    /// Asks Iconik until it answers.
    pub(super) async fn learn(self, client: Arc<IconikClient>) {
        let mut pause = PAUSE;
        let account = loop {
            match client.account().await {
                Ok(account) => break account,
                Err(error) => {
                    let held = self.domain.borrow().is_none();
                    tracing::warn!(%error, events_held = held, "Iconik does not tell who we are: our own writes are not told from others until it does");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        };
        let configured = self.domain.borrow().clone();
        match configured {
            None => {
                self.domain.send_replace(Some(account.domain.clone()));
            }
            Some(configured) if configured != account.domain => tracing::error!(
                %configured,
                actual = %account.domain,
                "[iconik] domain is not the domain of our credentials: events of that domain start rules that call another one"
            ),
            Some(_) => {}
        }
        let user = account.user.as_deref().unwrap_or("-");
        tracing::info!(domain = %account.domain, user, "this gateway serves this Iconik domain as this user");
        self.user.send_replace(account.user);
    }
}
