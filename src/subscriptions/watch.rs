//! Looks now and then whether Iconik still sends: a webhook that has failed a few times is switched off there, and nobody
//! would notice for days. It only reads; `cuegate webhooks doctor` repairs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::definition::{Found, Kind};
use super::registry::Registry;
use super::terms::mark;
use crate::clock::SharedClock;
use crate::config::Config;
use crate::iconik::IconikClient;

/// How often the clock is looked at.
const TICK: Duration = Duration::from_secs(1);

/// What the metric tells apart.
const STATES: [&str; 3] = ["enabled", "disabled", "failing"];

/// The watch over the definitions of one gateway.
#[derive(Debug)]
pub struct Watch {
    client: Arc<IconikClient>,
    clock: SharedClock,
    mark: String,
    every: Duration,
    /// What was said last about each that did not work, by kind and what it is about.
    said: BTreeMap<(Kind, String), String>,
    /// Whether the last look failed.
    blind: bool,
}

impl Watch {
    /// Over what carries this gateway's mark; nothing if the gateway has no name in Iconik.
    pub fn new(config: &Config, client: Arc<IconikClient>, clock: SharedClock) -> Option<Self> {
        Some(Self {
            client,
            clock,
            mark: mark(&config.instance()?),
            every: config.iconik.webhook_check,
            said: BTreeMap::new(),
            blind: false,
        })
    }

    /// Looks until `shutdown` completes.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let looks = async {
            let mut due: Option<Timestamp> = None;
            loop {
                let now = self.clock.now();
                if due.is_none_or(|due| due <= now) {
                    self.look().await;
                    due = now.checked_add(self.every).ok();
                }
                tokio::time::sleep(TICK).await;
            }
        };
        tokio::select! {
            () = shutdown => {}
            () = looks => {}
        }
    }

    async fn look(&mut self) {
        let found = match Registry::new(&self.client).found().await {
            Ok(found) => found,
            Err(error) => {
                metrics::counter!("cuegate_webhook_checks_failed_total").increment(1);
                if !self.blind {
                    tracing::warn!(%error, "whether Iconik still sends events cannot be told");
                }
                self.blind = true;
                return;
            }
        };
        self.blind = false;
        let ours: Vec<Found> = found
            .into_iter()
            .filter(|found| found.carries(&self.mark))
            .collect();
        for kind in [Kind::Webhook, Kind::Button] {
            for state in STATES {
                let is =
                    |found: &&Found| found.kind == kind && found.status().to_lowercase() == state;
                let number = u32::try_from(ours.iter().filter(is).count()).unwrap_or(u32::MAX);
                metrics::gauge!("cuegate_webhooks", "kind" => kind.as_str(), "status" => state)
                    .set(f64::from(number));
            }
        }
        self.tell(&ours);
    }

    /// Each change is said once.
    fn tell(&mut self, ours: &[Found]) {
        let before = std::mem::take(&mut self.said);
        for found in ours.iter().filter(|found| !found.is_on()) {
            let key = (found.kind, found.subject.clone());
            let status = found.status().to_owned();
            if before.get(&key) != Some(&status) {
                tracing::warn!(
                    kind = found.kind.as_str(),
                    about = found.subject,
                    status,
                    since = found.off_since().unwrap_or("-"),
                    error = found.text("last_error").unwrap_or("-"),
                    "Iconik does not send what the rules need: see `cuegate webhooks doctor`"
                );
            }
            self.said.insert(key, status);
        }
        for (kind, about) in before.keys().filter(|key| !self.said.contains_key(*key)) {
            tracing::info!(
                kind = kind.as_str(),
                about,
                "Iconik sends this again, or it is gone"
            );
        }
    }
}
