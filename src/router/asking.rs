//! Asking rules about events: by `when` whether they want them, by `lane` in which order.
//!
//! A rule that breaks its workers over this is put in quarantine on the spot. What it has not been asked about then is
//! held back for it, so that one broken rule delays the events of the others by a few lost workers and no more.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::try_join_all;
use tokio::time::Instant;

use super::decide::{Candidates, hold_back, makes_run_of, set_lane};
use super::{RouteError, Router};
use crate::engine::When;
use crate::model::{Event, Program, RuleHeader, RuleId, RuleSet, RuleSetId};
use crate::quarantine::Strike;
use crate::sandbox::Answers;
use crate::store::Decision;

/// The programs of the rule set that was last worked with; they are large, and workers know them by address.
#[derive(Debug, Default)]
pub(super) struct Programs {
    set: Option<RuleSetId>,
    by_rule: HashMap<RuleId, Arc<Program>>,
}

impl Programs {
    fn of(&mut self, rules: &RuleSet) {
        if self.set.as_ref() == Some(&rules.id) {
            return;
        }
        self.set = Some(rules.id.clone());
        self.by_rule = rules
            .rules
            .iter()
            .filter_map(|header| {
                Some((header.rule.clone(), Arc::new(rules.program(&header.rule)?)))
            })
            .collect();
    }
}

impl Router {
    /// What becomes of each event.
    pub(super) async fn decide(
        &mut self,
        rules: &RuleSet,
        candidates: &Candidates<'_>,
    ) -> Result<Vec<Decision>, RouteError> {
        let began = Instant::now();
        self.programs.of(rules);
        let answers = self.ask(candidates).await?;
        let mut decisions = candidates.decide(answers);
        self.order(rules, candidates.events(), &mut decisions)
            .await?;
        self.pace.took(began.elapsed());
        Ok(decisions)
    }

    /// Evaluates every `when` that has something to say about the batch, all rules at once.
    async fn ask(&self, candidates: &Candidates<'_>) -> Result<Vec<Vec<When>>, RouteError> {
        let questions = candidates.to_ask().map(|(header, events)| async move {
            let program = self.program(header)?;
            let workers_max = self.quarantine.strikes_left(&header.rule);
            let answers = self.scripts.when(program, &events, workers_max).await;
            self.answered("`when`", header, &events, answers).await
        });
        try_join_all(questions).await
    }

    /// Lets the rules that have a `lane` say the order key of their runs. A run whose rule cannot say it is not made.
    /// Where there is an `each`, `lane` is about its objects, and the runner asks.
    async fn order(
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
            let program = self.program(header)?;
            let asked: Vec<Arc<Event>> = places.iter().map(|&at| Arc::clone(&events[at])).collect();
            let workers_max = self.quarantine.strikes_left(&header.rule);
            let lanes = self.scripts.lane(program, &asked, workers_max).await;
            let lanes = self.answered("`lane`", header, &asked, lanes).await?;
            let unasked = places[lanes.len()..].iter();
            unasked.for_each(|&at| hold_back(&mut decisions[at], header));
            for (&at, lane) in places.iter().zip(lanes) {
                set_lane(&mut decisions[at], header, lane);
            }
        }
        Ok(())
    }

    fn program(&self, header: &RuleHeader) -> Result<&Arc<Program>, RouteError> {
        self.programs.by_rule.get(&header.rule).ok_or_else(|| {
            let file = &header.file;
            trouble(
                header,
                format!("the rule set does not hold `{file}` with all its imports"),
            )
        })
    }

    /// Takes the answers about events. They are too few only of a rule that is in quarantine from now on.
    async fn answered<T>(
        &self,
        function: &str,
        header: &RuleHeader,
        events: &[Arc<Event>],
        answers: Result<Answers<T>, String>,
    ) -> Result<Vec<T>, RouteError> {
        let Answers {
            answers,
            workers_lost,
        } = answers.map_err(|said| trouble(header, said))?;
        let last = answers.len().saturating_sub(1);
        let place = events.get(last).map_or_else(
            || format!("in {function}"),
            |event| format!("in {function} over event {}", event.id),
        );
        let strike = Strike {
            rule: &header.rule,
            version: &header.version,
            workers: workers_lost,
            place: &place,
            what: "see the failures of that event",
        };
        let is_out = self.quarantine.struck(strike).await?;
        if answers.len() == events.len() || (is_out && answers.len() < events.len()) {
            return Ok(answers);
        }
        let (answers, events) = (answers.len(), events.len());
        Err(trouble(
            header,
            format!("the sandbox gave {answers} answers about {events} events"),
        ))
    }
}

/// Whether the rule itself says the lanes of the runs that events make.
fn says_lanes(header: &&RuleHeader) -> bool {
    header.has_lane && !header.has_each
}

fn trouble(header: &RuleHeader, trouble: String) -> RouteError {
    RouteError::Sandbox {
        rule: header.rule.clone(),
        trouble,
    }
}
