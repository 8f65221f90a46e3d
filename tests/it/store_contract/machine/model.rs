//! What the store promises, in a few lines: the reference that it is compared with.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cuegate::model::{Debounce, RunId, RunState, Step};
use cuegate::store::{Lease, PauseScope, RetryAs, SUSPECT_AFTER, Settlement};

use super::commands::Mode;

pub(super) const LANES: [(&str, &str); 5] =
    [("a", "1"), ("a", "2"), ("b", "1"), ("b", "2"), ("c", "1")];

pub(super) const DEBOUNCE: Debounce = Debounce {
    quiet: Duration::from_secs(10),
    max: Duration::from_secs(25),
};

/// What a waiting run waits for, besides its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    Time,
    Event,
    Job(usize),
    Writes,
}

#[derive(Clone, Debug)]
pub(super) struct ModelRun {
    pub(super) id: RunId,
    pub(super) lane: usize,
    pub(super) state: RunState,
    pub(super) attempt: u32,
    pub(super) journal: Vec<Step>,
    pub(super) open: bool,
    pub(super) due: Option<i64>,
    pub(super) waiting: Option<Waiting>,
    /// Whether a wait for an event has begun and is not answered.
    pub(super) expects: bool,
    /// When the event came that it expects.
    found: Option<i64>,
    /// Since when it has been waiting for its lane to be quiet.
    quiet_since: Option<i64>,
    began: Option<i64>,
    /// How many events of objects there were when its event came.
    events_before: usize,
    /// Whether a person has made another run from it.
    pub(super) followed: bool,
}

