//! Random commands against the store and against a small model of it; after each the two must agree.
//!
//! The model knows only what is promised: runs of a lane follow each other, a claim is fenced, a run that has begun
//! finishes, a wait ends when what it waits for has come, a crash takes all claims back and forgets nothing.

mod commands;
mod model;
mod people;

use std::collections::{BTreeMap, BTreeSet};

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

use self::commands::{Command, Mode, command};
use self::model::{DEBOUNCE, LANES, Model, ModelRun, Waiting};
use super::*;

const COMMANDS: usize = 400;

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
            model.crash();
        } else {
            obey(&*store, &mut model, command).await;
        }
        agree(&*store, &model).await;
    }
}

async fn obey(store: &dyn Store, model: &mut Model, command: Command) {
    match command {
        Command::Enqueue(lane, mode) => arrive(store, model, lane % LANES.len(), mode).await,
        Command::Claim(limit) => claim(store, model, limit).await,
        Command::Answer(which) | Command::Intent(which) | Command::Withdraw(which) => {
            if let Some(lease) = model.peek_claim(which) {
                write(store, model, lease, &command).await;
            }
        }
        Command::UseLost(which) => use_lost(store, model, which).await,
        Command::Pass(seconds) => {
            model.now += seconds;
            let expected = model.wake_due();
            let next = expected.1.map(at);
            let woken = store.wake_due(at(model.now)).await.unwrap();
            assert_eq!(woken, (expected.0, next));
        }
        Command::WaitForEvent(which) => wait_for_event(store, model, which).await,
        Command::Event(object) => {
            let event = signal(model, object);
            model.event(object);
            route_one(store, model.now, event, Vec::new()).await;
        }
        Command::JobEnds(job) => {
            let woken = model.job_ends(job);
            let name = job.to_string();
            assert_eq!(store.wake_for_job(&name).await.unwrap(), woken);
        }
        Command::Pause(scope) => {
            let pause = Pause {
                scope: scope.clone(),
                quarantine: false,
                reason: "a look".to_owned(),
                since: at(model.now),
            };
            store.pause(pause).await.unwrap();
            model.paused.insert(scope.to_string());
        }
        Command::Resume(scope) => {
            let was = model.resume(&scope);
            assert_eq!(store.resume(scope).await.unwrap(), was);
        }
        Command::Cancel(_) | Command::Retry(..) | Command::Replay(_) => {
            people::decide(store, model, command).await;
        }
        other => end(store, model, other).await,
    }
}

fn object(number: usize) -> String {
    format!("object {number}")
}

fn signal(model: &mut Model, object: usize) -> Event {
    model.accepted += 1;
    let mut event = event(model.accepted);
    event.received_at = at(model.now);
    event.body = json!({ "event_type": "assets", "realm": "entity", "operation": "update",
        "object_id": self::object(object) });
    event
}

/// Accepts and routes one event; answers the runs that were made.
async fn route_one(store: &dyn Store, now: i64, event: Event, runs: Vec<NewRun>) -> Vec<RunId> {
    let subject = event.subject();
    store.accept(vec![event]).await.unwrap();
    let batch = store.unrouted(10).await.unwrap();
    let decision = Decision {
        subject,
        ..routed(runs)
    };
    let routing = Routing {
        at: at(now),
        ..routing(batch.batch, vec![decision])
    };
    match store.route(routing).await.unwrap() {
        Routed::Committed { runs, .. } => runs,
        Routed::Stale => panic!("nobody else routes"),
    }
}

