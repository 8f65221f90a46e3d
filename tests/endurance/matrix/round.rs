//! One data directory: load, kills and restarts, then rest and the judgement.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cuegate::model::{DeadClass, EventId, Run, RunState};
use cuegate::simulator::{Hold, Matching, Simulator, Trouble};
use cuegate::store::Store as _;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use super::cases::CASES;
use super::census::{self, Unfinished};
use super::evidence::{Arrival, Evidence, Ran, Told};
use super::lanes::{Lane, read_mark};
use super::plan::{HeldCall, Kill};
use super::totals::Totals;
use crate::disk::{Disk, Unsynced};
use crate::gateway::{GATEWAY_USER, Gateway, PATIENCE};
use crate::person::{Person, iconik};

/// Lanes of each case that work at a time.
const LANES: usize = 3;

/// A held call comes within this time, or the kill is one at a random moment.
const HELD_WITHIN: Duration = Duration::from_secs(2);

/// When everything must have come to rest, at the end.
const REST_WITHIN: Duration = Duration::from_secs(60);

/// Runs that only stand behind parked ones do not move for so long.
const STILL: Duration = Duration::from_millis(2_500);

/// A run that was claimed so often without getting on is given up at the next claim: it may be what kills the
/// gateway.
const CLAIMS_MAX: u32 = 5;

/// What one round needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) seed: u64,
    pub(crate) cycles: u32,
    /// Whether the power goes with every kill.
    pub(crate) power: bool,
    /// The digest of the binary.
    pub(crate) build: String,
}

struct Round {
    random: fastrand::Rng,
    simulator: Simulator,
    gateway: Gateway,
    /// There if the power goes with every kill.
    disk: Option<Disk>,
    person: Person,
    http: reqwest::Client,
    lanes: Vec<Lane>,
    /// Events whose write was open at a kill.
    cut: BTreeSet<EventId>,
    /// How often in a row a run was claimed without getting on, at most.
    claims: HashMap<EventId, u32>,
    totals: Totals,
}

/// Plays a round; answers what was counted. What was broken is in the totals, and its directory is kept.
pub(crate) async fn play(order: &Order) -> Totals {
    let mut round = Round::new(order).await;
    for _ in 0..order.cycles {
        let how = round.cycle().await;
        round.totals.killed(&order.build, how);
    }
    round.rest().await;
    let evidence = round.evidence().await;
    let mut totals = std::mem::take(&mut round.totals);
    totals.rounds = 1;
    let broken = evidence.judge(&mut totals);
    if !broken.is_empty() {
        let kept = round.keep(order.seed, &evidence);
        let at = format!("seed {}, kept in {}", order.seed, kept.display());
        totals.broken = broken.iter().map(|it| format!("{it} ({at})")).collect();
    }
    totals
}

impl Round {
    async fn new(order: &Order) -> Self {
        let simulator = iconik().await;
        let person = Person::at(&simulator);
        let rules: Vec<(String, String)> = CASES
            .iter()
            .map(|case| (format!("{}.rhai", case.name), case.rule()))
            .collect();
        let rules: Vec<(&str, &str)> = rules
            .iter()
            .map(|(name, source)| (name.as_str(), source.as_str()))
            .collect();
        let mut gateway = Gateway::new(&simulator, &rules);
        gateway.replace(
            "auth_token = ",
            "rate = { per_second = 2000, per_20s = 40000 }\nauth_token = ",
        );
        let disk = order.power.then(|| Disk::of(&mut gateway));
        let mut lanes = Vec::new();
        for case in 0..CASES.len() {
            for number in 0..LANES {
                lanes.push(Lane::new(case, number, &person).await);
            }
        }
        Self {
            random: fastrand::Rng::with_seed(order.seed),
            simulator,
            gateway,
            disk,
            person,
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(PATIENCE)
                .build()
                .expect("a plain client can be built"),
            lanes,
            cut: BTreeSet::new(),
            claims: HashMap::new(),
            totals: Totals::default(),
        }
    }

