//! What becomes of each event of a batch, as far as it can be said without any I/O.
//!
//! Deciding has two halves with the sandbox between them: [`Candidates`] knows which rules want an event by
//! its header, and which of them still have to be asked by `when`; [`Candidates::decide`] takes the answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::{BINDING_VERSION, When};
use crate::model::{
    Concurrency, Event, EventKind, EventState, Failure, LaneKey, RuleHeader, RuleId, RuleSet,
    lane_of,
};
use crate::store::{Decision, NewRun};

use super::own::{Domain, Own, domain_of, is_echo, named_domain};

/// Whether the rule's header wants the event. A pressed button is matched by the header that it was
/// registered with and by nothing else, a time of a schedule by the rule whose schedule it is.
fn wants(rule: &RuleHeader, event: &Event) -> bool {
    match event.kind {
        EventKind::Button => {
            rule.button.is_some() && event.pressed_rule() == Some(rule.rule.as_str())
        }
        EventKind::Schedule => {
            rule.schedule.is_some() && event.text("rule") == Some(rule.rule.as_str())
        }
        EventKind::Webhook | EventKind::Object | EventKind::Other => {
            rule.on.iter().any(|pattern| pattern.matches(event))
        }
    }
}

/// The events that one rule wants.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The rule's place in the rule set.
    pub(super) rule: usize,
    /// The events' places in the batch, in order.
    pub(super) events: Vec<usize>,
}

/// The events of a batch with the rules that want them.
#[derive(Debug)]
pub(super) struct Candidates<'a> {
    set: &'a RuleSet,
    events: &'a [Arc<Event>],
    foreign: Vec<bool>,
    echoes: Vec<bool>,
    by_rule: Vec<Wanted>,
    /// What rules want that may not be asked.
    held: Vec<Wanted>,
}

impl<'a> Candidates<'a> {
    /// Asks every rule's header about every event that is not of a foreign domain; about echoes only the rules that
    /// want them. What the rules in `held` want is held back.
    pub(super) fn of(
        set: &'a RuleSet,
        events: &'a [Arc<Event>],
        own: &Own,
        held: &[RuleId],
    ) -> Self {
        let foreign: Vec<bool> = events
            .iter()
            .map(|event| domain_of(event, own.domain.as_deref()) == Domain::Foreign)
            .collect();
        let echoes: Vec<bool> = events
            .iter()
            .map(|event| is_echo(event, own.user.as_deref()))
            .collect();
        let (held, by_rule) = set
            .rules
            .iter()
            .enumerate()
            .map(|(rule, header)| Wanted {
                rule,
                events: (0..events.len())
                    .filter(|&at| !foreign[at] && (header.echoes || !echoes[at]))
                    .filter(|&at| wants(header, &events[at]))
                    .collect(),
            })
            .filter(|wanted| !wanted.events.is_empty())
            .partition(|wanted| held.contains(&set.rules[wanted.rule].rule));
        Self {
            set,
            events,
            foreign,
            echoes,
            by_rule,
            held,
        }
    }

