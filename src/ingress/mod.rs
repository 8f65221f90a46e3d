//! The door: what a sender posts becomes a durable event, or a short answer that says why not.
//!
//! Ingress waits for the store and for nothing else: which rules want the event is decided later, so a slow or
//! broken rule cannot make a sender wait. What is answered 200 is on the disk.

mod aborting;
mod counters;
mod foreign;
mod linger;
mod listen;
mod message;
mod receive;
mod refusal;
mod sealing;
mod sender;
mod verify;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::routing::post;
use ipnet::IpNet;
use tokio::sync::watch;

use crate::clock::SharedClock;
use crate::config;
use crate::model::{RuleSet, Secret, SourceName};
use crate::store::Accepts;

pub use aborting::aborting;
pub use listen::serve;
pub use message::{MessageError, parse};
pub use sealing::Sealing;
pub use verify::{Request, Unverified, Verified, Verifier, VerifierError, VerifyError};

/// A source cannot be built from its configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("[sources.{source_name}] verify: {error}")]
pub struct SourceError {
    /// The source's name.
    pub source_name: String,
    /// What is wrong with it.
    #[source]
    pub error: VerifierError,
}

/// Takes in what the configured sources send.
#[derive(Debug)]
pub struct Ingress {
    sources: BTreeMap<String, Source>,
    /// Who is believed about the address that it forwards for.
    trusted_proxies: Vec<IpNet>,
    /// What keeps the tokens of people who press buttons; nothing if none may be kept.
    sealing: Option<Sealing>,
    /// The active rules.
    rules: watch::Receiver<Option<Arc<RuleSet>>>,
    store: Arc<dyn Accepts>,
    clock: SharedClock,
    limits: config::Limits,
    /// Set by whoever stops the gateway; from then on every event is answered 503.
    draining: Arc<AtomicBool>,
}

/// A sender, ready to be verified.
#[derive(Debug)]
struct Source {
    name: SourceName,
    /// Replaced as a whole when secrets change; a request that is under way keeps the one it began with.
    verifier: ArcSwap<Verifier>,
    /// The scheme, to make the next verifier from.
    verify: config::Verify,
    allow_ips: Vec<IpNet>,
    mapping: Option<config::Mapping>,
    dedup_window: Duration,
}

impl Ingress {
    /// Builds the verifiers. A source that anybody may send to is warned about.
    ///
    /// # Errors
    /// When a source's secrets cannot be used.
    pub fn new(
        sources: &BTreeMap<String, config::Source>,
        store: Arc<dyn Accepts>,
        clock: SharedClock,
        limits: config::Limits,
        draining: Arc<AtomicBool>,
    ) -> Result<Self, SourceError> {
        counters::describe();
        let sources = sources
            .iter()
            .map(|(name, source)| Ok((name.clone(), Source::new(name, source)?)))
            .collect::<Result<_, SourceError>>()?;
        Ok(Self {
            sources,
            trusted_proxies: Vec::new(),
            sealing: None,
            rules: watch::Sender::new(None).subscribe(),
            store,
            clock,
            limits,
            draining,
        })
    }

    /// Keeps the tokens of people who press buttons of rules that run as they.
    #[must_use]
    pub fn with_sealing(mut self, sealing: Option<Sealing>) -> Self {
        self.sealing = sealing;
        self
    }

    /// Tells whoever presses a button where to go on, as the rule set that is active then says.
    #[must_use]
    pub fn with_rules(mut self, rules: watch::Receiver<Option<Arc<RuleSet>>>) -> Self {
        self.rules = rules;
        self
    }

    /// Believes these reverse proxies about the addresses that they forward for; nobody is believed otherwise.
    #[must_use]
    pub fn with_trusted_proxies(mut self, proxies: Vec<IpNet>) -> Self {
        self.trusted_proxies = proxies;
        self
    }

    /// From now on a source's senders are verified by these secrets, the newest first. A request that is under way
    /// keeps those that it began with.
    ///
    /// # Errors
    /// When they cannot be used, and then the ones before stay.
    pub fn replace_secrets(&self, source: &str, secrets: Vec<Secret>) -> Result<(), SourceError> {
        let Some(known) = self.sources.get(source) else {
            return Ok(());
        };
        let verify = known.verify.with_secrets(secrets);
        let verifier = Verifier::new(&verify).map_err(|error| SourceError {
            source_name: source.to_owned(),
            error,
        })?;
        known.verifier.store(Arc::new(verifier));
        Ok(())
    }

    /// What the public listener serves: the hooks, and beside them the routes of `health`, which must not
    /// have a fallback of its own.
    pub fn router(self: &Arc<Self>, health: Router) -> Router {
        Router::new()
            .route("/hooks/{source}", post(receive::receive))
            .with_state(Arc::clone(self))
            .merge(health)
            .fallback(receive::no_such_path)
            .method_not_allowed_fallback(receive::wrong_method)
    }
}

impl Source {
    fn new(name: &str, source: &config::Source) -> Result<Self, SourceError> {
        let verifier = Verifier::new(&source.verify).map_err(|error| SourceError {
            source_name: name.to_owned(),
            error,
        })?;
        Ok(Self {
            name: SourceName::from(name),
            verifier: ArcSwap::from_pointee(verifier),
            verify: source.verify.clone(),
            allow_ips: source.allow_ips.clone(),
            mapping: source.event.clone(),
            dedup_window: source.dedup_window,
        })
    }
}
