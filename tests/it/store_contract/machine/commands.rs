//! What can be done to a store.

use cuegate::model::RuleId;
use cuegate::store::{PauseScope, RetryAs};
use proptest::prelude::*;

/// `usize` chooses among the claims or lanes that there are.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Enqueue(usize, Mode),
    Claim(usize),
    Answer(usize),
    Intent(usize),
    Withdraw(usize),
    Succeed(usize),
    Die(usize),
    Park(usize),
    Wait(usize, i64),
    WaitForEvent(usize),
    WaitForJob(usize, usize),
    WaitForWrites(usize),
    Release(usize),
    /// With a claim that held once.
    UseLost(usize),
    /// So many seconds pass.
    Pass(i64),
    /// About the object with this number.
    Event(usize),
    JobEnds(usize),
    Pause(PauseScope),
    Resume(PauseScope),
    Cancel(usize),
    /// Nothing said, again, or happened.
    Retry(usize, Option<RetryAs>),
    Replay(usize),
    Crash,
}

/// What a new run does about those in its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Queued,
    Latest,
    Single,
    Debounced,
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        3 => Just(Mode::Queued),
        1 => Just(Mode::Latest),
        1 => Just(Mode::Single),
        1 => Just(Mode::Debounced),
    ]
}

fn scope() -> impl Strategy<Value = PauseScope> {
    prop_oneof![
        1 => Just(PauseScope::All),
        1 => Just(PauseScope::Writes),
        2 => Just(PauseScope::Rule(RuleId::from("a"))),
    ]
}

fn said() -> impl Strategy<Value = Option<RetryAs>> {
    prop_oneof![
        Just(None),
        Just(Some(RetryAs::Again)),
        Just(Some(RetryAs::Happened)),
    ]
}

pub(super) fn command() -> impl Strategy<Value = Command> {
    let any = any::<usize>;
    prop_oneof![
        12 => (any(), mode()).prop_map(|(lane, mode)| Command::Enqueue(lane, mode)),
        8 => (0_usize..5).prop_map(Command::Claim),
        3 => any().prop_map(Command::Answer),
        2 => any().prop_map(Command::Intent),
        1 => any().prop_map(Command::Withdraw),
        6 => any().prop_map(Command::Succeed),
        2 => any().prop_map(Command::Die),
        1 => any().prop_map(Command::Park),
        2 => (any(), 0_i64..40).prop_map(|(which, seconds)| Command::Wait(which, seconds)),
        3 => any().prop_map(Command::WaitForEvent),
        2 => (any(), 0_usize..2).prop_map(|(which, job)| Command::WaitForJob(which, job)),
        1 => any().prop_map(Command::WaitForWrites),
        2 => any().prop_map(Command::Release),
        2 => any().prop_map(Command::UseLost),
        4 => (0_i64..30).prop_map(Command::Pass),
        2 => (0_usize..3).prop_map(Command::Event),
        1 => (0_usize..2).prop_map(Command::JobEnds),
        1 => scope().prop_map(Command::Pause),
        2 => scope().prop_map(Command::Resume),
        2 => any().prop_map(Command::Cancel),
        5 => (any(), said()).prop_map(|(which, said)| Command::Retry(which, said)),
        1 => any().prop_map(Command::Replay),
        1 => Just(Command::Crash),
    ]
}
