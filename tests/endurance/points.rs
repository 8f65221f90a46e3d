//! One rule, killed once at every point: before and after each of its calls is carried out, while it sleeps, and at
//! every sync of its files. However it was killed, Iconik looks afterwards as it does when nothing happened.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cuegate::clock::SystemClock;
use cuegate::model::Method::{self, Patch, Post};
use cuegate::model::{Effect, RunState};
use cuegate::simulator::{Credential, HoldPoint, Matching, Seed, Simulator, SimulatorOptions};
use cuegate::store::Store as _;
use futures_util::stream::{self, StreamExt as _};
use libtest_mimic::Trial;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::disk::{Disk, copy_files};
use crate::gateway::{
    AUTH_TOKEN, GATEWAY_USER, Gateway, SECRET, SECRET_HEADER, eventually, webhook, within,
};
use crate::site::census;

const ASSET: &str = "2c5bfe1a-f149-11eb-a843-0a580a3db916";
const COLLECTION: &str = "33333333-cccc-4ccc-8ccc-000000000001";

/// How far the lists of Iconik are behind.
const INDEX_LAG: Duration = Duration::from_secs(1);

/// Places where a list knows of nothing that is new.
const NEVER: Duration = Duration::from_secs(3_600);

/// So many gateways at a time. Mostly they wait.
const TOGETHER: usize = 6;

/// More syncs than the rule has.
const MANY: u32 = 1_000;

/// Our own marks differ from run to run.
const MARKS: [&str; 2] = ["external_id", "cuegate"];

/// Four creates that are looked for in four ways, a change of what one of them has made, and a sleep.
const RULE: &str = r#"
rule(#{
    on:    ["assets/entity/create"],
    allow: ["assets:write", "collections:write", "jobs:write", "segments:write"],
    retry: #{ min: "50ms", max: "500ms" },
});

const COLLECTION = "33333333-cccc-4ccc-8ccc-000000000001";

fn run(event) {
    let asset = iconik::asset(event.asset_id);
    let job   = iconik::create_job(#{ "type": "CUSTOM", status: "STARTED", title: asset.title });
    asset.create_segment(#{
        segment_type: "MARKER", segment_text: asset.title,
        time_start_milliseconds: 0, time_end_milliseconds: 1000,
    });
    sleep("2s");
    let copy = iconik::post("assets/v1/assets/", #{ title: `${asset.title}, copy` });
    iconik::post(`assets/v1/collections/${COLLECTION}/contents/`, #{
        object_type: "assets", object_id: copy.id,
    });
    job.update(#{ status: "FINISHED", message: copy.title });
}
"#;

/// Its calls that change something.
const WRITES: [(Method, &str); 5] = [
    (Post, "jobs/v1/jobs/"),
    (Post, "assets/v1/assets/*/segments/"),
    (Post, "assets/v1/assets/"),
    (Post, "assets/v1/collections/*/contents/"),
    (Patch, "jobs/v1/jobs/*/"),
];

/// Where the gateway is killed.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// While a call is held.
    Call(usize, HoldPoint),
    /// While the run sleeps.
    Asleep,
    /// At this sync of its files, counted from the moment at which it is ready.
    Sync(u32),
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        crate::trial("every_point", killed_at_every_point),
        crate::trial(
            "every_point::a_look_up_that_does_not_find_what_is_there_is_noticed",
            wrong_look_ups_are_noticed,
        ),
    ]
}

async fn killed_at_every_point() {
    let (clean, syncs) = undisturbed().await;
    let calls = (0..WRITES.len())
        .flat_map(|call| [HoldPoint::Before, HoldPoint::After].map(|at| Point::Call(call, at)));
    let points: Vec<Point> = calls
        .chain([Point::Asleep])
        .chain((1..=syncs).map(Point::Sync))
        .collect();
    let count = points.len();
    let unsent: BTreeSet<usize> = stream::iter(points)
        .map(|point| {
            let clean = &clean;
            async move {
                let mut place = Place::new(INDEX_LAG).await;
                let unsent = place.play(Some(point)).await;
                let now = place.portrait();
                assert_eq!(&now, clean, "killed at {point:?}");
                unsent
            }
        })
        .buffer_unordered(TOGETHER)
        .filter_map(std::future::ready)
        .collect()
        .await;
    println!(
        "every point: {count} kills ({syncs} of them at a sync), the world is that of a run without one each time"
    );
    assert_eq!(
        unsent,
        (0..WRITES.len()).collect(),
        "every write was once found with a durable intent and never sent"
    );
}

/// Without this the trial above might compare nothing.
async fn wrong_look_ups_are_noticed() {
    let (clean, _) = undisturbed().await;
    let mut place = Place::new(NEVER).await;
    place.play(Some(Point::Call(0, HoldPoint::After))).await;
    assert_ne!(place.portrait(), clean);
    assert_eq!(place.simulator.world().jobs().len(), 2);
}

/// What a run leaves that nobody disturbs, and how many syncs it takes.
async fn undisturbed() -> (Vec<String>, u32) {
    let mut place = Place::new(INDEX_LAG).await;
    place.play(None).await;
    let syncs = place.syncs;
    let world = place.simulator.world();
    assert_eq!(world.jobs().len(), 1);
    assert_eq!(world.jobs()[0]["status"], "FINISHED");
    assert_eq!(world.segments(ASSET).len(), 1);
    assert_eq!(world.contents(COLLECTION).len(), 1);
    assert!(
        syncs > 2 * 5,
        "each of five writes has an intent and an answer"
    );
    (place.portrait(), syncs)
}

/// An Iconik and a gateway beside it.
struct Place {
    simulator: Simulator,
    gateway: Gateway,
    disk: Disk,
    http: reqwest::Client,
    /// How many syncs a run took that nobody disturbed.
    syncs: u32,
}

