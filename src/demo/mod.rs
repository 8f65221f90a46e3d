//! A working day in one process: the simulator, the gateway, the shipped rules, and a person who works.
//!
//! The person acts over HTTP as people and Iconik do, and what the rules did is asked of the simulator over
//! HTTP as well, so that the demo proves the whole path and not itself.

mod expectations;
mod narrator;
mod night;
mod person;
mod story;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::app::{App, Parts, RulesAt, RulesLoaded, StartError};
use crate::clock::{Clock as _, SharedClock};
use crate::config::{Config, Source, Verify};
use crate::model::{RuleFile, RuleHeader, RunState, Secret, Timetable};
use crate::runner::Timers;
use crate::simulator::{Credential, Seed, Simulator, SimulatorOptions};
use crate::store::{Change, Counts, StoreError};

pub use expectations::Expectation;
pub use narrator::Happening;
use narrator::Narrator;
use night::DemoClock;
use person::{Person, PersonError};

const GATEWAY_USER: &str = "11111111-aaaa-4aaa-8aaa-000000000001";
const PERSON_USER: &str = "11111111-aaaa-4aaa-8aaa-000000000002";
const SEED: &str = include_str!("seed.json");
/// The longest that the gateway may take over one thing that the person did.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many happenings may wait to be told; further ones are counted and not told.
const TOLD_MAX: usize = 10_000;

/// The rules that the binary carries, for a start outside the project's directory.
pub fn shipped_rules() -> Vec<RuleFile> {
    macro_rules! shipped {
        ($($name:literal),* $(,)?) => {
            vec![$(RuleFile {
                path: $name.to_owned(),
                source: include_str!(concat!("../../rules/", $name)).to_owned(),
            }),*]
        };
    }
    shipped![
        "campaign_from_collection.rhai",
        "expired_to_trash.rhai",
        "release_button.rhai",
        "subclip_from_marker.rhai",
        "tag_on_arrival.rhai",
    ]
}

/// What the demo is made from.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The program that sandbox workers are made from.
    pub program: PathBuf,
    /// The rules.
    pub rules: Vec<RuleFile>,
    /// Where the time comes from, as long as it is day.
    pub clock: SharedClock,
}