    /// The events of the batch.
    pub(super) fn events(&self) -> &'a [Arc<Event>] {
        self.events
    }

    /// Drops what is not meant: an event, by its place, for a rule.
    pub(super) fn keep(&mut self, is_meant: impl Fn(usize, &RuleHeader) -> bool) {
        for wanted in [&mut self.by_rule, &mut self.held] {
            for wanted in &mut *wanted {
                let header = &self.set.rules[wanted.rule];
                wanted.events.retain(|&at| is_meant(at, header));
            }
            wanted.retain(|wanted| !wanted.events.is_empty());
        }
    }

    /// The rules that have a `when` to be asked, with their events.
    pub(super) fn to_ask(&self) -> impl Iterator<Item = (&'a RuleHeader, Vec<Arc<Event>>)> + '_ {
        self.by_rule
            .iter()
            .map(|wanted| (&self.set.rules[wanted.rule], wanted))
            .filter(|(header, _)| header.has_when)
            .map(|(header, wanted)| {
                let events = wanted.events.iter().map(|&at| Arc::clone(&self.events[at]));
                (header, events.collect())
            })
    }

    /// The decisions, one for each event, from the answers to [`Self::to_ask`] in its order. Where there are fewer
    /// answers than events, the rule may not be asked any more.
    pub(super) fn decide(&self, answers: Vec<Vec<When>>) -> Vec<Decision> {
        let mut decisions: Vec<Decision> = self
            .events
            .iter()
            .zip(self.foreign.iter().zip(&self.echoes))
            .map(|(event, (&foreign, &echo))| undecided(event, foreign, echo))
            .collect();
        let mut answers = answers.into_iter();
        for wanted in &self.by_rule {
            let header = &self.set.rules[wanted.rule];
            let answers = if header.has_when {
                answers.next().unwrap_or_default()
            } else {
                vec![When::Yes; wanted.events.len()]
            };
            for &at in wanted.events.iter().skip(answers.len()) {
                hold_back(&mut decisions[at], header);
            }
            for (&at, answer) in wanted.events.iter().zip(answers) {
                apply(&mut decisions[at], header, &self.events[at], answer);
            }
        }
        for wanted in &self.held {
            for &at in &wanted.events {
                hold_back(&mut decisions[at], &self.set.rules[wanted.rule]);
            }
        }
        for decision in &mut decisions {
            settle_state(decision);
        }
        decisions
    }

    /// How many events each foreign domain has sent.
    pub(super) fn foreign_domains(&self) -> BTreeMap<&'a str, usize> {
        let mut domains = BTreeMap::new();
        for (event, _) in self.events.iter().zip(&self.foreign).filter(|(_, f)| **f) {
            *domains
                .entry(named_domain(event).unwrap_or("-"))
                .or_default() += 1;
        }
        domains
    }

    /// Pressed buttons that no rule of the set answers.
    pub(super) fn orphaned_buttons(&self) -> impl Iterator<Item = &'a Event> + '_ {
        self.events
            .iter()
            .enumerate()
            .filter(|(at, event)| {
                event.kind == EventKind::Button
                    && !self.foreign[*at]
                    && !self
                        .by_rule
                        .iter()
                        .chain(&self.held)
                        .any(|wanted| wanted.events.contains(at))
            })
            .map(|(_, event)| event.as_ref())
    }
}

fn undecided(event: &Event, foreign: bool, echo: bool) -> Decision {
    Decision {
        echo,
        subject: event.subject(),
        object: event.object().map(ToOwned::to_owned),
        state: if foreign {
            EventState::WrongDomain
        } else {
            EventState::Routed
        },
        ..Decision::default()
    }
}

fn apply(decision: &mut Decision, header: &RuleHeader, event: &Event, answer: When) {
    match answer {
        When::No => {}
        When::Yes => decision.runs.push(NewRun {
            rule: header.rule.clone(),
            version: header.version.clone(),
            binding: BINDING_VERSION,
            lane: lane_of(header, event),
            concurrency: concurrency_of(header, event),
            debounce: header.debounce,
            priority: header.priority,
        }),
        When::Failed(failure) => fail(decision, header, failure),
    }
}

fn fail(decision: &mut Decision, header: &RuleHeader, failure: Failure) {
    let (rule, version) = (header.rule.clone(), header.version.clone());
    decision.failures.push((rule, version, failure));
    settle_state(decision);
}

/// Keeps the event for a rule that may not be asked, or not any more.
pub(super) fn hold_back(decision: &mut Decision, header: &RuleHeader) {
    decision.runs.retain(|run| run.rule != header.rule);
    decision.held.push(header.rule.clone());
    settle_state(decision);
}

/// What failed is said before what is held back, and what made a run is not held back.
fn settle_state(decision: &mut Decision) {
    if decision.state == EventState::WrongDomain {
        return;
    }
    decision.state = if !decision.failures.is_empty() {
        EventState::WhenFailed
    } else if !decision.held.is_empty() && decision.runs.is_empty() {
        EventState::Held
    } else {
        EventState::Routed
    };
}

/// Whether a decision makes a run of the rule.
pub(super) fn makes_run_of(decision: &Decision, header: &RuleHeader) -> bool {
    decision.runs.iter().any(|run| run.rule == header.rule)
}

