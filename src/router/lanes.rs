//! The order keys that rules give themselves by `fn lane`.

use std::sync::Arc;

use super::decide::{makes_run_of, set_lane};
use super::{RouteError, Router};
use crate::model::{Event, RuleHeader, RuleSet};
use crate::store::Decision;

impl Router {
    /// Lets the rules that have a `lane` say the order key of their runs. A run whose rule cannot say it is not made.
    /// Where there is an `each`, `lane` is about its objects, and the runner asks.
    pub(super) async fn order(
        &self,
        rules: &RuleSet,
        events: &[Arc<Event>],
        decisions: &mut [Decision],
    ) -> Result<(), RouteError> {
        for header in rules.rules.iter().filter(says_lanes) {
            let places: Vec<usize> = (0..events.len())
                .filter(|&at| makes_run_of(&decisions[at], header))
                .collect();
            if places.is_empty() {
                continue;
            }
            let trouble = |trouble: String| RouteError::Sandbox {
                rule: header.rule.clone(),
                trouble,
            };
            let program = self.programs.by_rule.get(&header.rule);
            let program = program.ok_or_else(|| trouble(no_files(&header.file)))?;
            let asked: Vec<Arc<Event>> = places.iter().map(|&at| Arc::clone(&events[at])).collect();
            let lanes = self.scripts.lane(program, &asked).await.map_err(trouble)?;
            if lanes.len() != asked.len() {
                return Err(trouble(miscounted(lanes.len(), asked.len())));
            }
            for (&at, lane) in places.iter().zip(lanes) {
                set_lane(&mut decisions[at], header, lane);
            }
        }
        Ok(())
    }
}

/// Whether the rule itself says the lanes of the runs that events make.
fn says_lanes(header: &&RuleHeader) -> bool {
    header.has_lane && !header.has_each
}

/// A rule set that lacks a file of its rule.
pub(super) fn no_files(file: &str) -> String {
    format!("the rule set does not hold `{file}` with all its imports")
}

/// A sandbox that cannot count.
pub(super) fn miscounted(answers: usize, events: usize) -> String {
    format!("the sandbox gave {answers} answers about {events} events")
}
