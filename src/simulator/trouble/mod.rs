//! Trouble on purpose: requests that are held, answers that are lost or spoiled, errors that come when wanted
//! or at random.

mod holds;
mod matching;
mod random;
mod spoiled;
mod written;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

pub use holds::{Hold, HoldPoint};
pub use matching::Matching;
pub use random::RandomTrouble;
pub(super) use spoiled::{answered, half, no_json};
pub use written::WrittenFault;

use super::records::Records;
use holds::Holds;
use random::Dice;

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// It is not carried out but answered like this.
    Answer {
        /// The status.
        status: u16,
        /// The body; null for none.
        body: Value,
        /// The header `Retry-After`, in whole seconds.
        retry_after: Option<Duration>,
    },
    /// It is carried out, but answered like this: so a server error that came too late to undo anything.
    AnswerAfterwards {
        /// The status.
        status: u16,
        /// The body; null for none.
        body: Value,
        /// The header `Retry-After`, in whole seconds.
        retry_after: Option<Duration>,
    },
    /// The connection is cut before it is carried out.
    LoseRequest,
    /// It is carried out, then the connection is cut.
    LoseAnswer,
    /// It is carried out, and the connection is cut in the middle of the answer's body. An answer without a
    /// body is lost as a whole.
    HalfBody,
    /// It is carried out, but the body of the answer is a web page.
    NotJson,
    /// It is carried out at once, and answered only after this time.
    Slow(Duration),
}

/// The connection ends here, without an answer.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection was cut on purpose")]
pub(super) struct Cut;

/// What is to be done to which requests.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    holds: Arc<Holds>,
    faults: Mutex<Vec<Fault>>,
    dice: Mutex<Option<Dice>>,
}

#[derive(Debug)]
struct Fault {
    matching: Matching,
    left: u32,
    trouble: Trouble,
}

impl Troubles {
    pub(super) fn hold(&self, matching: Matching, point: HoldPoint) -> Hold {
        self.holds.hold(matching, point)
    }

    pub(super) fn add_fault(&self, matching: Matching, times: u32, trouble: Trouble) {
        if times == 0 {
            return;
        }
        self.faults().push(Fault {
            matching,
            left: times,
            trouble,
        });
    }

    /// Throws dice for every request from now on, or for none any more.
    pub(super) fn set_random(&self, trouble: Option<RandomTrouble>) {
        *self.dice() = trouble.map(Dice::new);
    }

    /// How often each kind of random trouble has struck since it was set.
    pub(super) fn struck_at_random(&self) -> BTreeMap<&'static str, u64> {
        let dice = self.dice();
        dice.as_ref().map(Dice::struck).unwrap_or_default()
    }

    /// What goes wrong with this request: the oldest fault that still waits for one like it, else what the
    /// dice say.
    pub(super) fn strike(&self, method: &str, path: &str) -> Option<Trouble> {
        let fault = self.strike_fault(method, path);
        fault.or_else(|| self.dice().as_mut()?.thrown(method, path))
    }

    fn strike_fault(&self, method: &str, path: &str) -> Option<Trouble> {
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
        self.holds.pass(point, method, path, number, records).await
    }

    fn faults(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dice(&self) -> MutexGuard<'_, Option<Dice>> {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Method;

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
