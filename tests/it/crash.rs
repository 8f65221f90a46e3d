//! What survives `kill -9`: the promises of the journal, kept by the real process.
//!
//! The simulator holds a request, the gateway is killed, the request is cut off where it was held; what the next
//! process does is told by the requests that it sends and by the files that it leaves.

use cuegate::model::{EventId, Method, Run, RunState};
use cuegate::simulator::{HoldPoint, Matching, Simulator};
use cuegate::store::{RunFilter, Store as _};
use serde_json::{Value, json};

use super::gateway::{GATEWAY_USER, Gateway, simulated, webhook, within};

const ASSET: &str = "2c5bfe1a-f149-11eb-a843-0a580a3db916";
const VIEW: &str = "22222222-bbbb-4bbb-8bbb-000000000001";

fn seed() -> Value {
    json!({
        "assets": [{ "id": ASSET, "title": "Interview" }],
        "fields": [{ "name": "keywords", "label": "Keywords", "field_type": "tag_cloud", "multi": true }],
        "views": [{ "id": VIEW, "name": "Operations", "view_fields": [{ "name": "keywords" }] }],
    })
}

fn arrival() -> Value {
    webhook("entity", "create", ASSET, &json!({ "id": ASSET }))
}

/// A rule that reads its asset once and then does this.
fn rule(allow: &str, write: &str) -> String {
    format!(
        "rule(#{{ on: [\"assets/entity/create\"], allow: [\"{allow}\"] }});\n\
         fn run(event) {{\n    let asset = iconik::asset(event.asset_id);\n    {write}\n}}\n"
    )
}

/// How many requests of this kind the gateway has made.
fn made(simulator: &Simulator, method: &str, path: &str) -> usize {
    let requests = simulator.requests();
    requests
        .iter()
        .filter(|request| request.user_id.as_deref() == Some(GATEWAY_USER))
        .filter(|request| request.method == method && request.path == path)
        .count()
}

/// One write of a rule that is under way when the gateway is killed.
struct Killed {
    simulator: Simulator,
    gateway: Gateway,
    event: EventId,
    method: Method,
    path: String,
}

impl Killed {
    /// Kills the gateway while its first request of this method to this path is held, then starts it again.
    async fn at(point: HoldPoint, method: Method, path: &str, rule: &str) -> Self {
        let simulator = simulated(seed()).await;
        let mut gateway = Gateway::started(&simulator, &[("rule.rhai", rule)]).await;
        let mut write = simulator.hold(Matching::path(method, path), point);
        let event = gateway.accepted(&arrival(), &[]).await;
        within("the rule writes", write.held()).await;
        gateway.sigkill().await;
        write.cut();
        gateway.start().await;
        Self {
            simulator,
            gateway,
            event,
            method,
            path: path.to_owned(),
        }
    }

    fn sent(&self) -> usize {
        made(&self.simulator, self.method.as_str(), &self.path)
    }

    /// Waits until the run is in the state, then stops the gateway; answers the run.
    async fn ends(&mut self, state: RunState) -> Run {
        self.gateway.until_runs(state, 1).await;
        self.gateway.stop().await;
        let (_, mut runs) = self.gateway.stored(self.event).await;
        assert_eq!(runs.len(), 1, "{runs:?}");
        let reads = format!("assets/v1/assets/{ASSET}/");
        let read = made(&self.simulator, "GET", &reads);
        assert_eq!(
            read, 1,
            "what was answered before the kill is not asked again"
        );
        runs.remove(0)
    }

    /// The write was repeated and the run has succeeded.
    async fn expect_repeated(mut self) -> Simulator {
        let run = self.ends(RunState::Succeeded).await;
        assert_eq!(run.failure, None);
        assert_eq!(self.sent(), 2, "the first was cut off, the second answered");
        self.simulator
    }

    /// The write was looked for and found, and the run has succeeded with what was found.
    async fn expect_found(mut self) -> Simulator {
        let run = self.ends(RunState::Succeeded).await;
        assert_eq!(run.failure, None);
        assert_eq!(self.sent(), 1, "what is there is not made again");
        self.simulator
    }

