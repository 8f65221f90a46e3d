//! A gateway without listeners over a simulated Iconik, spoken to over HTTP. Both share one clock, so that the lag of
//! the index passes when a test says so.

use std::sync::Arc;
use std::time::Duration;

use cuegate::clock::{Clock, SharedClock};
use cuegate::config;
use cuegate::iconik::IconikClient;
use cuegate::model::{Call, Method, RuleHeader, RunId, RunState, Secret};
use cuegate::runner::{Options, Runner};
use cuegate::simulator::{
    Credential, DEFAULT_USER, Matching, Seed, Simulator, SimulatorOptions, Trouble,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::samples::{call, rule};
use super::world::World;

/// How far the index is behind, and how long the gateway waits for it.
pub(super) const LAG: u64 = 90;

/// Somebody else.
pub(super) const SOMEBODY: &str = "22222222-bbbb-4bbb-8bbb-000000000002";

/// What is there from the start.
pub(super) const ASSET: &str = "33333333-cccc-4ccc-8ccc-000000000001";
pub(super) const OTHER_ASSET: &str = "33333333-cccc-4ccc-8ccc-000000000002";
pub(super) const COLLECTION: &str = "44444444-dddd-4ddd-8ddd-000000000001";

/// Iconik's clock.
#[derive(Debug)]
struct Behind {
    clock: SharedClock,
    by: Duration,
}

impl Clock for Behind {
    fn now(&self) -> Timestamp {
        self.clock.now() - self.by
    }
}

/// A gateway, an Iconik, and who else uses it.
pub(super) struct Simulated {
    pub(super) world: World,
    pub(super) iconik: Simulator,
    /// Whom the gateway acts as, and somebody else.
    ours: Arc<IconikClient>,
    theirs: IconikClient,
    runner: Runner,
}

impl Simulated {
    /// One rule that makes these calls one after the other.
    pub(super) async fn calling(calls: Vec<Call>) -> Self {
        let simulated = Self::under(vec![able("a")]).await;
        simulated.world.rules.calls("a", calls);
        simulated
    }

    /// The same over an Iconik whose clock is so far behind ours.
    pub(super) async fn behind(by: Duration, calls: Vec<Call>) -> Self {
        let simulated = Self::under_clocks(vec![able("a")], by).await;
        simulated.world.rules.calls("a", calls);
        simulated
    }

    pub(super) async fn under(rules: Vec<RuleHeader>) -> Self {
        Self::under_clocks(rules, Duration::ZERO).await
    }

    async fn under_clocks(rules: Vec<RuleHeader>, behind: Duration) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let world = World::under(rules).await;
        let options = SimulatorOptions {
            index_lag: Duration::from_secs(LAG),
            credentials: vec![
                Credential::demo(),
                Credential::new("somebody", "somebody", SOMEBODY),
            ],
            rate_limit: None,
            seed: Some(seed()),
            ..SimulatorOptions::default()
        };
        let clock = Behind {
            clock: world.clock.clone(),
            by: behind,
        };
        let iconik = Simulator::start(options, Arc::new(clock)).await.unwrap();
        let ours = Arc::new(client(&iconik, &world, "demo"));
        let theirs = client(&iconik, &world, "somebody");
        let runner = runner(&world, &ours);
        Self {
            world,
            iconik,
            ours,
            theirs,
            runner,
        }
    }

    /// Ends the gateway as a crash does, and starts it again.
    pub(super) async fn restart(&mut self) {
        self.world.restart().await;
        self.runner = runner(&self.world, &self.ours);
    }

    /// Another runner over the same, to be stopped in the middle.
    pub(super) fn another_runner(&self) -> Runner {
        runner(&self.world, &self.ours)
    }

    /// One round; how many runs were claimed.
    pub(super) async fn step(&self) -> usize {
        self.runner.step().await.unwrap()
    }

    /// Lets time pass, then one round.
    pub(super) async fn after(&self, seconds: u64) -> usize {
        self.world.pass(seconds);
        self.step().await
    }

    /// The next request like this goes wrong.
    pub(super) fn trouble(&self, method: Method, path: &str, trouble: Trouble) {
        self.iconik.fault(Matching::path(method, path), 1, trouble);
    }

    /// Somebody else makes this call.
    pub(super) async fn somebody(&self, call: &Call) -> Value {
        self.theirs.send(call).await.unwrap().body
    }

    /// Our own user makes this call, by other means than a rule.
    pub(super) async fn ourselves(&self, call: &Call) -> Value {
        self.ours.send(call).await.unwrap().body
    }

    pub(super) async fn state(&self, run: RunId) -> RunState {
        self.world.look(run).await.state
    }

    /// How often a request like this has arrived.
    pub(super) fn requests(&self, method: Method, path: &str) -> usize {
        let all = self.iconik.requests();
        let alike = all
            .iter()
            .filter(|request| request.method == method.as_str() && request.path.ends_with(path));
        alike.count()
    }

    /// The remarks of a run.
    pub(super) async fn remarks(&self, run: RunId) -> String {
        let trace = self.world.store.trace(run).await.unwrap();
        let texts: Vec<_> = trace.remarks.into_iter().map(|it| it.text).collect();
        texts.join("\n")
    }
}

/// A rule that may do all that the tests do.
pub(super) fn able(id: &str) -> RuleHeader {
    let mut able = rule(id);
    able.allow.extend(
        [
            "collections:write",
            "segments:write",
            "files:write",
            "metadata:write",
        ]
        .map(str::to_owned),
    );
    able
}

/// A write with a body.
pub(super) fn write(method: Method, path: &str, body: Value) -> Call {
    let mut call = call(method, path);
    call.body = Some(body);
    call
}

fn runner(world: &World, client: &Arc<IconikClient>) -> Runner {
    let options = Options {
        index_lag: Duration::from_secs(LAG),
        ..Options::default()
    };
    Runner::new(
        world.store.clone(),
        world.rules.clone(),
        client.clone(),
        world.clock.clone(),
        world.quarantine.clone(),
        options,
    )
}

fn client(iconik: &Simulator, world: &World, who: &str) -> IconikClient {
    let config = config::Iconik {
        base_url: iconik.base_url(),
        app_id: who.to_owned(),
        auth_token: Secret::new(who),
        rate: config::Rate {
            per_second: 10_000,
            per_20s: 200_000,
        },
        ..config::Iconik::default()
    };
    IconikClient::new(&config, world.clock.clone()).unwrap()
}

fn seed() -> Seed {
    serde_json::from_value(json!({
        "users": [{ "id": DEFAULT_USER, "email": "gateway@example.com" }],
        "assets": [{ "id": ASSET, "title": "Interview" }, { "id": OTHER_ASSET, "title": "Cut" }],
        "collections": [{ "id": COLLECTION, "title": "Shelf" }],
    }))
    .unwrap()
}