/// Orders the rule's run by the key that its `lane` gave; where that failed, the run is not made.
pub(super) fn set_lane(
    decision: &mut Decision,
    header: &RuleHeader,
    lane: Result<String, Failure>,
) {
    match lane {
        Ok(key) => {
            for run in decision
                .runs
                .iter_mut()
                .filter(|run| run.rule == header.rule)
            {
                run.lane = LaneKey(key.clone());
            }
        }
        Err(failure) => {
            decision.runs.retain(|run| run.rule != header.rule);
            fail(decision, header, failure);
        }
    }
}

/// A fire while the walk of the one before is unfinished is dropped: it would find the same objects.
fn concurrency_of(header: &RuleHeader, event: &Event) -> Concurrency {
    if header.has_each && event.kind == EventKind::Schedule {
        return Concurrency::Single;
    }
    header.concurrency
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples::{button, event, rule, set};
    use super::*;
    use crate::model::{DeadClass, Failure, Pattern, RULE_HEADER};

    fn asset_event(domain: &str) -> Arc<Event> {
        Arc::new(event(
            EventKind::Webhook,
            json!({"event_type": "assets", "realm": "entity", "operation": "create",
                "object_id": "A", "system_domain_id": domain}),
        ))
    }

    fn ours() -> Own {
        Own {
            domain: Some("D".to_owned()),
            user: Some("U".to_owned()),
        }
    }

    #[test]
    fn a_button_wakes_the_rule_that_its_header_names_and_no_other() {
        let mut mine = rule("mine");
        mine.button = Some(button());
        let mut twin = rule("twin");
        twin.button = Some(button());
        twin.on = vec![any()];
        let without = rule("without");
        let mut press = event(EventKind::Button, json!({"context": "ASSET"}));
        assert!(
            !wants(&mine, &press),
            "a button that names no rule wakes none"
        );
        press
            .headers
            .insert(RULE_HEADER.to_owned(), "mine".to_owned());
        assert!(wants(&mine, &press));
        assert!(!wants(&twin, &press));
        press
            .headers
            .insert(RULE_HEADER.to_owned(), "without".to_owned());
        assert!(
            !wants(&without, &press),
            "a rule that has no button is not woken by one"
        );
    }

    #[test]
    fn a_webhook_is_matched_by_pattern_and_never_by_the_rule_header() {
        let mut deaf = rule("deaf");
        deaf.on.clear();
        deaf.button = Some(button());
        let mut webhook = event(EventKind::Webhook, json!({"event_type": "assets"}));
        webhook
            .headers
            .insert(RULE_HEADER.to_owned(), "deaf".to_owned());
        assert!(!wants(&deaf, &webhook));
    }

    #[test]
    fn a_failing_when_costs_its_own_rule_the_run_and_no_other() {
        let mut asks = rule("asks");
        asks.has_when = true;
        let rules = set(vec![asks, rule("plain")]);
        let events = [asset_event("D"), asset_event("D"), asset_event("foreign")];
        let candidates = Candidates::of(&rules, &events, &ours(), &[]);
        let asked: Vec<_> = candidates
            .to_ask()
            .map(|(h, e)| (h.rule.as_str(), e.len()))
            .collect();
        assert_eq!(asked, [("asks", 2)]);
        let failure = Failure::new(DeadClass::ScriptError, "no");
        let decisions = candidates.decide(vec![vec![When::Failed(failure), When::No]]);
        let summary: Vec<_> = decisions
            .iter()
            .map(|d| (d.state, d.runs.len(), d.failures.len()))
            .collect();
        assert_eq!(
            summary,
            [
                (EventState::WhenFailed, 1, 1),
                (EventState::Routed, 1, 0),
                (EventState::WrongDomain, 0, 0),
            ]
        );
        assert_eq!(decisions[0].runs[0].rule.as_str(), "plain");
        assert_eq!(
            candidates.foreign_domains(),
            BTreeMap::from([("foreign", 1)])
        );
    }

    fn any() -> Pattern {
        Pattern {
            source: "iconik".to_owned(),
            parts: vec!["*".to_owned(); 3],
        }
    }
}
