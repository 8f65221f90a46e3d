//! Why a worker process ended while it held a request, and whether the script is to blame.
//!
//! Only deaths that a script can cause count against it: our own kill at a deadline, the signals of a crash,
//! running out of the worker's memory. Anybody may kill a process; a foreign kill is repeated quietly, and
//! held against the script only when it follows the script five times in a row.

use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use crate::model::{DeadClass, Failure, format_duration};

/// A second death by its own fault ends a run: the first one may have been the doing of an earlier script
/// in the same worker.
const OWN_MAX: u32 = 2;

/// Foreign kills in a row after which they no longer look like chance (a memory killer, for example).
const FOREIGN_MAX: u32 = 5;

/// What the worker was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Start,
    Compile,
    When,
    Lane,
    Advance,
}

/// How long a worker may take for one answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) stage: Stage,
    /// Processor time of the whole process.
    pub(super) cpu: Duration,
    /// Wall time.
    pub(super) wall: Duration,
}

/// The end of a worker process that owed an answer.
#[derive(Clone, Debug)]
pub(super) struct Death {
    pub(super) cause: Cause,
    pub(super) budget: Budget,
    /// What it said at last, cut short.
    pub(super) last_words: String,
}

/// What ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// We, at the limit of processor time.
    Cpu { used: Duration },
    /// We, at the limit of wall time.
    Wall,
    /// We, because its answer made no sense.
    Garbled,
    /// It, because it could not get more memory.
    Memory,
    /// It, because its stack overflowed.
    Stack,
    /// It, by a panic.
    Panic,
    /// A signal that only a crash sends.
    Crash(&'static str),
    /// Somebody else, or a reason that has nothing to do with scripts.
    Foreign,
}

impl Cause {
    /// Reads exit status and last words of a process that we did not kill.
    pub(super) fn of(status: Option<ExitStatus>, last_words: &str) -> Self {
        let crash = match status.and_then(|status| status.signal()) {
            Some(libc::SIGSEGV) => "SIGSEGV",
            Some(libc::SIGABRT) => "SIGABRT",
            Some(libc::SIGBUS) => "SIGBUS",
            Some(libc::SIGILL) => "SIGILL",
            _ => return Self::Foreign,
        };
        if last_words.contains("memory allocation of") {
            Self::Memory
        } else if last_words.contains("overflowed its stack") {
            Self::Stack
        } else if last_words.contains("panicked at") {
            Self::Panic
        } else {
            Self::Crash(crash)
        }
    }

    /// The label of the metric.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Cpu { .. } => "cpu",
            Self::Wall => "wall",
            Self::Garbled => "garbled",
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::Panic => "panic",
            Self::Crash(_) => "crash",
            Self::Foreign => "foreign",
        }
    }
}

impl fmt::Display for Death {
    /// What happened, to follow on "the script" or "compiling this file".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            Cause::Cpu { used } => {
                let (used, limit) = (rounded(used), format_duration(self.budget.cpu));
                write!(f, "took {used} of processor time; the limit is {limit}")
            }
            Cause::Wall => {
                let limit = format_duration(self.budget.wall);
                write!(f, "did not end within {limit} of wall time")
            }
            Cause::Memory => f.write_str("needed more memory than its worker process may take"),
            Cause::Garbled => f.write_str("made its worker process answer nonsense"),
            Cause::Stack => f.write_str("overflowed the stack of its worker process"),
            Cause::Panic => f.write_str("made its worker process panic"),
            Cause::Crash(signal) => write!(f, "crashed its worker process ({signal})"),
            Cause::Foreign => f.write_str("lost its worker process to a kill from outside"),
        }?;
        if !self.last_words.is_empty() {
            write!(f, ": {}", self.last_words)?;
        }
        Ok(())
    }
}

impl Death {
    /// The failure of the run or of `when` that died too often.
    pub(super) fn failure(&self, file: &str) -> Failure {
        let (class, hint) = match self.cause {
            Cause::Cpu { .. } => (
                DeadClass::Limit,
                "do less between two calls: fewer and smaller loops; the limit is `cpu` in [sandbox]",
            ),
            Cause::Wall => (
                DeadClass::Limit,
                "see whether the machine is overloaded; the limit is `wall` in [sandbox]",
            ),
            Cause::Memory => (
                DeadClass::Limit,
                "hold fewer and smaller strings, arrays and maps at once; the limit is `memory` in [sandbox]",
            ),
            Cause::Stack => (
                DeadClass::Crash,
                "nest closures, arrays and maps less deeply",
            ),
            Cause::Garbled | Cause::Panic | Cause::Crash(_) => (
                DeadClass::Crash,
                "take out the last change of the rule; a script must never be able to do this, so please report it",
            ),
            Cause::Foreign => (
                DeadClass::Crash,
                "see what kills processes on this machine: most often it has too little memory",
            ),
        };
        let times = match self.cause {
            Cause::Cpu { .. } => "",
            Cause::Foreign => ", five times in a row",
            _ => ", twice",
        };
        let subject = match self.budget.stage {
            Stage::When => "`when`",
            Stage::Lane => "`lane`",
            Stage::Compile => "compiling the rule",
            Stage::Start | Stage::Advance => "the script",
        };
        Failure {
            file: Some(file.to_owned()),
            hint: Some(hint.to_owned()),
            ..Failure::new(class, format!("{subject} {self}{times}"))
        }
    }
}

