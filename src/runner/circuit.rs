//! Whether Iconik as a whole can be used: pure, so that every order of outcomes can be tried.
//!
//! While the circuit is open nothing is sent but probes, because every call would only fail, and the runs would look
//! as if they failed by themselves. A connection that cannot be made and credentials that are not accepted are about
//! Iconik as a whole; server errors may be about one object, so many of them only raise a suspicion, and a probe
//! decides.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::iconik::{CallError, Reply};

/// So many connections in a row that cannot be made open the circuit.
const UNREACHABLE_MAX: u32 = 3;

/// How long an outcome counts for a suspicion.
const WINDOW: Duration = Duration::from_secs(30);

/// The most outcomes that are remembered.
const OUTCOMES_MAX: usize = 64;

/// Fewer failures than this in the window are no suspicion.
const FAILURES_MIN: usize = 8;

/// How long nothing is suspected after a probe has shown that Iconik works.
const TRUST: Duration = Duration::from_secs(30);

/// The pause before the first probe of an open circuit; it doubles with every further one.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between two probes.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// A circuit that opens again so soon goes on with the pause that it had.
const RELAPSE: Duration = Duration::from_secs(60);

/// What an outcome says about Iconik as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// It answers.
    Alive,
    /// No connection can be made.
    Unreachable,
    /// It fails, or does not answer in time.
    Failing,
    /// It does not know the credentials.
    Unauthorized,
}

impl Sign {
    /// What an outcome says; nothing if the call did not even try.
    pub(super) fn of(outcome: &Result<Reply, CallError>) -> Option<Self> {
        match outcome {
            Ok(_) => Some(Self::Alive),
            Err(error) => match error {
                CallError::Refused { .. }
                | CallError::Throttled { .. }
                | CallError::TooLarge { .. } => Some(Self::Alive),
                CallError::NotSent { .. } => Some(Self::Unreachable),
                CallError::Uncertain { .. } => Some(Self::Failing),
                CallError::Unauthorized { .. } => Some(Self::Unauthorized),
                CallError::Malformed { .. } => None,
            },
        }
    }
}

/// What an outcome has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing may be sent any more.
    Opened,
    /// Everything may be sent again.
    Closed,
    /// Iconik is to be probed; everything may be sent until then.
    Suspected,
}

/// The circuit.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    state: State,
    /// Since when it is closed, if it was open before.
    closed_at: Option<Instant>,
    /// The latest outcomes with whether they were failures.
    outcomes: VecDeque<(Instant, bool)>,
    unreachable: u32,
    trusted_until: Option<Instant>,
    pause: Option<Duration>,
    answered: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Suspected(Instant),
    Open {
        probe_at: Instant,
    },
}

impl Circuit {
    /// Whether nothing may be sent.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Whether Iconik has answered since the start, or since the circuit was open. Until it has, no failure can be told
    /// from an outage.
    pub(super) fn has_answered(&self) -> bool {
        self.answered
    }

    /// When to send a probe, if ever.
    pub(super) fn probe_at(&self) -> Option<Instant> {
        match self.state {
            State::Closed => None,
            State::Suspected(since) => Some(since),
            State::Open { probe_at } => Some(probe_at),
        }
    }

    /// A call has come to an outcome.
    pub(super) fn observe(&mut self, sign: Sign, now: Instant) -> Option<Turn> {
        if self.is_open() {
            // It was sent before; only a probe says how things are now.
            return None;
        }
        self.remember(sign, now);
        match sign {
            Sign::Unauthorized => Some(self.open(now)),
            Sign::Unreachable if self.unreachable >= UNREACHABLE_MAX => Some(self.open(now)),
            Sign::Failing if self.is_suspicious(now) => {
                self.state = State::Suspected(now);
                Some(Turn::Suspected)
            }
            Sign::Alive | Sign::Unreachable | Sign::Failing => None,
        }
    }

    /// A probe has come to an outcome.
    pub(super) fn probed(&mut self, sign: Sign, now: Instant) -> Option<Turn> {
        match (self.state, sign) {
            (State::Closed, _) => None,
            (State::Suspected(_), Sign::Alive) => {
                self.trust(now);
                None
            }
            (State::Open { .. }, Sign::Alive) => {
                self.trust(now);
                self.closed_at = Some(now);
                Some(Turn::Closed)
            }
            (State::Suspected(_), _) => Some(self.open(now)),
            (State::Open { .. }, _) => {
                self.wait(now);
                None
            }
        }
    }

    fn remember(&mut self, sign: Sign, now: Instant) {
        self.answered |= sign == Sign::Alive;
        self.unreachable = match sign {
            Sign::Unreachable => self.unreachable.saturating_add(1),
            _ => 0,
        };
        if self.outcomes.len() == OUTCOMES_MAX {
            self.outcomes.pop_front();
        }
        self.outcomes.push_back((now, sign != Sign::Alive));
    }

    fn is_suspicious(&self, now: Instant) -> bool {
        let trusted = self.trusted_until.is_some_and(|until| now < until);
        if trusted || self.state != State::Closed {
            return false;
        }
        let recent = self.outcomes.iter();
        let recent = recent.filter(|(at, _)| now.duration_since(*at) < WINDOW);
        let (failures, all) = recent.fold((0, 0), |(failures, all), (_, failed)| {
            (failures + usize::from(*failed), all + 1)
        });
        failures >= FAILURES_MIN && failures * 2 >= all
    }

    fn open(&mut self, now: Instant) -> Turn {
        let relapsed = self
            .closed_at
            .is_some_and(|at| now.duration_since(at) < RELAPSE);
        if !relapsed {
            self.pause = None;
        }
        self.answered = false;
        self.wait(now);
        Turn::Opened
    }

    fn wait(&mut self, now: Instant) {
        let pause = self.pause.map_or(PAUSE, |pause| (pause * 2).min(PAUSE_MAX));
        self.pause = Some(pause);
        self.state = State::Open {
            probe_at: now + pause,
        };
    }

    fn trust(&mut self, now: Instant) {
        self.state = State::Closed;
        self.answered = true;
        self.unreachable = 0;
        self.outcomes.clear();
        self.trusted_until = Some(now + TRUST);
    }
}

#[cfg(test)]
mod tests;
