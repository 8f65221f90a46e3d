//! Requests that are held: a crash test must know that a request has reached Iconik, or that Iconik has
//! carried it out, and that nobody has been answered. A hold tells exactly that.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::super::records::Records;
use super::{Cut, Matching};

/// Where a request is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldPoint {
    /// It has arrived; nothing has been done.
    Before,
    /// It has been carried out; its answer is not sent yet.
    After,
}

/// The barriers that stand.
#[derive(Debug, Default)]
pub(super) struct Holds {
    barriers: Mutex<Vec<Arc<Barrier>>>,
}

#[derive(Debug)]
struct Barrier {
    matching: Matching,
    point: HoldPoint,
    held: watch::Sender<Vec<u64>>,
    verdict: watch::Sender<Verdict>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Wait,
    Pass,
    Cut,
}

impl Holds {
    pub(super) fn hold(self: &Arc<Self>, matching: Matching, point: HoldPoint) -> Hold {
        let barrier = Arc::new(Barrier {
            matching,
            point,
            held: watch::Sender::default(),
            verdict: watch::Sender::new(Verdict::Wait),
        });
        self.barriers().push(Arc::clone(&barrier));
        Hold {
            holds: Arc::clone(self),
            barrier,
            told: 0,
        }
    }

    /// Waits at every barrier that stands at this point for a request like this.
    pub(super) async fn pass(
        &self,
        point: HoldPoint,
        method: &str,
        path: &str,
        number: u64,
        records: &Records,
    ) -> Result<(), Cut> {
        let barriers = self
            .barriers()
            .iter()
            .filter(|it| it.point == point && it.matching.matches(method, path))
            .cloned()
            .collect::<Vec<_>>();
        for barrier in barriers {
            let mut verdict = barrier.verdict.subscribe();
            barrier.held.send_modify(|held| held.push(number));
            records.stir();
            let decided = verdict.wait_for(|verdict| *verdict != Verdict::Wait).await;
            if decided.is_ok_and(|verdict| *verdict == Verdict::Cut) {
                return Err(Cut);
            }
        }
        Ok(())
    }

    fn barriers(&self) -> MutexGuard<'_, Vec<Arc<Barrier>>> {
        self.barriers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds every request that matches, until it is released, cut or dropped (which releases). A request whose
/// client goes away while it is held before it is carried out never will be.
#[derive(Debug)]
#[must_use = "a hold that is dropped holds nothing"]
pub struct Hold {
    holds: Arc<Holds>,
    barrier: Arc<Barrier>,
    told: usize,
}

impl Hold {
    /// Waits for the next request to be held; returns its number in the log of requests.
    pub async fn held(&mut self) -> u64 {
        let mut arrivals = self.barrier.held.subscribe();
        let held = arrivals
            .wait_for(|held| held.len() > self.told)
            .await
            .expect("this hold owns the sending side");
        let number = held[self.told];
        self.told += 1;
        number
    }

    /// Lets every held request go on, and holds no more.
    pub fn release(self) {
        self.end(Verdict::Pass);
    }

    /// Cuts the connection of every held request without an answer, and holds no more.
    pub fn cut(self) {
        self.end(Verdict::Cut);
    }

    /// Later requests must find no barrier, hence it is taken away before the verdict.
    fn end(&self, verdict: Verdict) {
        self.holds
            .barriers()
            .retain(|it| !Arc::ptr_eq(it, &self.barrier));
        self.barrier.verdict.send_if_modified(|current| {
            let open = *current == Verdict::Wait;
            if open {
                *current = verdict;
            }
            open
        });
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.end(Verdict::Pass);
    }
}