    /// One start and one kill; says which kind it was.
    async fn cycle(&mut self) -> &'static str {
        let kill = Kill::choose(&mut self.random);
        self.plan_events(kill.needs()).await;
        self.gateway.launch();
        let how = match kill {
            Kill::Starting(after) => {
                sleep(after).await;
                self.gateway.sigkill().await;
                "while starting"
            }
            Kill::Working(after) => {
                self.gateway.until_listening().await;
                self.load_and_kill(None, after).await;
                "at a random moment"
            }
            Kill::Held(call) => {
                self.gateway.until_listening().await;
                let (method, path) = CASES[call.case].calls[call.call];
                let hold = self
                    .simulator
                    .hold(Matching::path(method, path), call.point);
                self.load_and_kill(Some((hold, call)), HELD_WITHIN).await
            }
            Kill::Unheard { case, call, then } => {
                self.gateway.until_listening().await;
                let (method, path) = CASES[case].calls[call];
                let matching = Matching::path(method, path);
                self.simulator.fault(matching, 1, Trouble::LoseAnswer);
                self.load_and_kill(None, then).await;
                "at a random moment, after a lost answer"
            }
        };
        self.cut_power();
        let left = census::unfinished(&self.gateway.path("data")).await;
        self.note(&left).await;
        how
    }

    /// Adds events where there is room; at least one for the case that needs work.
    async fn plan_events(&mut self, needs: Option<usize>) {
        for lane in &mut self.lanes {
            let wanted = match needs {
                Some(case) if case == lane.case => 1,
                _ => self.random.usize(0..4),
            };
            for _ in 0..wanted {
                if lane.has_room() {
                    let twin = self.random.u32(0..3) == 0;
                    lane.add(&self.person, twin).await;
                }
            }
        }
    }

    /// Sends what there is and kills after the time, or as soon as a call is held. A call that is let go is so
    /// at once: Iconik would not carry it out long after its sender has given up either.
    async fn load_and_kill(
        &mut self,
        held: Option<(Hold, HeldCall)>,
        after: Duration,
    ) -> &'static str {
        let hooks = self.gateway.hooks_url().to_owned();
        let http = &self.http;
        let load = join_all(self.lanes.iter_mut().map(|lane| lane.send(http, &hooks)));
        let gateway = &mut self.gateway;
        let kill = async move {
            let Some((mut hold, call)) = held else {
                sleep(after).await;
                gateway.sigkill().await;
                return "at a random moment";
            };
            let came = timeout(after, hold.held()).await.is_ok();
            if came {
                sleep(call.held).await;
            }
            gateway.sigkill().await;
            if call.passes {
                hold.release();
            } else {
                hold.cut();
            }
            if came {
                call.words()
            } else {
                "at a random moment"
            }
        };
        let (_, how) = tokio::join!(load, kill);
        how
    }

    /// Takes note of what the killed process has left, and opens a new lane for each that is parked now.
    async fn note(&mut self, left: &[Unfinished]) {
        let mut of_event: HashMap<EventId, &Unfinished> = HashMap::new();
        for run in left {
            of_event.insert(run.event, run);
            if run.open && run.state != RunState::Parked {
                self.cut.insert(run.event);
            }
            let claims = self.claims.entry(run.event).or_default();
            *claims = run.attempt.max(*claims);
        }
        let mut more = Vec::new();
        for lane in &mut self.lanes {
            let ids = lane.events.iter().filter_map(|event| event.acknowledged);
            let its: Vec<&&Unfinished> = ids.filter_map(|id| of_event.get(&id)).collect();
            let parked = its.iter().any(|run| run.state == RunState::Parked);
            lane.unfinished = its.len();
            if parked && !lane.parked {
                lane.parked = true;
                more.push(lane.case);
            }
        }
        for case in more {
            let number = self.lanes.iter().filter(|lane| lane.case == case).count();
            self.lanes.push(Lane::new(case, number, &self.person).await);
        }
    }

    /// Starts for the last time, sends what is left, and waits until nothing moves any more.
    async fn rest(&mut self) {
        self.gateway.start().await;
        let hooks = self.gateway.hooks_url().to_owned();
        let http = &self.http;
        let deadline = Instant::now() + REST_WITHIN;
        loop {
            let load = join_all(self.lanes.iter_mut().map(|lane| lane.send(http, &hooks)));
            if load.await.iter().all(|sent| *sent) {
                break;
            }
            assert!(Instant::now() < deadline, "the gateway takes no events");
            sleep(Duration::from_millis(50)).await;
        }
        let mut still_since = Instant::now();
        let mut queued_before = -1.0;
        while Instant::now() < deadline {
            let mut moving = self.gateway.metric("cuegate_unrouted_events").await;
            for state in [RunState::Running, RunState::Waiting] {
                moving += self.runs(state).await;
            }
            let queued = self.runs(RunState::Queued).await;
            if moving > 0.0 || queued != queued_before {
                still_since = Instant::now();
                queued_before = queued;
            }
            if moving == 0.0 && (queued == 0.0 || still_since.elapsed() > STILL) {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
        self.gateway.stop().await;
        self.cut_power();
    }

    /// What was written and not synced is gone, all of it or some.
    fn cut_power(&mut self) {
        if let Some(disk) = &self.disk {
            disk.cut(if self.random.bool() {
                Unsynced::Lost
            } else {
                Unsynced::Torn(self.random.u64(..))
            });
        }
    }

    async fn runs(&self, state: RunState) -> f64 {
        let name = format!("cuegate_runs{{state=\"{}\"}}", state.as_str());
        self.gateway.metric(&name).await
    }

    /// Everything that the judgement needs, from the files, the world and the log of requests.
    async fn evidence(&self) -> Evidence {
        let (arrivals, unheard) = self.arrivals();
        let store = census::open(&self.gateway.path("data")).await;
        let runs = census::runs(&store, &[]).await;
        let parked: BTreeMap<(&str, &str), _> = runs
            .iter()
            .filter(|run| run.state == RunState::Parked)
            .map(|run| ((run.rule.as_str(), run.lane.as_str()), run.id))
            .collect();
        let mut events = Vec::new();
        for lane in &self.lanes {
            for (event, place) in lane.events.iter().zip(1..) {
                let id = event.acknowledged;
                let stored = match id {
                    Some(id) => store.event(id).await.expect("it can be read").is_some(),
                    None => false,
                };
                let its = runs.iter().filter(|run| Some(run.event) == id);
                let ran = its.map(|run| Ran {
                    state: run.state,
                    behind_parked: parked
                        .get(&(run.rule.as_str(), run.lane.as_str()))
                        .is_some_and(|head| *head < run.id),
                    given_up: given_up(run) && self.claims.get(&run.event) >= Some(&CLAIMS_MAX),
                    reason: run
                        .failure
                        .as_ref()
                        .map(ToString::to_string)
                        .or_else(|| run.reason.clone())
                        .unwrap_or_default(),
                });
                events.push(Told {
                    case: lane.case,
                    lane: lane.number,
                    place,
                    acknowledged: id.is_some(),
                    stored,
                    runs: ran.collect(),
                    made: (CASES[lane.case].made)(self.simulator.world(), &event.subject),
                    cut: id.is_some_and(|id| self.cut.contains(&id)),
                    unheard: unheard.contains(&(lane.case, lane.number, place)),
                });
            }
        }
        store.close().await.expect("nothing is left to write");
        Evidence {
            events,
            arrivals,
            power: self.disk.is_some(),
        }
    }

    /// The gateway's calls that name an event, in order, and the events to which one of them was not answered.
    fn arrivals(&self) -> (Vec<Arrival>, BTreeSet<(usize, usize, usize)>) {
        let things: HashMap<&str, &str> = self
            .lanes
            .iter()
            .flat_map(|lane| &lane.events)
            .filter(|event| !event.subject.thing.is_empty())
            .map(|event| (event.subject.thing.as_str(), event.subject.mark.as_str()))
            .collect();
        let (mut arrivals, mut unheard) = (Vec::new(), BTreeSet::new());
        for request in self.simulator.requests() {
            if request.user_id.as_deref() != Some(GATEWAY_USER) {
                continue;
            }
            let text = format!("{} {:?} {}", request.path, request.query, request.body);
            let by_thing = || {
                let ids = text.split(|c: char| !(c.is_ascii_hexdigit() || c == '-'));
                ids.filter_map(|id| things.get(id))
                    .find_map(|mark| read_mark(mark))
            };
            let Some((case, lane, place)) = read_mark(&text).or_else(by_thing) else {
                continue;
            };
            let Some(call) = CASES[case].call(&request.method, &request.path) else {
                continue;
            };
            if request.status.is_none() && call == 0 {
                unheard.insert((case, lane, place));
            }
            arrivals.push(Arrival {
                case,
                lane,
                place,
                call,
            });
        }
        (arrivals, unheard)
    }

    /// Leaves everything for a person to look at.
    fn keep(&self, seed: u64, evidence: &Evidence) -> PathBuf {
        let requests = self.simulator.requests();
        let requests: Vec<String> = requests
            .iter()
            .map(|it| {
                format!(
                    "{} {} {} {} {:?} {} -> {:?}",
                    it.number,
                    it.at,
                    it.user_id.as_deref().unwrap_or("-"),
                    it.method,
                    it.path,
                    it.body,
                    it.status
                )
            })
            .collect();
        self.gateway.write("requests.log", &requests.join("\n"));
        self.gateway
            .write("evidence.txt", &format!("{:#?}", evidence.events));
        let said = self.gateway.everything_said();
        self.gateway.write("said.log", &said);
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("seed-{seed}"));
        copy(&self.gateway.path(""), &kept).expect("a directory can be copied");
        kept
    }
}

/// Copies a directory with everything below it.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

fn given_up(run: &Run) -> bool {
    let failure = run.failure.as_ref();
    run.state == RunState::Dead && failure.is_some_and(|failure| failure.class == DeadClass::Crash)
}