    /// The write was not repeated and the run waits for a person, in the store, with a reason.
    async fn expect_parked(mut self) -> Simulator {
        let run = self.ends(RunState::Parked).await;
        assert_eq!(self.sent(), 1, "nobody knows whether it happened");
        let store = self.gateway.store().await;
        let parked = RunFilter {
            states: vec![RunState::Parked],
            ..RunFilter::default()
        };
        let listed = store.runs(parked).await.expect("runs can be listed");
        let (_, open) = store.journal(run.id).await.expect("it can be read");
        store.close().await.expect("nothing is left to write");
        assert_eq!(listed, std::slice::from_ref(&run));
        assert!(open.is_some(), "the doubtful write is kept with the run");
        let reason = run.reason.expect("a parked run says why");
        let call = format!("{} {}", self.method, self.path);
        assert!(reason.contains(&call), "{reason}");
        assert!(reason.contains("may or may not have happened"), "{reason}");
        self.simulator
    }
}

#[tokio::test]
async fn a_kill_between_the_answer_and_the_first_intent_loses_nothing_and_repeats_nothing() {
    let simulator = simulated(seed()).await;
    let rename = rule(
        "assets:write",
        "iconik::put(`assets/v1/assets/${event.asset_id}/`, #{ title: `${asset.title}!` });",
    );
    let mut gateway = Gateway::started(&simulator, &[("rename.rhai", &rename)]).await;
    let path = format!("assets/v1/assets/{ASSET}/");
    let mut read = simulator.hold(Matching::path(Method::Get, &path), HoldPoint::Before);
    let event = gateway.accepted(&arrival(), &[]).await;
    within("the rule reads its asset", read.held()).await;
    gateway.sigkill().await;
    read.cut();
    assert_eq!(made(&simulator, "PUT", &path), 0);

    gateway.start().await;
    gateway.until_runs(RunState::Succeeded, 1).await;
    gateway.stop().await;
    let (_, runs) = gateway.stored(event).await;
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!(made(&simulator, "PUT", &path), 1);
    assert_eq!(
        simulator.world().asset(ASSET).unwrap()["title"],
        "Interview!"
    );
}

#[tokio::test]
async fn every_event_that_was_answered_before_a_kill_has_its_run_after_it() {
    const EVENTS: u32 = 20;
    let simulator = simulated(seed()).await;
    let job = rule(
        "jobs:write",
        "iconik::create_job(#{ \"type\": \"CUSTOM\", status: \"STARTED\", title: event.request_id });",
    );
    let mut gateway = Gateway::started(&simulator, &[("job.rhai", &job)]).await;
    let mut read = simulator.hold(Matching::prefix(Method::Get, "assets/"), HoldPoint::Before);
    for _ in 0..EVENTS {
        gateway.accepted(&arrival(), &[]).await;
    }
    within("the first run has begun", read.held()).await;
    gateway.sigkill().await;
    read.cut();

    gateway.start().await;
    gateway.until_runs(RunState::Succeeded, EVENTS).await;
    gateway.until_quiet().await;
    gateway.stop().await;
    let titles: std::collections::BTreeSet<String> = simulator
        .world()
        .jobs()
        .iter()
        .map(|job| job["title"].to_string())
        .collect();
    assert_eq!(simulator.world().jobs().len(), titles.len(), "none twice");
    assert_eq!(
        u32::try_from(titles.len()),
        Ok(EVENTS),
        "one for each event"
    );
}

/// The idempotent PUT of an asset's title.
async fn rename_killed_at(point: HoldPoint) {
    let path = format!("assets/v1/assets/{ASSET}/");
    let rename = rule(
        "assets:write",
        "iconik::put(`assets/v1/assets/${event.asset_id}/`, #{ title: `${asset.title}!` });",
    );
    let simulator = Killed::at(point, Method::Put, &path, &rename)
        .await
        .expect_repeated()
        .await;
    let asset = simulator.world().asset(ASSET).expect("it is there");
    assert_eq!(asset["title"], "Interview!");
}

#[tokio::test]
async fn a_put_that_did_not_happen_expect_repeated_after_a_kill() {
    rename_killed_at(HoldPoint::Before).await;
}

#[tokio::test]
async fn a_put_that_happened_unheard_expect_repeated_after_a_kill_and_the_world_is_right() {
    rename_killed_at(HoldPoint::After).await;
}