impl Place {
    async fn new(index_lag: Duration) -> Self {
        let seed: Seed = serde_json::from_value(json!({
            "assets": [{ "id": ASSET, "title": "Interview" }],
            "collections": [{ "id": COLLECTION, "title": "Copies" }],
        }))
        .expect("the seed has known keys");
        let options = SimulatorOptions {
            seed: Some(seed),
            credentials: vec![Credential::new("gateway-app", AUTH_TOKEN, GATEWAY_USER)],
            index_lag,
            ..SimulatorOptions::default()
        };
        let simulator = Simulator::start(options, Arc::new(SystemClock))
            .await
            .expect("the seed can be planted");
        let mut gateway = Gateway::new(&simulator, &[("flow.rhai", RULE)]);
        // A request may be on its way for some of it.
        gateway.replace("index_lag = \"1s\"", "index_lag = \"2s\"");
        let disk = Disk::of(&mut gateway);
        Self {
            simulator,
            gateway,
            disk,
            http: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a plain client can be built"),
            syncs: 0,
        }
    }

    fn portrait(&self) -> Vec<String> {
        self.simulator.world().portrait(&MARKS)
    }

    /// One event, one kill, and everything to its end. Answers the write whose intent the kill left durable although
    /// it was never sent, if there was one.
    async fn play(&mut self, point: Option<Point>) -> Option<usize> {
        let body = webhook("entity", "create", ASSET, &json!({ "id": ASSET }));
        self.gateway.start().await;
        let mut unsent = None;
        match point {
            None => {
                self.disk.kill_at_sync(MANY);
                assert!(self.send(&body).await);
            }
            Some(point) => {
                self.kill_at(point, &body).await;
                // The next process is to live, wherever this one died.
                self.disk.kill_at_sync(0);
                unsent = self.unsent().await;
                self.gateway.start().await;
            }
        }
        // The sender of an event that was not acknowledged sends it again.
        assert!(self.send(&body).await, "the gateway takes the event");
        self.gateway.until_runs(RunState::Succeeded, 1).await;
        self.gateway.until_quiet().await;
        let left = u32::try_from(self.disk.syncs_left());
        self.syncs = MANY.saturating_sub(left.expect("it has not run out"));
        self.gateway.stop().await;
        let runs = self.runs().await;
        assert_eq!(runs, [RunState::Succeeded], "{point:?}");
        unsent
    }

    async fn kill_at(&mut self, point: Point, body: &Value) {
        match point {
            Point::Call(call, at) => {
                let (method, path) = WRITES[call];
                let mut hold = self.simulator.hold(Matching::path(method, path), at);
                assert!(self.send(body).await);
                within("the rule makes its call", hold.held()).await;
                self.gateway.sigkill().await;
                hold.cut();
            }
            Point::Asleep => {
                assert!(self.send(body).await);
                self.gateway.until_runs(RunState::Waiting, 1).await;
                self.gateway.sigkill().await;
            }
            Point::Sync(number) => {
                self.disk.kill_at_sync(number);
                // The very sync that it waits for may be the one.
                self.send(body).await;
                self.until_killed_or_done().await;
                self.gateway.ended().await;
            }
        }
    }

    /// Commits are made together as it happens, so the run may be over before the last of the syncs that were counted.
    /// Then that is the point.
    async fn until_killed_or_done(&self) {
        let is_done = eventually("the gateway is killed, or the run is over", async || {
            if self.disk.syncs_left() <= 0 {
                return Some(false);
            }
            let succeeded = "cuegate_runs{state=\"succeeded\"}";
            let runs = self.gateway.metric_if_there(succeeded).await;
            runs.is_some_and(|runs| runs > 0.0).then_some(true)
        });
        if is_done.await {
            self.gateway.signal(Signal::KILL);
        }
    }

    /// Whether it was acknowledged.
    async fn send(&self, body: &Value) -> bool {
        let request = self
            .http
            .post(format!("{}/hooks/iconik", self.gateway.hooks_url()))
            .header(SECRET_HEADER, SECRET)
            .json(body);
        let answer = request.send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    }

    /// The write whose intent is durable and that has not reached Iconik.
    async fn unsent(&self) -> Option<usize> {
        let copy = tempfile::tempdir().expect("a temporary directory can be made");
        copy_files(&self.gateway.path("data"), copy.path()).expect("files can be copied");
        let store = census::open(copy.path()).await;
        let runs = census::runs(&store, &[]).await;
        let mut open = None;
        if let [run] = &runs[..] {
            (_, open) = store.journal(run.id).await.expect("it can be read");
        }
        store.close().await.expect("the copy can be closed");
        let Effect::Call(call) = open?.effect else {
            return None;
        };
        let is_it = |method: &str, path: &str| method == call.method.as_str() && path == call.path;
        let requests = self.simulator.requests();
        let mut requests = requests.iter();
        if requests.any(|request| is_it(&request.method, &request.path)) {
            return None;
        }
        WRITES
            .iter()
            .position(|(method, pattern)| *method == call.method && fits(pattern, &call.path))
    }

    /// The states of all runs in the files.
    async fn runs(&self) -> Vec<RunState> {
        let store = self.gateway.store().await;
        let runs = census::runs(&store, &[]).await;
        store.close().await.expect("nothing is left to write");
        runs.iter().map(|run| run.state).collect()
    }
}

fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<_>, Vec<_>) =
        (pattern.split('/').collect(), path.split('/').collect());
    let mut parts = pattern.iter().zip(&path);
    pattern.len() == path.len() && parts.all(|(part, it)| *part == "*" || part == it)
}