/// Why the day could not be played.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The simulator cannot start.
    #[error("the simulator cannot start: {0}")]
    Simulator(#[from] std::io::Error),
    /// The gateway cannot start.
    #[error("{0}")]
    Start(#[from] StartError),
    /// The rules do not load.
    #[error("{0}")]
    Rules(String),
    /// Something that a person does in Iconik did not work.
    #[error("{0}")]
    Person(#[from] PersonError),
    /// The store failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The gateway did not come to rest.
    #[error("the gateway was still busy {PATIENCE:?} after {0}")]
    Busy(&'static str),
}

/// How the day went.
#[derive(Debug)]
pub struct Summary {
    /// Every effect that was expected, and whether it was seen on the simulator.
    pub expectations: Vec<Expectation>,
    /// What is in the store at the end.
    pub counts: Counts,
    /// Requests that the gateway made of the simulator: reads and writes.
    pub requests: (usize, usize),
}

impl Summary {
    /// Whether every expected effect happened.
    pub fn is_complete(&self) -> bool {
        self.expectations.iter().all(|expectation| expectation.seen)
    }

    /// How many runs are in a state.
    pub fn runs(&self, state: RunState) -> u64 {
        self.counts
            .runs
            .iter()
            .filter(|(known, _)| *known == state)
            .map(|(_, count)| count)
            .sum()
    }
}

/// Simulator and gateway, running.
#[derive(Debug)]
pub struct Demo {
    simulator: Simulator,
    person: Person,
    hooks: SocketAddr,
    admin: SocketAddr,
    rest: Rest,
    clock: Arc<DemoClock>,
    narrator: Arc<Narrator>,
    rules: Vec<RuleHeader>,
    stop: oneshot::Sender<()>,
    app: tokio::task::JoinHandle<()>,
    /// Keeps the store's directory until the end.
    _scratch: tempfile::TempDir,
}

/// Knows when nothing is under way any more.
#[derive(Debug)]
struct Rest {
    store: Arc<dyn crate::store::Store>,
}

impl Demo {
    /// Starts both on loopback with a store that is gone afterwards, and registers webhooks and button. What
    /// happens is told over the channel.
    ///
    /// # Errors
    ///
    /// When a part cannot start or the rules do not load.
    pub async fn start(setting: Setting) -> Result<(Self, mpsc::Receiver<Happening>), DemoError> {
        let seed: Seed = serde_json::from_str(SEED)
            .map_err(|e| std::io::Error::other(format!("the demo's seed: {e}")))?;
        let gateway = Credential::new(
            "gateway-app",
            uuid::Uuid::new_v4().to_string(),
            GATEWAY_USER,
        );
        let editor = Credential::new("editor-app", uuid::Uuid::new_v4().to_string(), PERSON_USER);
        let options = SimulatorOptions {
            seed: Some(seed),
            credentials: vec![gateway.clone(), editor.clone()],
            // What the day has brought is counted at its end, from lists.
            index_lag: Duration::ZERO,
            ..SimulatorOptions::default()
        };
        let clock = Arc::new(DemoClock::like(setting.clock));
        let simulator = Simulator::start(options, clock.clone()).await?;
        let scratch = tempfile::tempdir()?;
        let secret = Secret::new(uuid::Uuid::new_v4().to_string());
        let config = config(&simulator, &gateway, &secret, &scratch);
        let (narrator, told) = Narrator::new(TOLD_MAX);
        let narrator = Arc::new(narrator);
        let parts = Parts {
            program: setting.program,
            clock: clock.clone(),
            rules: RulesAt::Files(setting.rules),
            observer: narrator.clone(),
            timers: Timers::Real,
        };
        let app = App::build(config, &parts).await?;
        if let RulesLoaded::LastGood(error) | RulesLoaded::None(error) =
            app.gateway().rules_loaded()
        {
            return Err(DemoError::Rules(error.to_string()));
        }
        let (hooks, admin) = (app.hooks_addr(), app.admin_addr());
        let rest = Rest {
            store: app.gateway().store(),
        };
        let rules = rest
            .store
            .active_rule_set()
            .await?
            .map(|set| set.rules)
            .unwrap_or_default();
        let (stop, stopped) = oneshot::channel::<()>();
        let app = tokio::spawn(async move {
            let (_ask, asked) = mpsc::channel(1);
            // A sender that is gone asks to stop as well.
            app.run(asked, async { drop(stopped.await) }).await;
        });
        let person = Person::new(&simulator.base_url(), &editor)?;
        person.register(&rules, hooks, &secret).await?;
        Ok((
            Self {
                simulator,
                person,
                hooks,
                admin,
                rest,
                clock,
                narrator,
                rules,
                stop,
                app,
                _scratch: scratch,
            },
            told,
        ))
    }

    /// Plays the day and asks the simulator what came of it.
    ///
    /// # Errors
    ///
    /// When something a person does fails, or the gateway does not come to rest.
    pub async fn play(&self) -> Result<Summary, DemoError> {
        let day = story::play(self).await?;
        let expectations = expectations::look(&self.person, &day).await?;
        let made = self.simulator.requests();
        let by_gateway = made
            .iter()
            .filter(|request| request.user_id.as_deref() == Some(GATEWAY_USER));
        let (reads, writes): (Vec<_>, Vec<_>) =
            by_gateway.partition(|request| request.method == "GET");
        Ok(Summary {
            expectations,
            counts: self.rest.store.counts().await?,
            requests: (reads.len(), writes.len()),
        })
    }

    /// Where the gateway receives hooks, where operators look, and where the simulator answers.
    pub fn addresses(&self) -> (SocketAddr, SocketAddr, String) {
        (self.hooks, self.admin, self.simulator.base_url())
    }

    /// Stops the gateway in order, then the simulator.
    pub async fn stop(self) {
        // The gateway may have stopped by itself.
        let _ = self.stop.send(());
        let _ = self.app.await;
        self.simulator.stop().await;
    }

    /// Puts the clock forward to the next time of a schedule, and waits for what it sets off.
    async fn pass_the_night(&self) -> Result<(), DemoError> {
        const AFTER: &str = "the clock was put forward";
        let now = self.clock.now();
        let due = self.rules.iter().filter_map(|rule| {
            let timetable = Timetable::of(rule.schedule.as_ref()?).ok()?;
            Some((timetable.next_after(now)?, &rule.rule))
        });
        let Some((at, rule)) = due.min() else {
            return Ok(());
        };
        self.narrator.tell(Happening::Forward {
            to: at,
            rule: rule.clone(),
        });
        self.clock.forward_to(at);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let looked_at = self.rest.store.schedules().await?;
            // It is kept only after the event is stored.
            if looked_at
                .iter()
                .any(|one| one.rule == *rule && one.at >= at)
            {
                return self.settle(AFTER).await;
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(DemoError::Busy(AFTER));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until every event is delivered and routed and no run is under way.
    async fn settle(&self, after: &'static str) -> Result<(), DemoError> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let changed = self
                .rest
                .store
                .changed(Change::Claimable, Duration::from_millis(20));
            let counts = self.rest.store.counts().await?;
            let under_way = [RunState::Queued, RunState::Running, RunState::Waiting];
            let busy = counts
                .runs
                .iter()
                .any(|(state, count)| under_way.contains(state) && *count > 0);
            // Looked at last: a run that has ended delivers nothing any more.
            if counts.unrouted == 0
                && !busy
                && self.simulator.undelivered() == 0
                && self.unchanged(&counts).await?
            {
                return Ok(());
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(DemoError::Busy(after));
            }
            changed.await;
        }
    }

    /// Whether nothing came in between looking at the store and looking at the deliveries.
    async fn unchanged(&self, before: &Counts) -> Result<bool, DemoError> {
        Ok(self.rest.store.counts().await? == *before)
    }
}

fn config(
    simulator: &Simulator,
    gateway: &Credential,
    secret: &Secret,
    scratch: &tempfile::TempDir,
) -> Config {
    let mut config = Config::default();
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.server.listen = anywhere;
    config.server.admin_listen = anywhere;
    config.server.drain = Duration::from_secs(5);
    config.store.path = scratch.path().join("cuegate.db");
    config.iconik.base_url = simulator.base_url();
    config.iconik.app_id.clone_from(&gateway.app_id);
    config.iconik.auth_token = gateway.auth_token.clone();
    let verify = Verify::Header {
        header: person::SECRET_HEADER.to_owned(),
        secrets: vec![secret.clone()],
    };
    config.sources.insert(
        "iconik".to_owned(),
        Source::new(verify, Duration::from_secs(86_400)),
    );
    config
}