impl ModelRun {
    fn new(id: RunId, lane: usize, events_before: usize) -> Self {
        Self {
            id,
            lane,
            state: RunState::Queued,
            attempt: 0,
            journal: Vec::new(),
            open: false,
            due: None,
            waiting: None,
            expects: false,
            found: None,
            quiet_since: None,
            began: None,
            events_before,
            followed: false,
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.state == RunState::Queued && self.due.is_none()
    }

    pub(super) fn begin(&mut self, now: i64) {
        self.state = RunState::Running;
        self.attempt += 1;
        self.began.get_or_insert(now);
    }

    pub(super) fn steps(&self) -> u32 {
        u32::try_from(self.journal.len()).unwrap()
    }

    /// The object that its events are about.
    fn object(&self) -> usize {
        usize::try_from(self.id.0 % 3).unwrap()
    }

    pub(super) fn answered(&mut self, step: Step) {
        self.journal.push(step);
        self.open = false;
        self.attempt = 0;
        (self.expects, self.found) = (false, None);
    }

    pub(super) fn settled(&mut self, how: &Settlement, waiting: Option<(Waiting, i64)>) {
        self.state = match how {
            Settlement::Succeeded => RunState::Succeeded,
            Settlement::Skipped { .. } => RunState::Skipped,
            Settlement::Dead(_) => RunState::Dead,
            Settlement::Parked { .. } => RunState::Parked,
            Settlement::Waiting { .. } => RunState::Waiting,
            Settlement::Released => RunState::Queued,
        };
        if let Some((what, due)) = waiting {
            (self.waiting, self.due) = (Some(what), Some(due));
        }
        if self.state == RunState::Queued {
            self.attempt = self.attempt.saturating_sub(1);
        }
        if self.state.is_final() {
            self.expects = false;
        }
    }

    pub(super) fn wake(&mut self) {
        if matches!(self.state, RunState::Waiting | RunState::Queued) {
            self.state = RunState::Queued;
            self.attempt = 0;
            (self.due, self.waiting) = (None, None);
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) now: i64,
    /// The number of the last accepted event.
    pub(super) accepted: u32,
    /// In the order in which they were made.
    pub(super) runs: Vec<ModelRun>,
    /// Runs that were dropped at once.
    pub(super) dropped: u64,
    pub(super) claims: Vec<Lease>,
    pub(super) lost: Vec<Lease>,
    pub(super) tokens: BTreeMap<usize, i64>,
    pub(super) paused: BTreeSet<String>,
    /// The objects of events, with their times.
    events: Vec<(usize, i64)>,
}

impl Model {
    pub(super) fn run(&mut self, id: RunId) -> &mut ModelRun {
        self.runs.iter_mut().find(|run| run.id == id).unwrap()
    }

    fn unfinished(&self, lane: usize) -> impl Iterator<Item = &ModelRun> {
        self.runs
            .iter()
            .filter(move |run| run.lane == lane && !run.state.is_final())
    }

    /// The first unfinished run of a lane.
    pub(super) fn head(&self, lane: usize) -> Option<&ModelRun> {
        self.unfinished(lane).next()
    }

    /// How many runs of a lane have begun and hold it.
    pub(super) fn under_way(&self, lane: usize) -> usize {
        use RunState::{Parked, Running, Waiting};
        self.unfinished(lane)
            .filter(|run| matches!(run.state, Running | Waiting | Parked))
            .count()
    }

    pub(super) fn claimable(&self) -> usize {
        if self.paused.contains("all") {
            return 0;
        }
        (0..LANES.len())
            .filter(|lane| !self.paused.contains(&format!("rule:{}", LANES[*lane].0)))
            .filter_map(|lane| self.head(lane))
            .filter(|head| head.is_ready())
            .count()
    }

    /// Whether a run that arrives is made.
    pub(super) fn takes(&self, lane: usize, mode: Mode) -> bool {
        mode != Mode::Single || self.head(lane).is_none()
    }

    pub(super) fn arrive(&mut self, id: RunId, lane: usize, mode: Mode) {
        let now = self.now;
        let mut since = None;
        if matches!(mode, Mode::Latest | Mode::Debounced) {
            let replaced = self.runs.iter_mut().filter(|run| {
                run.lane == lane && run.state == RunState::Queued && run.began.is_none()
            });
            for run in replaced {
                since = since.into_iter().chain(run.quiet_since).min();
                (run.state, run.due) = (RunState::Superseded, None);
            }
        }
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap();
        let quiet_since = (mode == Mode::Debounced).then(|| since.unwrap_or(now));
        let due = quiet_since.map(|since| {
            let longest = (since + seconds(DEBOUNCE.max)).max(now);
            (now + seconds(DEBOUNCE.quiet)).min(longest)
        });
        self.runs.push(ModelRun {
            due,
            quiet_since,
            ..ModelRun::new(id, lane, self.events.len())
        });
    }

    pub(super) fn peek_claim(&self, which: usize) -> Option<Lease> {
        (!self.claims.is_empty()).then(|| self.claims[which % self.claims.len()])
    }

    pub(super) fn let_go(&mut self, lease: Lease) {
        self.claims.retain(|held| *held != lease);
        self.lost.push(lease);
    }

    pub(super) fn crash(&mut self) {
        self.lost.append(&mut self.claims);
        let running = self.running().count();
        for run in &mut self.runs {
            if run.state == RunState::Running {
                run.state = RunState::Queued;
                if running > 1 {
                    run.attempt = run.attempt.min(SUSPECT_AFTER);
                }
            }
        }
    }

    pub(super) fn running(&self) -> impl Iterator<Item = &ModelRun> {
        let is_running = |run: &&ModelRun| run.state == RunState::Running;
        self.runs.iter().filter(is_running)
    }

    /// Whether a run is or must be alone, so that others may have to wait.
    pub(super) fn suspects(&self) -> bool {
        let ready = (0..LANES.len()).filter_map(|lane| self.head(lane));
        let mut ready = ready.filter(|head| head.is_ready());
        ready.any(|head| head.attempt >= SUSPECT_AFTER)
            || self.running().any(|run| run.attempt > SUSPECT_AFTER)
    }

    /// Wakes whose time has come; answers how many and when the next is due.
    pub(super) fn wake_due(&mut self) -> (usize, Option<i64>) {
        let now = self.now;
        let due = |run: &&mut ModelRun| run.due.is_some_and(|due| due <= now);
        let mut woken = 0;
        for run in self.runs.iter_mut().filter(due) {
            run.wake();
            woken += 1;
        }
        (woken, self.runs.iter().filter_map(|run| run.due).min())
    }

    /// Which object a run waits for, and when the event came that it would find.
    pub(super) fn sighting(&self, id: RunId) -> (usize, Option<i64>) {
        let run = self.runs.iter().find(|run| run.id == id).unwrap();
        if run.expects {
            return (run.object(), run.found);
        }
        let began = run.began.unwrap();
        let found = self.events[run.events_before..]
            .iter()
            .find(|(object, at)| *object == run.object() && *at >= began);
        (run.object(), found.map(|(_, at)| *at))
    }

    /// A person ends a run; whoever has it has lost it.
    pub(super) fn cancel(&mut self, id: RunId) {
        let run = self.run(id);
        run.state = RunState::Cancelled;
        (run.due, run.waiting, run.expects) = (None, None, false);
        if let Some(lease) = self.claims.iter().find(|lease| lease.run == id).copied() {
            self.let_go(lease);
        }
    }

    /// Whether a person may retry a run so.
    pub(super) fn may_retry(&self, run: &ModelRun, said: Option<RetryAs>) -> bool {
        use RunState::{Cancelled, Dead, Parked, Superseded};
        let failed = matches!(run.state, Dead | Parked | Cancelled | Superseded);
        let said_enough = match said {
            None => !run.open,
            Some(RetryAs::Again) => true,
            Some(RetryAs::Happened) => run.open,
        };
        failed && !run.followed && said_enough
    }

    /// The run that goes on for another, with these steps: in its place if it is parked, else at the end.
    pub(super) fn retried(&mut self, from: RunId, id: RunId, journal: Vec<Step>) {
        let now = self.now;
        let old = self.run(from);
        old.followed = true;
        let parked = old.state == RunState::Parked;
        let began = match old.began {
            Some(began) if !journal.is_empty() => Some(began),
            Some(_) if parked => Some(now),
            _ => None,
        };
        let (lane, events_before) = (old.lane, old.events_before);
        if parked {
            old.state = RunState::Cancelled;
            old.expects = false;
        }
        let fork = ModelRun {
            journal,
            began,
            ..ModelRun::new(id, lane, events_before)
        };
        let place = self.runs.iter().position(|run| run.id == from).unwrap();
        let place = if parked { place } else { self.runs.len() };
        self.runs.insert(place, fork);
    }

    /// The run that begins another's event anew.
    pub(super) fn replayed(&mut self, from: RunId, id: RunId) {
        let old = self.run(from);
        old.followed = true;
        let fork = ModelRun::new(id, old.lane, old.events_before);
        self.runs.push(fork);
    }

    pub(super) fn event(&mut self, object: usize) {
        self.events.push((object, self.now));
        let now = self.now;
        for run in &mut self.runs {
            if run.expects && run.found.is_none() && run.object() == object {
                run.found = Some(now);
                run.wake();
            }
        }
    }

    pub(super) fn job_ends(&mut self, job: usize) -> usize {
        let waits = |run: &&mut ModelRun| run.waiting == Some(Waiting::Job(job));
        self.runs
            .iter_mut()
            .filter(waits)
            .map(ModelRun::wake)
            .count()
    }

    pub(super) fn resume(&mut self, scope: &PauseScope) -> bool {
        if *scope == PauseScope::Writes {
            let waits = |run: &&mut ModelRun| run.waiting == Some(Waiting::Writes);
            self.runs.iter_mut().filter(waits).for_each(ModelRun::wake);
        }
        self.paused.remove(&scope.to_string())
    }
}
