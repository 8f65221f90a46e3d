//! The line to Iconik: everything that the runner sends goes over it, and while the circuit is open nothing does.
//!
//! What was to be sent then comes back at once and untouched. One task probes; when Iconik answers, everybody goes on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::clock::SharedClock;
use crate::iconik::{CallError, Permit, Reply, Share};
use crate::model::{Call, Method, format_duration};
use crate::telemetry::Readiness;

use super::Outside;
use super::as_user::{Sender, refused_as_person};
use super::circuit::{Circuit, Sign, Turn};
use super::outages::Outages;

/// The line.
#[derive(Debug)]
pub(super) struct Line {
    outside: Arc<dyn Outside>,
    clock: SharedClock,
    condition: Mutex<Condition>,
    open: watch::Sender<bool>,
    /// Told when a probe may have become due.
    probing: Notify,
    readiness: Readiness,
}

#[derive(Debug, Default)]
struct Condition {
    circuit: Circuit,
    outages: Outages,
}

/// The circuit is open: nothing is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outage;

impl Line {
    /// A line of which nothing is known yet.
    pub(super) fn new(outside: Arc<dyn Outside>, clock: SharedClock, readiness: Readiness) -> Self {
        metrics::gauge!("cuegate_circuit_open").set(0.0);
        Self {
            outside,
            clock,
            condition: Mutex::default(),
            open: watch::Sender::new(false),
            probing: Notify::new(),
            readiness,
        }
    }

    /// Waits until one call may be sent on this account. Nothing is written down about the call before that.
    ///
    /// # Errors
    ///
    /// As soon as the circuit is open.
    pub(super) async fn admit(&self, share: &Share) -> Result<Permit, Outage> {
        let mut open = self.open.subscribe();
        tokio::select! {
            biased;
            // The sender is ours, so it cannot be gone.
            _ = open.wait_for(|open| *open) => Err(Outage),
            permit = self.outside.admit(share) => Ok(permit),
        }
    }

    /// Sends one call that was admitted, once.
    ///
    /// # Errors
    ///
    /// By what may be done next.
    pub(super) async fn send(&self, permit: Permit, call: &Call) -> Result<Reply, CallError> {
        self.send_as(permit, call, &Sender::Service).await
    }

    /// The same as somebody.
    ///
    /// # Errors
    ///
    /// As for [`Self::send`].
    pub(super) async fn send_as(
        &self,
        permit: Permit,
        call: &Call,
        sender: &Sender,
    ) -> Result<Reply, CallError> {
        let outcome = match sender {
            Sender::Service => self.outside.send(permit, call).await,
            Sender::Person(token) => {
                let outcome = self.outside.send_as(permit, call, token).await;
                outcome.map_err(refused_as_person)
            }
        };
        if let Some(sign) = Sign::of(&outcome) {
            let now = Instant::now();
            let turn = self.condition().circuit.observe(sign, now);
            self.turned(turn, &outcome);
        }
        outcome
    }

    /// Whether nothing may be sent.
    pub(super) fn is_open(&self) -> bool {
        *self.open.borrow()
    }

    /// Completes when the circuit closes the next time after this call.
    pub(super) fn closing(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut open = self.open.subscribe();
        async move {
            while open.changed().await.is_ok() {
                if !*open.borrow_and_update() {
                    return;
                }
            }
        }
    }

    /// Whether Iconik has answered since the start or the last outage, so that a failure is not simply one more sign
    /// of an outage.
    pub(super) fn has_answered(&self) -> bool {
        self.condition().circuit.has_answered()
    }

    /// How much of the time between two moments Iconik could be used.
    pub(super) fn usable(&self, from: Timestamp, to: Timestamp) -> Duration {
        self.condition().outages.usable(from, to)
    }

    /// Probes whenever the circuit wants it; never completes.
    pub(super) async fn watch(&self) {
        loop {
            let probe_at = self.condition().circuit.probe_at();
            match probe_at {
                None => self.probing.notified().await,
                Some(at) => {
                    tokio::time::sleep_until(at).await;
                    self.probe().await;
                }
            }
        }
    }

    async fn probe(&self) {
        let permit = self.outside.admit(&Share::gateway()).await;
        let outcome = self.outside.send(permit, &current_user()).await;
        let sign = Sign::of(&outcome).unwrap_or(Sign::Failing);
        let turn = self.condition().circuit.probed(sign, Instant::now());
        self.turned(turn, &outcome);
    }

    fn turned(&self, turn: Option<Turn>, outcome: &Result<Reply, CallError>) {
        let at = self.clock.now();
        match turn {
            None => return,
            Some(Turn::Suspected) => {}
            Some(Turn::Opened) => {
                self.condition().outages.begin(at);
                let trouble = outcome.as_ref().err().map(ToString::to_string);
                let trouble = trouble.unwrap_or_default();
                tracing::error!(
                    trouble,
                    "nothing is sent to Iconik until it answers again; events are received, runs wait, and nothing is \
                     counted against them"
                );
                self.switch(true);
            }
            Some(Turn::Closed) => {
                let lasted = self.condition().outages.end(at);
                let lasted = format_duration(Duration::from_secs(lasted.as_secs()));
                tracing::warn!(lasted, "Iconik answers again; all runs go on");
                self.switch(false);
            }
        }
        self.probing.notify_one();
    }

    fn switch(&self, open: bool) {
        metrics::gauge!("cuegate_circuit_open").set(if open { 1.0 } else { 0.0 });
        self.readiness.iconik_is_away(open);
        self.open.send_replace(open);
    }

    fn condition(&self) -> MutexGuard<'_, Condition> {
        // Every change is complete when the lock is let go, so a panic elsewhere leaves nothing half done.
        self.condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A read that costs little and shows whether the credentials are accepted: whom Iconik takes us for.
pub(super) fn current_user() -> Call {
    Call {
        method: Method::Get,
        path: "users/v1/users/current/".to_owned(),
        query: BTreeMap::new(),
        body: None,
        cacheable: false,
        position: None,
    }
}