async fn arrive(store: &dyn Store, model: &mut Model, lane: usize, mode: Mode) {
    let (rule, key) = LANES[lane];
    let run = NewRun {
        concurrency: match mode {
            Mode::Queued | Mode::Debounced => Concurrency::Queued,
            Mode::Latest => Concurrency::Latest,
            Mode::Single => Concurrency::Single,
        },
        debounce: matches!(mode, Mode::Debounced).then_some(DEBOUNCE),
        ..new_run(rule, key)
    };
    model.accepted += 1;
    let event = event(model.accepted);
    let made = route_one(store, model.now, event, vec![run]).await;
    assert_eq!(made.len(), usize::from(model.takes(lane, mode)));
    match made.first() {
        Some(id) => model.arrive(*id, lane, mode),
        None => model.dropped += 1,
    }
}

async fn use_lost(store: &dyn Store, model: &Model, which: usize) {
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

async fn write(store: &dyn Store, model: &mut Model, lease: Lease, command: &Command) {
    let run = model.run(lease.run);
    let (entry, open) = match command {
        Command::Intent(_) => (JournalEntry::Intent(intent(run.steps())), true),
        Command::Withdraw(_) if run.open => {
            let number = run.steps();
            (JournalEntry::Withdrawn { number }, false)
        }
        Command::Withdraw(_) => return,
        _ => (JournalEntry::Answer(Box::new(answer(run.steps()))), false),
    };
    let answered = matches!(entry, JournalEntry::Answer(_));
    assert_eq!(append(store, lease, entry).await, Fenced::Written);
    run.open = open;
    if answered {
        let step = answer(run.steps());
        run.answered(step);
    }
}

async fn claim(store: &dyn Store, model: &mut Model, limit: usize) {
    let claims = store
        .claim(Claiming::up_to(limit), at(model.now))
        .await
        .unwrap();
    let most = limit.min(model.claimable());
    assert!(claims.len() == most || (claims.len() < most && model.suspects()));
    for claim in claims {
        let lane = model.run(claim.run.id).lane;
        let head = model.head(lane).unwrap();
        assert!(head.is_ready());
        assert_eq!(head.id, claim.run.id, "runs of a lane begin in their order");
        let now = model.now;
        let run = model.run(claim.run.id);
        run.begin(now);
        assert_eq!(claim.run.attempt, run.attempt);
        assert_eq!(claim.journal, run.journal);
        assert_eq!(claim.open_intent, run.open.then(|| intent(run.steps())));
        let before = model.tokens.insert(lane, claim.lease.token);
        assert!(
            before.is_none_or(|before| before < claim.lease.token),
            "tokens grow"
        );
        model.claims.push(claim.lease);
    }
    let suspect = |run: &ModelRun| run.attempt > SUSPECT_AFTER;
    assert!(!model.running().any(suspect) || model.running().count() == 1);
}

/// What the runner does: it looks, and waits only if nothing has come.
async fn wait_for_event(store: &dyn Store, model: &mut Model, which: usize) {
    let Some(lease) = model.peek_claim(which) else {
        return;
    };
    let (number, expected) = model.sighting(lease.run);
    let wait = WaitForEvent {
        pattern: Pattern {
            source: "iconik".to_owned(),
            parts: vec!["*".to_owned(); 3],
        },
        fields: [("object_id".to_owned(), json!(object(number)))].into(),
        until: at(model.now + 50),
        position: None,
    };
    let sighting = store
        .find_event(lease.run, &wait, EventMark::default())
        .await
        .unwrap();
    assert_eq!(
        sighting.event.map(|event| event.received_at),
        expected.map(at)
    );
    if expected.is_some() {
        return write(store, model, lease, &Command::Answer(which)).await;
    }
    let how = Settlement::Waiting {
        until: wait.until,
        waits: Waits::Event {
            wait: Box::new(wait),
            seen: sighting.seen,
        },
        reason: "waits".to_owned(),
        failing_since: None,
    };
    assert_eq!(settle(store, lease, how).await, Fenced::Written);
    model.let_go(lease);
    let until = model.now + 50;
    let run = model.run(lease.run);
    (run.state, run.due, run.expects) = (RunState::Waiting, Some(until), true);
    run.waiting = Some(Waiting::Event);
}

async fn end(store: &dyn Store, model: &mut Model, command: Command) {
    let wait = |waits, seconds| Settlement::Waiting {
        waits,
        until: at(model.now + seconds),
        reason: "waits".to_owned(),
        failing_since: None,
    };
    let (which, how, waiting) = match command {
        Command::Succeed(which) => (which, Settlement::Succeeded, None),
        Command::Die(which) => {
            let failure = Failure::new(DeadClass::Limit, "too many calls");
            (which, Settlement::Dead(failure), None)
        }
        Command::Park(which) => {
            let (class, reason) = (ParkedClass::Uncertain, "uncertain".to_owned());
            (which, Settlement::Parked { class, reason }, None)
        }
        Command::Release(which) => (which, Settlement::Released, None),
        Command::Wait(which, seconds) => {
            let waiting = (Waiting::Time, model.now + seconds);
            (which, wait(Waits::Time, seconds), Some(waiting))
        }
        Command::WaitForJob(which, job) => {
            let waiting = (Waiting::Job(job), model.now + 60);
            (which, wait(Waits::Job(job.to_string()), 60), Some(waiting))
        }
        Command::WaitForWrites(which) => {
            let waiting = (Waiting::Writes, model.now + 70);
            (which, wait(Waits::Writes, 70), Some(waiting))
        }
        other => panic!("{other:?} ends nothing"),
    };
    let Some(lease) = model.peek_claim(which) else {
        return;
    };
    model.let_go(lease);
    assert_eq!(settle(store, lease, how.clone()).await, Fenced::Written);
    let writes_go_on = !model.paused.contains(&PauseScope::Writes.to_string());
    let run = model.run(lease.run);
    run.settled(&how, waiting);
    if writes_go_on && matches!(waiting, Some((Waiting::Writes, _))) {
        run.wake();
    }
}

async fn agree(store: &dyn Store, model: &Model) {
    assert_eq!(store.check().await.unwrap(), []);
    let mut expected = BTreeMap::<RunState, u64>::new();
    for run in &model.runs {
        *expected.entry(run.state).or_default() += 1;
    }
    if model.dropped > 0 {
        *expected.entry(RunState::Superseded).or_default() += model.dropped;
    }
    let counted: BTreeMap<_, _> = store.counts().await.unwrap().runs.into_iter().collect();
    assert_eq!(counted, expected);
    let filter = RunFilter {
        limit: usize::MAX,
        ..RunFilter::default()
    };
    let listed = store.runs(filter).await.unwrap();
    let listed: BTreeMap<RunId, &Run> = listed.iter().map(|run| (run.id, run)).collect();
    for run in &model.runs {
        let stored = listed[&run.id];
        assert_eq!(
            (stored.state, stored.attempt, stored.due_at),
            (run.state, run.attempt, run.due.map(at)),
            "{run:?}"
        );
    }
    for lane in 0..LANES.len() {
        assert!(model.under_way(lane) <= 1, "runs of a lane overlap");
    }
    lists_by_rule_agree(store, &listed).await;
}

/// A list of one rule, in one state or in any, is what the list of all runs says of it.
async fn lists_by_rule_agree(store: &dyn Store, listed: &BTreeMap<RunId, &Run>) {
    let rules: BTreeSet<&RuleId> = listed.values().map(|run| &run.rule).collect();
    let states = RunState::ALL.into_iter().map(Some);
    for rule in rules {
        for state in states.clone().chain([None]) {
            let filter = RunFilter {
                rule: Some(rule.clone()),
                states: state.into_iter().collect(),
                limit: usize::MAX,
                ..RunFilter::default()
            };
            let found = store.runs(filter).await.unwrap();
            let meant = listed
                .values()
                .rev()
                .filter(|run| run.rule == *rule && state.is_none_or(|state| run.state == state));
            assert!(
                found.iter().map(|run| run.id).eq(meant.map(|run| run.id)),
                "{rule} {state:?}"
            );
        }
    }
}