async fn trash_killed_at(point: HoldPoint) {
    let path = format!("assets/v1/assets/{ASSET}/");
    let trash = rule("assets:delete", "asset.trash();");
    let simulator = Killed::at(point, Method::Delete, &path, &trash)
        .await
        .expect_repeated()
        .await;
    let asset = simulator.world().asset(ASSET).expect("it is in the trash");
    assert_eq!(asset["status"], "DELETED");
}

#[tokio::test]
async fn a_delete_that_did_not_happen_expect_repeated_after_a_kill() {
    trash_killed_at(HoldPoint::Before).await;
}

#[tokio::test]
async fn a_delete_that_happened_unheard_counts_as_done_after_a_kill() {
    trash_killed_at(HoldPoint::After).await;
}

async fn job_killed_at(point: HoldPoint) -> usize {
    let job = rule(
        "jobs:write",
        "iconik::create_job(#{ \"type\": \"CUSTOM\", status: \"STARTED\", title: asset.title });",
    );
    let killed = Killed::at(point, Method::Post, "jobs/v1/jobs/", &job).await;
    let simulator = match point {
        HoldPoint::Before => killed.expect_repeated().await,
        HoldPoint::After => killed.expect_found().await,
    };
    simulator.world().jobs().len()
}

#[tokio::test]
async fn a_job_that_was_not_made_is_made_after_a_kill() {
    assert_eq!(job_killed_at(HoldPoint::Before).await, 1);
}

#[tokio::test]
async fn a_job_that_was_made_unheard_is_found_after_a_kill_and_not_made_again() {
    assert_eq!(job_killed_at(HoldPoint::After).await, 1);
}

async fn segment_killed_at(point: HoldPoint) -> usize {
    let path = format!("assets/v1/assets/{ASSET}/segments/");
    let segment = rule(
        "segments:write",
        "iconik::post(`assets/v1/assets/${event.asset_id}/segments/`, #{
             segment_type: \"MARKER\", time_start_milliseconds: 0, time_end_milliseconds: 1000,
         });",
    );
    let killed = Killed::at(point, Method::Post, &path, &segment).await;
    let simulator = match point {
        HoldPoint::Before => killed.expect_repeated().await,
        HoldPoint::After => killed.expect_found().await,
    };
    simulator.world().segments(ASSET).len()
}

#[tokio::test]
async fn a_segment_that_was_not_made_is_made_after_a_kill() {
    assert_eq!(segment_killed_at(HoldPoint::Before).await, 1);
}

#[tokio::test]
async fn a_segment_that_was_made_unheard_is_found_after_a_kill_and_not_made_again() {
    assert_eq!(segment_killed_at(HoldPoint::After).await, 1);
}

/// Appending a keyword acts on what is there: a repetition would append it twice.
async fn append_killed_at(point: HoldPoint) -> usize {
    let path = format!("metadata/v1/assets/{ASSET}/views/{VIEW}/");
    let append = rule(
        "metadata:write",
        "asset.append_metadata(\"Operations\", #{ keywords: [\"news\"] });",
    );
    let simulator = Killed::at(point, Method::Put, &path, &append)
        .await
        .expect_parked()
        .await;
    let metadata = simulator.world().metadata("assets", ASSET);
    metadata.get("keywords").map_or(0, Vec::len)
}

#[tokio::test]
async fn a_keyword_that_was_not_appended_is_left_to_a_person_after_a_kill() {
    assert_eq!(append_killed_at(HoldPoint::Before).await, 0);
}

#[tokio::test]
async fn a_keyword_that_was_appended_unheard_is_not_appended_again_after_a_kill() {
    assert_eq!(append_killed_at(HoldPoint::After).await, 1);
}

#[tokio::test]
async fn a_finished_write_is_not_repeated_when_the_next_one_is_killed() {
    let two = rule(
        "jobs:write",
        "let made = iconik::create_job(#{ \"type\": \"CUSTOM\", status: \"STARTED\", title: \"one\" });
         iconik::patch(`jobs/v1/jobs/${made.id}/`, #{ title: \"two\" });",
    );
    let simulator = Killed::at(HoldPoint::After, Method::Patch, "jobs/v1/jobs/*/", &two).await;
    let mut killed = simulator;
    let run = killed.ends(RunState::Succeeded).await;
    assert_eq!(run.failure, None);
    assert_eq!(made(&killed.simulator, "POST", "jobs/v1/jobs/"), 1);
    let jobs = killed.simulator.world().jobs();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    assert_eq!(jobs[0]["title"], "two");
}
