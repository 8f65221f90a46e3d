//! A rule, compiled: what the gateway asks of it.

use std::sync::Arc;

use rhai::EvalAltResult;

use super::bindings::{begin_job, expect_member, query_of};
use super::catalog::OwnModules;
use super::convert::type_name;
use super::linked::{Linked, in_import_order, link};
use super::session::{Phase, Session, SharedSession, Subject};
use super::source::Source;
use super::{Advance, EngineLimits, LANE_KEY_BYTES_MAX, Moment, Outcome, Part, When, failure};
use crate::model::{DeadClass, Diagnostic, Event, Failure, Program, RuleFile, Step};

/// One rule, compiled and ready to be advanced any number of times.
pub struct Rule {
    program: Arc<Program>,
    limits: EngineLimits,
    linked: Linked,
}

impl Rule {
    /// Compiles the files of a program that was checked before.
    ///
    /// # Errors
    ///
    /// When it does not compile (any more): class `script_error`, with the place.
    pub fn load(program: Arc<Program>, limits: &EngineLimits) -> Result<Self, Box<Failure>> {
        let linked = Self::link(&program, limits).map_err(|findings| {
            let mut failure =
                Failure::new(DeadClass::ScriptError, "the rule does not compile any more");
            if let Some(first) = findings.first() {
                failure.message = format!("the rule does not compile any more: {}", first.message);
                failure.file = Some(first.file.clone());
                failure.position = first.position;
                failure.excerpt.clone_from(&first.excerpt);
                failure.hint.clone_from(&first.hint);
            }
            Box::new(failure)
        })?;
        Ok(Self {
            program,
            limits: *limits,
            linked,
        })
    }

    fn link(program: &Program, limits: &EngineLimits) -> Result<Linked, Vec<Diagnostic>> {
        let main = Source::parse(&program.main, limits)?;
        let libraries: Vec<Source> = program
            .libraries
            .iter()
            .map(|file: &RuleFile| Source::parse(file, limits))
            .collect::<Result<_, _>>()?;
        let ordered = in_import_order(&libraries)?;
        let own = OwnModules::new(&program.vars, &program.allow);
        link(&main, &ordered, &own)
    }

    /// Whether the rule concerns the event. `time::now()` is its `received_at`.
    pub fn when(&self, event: &Arc<Event>) -> When {
        let session = self.pure(Phase::When, event);
        match self.linked.call(&session, event, None) {
            Ok(value) => match value.as_bool() {
                Ok(true) => When::Yes,
                Ok(false) => When::No,
                Err(kind) => When::Failed(self.wrong_result(
                    Phase::When,
                    format!(
                        "`when` must return true or false, and returned a value of type {kind}"
                    ),
                )),
            },
            Err(error) => match self.outcome(&session, *error, event) {
                Outcome::Skipped(_) => When::No,
                Outcome::Failed(failure) => When::Failed(failure),
                Outcome::Effect(_) | Outcome::Finished | Outcome::Found(_) => When::No,
            },
        }
    }

    /// The order key that `lane` gives the event. `time::now()` is its `received_at`.
    ///
    /// # Errors
    ///
    /// When `lane` fails, or returns anything but a text of 1 to [`LANE_KEY_BYTES_MAX`] bytes.
    pub fn lane(&self, event: &Arc<Event>) -> Result<String, Box<Failure>> {
        let session = self.pure(Phase::Lane, event);
        let wrong = |message: String| Box::new(self.wrong_result(Phase::Lane, message));
        match self.linked.call(&session, event, None) {
            Ok(value) => {
                let key = value.as_immutable_string_ref().map_err(|_| {
                    let kind = type_name(&value);
                    wrong(format!("`lane` must return a text, and returned a {kind}"))
                })?;
                match key.len() {
                    1..=LANE_KEY_BYTES_MAX => Ok(key.to_string()),
                    0 => Err(wrong("`lane` returned an empty text".to_owned())),
                    bytes => Err(wrong(format!(
                        "`lane` returned a text of {bytes} bytes; a key may have {LANE_KEY_BYTES_MAX}"
                    ))),
                }
            }
            Err(error) => Err(match self.outcome(&session, *error, event) {
                Outcome::Failed(failure) => Box::new(failure),
                _ => wrong("`lane` must return a text, and ended the run instead".to_owned()),
            }),
        }
    }

    fn subject(&self) -> Subject {
        Subject {
            program: self.program.clone(),
            limits: self.limits,
            inserted: self.linked.inserted().clone(),
        }
    }

    fn pure(&self, phase: Phase, event: &Event) -> SharedSession {
        let none = Default::default();
        Session::new(self.subject(), phase, event.received_at, none)
    }

    /// Runs the rule from the top, answering its calls from the journal, to its next call or to its end.
    pub fn advance(&self, moment: &Moment, event: &Arc<Event>, journal: Arc<Vec<Step>>) -> Advance {
        let (phase, result) = match &moment.part {
            Part::Run => (Phase::Run, None),
            Part::Each => (Phase::Each, None),
            Part::Done(result) => (Phase::Done, Some(&**result)),
        };
        let session = Session::new(
            self.subject(),
            phase,
            moment.started_at,
            (journal, moment.steps_before),
        );
        let called = expect_member(&session, event)
            .and_then(|()| begin_job(&session, event))
            .and_then(|()| self.linked.call(&session, event, result));
        let outcome = match called {
            Ok(value) if phase == Phase::Each => match query_of(&value) {
                Ok(query) => Outcome::Found(query),
                Err(error) => self.outcome(&session, *error, event),
            },
            Ok(_) => Outcome::Finished,
            Err(error) => self.outcome(&session, *error, event),
        };
        Advance {
            outcome,
            logs: session.new_logs(),
        }
    }

    fn outcome(&self, session: &SharedSession, error: EvalAltResult, event: &Event) -> Outcome {
        let Some((mut outcome, file)) = session.take_outcome() else {
            let mut failure = failure::of(error, &self.program, self.linked.inserted(), event);
            let function = session.phase().function();
            failure.function.get_or_insert_with(|| function.to_owned());
            return Outcome::Failed(failure);
        };
        if let Outcome::Failed(failure) = &mut outcome {
            failure::locate(failure, file.as_deref(), &self.program);
        }
        outcome
    }

    /// A function returned what it must not.
    fn wrong_result(&self, phase: Phase, message: String) -> Failure {
        let mut failure = Failure::new(DeadClass::ScriptError, message);
        failure.function = Some(phase.function().to_owned());
        failure::locate(&mut failure, None, &self.program);
        failure
    }
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rule")
            .field("rule", &self.program.rule)
            .field("version", &self.program.version)
            .finish()
    }
}
