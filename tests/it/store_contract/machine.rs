//! Random commands against the store and against a small model of it; after each the two must agree.
//!
//! The model knows only what is promised: runs of a lane follow each other, a claim is fenced, a wait ends at
//! its time, a crash takes all claims back and forgets nothing.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;

const COMMANDS: usize = 300;
const LANES: [(&str, &str); 5] = [("a", "1"), ("a", "2"), ("b", "1"), ("b", "2"), ("c", "1")];

/// `usize` chooses among the claims or lanes that there are.
#[derive(Clone, Debug)]
enum Command {
    Enqueue(Vec<usize>),
    Claim(usize),
    Answer(usize),
    Intent(usize),
    Withdraw(usize),
    Succeed(usize),
    Die(usize),
    Park(usize),
    Wait(usize, i64),
    Release(usize),
    /// With a claim that held once.
    UseLost(usize),
    /// So many seconds pass.
    Pass(i64),
    Crash,
}

fn command() -> impl Strategy<Value = Command> {
    let any = any::<usize>;
    prop_oneof![
        5 => prop::collection::vec(any(), 1..6).prop_map(Command::Enqueue),
        6 => (0_usize..5).prop_map(Command::Claim),
        3 => any().prop_map(Command::Answer),
        2 => any().prop_map(Command::Intent),
        1 => any().prop_map(Command::Withdraw),
        5 => any().prop_map(Command::Succeed),
        2 => any().prop_map(Command::Die),
        1 => any().prop_map(Command::Park),
        3 => (any(), 0_i64..40).prop_map(|(which, seconds)| Command::Wait(which, seconds)),
        2 => any().prop_map(Command::Release),
        2 => any().prop_map(Command::UseLost),
        3 => (0_i64..30).prop_map(Command::Pass),
        1 => Just(Command::Crash),
    ]
}

#[derive(Clone, Debug)]
struct ModelRun {
    id: RunId,
    lane: usize,
    state: RunState,
    attempt: u32,
    steps: u32,
    open: bool,
    due: i64,
}

#[derive(Debug, Default)]
struct Model {
    now: i64,
    /// In the order in which they were made.
    runs: Vec<ModelRun>,
    claims: Vec<Lease>,
    lost: Vec<Lease>,
    tokens: BTreeMap<usize, i64>,
}

impl Model {
    fn run(&mut self, id: RunId) -> &mut ModelRun {
        self.runs.iter_mut().find(|run| run.id == id).unwrap()
    }

    /// The first unfinished run of a lane.
    fn head(&self, lane: usize) -> Option<&ModelRun> {
        self.runs
            .iter()
            .find(|run| run.lane == lane && !run.state.is_final())
    }

    fn claimable(&self) -> usize {
        (0..LANES.len())
            .filter_map(|lane| self.head(lane))
            .filter(|head| head.state == RunState::Queued)
            .count()
    }

    fn take_claim(&mut self, which: usize) -> Option<Lease> {
        if self.claims.is_empty() {
            return None;
        }
        let lease = self.claims.swap_remove(which % self.claims.len());
        self.lost.push(lease);
        Some(lease)
    }

    fn peek_claim(&self, which: usize) -> Option<Lease> {
        (!self.claims.is_empty()).then(|| self.claims[which % self.claims.len()])
    }
}

/// Tells what was done if the test fails.
struct History(Vec<Command>);

impl Drop for History {
    #[expect(clippy::print_stdout, reason = "what a failed test says")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("commands, the last one failed: {:#?}", self.0);
        }
    }
}

pub(crate) async fn any_sequence_of_commands_does_what_the_model_does(place: &dyn Place) {
    let mut runner = TestRunner::default();
    let mut store = open(place).await;
    let mut model = Model::default();
    let mut history = History(Vec::new());
    for _ in 0..COMMANDS {
        let command = command().new_tree(&mut runner).unwrap().current();
        history.0.push(command.clone());
        if matches!(command, Command::Crash) {
            drop(store);
            store = place.open().await;
            crash(&mut model);
        } else {
            obey(&*store, &mut model, command).await;
        }
        agree(&*store, &model).await;
    }
}

fn crash(model: &mut Model) {
    model.lost.append(&mut model.claims);
    for run in &mut model.runs {
        if run.state == RunState::Running {
            run.state = RunState::Queued;
        }
    }
}

async fn obey(store: &dyn Store, model: &mut Model, command: Command) {
    match command {
        Command::Enqueue(lanes) => {
            let lanes: Vec<usize> = lanes.iter().map(|lane| lane % LANES.len()).collect();
            let first = u32::try_from(model.runs.len()).unwrap();
            let named: Vec<_> = lanes.iter().map(|lane| LANES[*lane]).collect();
            let made = enqueue(store, first, &named).await;
            assert_eq!(made.len(), lanes.len());
            model
                .runs
                .extend(made.into_iter().zip(lanes).map(|(id, lane)| ModelRun {
                    id,
                    lane,
                    state: RunState::Queued,
                    attempt: 0,
                    steps: 0,
                    open: false,
                    due: 0,
                }));
        }
        Command::Claim(limit) => claim(store, model, limit).await,
        Command::Answer(which) | Command::Intent(which) | Command::Withdraw(which) => {
            if let Some(lease) = model.peek_claim(which) {
                write(store, model, lease, &command).await;
            }
        }
        Command::UseLost(which) => {
            if model.lost.is_empty() {
                return;
            }
            let lease = model.lost[which % model.lost.len()];
            assert_eq!(
                settle(store, lease, Settlement::Succeeded).await,
                Fenced::Lost
            );
            let entry = JournalEntry::Answer(Box::new(answer(0)));
            assert_eq!(append(store, lease, entry).await, Fenced::Lost);
        }
        Command::Pass(seconds) => {
            model.now += seconds;
            let now = model.now;
            let due = |run: &&mut ModelRun| run.state == RunState::Waiting && run.due <= now;
            let mut woken = 0;
            for run in model.runs.iter_mut().filter(due) {
                (run.state, run.attempt) = (RunState::Queued, 0);
                woken += 1;
            }
            let waiting = model
                .runs
                .iter()
                .filter(|run| run.state == RunState::Waiting);
            let next = waiting.map(|run| at(run.due)).min();
            assert_eq!(store.wake_due(at(now)).await.unwrap(), (woken, next));
        }
        other => end(store, model, other).await,
    }
}

