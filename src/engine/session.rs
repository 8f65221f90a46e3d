//! What one advance knows and remembers, and the latch that makes a run a pure function.
//!
//! Rhai's "uncatchable" errors can be caught: `map` and `filter` wrap them, `sort` swallows them, and the
//! script runs on. So the first thing that ends an advance, be it an effect, a limit, `skip` or `fail`, is
//! kept here, every native and every operation fails from then on, and the latch is the outcome whatever
//! the script returns, throws or calls afterwards.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use rhai::{Dynamic, EvalAltResult, NativeCallContext, Position as At};

use super::caught::{Inserted, NATIVE_ERROR_TAG};
use super::here::Here;
use super::{EngineLimits, Outcome, wanted};
use crate::model::{
    Answer, DeadClass, Effect, Failure, LogLevel, LogLine, Position, Program, Step,
};

/// What a log line costs besides its text: even empty lines must come to an end.
const LOG_LINE_BYTES: usize = 32;

/// How many errors that the rule caught are kept in its log.
const CAUGHT_MAX: usize = 20;

/// What natives answer.
pub(super) type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// Which of a rule's functions is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// `when`: nothing outside may be called.
    When,
    /// `lane`: likewise.
    Lane,
    /// `each`: it may look things up, to say which objects are meant.
    Each,
    /// `run`.
    Run,
    /// `done`.
    Done,
}

impl Phase {
    /// The name of the function.
    pub(super) fn function(self) -> &'static str {
        match self {
            Self::When => "when",
            Self::Lane => "lane",
            Self::Each => "each",
            Self::Run => "run",
            Self::Done => "done",
        }
    }
}

/// One advance.
#[derive(Debug)]
pub(super) struct Session {
    program: Arc<Program>,
    limits: EngineLimits,
    phase: Phase,
    journal: Arc<Vec<Step>>,
    /// Steps of the run before `journal`.
    steps_before: u32,
    inserted: Arc<BTreeMap<String, Inserted>>,
    latched: AtomicBool,
    operations: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    stop: Option<Stop>,
    answered: usize,
    now: Timestamp,
    logs: Vec<LogLine>,
    log_index: u32,
    log_bytes: usize,
    caught: usize,
}

/// Why an advance ended before its function returned, and in which file.
#[derive(Clone, Debug)]
struct Stop {
    outcome: Outcome,
    file: Option<String>,
}

/// What a session is about.
pub(super) struct Subject {
    pub(super) program: Arc<Program>,
    pub(super) limits: EngineLimits,
    /// What was inserted into which file.
    pub(super) inserted: Arc<BTreeMap<String, Inserted>>,
}

/// A session as natives find it: in the call's tag.
pub(super) type SharedSession = Arc<Session>;

impl Session {
    pub(super) fn new(
        subject: Subject,
        phase: Phase,
        started_at: Timestamp,
        (journal, steps_before): (Arc<Vec<Step>>, u32),
    ) -> SharedSession {
        Arc::new(Self {
            program: subject.program,
            limits: subject.limits,
            inserted: subject.inserted,
            phase,
            journal,
            steps_before,
            latched: AtomicBool::new(false),
            operations: AtomicU64::new(0),
            state: Mutex::new(State {
                stop: None,
                answered: 0,
                now: started_at,
                logs: Vec::new(),
                log_index: 0,
                log_bytes: 0,
                caught: 0,
            }),
        })
    }

