//! Whether the gateway can do its work, as the parts of it say.
//!
//! Everything begins not ready: a part that is forgotten keeps the gateway out of the load balancer instead of
//! in it. Draining is apart from the parts, because a gateway that stops is healthy and wants no traffic.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::gauge;
use serde_json::{Value, json};

/// What has to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The store takes events.
    Store,
    /// There is a rule set to decide by.
    RuleSet,
    /// Worker processes answer.
    Sandbox,
    /// Accepted events are routed.
    Router,
    /// Schedules are looked at.
    Scheduler,
    /// The loops that do the work go round.
    Loops,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; PARTS.len()] = [
        Self::Store,
        Self::RuleSet,
        Self::Sandbox,
        Self::Router,
        Self::Scheduler,
        Self::Loops,
    ];
}

/// The names of the parts in reports, and what they are before they say anything; in the order of [`Part`].
const PARTS: [(&str, &str); 6] = [
    ("store", "the store has not been opened yet"),
    ("rule_set", "no rule set that compiles has been loaded"),
    ("sandbox", "no worker process has started yet"),
    ("router", "the router has not begun yet"),
    ("scheduler", "schedules have not been looked at yet"),
    ("loops", "the work has not begun yet"),
];

/// What is said while Iconik cannot be used. Everybody may read it, so the cause is in the log only.
const AWAY: &str = "nothing is sent to it until it answers again: events are received and kept, runs wait, and nothing is \
                    counted against them; the log says why";

/// What is said while the store does not say which runs are next.
const STUCK: &str = "none is begun, because the store cannot say which: events are received and kept; the log says why, and \
                     `cuegate store check` finds what is damaged";

/// Shared by everything that has a part in it; clones see the same state.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Why each of `PARTS` is not ready; `None` if it is.
    trouble: [Option<String>; PARTS.len()],
    draining: bool,
    /// Whether nothing is sent to Iconik because it cannot be used.
    iconik_away: bool,
    /// Whether no run can be begun or ended in the store.
    runs_stuck: bool,
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

impl Readiness {
    /// Nothing is ready.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            trouble: PARTS.map(|(_, begin)| Some(begin.to_owned())),
            draining: false,
            iconik_away: false,
            runs_stuck: false,
        })))
    }

    /// The part works.
    pub fn ready(&self, part: Part) {
        self.set(part, None);
    }

    /// The part does not work; `reason` is for a person.
    pub fn not_ready(&self, part: Part, reason: impl Into<String>) {
        self.set(part, Some(reason.into()));
    }

    /// The gateway stops: no more traffic, for good.
    pub fn drain(&self) {
        let mut state = self.state();
        state.draining = true;
        state.publish();
    }

    /// Whether Iconik as a whole cannot be used. It is said and changes nothing else: events are still received and kept,
    /// and a gateway out of the load balancer would lose them.
    pub fn iconik_is_away(&self, away: bool) {
        self.state().iconik_away = away;
    }

    /// What [`Self::iconik_is_away`] was told last.
    pub fn is_iconik_away(&self) -> bool {
        self.state().iconik_away
    }

    /// Whether no run can be begun or ended, because the store fails. As with Iconik, what arrives is kept all the same.
    pub fn runs_are_stuck(&self, stuck: bool) {
        self.state().runs_stuck = stuck;
    }

    /// Whether every part works and it is not stopping.
    pub fn is_ready(&self) -> bool {
        self.state().is_ready()
    }

    /// `{"ready": …, "parts": {"store": "ready", …}, "iconik": "usable", "runs": "going on", "draining": …}`; a part that is not ready gives its
    /// reason, and so does Iconik.
    pub fn report(&self) -> Value {
        let state = self.state();
        let parts: serde_json::Map<String, Value> = PARTS
            .iter()
            .zip(&state.trouble)
            .map(|((name, _), trouble)| {
                let text = trouble.as_deref().unwrap_or("ready");
                ((*name).to_owned(), text.into())
            })
            .collect();
        let iconik = if state.iconik_away { AWAY } else { "usable" };
        let runs = if state.runs_stuck { STUCK } else { "going on" };
        json!({
            "ready": state.is_ready(), "parts": parts, "iconik": iconik, "runs": runs, "draining": state.draining,
        })
    }

    fn set(&self, part: Part, trouble: Option<String>) {
        let mut state = self.state();
        state.trouble[part as usize] = trouble;
        state.publish();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is one assignment, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_ready(&self) -> bool {
        !self.draining && self.trouble.iter().all(Option::is_none)
    }

    fn publish(&self) {
        gauge!("cuegate_ready").set(if self.is_ready() { 1.0 } else { 0.0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_when_every_part_is_and_no_longer_when_one_fails() {
        let readiness = Readiness::new();
        let elsewhere = readiness.clone();
        for part in Part::ALL {
            assert!(!readiness.is_ready());
            elsewhere.ready(part);
        }
        assert!(readiness.is_ready());
        elsewhere.not_ready(Part::Sandbox, "workers die at once");
        assert!(!readiness.is_ready());
        assert_eq!(
            readiness.report()["parts"]["sandbox"],
            "workers die at once"
        );
        assert_eq!(readiness.report()["parts"]["store"], "ready");
    }

    #[test]
    fn an_iconik_that_is_away_is_told_and_keeps_nobody_from_sending_events() {
        let readiness = Readiness::new();
        for part in Part::ALL {
            readiness.ready(part);
        }
        readiness.iconik_is_away(true);
        assert!(readiness.is_ready());
        assert_eq!(readiness.report()["iconik"], AWAY);
        readiness.iconik_is_away(false);
        assert_eq!(readiness.report()["iconik"], "usable");
    }

    #[test]
    fn a_gateway_that_stops_is_not_ready_whatever_its_parts_say() {
        let readiness = Readiness::new();
        for part in Part::ALL {
            readiness.ready(part);
        }
        readiness.drain();
        assert!(!readiness.is_ready());
        assert_eq!(
            readiness.report(),
            json!({
                "ready": false,
                "parts": {
                    "store": "ready", "rule_set": "ready", "sandbox": "ready", "router": "ready",
                    "scheduler": "ready", "loops": "ready",
                },
                "iconik": "usable",
                "runs": "going on",
                "draining": true,
            })
        );
    }

    #[test]
    fn runs_that_are_stuck_are_told_and_events_are_received_all_the_same() {
        let readiness = Readiness::new();
        for part in Part::ALL {
            readiness.ready(part);
        }
        readiness.runs_are_stuck(true);
        assert!(readiness.is_ready());
        assert_eq!(readiness.report()["runs"], STUCK);
        readiness.runs_are_stuck(false);
        assert_eq!(readiness.report()["runs"], "going on");
    }
}