async fn write(store: &dyn Store, model: &mut Model, lease: Lease, command: &Command) {
    let run = model.run(lease.run);
    let (entry, open) = match command {
        Command::Intent(_) => (JournalEntry::Intent(intent(run.steps)), true),
        Command::Withdraw(_) if run.open => (JournalEntry::Withdrawn { number: run.steps }, false),
        Command::Withdraw(_) => return,
        _ => (JournalEntry::Answer(Box::new(answer(run.steps))), false),
    };
    let answered = matches!(entry, JournalEntry::Answer(_));
    assert_eq!(append(store, lease, entry).await, Fenced::Written);
    run.open = open;
    if answered {
        (run.steps, run.attempt) = (run.steps + 1, 0);
    }
}

async fn claim(store: &dyn Store, model: &mut Model, limit: usize) {
    let claims = store
        .claim(Claiming::up_to(limit), at(model.now))
        .await
        .unwrap();
    assert_eq!(claims.len(), limit.min(model.claimable()));
    for claim in claims {
        let lane = model.run(claim.run.id).lane;
        let head = model.head(lane).unwrap();
        assert_eq!((head.id, head.state), (claim.run.id, RunState::Queued));
        let run = model.run(claim.run.id);
        (run.state, run.attempt) = (RunState::Running, run.attempt + 1);
        assert_eq!(claim.run.attempt, run.attempt);
        let journal: Vec<Step> = (0..run.steps).map(answer).collect();
        assert_eq!(claim.journal, journal);
        assert_eq!(claim.open_intent, run.open.then(|| intent(run.steps)));
        let before = model.tokens.insert(lane, claim.lease.token);
        assert!(
            before.is_none_or(|before| before < claim.lease.token),
            "tokens grow"
        );
        model.claims.push(claim.lease);
    }
}

async fn end(store: &dyn Store, model: &mut Model, command: Command) {
    let (which, state, how) = match command {
        Command::Succeed(which) => (which, RunState::Succeeded, Settlement::Succeeded),
        Command::Die(which) => {
            let failure = Failure::new(DeadClass::Limit, "too many calls");
            (which, RunState::Dead, Settlement::Dead(failure))
        }
        Command::Park(which) => {
            let reason = "uncertain".to_owned();
            (
                which,
                RunState::Parked,
                Settlement::Parked {
                    class: ParkedClass::Uncertain,
                    reason,
                },
            )
        }
        Command::Release(which) => (which, RunState::Queued, Settlement::Released),
        Command::Wait(which, seconds) => {
            let until = at(model.now + seconds);
            let reason = "asleep".to_owned();
            (
                which,
                RunState::Waiting,
                Settlement::Waiting {
                    waits: Waits::Time,
                    until,
                    reason,
                    failing_since: None,
                },
            )
        }
        other => panic!("{other:?} ends nothing"),
    };
    let Some(lease) = model.take_claim(which) else {
        return;
    };
    assert_eq!(settle(store, lease, how).await, Fenced::Written);
    let now = model.now;
    let run = model.run(lease.run);
    run.state = state;
    if let Command::Wait(_, seconds) = command {
        run.due = now + seconds;
    }
    if state == RunState::Queued {
        run.attempt = run.attempt.saturating_sub(1);
    }
}

async fn agree(store: &dyn Store, model: &Model) {
    let mut expected = BTreeMap::<RunState, u64>::new();
    for run in &model.runs {
        *expected.entry(run.state).or_default() += 1;
    }
    let counted: BTreeMap<_, _> = store.counts().await.unwrap().runs.into_iter().collect();
    assert_eq!(counted, expected);
    let filter = RunFilter {
        limit: usize::MAX,
        ..RunFilter::default()
    };
    let listed = store.runs(filter).await.unwrap();
    assert_eq!(listed.len(), model.runs.len());
    for (stored, run) in listed.iter().rev().zip(&model.runs) {
        assert_eq!(
            (stored.id, stored.state, stored.attempt),
            (run.id, run.state, run.attempt)
        );
    }
    for lane in 0..LANES.len() {
        let under_way = |run: &&ModelRun| {
            run.lane == lane
                && matches!(
                    run.state,
                    RunState::Running | RunState::Waiting | RunState::Parked
                )
        };
        assert!(
            model.runs.iter().filter(under_way).count() <= 1,
            "runs of a lane overlap"
        );
    }
}
