//! The loops that do the work, watched: one that ends before the stop is an error that must be seen at once.
//!
//! A panic ends its loop and nothing else, so without this a gateway would go on taking events that nobody routes.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::telemetry::{Part, Readiness};

/// All loops of one gateway.
#[derive(Debug)]
pub(super) struct Loops {
    readiness: Readiness,
    stopping: watch::Receiver<bool>,
    running: Vec<JoinHandle<()>>,
    /// What has been said about loops that ended.
    ended: Arc<Mutex<Vec<String>>>,
}

impl Loops {
    /// None yet, which is ready.
    pub(super) fn new(readiness: Readiness, stopping: watch::Receiver<bool>) -> Self {
        readiness.ready(Part::Loops);
        Self {
            readiness,
            stopping,
            running: Vec::new(),
            ended: Arc::default(),
        }
    }

    /// Runs a loop that ends only when the gateway stops. Loops stop in the order in which they were begun.
    pub(super) fn run(
        &mut self,
        name: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let work = tokio::spawn(work);
        let (readiness, stopping) = (self.readiness.clone(), self.stopping.clone());
        let ended = Arc::clone(&self.ended);
        self.running.push(tokio::spawn(async move {
            let trouble = match work.await {
                Ok(()) if *stopping.borrow() => return,
                Ok(()) => format!("{name} has ended by itself"),
                Err(error) => format!("{name} has broken down: {error}"),
            };
            tracing::error!(
                part = name,
                trouble,
                "a part of the gateway does not work any more: start the gateway again, and report this"
            );
            let mut ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
            ended.push(trouble);
            let all = ended.join("; ");
            readiness.not_ready(Part::Loops, format!("{all}; start the gateway again"));
        }));
    }

    /// Waits until all have ended.
    pub(super) async fn stopped(self) {
        for running in self.running {
            if let Err(error) = running.await {
                tracing::error!(%error, "a part of the gateway did not stop by itself");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn until_said(readiness: &Readiness, what: &str) {
        let said = || readiness.report()["parts"]["loops"].to_string();
        let seen = async {
            while !said().contains(what) {
                tokio::task::yield_now().await;
            }
        };
        let seen = tokio::time::timeout(std::time::Duration::from_secs(10), seen).await;
        assert!(seen.is_ok(), "{}", said());
    }

    #[tokio::test]
    async fn a_loop_that_panics_is_seen_while_the_others_go_on() {
        let (readiness, stopping) = (Readiness::new(), watch::Sender::new(false));
        let mut loops = Loops::new(readiness.clone(), stopping.subscribe());
        assert_eq!(readiness.report()["parts"]["loops"], "ready");
        let (go_on, mut told) = tokio::sync::mpsc::channel::<()>(1);
        loops.run("the router", async { panic!("an index out of bounds") });
        loops.run("the runner", async move {
            told.recv().await;
        });
        until_said(&readiness, "the router has broken down").await;
        assert!(
            !readiness.report()["parts"]["loops"]
                .to_string()
                .contains("runner")
        );
        drop(go_on);
        until_said(&readiness, "the runner has ended by itself").await;
        until_said(&readiness, "the router has broken down").await;
        loops.stopped().await;
    }

    #[tokio::test]
    async fn a_loop_that_ends_with_the_gateway_is_no_trouble() {
        let (readiness, stopping) = (Readiness::new(), watch::Sender::new(false));
        let mut loops = Loops::new(readiness.clone(), stopping.subscribe());
        let mut stop = stopping.subscribe();
        loops.run("the router", async move {
            let _ = stop.wait_for(|stop| *stop).await;
        });
        stopping.send_replace(true);
        loops.stopped().await;
        assert_eq!(readiness.report()["parts"]["loops"], "ready");
    }
}
