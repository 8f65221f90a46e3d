//! Trouble on purpose: requests that are held, answers that are lost, errors that come when wanted.
//!
//! A crash test must know that a request has reached Iconik, or that Iconik has carried it out, and that
//! nobody has been answered. A hold tells exactly that.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use super::records::Records;
use crate::model::Method;

/// Which requests are meant.
#[derive(Clone, Debug)]
pub struct Matching {
    method: Option<Method>,
    path: Vec<String>,
    whole: bool,
}

impl Matching {
    /// Requests of the method whose path below `/API/` begins with these segments. `*` stands for any one
    /// segment: `assets/v1/assets/*/segments/`.
    pub fn prefix(method: Method, path: &str) -> Self {
        Self {
            method: Some(method),
            path: segments(path).map(str::to_owned).collect(),
            whole: false,
        }
    }

    /// Requests of the method with exactly this path, `*` standing for any one segment.
    pub fn path(method: Method, path: &str) -> Self {
        Self {
            whole: true,
            ..Self::prefix(method, path)
        }
    }

    /// Every request.
    pub fn all() -> Self {
        Self {
            method: None,
            path: Vec::new(),
            whole: false,
        }
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        let mut of_request = segments(path);
        self.method.is_none_or(|it| it.as_str() == method)
            && self.path.iter().all(|part| {
                of_request
                    .next()
                    .is_some_and(|it| part == "*" || part == it)
            })
            && (!self.whole || of_request.next().is_none())
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// Where a request is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldPoint {
    /// It has arrived; nothing has been done.
    Before,
    /// It has been carried out; its answer is not sent yet.
    After,
}

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// It is not carried out but answered like this.
    Answer {
        /// The status.
        status: u16,
        /// The body.
        body: Value,
        /// The header `Retry-After`, in whole seconds.
        retry_after: Option<Duration>,
    },
    /// The connection is cut before it is carried out.
    LoseRequest,
    /// It is carried out, then the connection is cut.
    LoseAnswer,
}

/// The connection ends here, without an answer.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection was cut on purpose")]
pub(super) struct Cut;

/// What is to be done to which requests.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    holds: Mutex<Vec<Arc<Barrier>>>,
    faults: Mutex<Vec<Fault>>,
}

#[derive(Debug)]
struct Fault {
    matching: Matching,
    left: u32,
    trouble: Trouble,
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

impl Troubles {
    pub(super) fn hold(self: &Arc<Self>, matching: Matching, point: HoldPoint) -> Hold {
        let barrier = Arc::new(Barrier {
            matching,
            point,
            held: watch::Sender::default(),
            verdict: watch::Sender::new(Verdict::Wait),
        });
        self.holds().push(Arc::clone(&barrier));
        Hold {
            troubles: Arc::clone(self),
            barrier,
            told: 0,
        }
    }

    pub(super) fn add_fault(&self, matching: Matching, times: u32, trouble: Trouble) {
        self.faults().push(Fault {
            matching,
            left: times,
            trouble,
        });
    }

    /// What goes wrong with this request: the oldest fault that still waits for one like it.
    pub(super) fn strike(&self, method: &str, path: &str) -> Option<Trouble> {
        let mut faults = self.faults();
        let struck = faults
            .iter()
            .position(|fault| fault.matching.matches(method, path))?;
        faults[struck].left -= 1;
        let trouble = faults[struck].trouble.clone();
        faults.retain(|fault| fault.left > 0);
        Some(trouble)
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
            .holds()
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

    fn holds(&self) -> MutexGuard<'_, Vec<Arc<Barrier>>> {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds every request that matches, until it is released, cut or dropped (which releases).
#[derive(Debug)]
#[must_use = "a hold that is dropped holds nothing"]
pub struct Hold {
    troubles: Arc<Troubles>,
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
        self.troubles
            .holds()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_matches_whole_segments_and_a_path_nothing_beyond() {
        let prefix = Matching::prefix(Method::Post, "/assets/v1/assets/");
        assert!(prefix.matches("POST", "assets/v1/assets/"));
        assert!(prefix.matches("POST", "assets/v1/assets/1/segments/"));
        assert!(!prefix.matches("POST", "assets/v1/assets_of_others/"));
        assert!(!prefix.matches("GET", "assets/v1/assets/"));
        let path = Matching::path(Method::Post, "assets/v1/assets/*/segments/");
        assert!(path.matches("POST", "assets/v1/assets/1/segments/"));
        assert!(!path.matches("POST", "assets/v1/assets/1/segments/2/"));
        assert!(!path.matches("POST", "assets/v1/assets/1/"));
        assert!(Matching::all().matches("DELETE", "anything/"));
    }

    #[test]
    fn a_fault_strikes_as_often_as_it_says_and_only_what_it_names() {
        let troubles = Troubles::default();
        troubles.add_fault(
            Matching::prefix(Method::Get, "jobs/"),
            2,
            Trouble::LoseAnswer,
        );
        assert!(troubles.strike("POST", "jobs/v1/jobs/").is_none());
        assert!(troubles.strike("GET", "jobs/v1/jobs/").is_some());
        assert!(troubles.strike("GET", "jobs/v1/jobs/").is_some());
        assert!(troubles.strike("GET", "jobs/v1/jobs/").is_none());
    }
}
