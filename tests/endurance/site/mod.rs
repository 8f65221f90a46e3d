//! A simulated Iconik, a gateway beside it with every effect of the table among its rules, senders, and a person.
//! Trouble of any kind is made around it; what it promised is judged when all has come to rest.

mod cases;
pub(crate) mod census;
mod evidence;
mod lanes;
mod person;
mod planted;
mod totals;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cuegate::model::{DeadClass, EventId, Run, RunState};
use cuegate::simulator::{ReceivedRequest, Simulator};
use cuegate::store::{SUSPECT_AFTER, Store as _};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use self::census::Unfinished;
use self::evidence::{Arrival, Evidence, Ran, Told, Unheard};
use self::lanes::{Lane, read_mark};
use self::person::{Person, iconik};
use crate::disk::Disk;
use crate::gateway::{GATEWAY_USER, Gateway, PATIENCE};

pub(crate) use self::cases::CASES;
pub(crate) use self::planted::trials;
pub(crate) use self::totals::Totals;

/// Lanes of each case that work at a time.
const LANES: usize = 3;

/// When everything must have come to rest, at the end.
const REST_WITHIN: Duration = Duration::from_secs(60);

/// Runs that only stand behind parked ones do not move for so long.
const STILL: Duration = Duration::from_millis(2_500);

/// A run that was claimed so often without getting on, in the end alone, is given up at the next claim: it may be what
/// kills the gateway.
const CLAIMS_MAX: u32 = SUSPECT_AFTER + 3;

/// The whole of it.
pub(crate) struct Site {
    pub(crate) simulator: Simulator,
    pub(crate) gateway: Gateway,
    /// There if it is not the machine's own.
    pub(crate) disk: Option<Disk>,
    person: Person,
    http: reqwest::Client,
    lanes: Vec<Lane>,
    /// Events whose write was open at a kill.
    cut: BTreeSet<EventId>,
    /// How often in a row a run was claimed without getting on, at most.
    claims: HashMap<EventId, u32>,
    /// Whose answers were spoiled in a way that the log of requests does not show.
    pub(crate) spoiled: Spoiled,
}

/// Whose answers were spoiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoiled {
    /// Nobody's.
    Nobody,
    /// Those of the first event of every case.
    First,
    /// Anybody's.
    ByDice,
}

/// A case, a lane of it, and a place in that.
type Place = (usize, usize, usize);

/// Senders at work, and what trouble may be made with meanwhile.
pub(crate) struct Sending<'a, Load> {
    /// True when every event is acknowledged.
    pub(crate) load: Load,
    pub(crate) gateway: &'a mut Gateway,
    pub(crate) disk: Option<&'a Disk>,
}

impl Site {
    /// Everything is there; the gateway is not started yet.
    pub(crate) async fn new(with_disk: bool) -> Self {
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
        let disk = with_disk.then(|| Disk::of(&mut gateway));
        let mut lanes = Vec::new();
        for case in 0..CASES.len() {
            for number in 0..LANES {
                lanes.push(Lane::new(case, number, &person).await);
            }
        }
        Self {
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
            spoiled: Spoiled::Nobody,
        }
    }

    /// Adds events to the lanes, as many to each as is wanted for its case and number and as it has room for. Every
    /// third makes what a person has made already, by chance.
    pub(crate) async fn add_events(
        &mut self,
        random: &mut fastrand::Rng,
        mut wanted: impl FnMut(usize, usize, &mut fastrand::Rng) -> usize,
    ) {
        for lane in &mut self.lanes {
            for _ in 0..wanted(lane.case, lane.number, random) {
                if lane.has_room() {
                    let twin = random.u32(0..3) == 0;
                    lane.add(&self.person, twin).await;
                }
            }
        }
    }