    /// The session that a native was called in. Fails once the latch is set.
    pub(super) fn of(context: &NativeCallContext<'_>) -> Fallible<SharedSession> {
        let session = context
            .tag()
            .and_then(|tag| tag.clone().try_cast::<SharedSession>())
            .ok_or_else(|| error("this function can only be used inside a rule's functions"))?;
        if session.is_latched() {
            return Err(terminated());
        }
        Ok(session)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn is_latched(&self) -> bool {
        self.latched.load(Ordering::Acquire)
    }

    pub(super) fn limits(&self) -> &EngineLimits {
        &self.limits
    }

    pub(super) fn program(&self) -> &Program {
        &self.program
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// Counts one operation; true when the advance must end. Rhai starts its own count anew in every native
    /// callback, which is why the count is kept here.
    pub(super) fn tick(&self) -> bool {
        if self.is_latched() {
            return true;
        }
        let operations = self.operations.fetch_add(1, Ordering::Relaxed) + 1;
        if operations <= self.limits.operations {
            return false;
        }
        let limit = self.limits.operations;
        let mut failure = Failure::new(
            DeadClass::Limit,
            format!("the rule took more than {limit} operations in one go"),
        );
        failure.hint = Some(
            "look for a loop that does not end, or split the work over several events".to_owned(),
        );
        drop(self.latch(Outcome::Failed(failure), None));
        true
    }

    /// Sets the latch; only the first time counts. Returns the error that ends the script.
    pub(super) fn latch(&self, outcome: Outcome, file: Option<String>) -> Box<EvalAltResult> {
        let mut state = self.state();
        if state.stop.is_none() {
            state.stop = Some(Stop { outcome, file });
            self.latched.store(true, Ordering::Release);
        }
        terminated()
    }

    /// Ends the run as dead from inside a native, at the place of the call.
    pub(super) fn fail(
        &self,
        here: impl Into<Here>,
        class: DeadClass,
        message: impl Into<String>,
        hint: Option<String>,
    ) -> Box<EvalAltResult> {
        let here = here.into();
        let mut failure = Failure::new(class, message);
        failure.position = self.place(&here);
        failure.hint = hint;
        self.latch(Outcome::Failed(failure), here.file)
    }

    /// The latch's outcome and the file that it was set in.
    pub(super) fn take_outcome(&self) -> Option<(Outcome, Option<String>)> {
        let stop = self.state().stop.take()?;
        Some((stop.outcome, stop.file))
    }

    /// A place as the author sees it.
    fn place(&self, here: &Here) -> Option<Position> {
        let file = here.file.as_deref().unwrap_or(&self.program.main.path);
        let at = here.at?;
        Some(self.inserted.get(file).map_or(at, |file| file.original(at)))
    }

    /// The answer to the next effect: from the journal, or not yet, in which case the effect becomes the
    /// advance's outcome.
    pub(super) fn step(&self, here: impl Into<Here>, mut effect: Effect) -> Fallible<Answer> {
        let here = here.into();
        // A loop over pages asks without a native around it.
        if self.is_latched() {
            return Err(terminated());
        }
        if let Some(hint) = self.forbids(&effect) {
            let function = self.phase.function();
            let message = format!("`{function}` must not ask for {effect}");
            return Err(self.fail(here, DeadClass::ScriptError, message, Some(hint.to_owned())));
        }
        let at = self.place(&here);
        effect.set_position(at.map(|at| here.shown_at(at, &self.program.main.path)));
        self.answer(here, effect)
    }

    /// The same for what the gateway does of itself before the script begins, whatever the function may ask for.
    pub(super) fn step_before_script(&self, effect: Effect) -> Fallible<Answer> {
        self.answer(Here::default(), effect)
    }

    fn answer(&self, here: Here, effect: Effect) -> Fallible<Answer> {
        let mut state = self.state();
        let number = state.answered;
        let Some(step) = self.journal.get(number) else {
            drop(state);
            return Err(self.want(here, number, effect));
        };
        if step.digest != effect.digest() {
            drop(state);
            return Err(self.diverged(here, step, &effect));
        }
        state.answered += 1;
        state.log_index = 0;
        state.now = state.now.max(step.answer.at);
        Ok(step.answer.clone())
    }

    /// What to do instead, if the running function may not ask for the effect.
    fn forbids(&self, effect: &Effect) -> Option<&'static str> {
        match self.phase {
            Phase::Run | Phase::Done => None,
            Phase::When => Some(
                "decide by the event alone here, and look closer in `run`, which may `skip(reason)`",
            ),
            Phase::Lane => Some("make the key from the event alone"),
            Phase::Each if wanted::only_looks(effect) => None,
            Phase::Each => Some(
                "say here which objects are meant, and do the work in `run`, which is called for each of them",
            ),
        }
    }

    fn want(&self, here: Here, number: usize, effect: Effect) -> Box<EvalAltResult> {
        let most = self.program.calls_max;
        if number >= usize::try_from(most).unwrap_or(usize::MAX) {
            let message =
                format!("the run made {most} calls, which is its limit, and wants {effect}");
            let hint = format!(
                "{}, or raise `limits: #{{ calls_per_run: … }}` in the header",
                wanted::do_less(&effect)
            );
            return self.fail(here, DeadClass::Limit, message, Some(hint));
        }
        if wanted::is_full(&self.journal) {
            let message = format!(
                "the answers of the run's {number} steps leave no room in its journal for {effect}"
            );
            return self.fail(
                here,
                DeadClass::Limit,
                message,
                Some(wanted::do_less(&effect).to_owned()),
            );
        }
        self.latch(Outcome::Effect(effect), here.file)
    }

    fn diverged(&self, here: Here, step: &Step, effect: &Effect) -> Box<EvalAltResult> {
        self.fail(
            here,
            DeadClass::Diverged,
            wanted::difference(step, effect),
            Some("a run must depend on its event and its answers only".to_owned()),
        )
    }

    /// The journaled time: it moves with the answers and never goes backwards.
    pub(super) fn now(&self) -> Timestamp {
        self.state().now
    }

    /// Keeps a line for the run's log; the run ends where that is too much.
    pub(super) fn log(&self, here: impl Into<Here>, level: LogLevel, text: String) -> Fallible<()> {
        let mut state = self.state();
        state.log_bytes += text.len() + LOG_LINE_BYTES;
        if state.log_bytes > self.limits.log_bytes {
            drop(state);
            let most = self.limits.log_bytes;
            return Err(self.fail(
                here,
                DeadClass::Limit,
                format!("the rule logged more than {most} bytes in one go"),
                Some("log what a person needs to know, not every value".to_owned()),
            ));
        }
        let line = LogLine {
            step: self.step_number(state.answered),
            index: state.log_index,
            level,
            text,
        };
        state.log_index += 1;
        state.logs.push(line);
        Ok(())
    }

    /// Keeps a line about an error that the rule caught, as long as there are few of them.
    pub(super) fn log_caught(&self, here: impl Into<Here>, text: String) -> Fallible<()> {
        let mut state = self.state();
        state.caught += 1;
        if state.caught > CAUGHT_MAX {
            return Ok(());
        }
        drop(state);
        self.log(here, LogLevel::Warn, text)
    }

    fn step_number(&self, answered: usize) -> u32 {
        let answered = u32::try_from(answered).unwrap_or(u32::MAX);
        self.steps_before.saturating_add(answered)
    }

    /// The lines that belong to no answered step: those of earlier steps were kept when they were answered.
    pub(super) fn new_logs(&self) -> Vec<LogLine> {
        let answered = self.step_number(self.journal.len());
        let mut state = self.state();
        std::mem::take(&mut state.logs)
            .into_iter()
            .filter(|line| line.step >= answered)
            .collect()
    }
}

/// An error with a text for people. Rhai adds the place of the call.
pub(super) fn error(message: impl Into<String>) -> Box<EvalAltResult> {
    let mut text = Dynamic::from(message.into());
    text.set_tag(i32::try_from(NATIVE_ERROR_TAG).unwrap_or_default());
    EvalAltResult::ErrorRuntime(text, At::NONE).into()
}

/// What ends a script whose session is latched.
pub(super) fn terminated() -> Box<EvalAltResult> {
    EvalAltResult::ErrorTerminated(Dynamic::UNIT, At::NONE).into()
}