/// Deaths of the same request so far.
#[derive(Debug, Default)]
pub(super) struct Strikes {
    own: u32,
    foreign: u32,
}

impl Strikes {
    /// Counts one more; true when the request must not be tried again.
    pub(super) fn are_out(&mut self, cause: Cause) -> bool {
        match cause {
            // A pure function that used up its time will do so again.
            Cause::Cpu { .. } => {
                self.own += 1;
                return true;
            }
            Cause::Foreign => self.foreign += 1,
            _ => {
                self.own += 1;
                self.foreign = 0;
            }
        }
        self.own >= OWN_MAX || self.foreign >= FOREIGN_MAX
    }

    /// How many deaths are held against the script: its own, and foreign ones only as one too many to be chance.
    pub(super) fn held_against(&self) -> u32 {
        self.own + u32::from(self.foreign >= FOREIGN_MAX)
    }
}

fn rounded(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    format_duration(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: Cause = Cause::Cpu {
        used: Duration::from_millis(2_010),
    };

    fn verdicts(causes: &[Cause]) -> Vec<bool> {
        let mut strikes = Strikes::default();
        causes.iter().map(|cause| strikes.are_out(*cause)).collect()
    }

    fn killed_by(signal: i32) -> Option<ExitStatus> {
        Some(ExitStatus::from_raw(signal))
    }

    #[test]
    fn a_second_death_by_its_own_fault_is_the_last() {
        assert_eq!(verdicts(&[Cause::Stack, Cause::Memory]), [false, true]);
    }

    #[test]
    fn a_kill_at_the_limit_of_processor_time_needs_no_second_try() {
        assert_eq!(verdicts(&[CPU]), [true]);
    }

    #[test]
    fn foreign_kills_count_only_after_five_in_a_row() {
        assert_eq!(
            verdicts(&[Cause::Foreign; 5]),
            [false, false, false, false, true]
        );
        let mut interrupted = vec![Cause::Foreign; 4];
        interrupted.push(Cause::Wall);
        interrupted.extend([Cause::Foreign; 4]);
        assert!(!verdicts(&interrupted).contains(&true));
    }

    #[test]
    fn only_what_the_script_can_cause_is_held_against_it() {
        let held = |causes: &[Cause]| {
            let mut strikes = Strikes::default();
            for cause in causes {
                strikes.are_out(*cause);
            }
            strikes.held_against()
        };
        assert_eq!(held(&[]), 0);
        assert_eq!(held(&[CPU]), 1);
        assert_eq!(held(&[Cause::Stack, Cause::Memory]), 2);
        assert_eq!(held(&[Cause::Foreign, Cause::Stack]), 1);
        assert_eq!(held(&[Cause::Foreign; 4]), 0);
        assert_eq!(held(&[Cause::Foreign; 5]), 1);
    }

    #[test]
    fn signals_of_a_crash_are_the_scripts_fault_and_others_are_not() {
        assert_eq!(
            Cause::of(killed_by(libc::SIGSEGV), ""),
            Cause::Crash("SIGSEGV")
        );
        for foreign in [libc::SIGKILL, libc::SIGTERM, libc::SIGHUP] {
            assert_eq!(Cause::of(killed_by(foreign), ""), Cause::Foreign);
        }
        assert_eq!(Cause::of(None, ""), Cause::Foreign);
    }

    #[test]
    fn last_words_tell_one_abort_from_another() {
        let abort = |words| Cause::of(killed_by(libc::SIGABRT), words);
        assert_eq!(abort("memory allocation of 99 bytes failed"), Cause::Memory);
        assert_eq!(
            abort("thread 'script' has overflowed its stack"),
            Cause::Stack
        );
        assert_eq!(
            abort("thread 'script' panicked at src/x.rs:1:1:"),
            Cause::Panic
        );
        assert_eq!(abort(""), Cause::Crash("SIGABRT"));
    }

    #[test]
    fn the_failure_says_which_limit_how_far_and_what_to_do() {
        let death = Death {
            cause: CPU,
            budget: Budget {
                stage: Stage::Advance,
                cpu: Duration::from_secs(2),
                wall: Duration::from_secs(20),
            },
            last_words: String::new(),
        };
        assert_eq!(
            death.failure("news/tag.rhai").to_string(),
            "limit: the script took 2s10ms of processor time; the limit is 2s at news/tag.rhai \
             (do less between two calls: fewer and smaller loops; the limit is `cpu` in [sandbox])"
        );
    }
}