    /// Sends what is not acknowledged, all lanes at once.
    pub(crate) fn send(&mut self) -> Sending<'_, impl Future<Output = bool>> {
        let hooks = self.gateway.hooks_url().to_owned();
        let http = &self.http;
        let lanes = self.lanes.iter_mut();
        let load = join_all(lanes.map(move |lane| {
            let hooks = hooks.clone();
            async move { lane.send(http, &hooks).await }
        }));
        Sending {
            load: async move { load.await.iter().all(|sent| *sent) },
            gateway: &mut self.gateway,
            disk: self.disk.as_ref(),
        }
    }

    /// Takes note of what a killed process has left, and opens a new lane for each that is parked now.
    pub(crate) async fn note_what_is_left(&mut self) {
        let left = census::unfinished(&self.gateway.path("data")).await;
        let mut of_event: HashMap<EventId, &Unfinished> = HashMap::new();
        for run in &left {
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

    /// Sends what is left, waits until nothing moves any more, and stops the gateway.
    pub(crate) async fn rest(&mut self) {
        let deadline = Instant::now() + REST_WITHIN;
        while !self.send().load.await {
            assert!(Instant::now() < deadline, "the gateway takes no events");
            sleep(Duration::from_millis(50)).await;
        }
        self.until_still().await;
        self.gateway.stop().await;
    }

    /// Waits until nothing moves any more, or for too long: what moves then is found by the judgement.
    pub(crate) async fn until_still(&self) {
        let deadline = Instant::now() + REST_WITHIN;
        let mut still_since = Instant::now();
        let mut queued_before = -1.0;
        while Instant::now() < deadline {
            let states = [RunState::Queued, RunState::Running, RunState::Waiting];
            let (unrouted, runs) = self.gateway.under_way(&states).await;
            let (queued, moving) = (runs[0], unrouted + runs[1] + runs[2]);
            if moving > 0.0 || queued != queued_before {
                still_since = Instant::now();
                queued_before = queued;
            }
            if moving == 0.0 && (queued == 0.0 || still_since.elapsed() > STILL) {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Judges what the stopped gateway has left and adds it up; answers every broken promise in words, and where
    /// everything is kept if there is one. `seed` names the place.
    pub(crate) async fn judge(&self, seed: u64, totals: &mut Totals) {
        let evidence = self.evidence().await;
        let broken = evidence.judge(totals);
        if broken.is_empty() {
            return;
        }
        let kept = self.keep(seed, &evidence);
        let at = format!("seed {seed}, kept in {}", kept.display());
        for promise in broken {
            let line = format!("{promise} ({at})");
            println!("BROKEN: {line}");
            totals.broken.push(line);
        }
    }

    /// Everything that the judgement needs, from the files, the world and the log of requests.
    async fn evidence(&self) -> Evidence {
        let (arrivals, unheard) = self.arrivals();
        let done = self.done();
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
                    done: done
                        .get(&(lane.case, lane.number, place))
                        .copied()
                        .unwrap_or(0),
                    made: (CASES[lane.case].made)(self.simulator.world(), &event.subject),
                    cut: id.is_some_and(|id| self.cut.contains(&id)),
                    unheard: self.unheard(&unheard, (lane.case, lane.number, place)),
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

    fn unheard(&self, seen: &BTreeSet<Place>, event: Place) -> Unheard {
        match self.spoiled {
            Spoiled::ByDice => Unheard::Perhaps,
            Spoiled::First if event.1 == 0 && event.2 == 1 => Unheard::Yes,
            _ if seen.contains(&event) => Unheard::Yes,
            _ => Unheard::No,
        }
    }

    /// The gateway's calls that name an event, in order, and the events to which one of them was not answered.
    fn arrivals(&self) -> (Vec<Arrival>, BTreeSet<Place>) {
        let things = self.things();
        let (mut arrivals, mut unheard) = (Vec::new(), BTreeSet::new());
        for request in self.simulator.requests() {
            let ours = request.user_id.as_deref() == Some(GATEWAY_USER);
            let text = format!("{} {:?} {}", request.path, request.query, request.body);
            let Some(arrival) = ours
                .then(|| arrival(&things, &request.method, &request.path, &text))
                .flatten()
            else {
                continue;
            };
            if proves_nothing(&request) && arrival.call == 0 {
                unheard.insert((arrival.case, arrival.lane, arrival.place));
            }
            arrivals.push(arrival);
        }
        (arrivals, unheard)
    }

    /// How often the first call of each event was carried out.
    fn done(&self) -> BTreeMap<Place, usize> {
        let things = self.things();
        let mut done = BTreeMap::new();
        for write in self.simulator.writes() {
            let text = format!("{} {:?} {}", write.path, write.query, write.body);
            if write.user_id == GATEWAY_USER
                && let Some(it) = arrival(&things, write.method.as_str(), &write.path, &text)
                && it.call == 0
            {
                *done.entry((it.case, it.lane, it.place)).or_default() += 1;
            }
        }
        done
    }

    /// The marks of the events by what a person has made for them.
    fn things(&self) -> HashMap<&str, &str> {
        let events = self.lanes.iter().flat_map(|lane| &lane.events);
        events
            .map(|event| (event.subject.thing.as_str(), event.subject.mark.as_str()))
            .filter(|(thing, _)| !thing.is_empty())
            .collect()
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

/// Which call of which event it is, if it names one.
fn arrival(things: &HashMap<&str, &str>, method: &str, path: &str, text: &str) -> Option<Arrival> {
    let by_thing = || {
        let mut ids = text.split(|c: char| !(c.is_ascii_hexdigit() || c == '-'));
        read_mark(ids.find_map(|id| things.get(id))?)
    };
    let (case, lane, place) = read_mark(text).or_else(by_thing)?;
    Some(Arrival {
        case,
        lane,
        place,
        call: CASES[case].call(method, path)?,
    })
}

/// Whether whoever sent it cannot know what became of it.
fn proves_nothing(request: &ReceivedRequest) -> bool {
    request
        .status
        .is_none_or(|status| status >= 500 || status == 408)
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
