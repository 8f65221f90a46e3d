//! What one round leaves to be judged, and the judgement: a pure function, so that it can be shown to find what
//! it looks for.

use std::collections::BTreeMap;

use cuegate::model::RunState;
use cuegate::operations::RepeatClass;

use super::cases::CASES;
use super::totals::Totals;

/// Everything that is known about one event when all is quiet.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// Which of [`CASES`].
    pub(crate) case: usize,
    /// Which lane of the case.
    pub(crate) lane: usize,
    /// Its place in the lane, from 1.
    pub(crate) place: usize,
    /// Whether its sender was answered 200.
    pub(crate) acknowledged: bool,
    /// Whether the store has it.
    pub(crate) stored: bool,
    /// Its runs.
    pub(crate) runs: Vec<Ran>,
    /// How often its first call was carried out.
    pub(crate) done: usize,
    /// How often its effect is in the world.
    pub(crate) made: usize,
    /// Whether a kill found its write between intent and answer.
    pub(crate) cut: bool,
    /// Whether an answer of its write was lost or spoiled while the gateway lived.
    pub(crate) unheard: Unheard,
}

/// What is known about lost answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unheard {
    /// None was.
    No,
    /// One was.
    Yes,
    /// Trouble was thrown by dice: nobody knows whom it met.
    Perhaps,
}

/// How a run stands at the end.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    pub(crate) state: RunState,
    /// Whether an earlier run of its lane is parked.
    pub(crate) behind_parked: bool,
    /// Whether it was under way, without getting on, at so many kills that it had to be taken for their cause.
    pub(crate) given_up: bool,
    /// Why it stands there.
    pub(crate) reason: String,
}

/// A request that reached the simulator, in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) case: usize,
    pub(crate) lane: usize,
    pub(crate) place: usize,
    /// Which of the case's calls.
    pub(crate) call: usize,
}

/// What a round is judged by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) events: Vec<Told>,
    pub(crate) arrivals: Vec<Arrival>,
    /// Whether bytes were lost that had not been synced. Nobody waits for the sync of what was only read, so it may
    /// be read again.
    pub(crate) power: bool,
}

impl Evidence {
    /// Counts everything into `totals` and names every broken promise.
    pub(crate) fn judge(&self, totals: &mut Totals) -> Vec<String> {
        let mut broken = Vec::new();
        for told in &self.events {
            self.judge_event(told, totals, &mut broken);
        }
        self.judge_order(totals, &mut broken);
        broken
    }

    fn judge_event(&self, told: &Told, totals: &mut Totals, broken: &mut Vec<String>) {
        let case = &CASES[told.case];
        let name = format!("{} {}/{}", case.name, told.lane, told.place);
        let requests = self.requests(told);
        let row = totals.case(case.name);
        row.events += 1;
        row.cut += u64::from(told.cut);
        row.unheard += u64::from(told.unheard == Unheard::Yes && !told.cut);
        let first_calls = requests.get(&0).copied().unwrap_or(0);
        row.repeated_calls += first_calls.saturating_sub(1);
        if told.acknowledged {
            totals.acknowledged += 1;
            if !told.stored || told.runs.is_empty() {
                totals.lost += 1;
                broken.push(format!(
                    "{name}: acknowledged, and the store has no run of it"
                ));
                return;
            }
        }
        if told.runs.len() > 1 {
            totals.case(case.name).twice += 1;
            broken.push(format!("{name}: it has {} runs", told.runs.len()));
        }
        for ran in &told.runs {
            self.judge_run(told, ran, totals, broken);
        }
        let once = matches!(case.class, RepeatClass::Creating | RepeatClass::Acting);
        if told.made > case.wanted || (once && told.done > 1) {
            totals.case(case.name).twice += 1;
            broken.push(format!(
                "{name}: its effect is there {} times, its call was carried out {} times",
                told.made, told.done
            ));
        }
    }

    fn judge_run(&self, told: &Told, ran: &Ran, totals: &mut Totals, broken: &mut Vec<String>) {
        let case = &CASES[told.case];
        let name = format!("{} {}/{}", case.name, told.lane, told.place);
        let doubtful = told.cut || told.unheard == Unheard::Yes;
        let perhaps = doubtful || told.unheard == Unheard::Perhaps;
        match ran.state {
            RunState::Succeeded => {
                totals.case(case.name).succeeded += 1;
                if told.made < case.wanted {
                    totals.missing += 1;
                    broken.push(format!("{name}: it succeeded without an effect"));
                }
                if case.class == RepeatClass::Acting && doubtful {
                    totals.unparked += 1;
                    broken.push(format!("{name}: nobody was asked about a doubtful call"));
                }
            }
            RunState::Parked => {
                totals.case(case.name).parked += 1;
                if !(case.may_park() && perhaps) {
                    totals.stuck += 1;
                    broken.push(format!("{name}: parked without need: {}", ran.reason));
                }
            }
            RunState::Dead if ran.given_up => totals.case(case.name).given_up += 1,
            RunState::Queued if ran.behind_parked => totals.case(case.name).behind_parked += 1,
            state => {
                totals.stuck += 1;
                broken.push(format!(
                    "{name}: it ended as {}: {}",
                    state.as_str(),
                    ran.reason
                ));
            }
        }
    }

    /// How often each call of an event arrived.
    fn requests(&self, told: &Told) -> BTreeMap<usize, u64> {
        let mut requests = BTreeMap::new();
        let its =
            |it: &&Arrival| (it.case, it.lane, it.place) == (told.case, told.lane, told.place);
        for arrival in self.arrivals.iter().filter(its) {
            *requests.entry(arrival.call).or_default() += 1;
        }
        requests
    }

    /// Within a lane no event begins before the one before it, and nothing comes again once something later has
    /// come.
    fn judge_order(&self, totals: &mut Totals, broken: &mut Vec<String>) {
        let mut lanes: BTreeMap<(usize, usize), (usize, usize)> = BTreeMap::new();
        for arrival in &self.arrivals {
            let reached = lanes.entry((arrival.case, arrival.lane)).or_default();
            let here = (arrival.place, arrival.call);
            let name = CASES[arrival.case].name;
            let safe = CASES[arrival.case].class == RepeatClass::Safe;
            let read_again = self.power && here.0 == reached.0 && safe;
            if here < *reached && !read_again {
                if here.0 < reached.0 {
                    totals.disorder += 1;
                } else {
                    totals.case(name).twice += 1;
                }
                broken.push(format!(
                    "{name} {}/{}: call {} came after call {} of event {}",
                    arrival.lane, here.0, here.1, reached.1, reached.0
                ));
            }
            *reached = here.max(*reached);
        }
    }
}
