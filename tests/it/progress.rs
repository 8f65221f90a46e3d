//! Jobs that show how runs are getting on, in the real gateway: what they say at every end, that no kill makes a second one,
//! and that Abort reaches the run.

use cuegate::model::{Run, RunState};
use cuegate::simulator::Simulator;
use cuegate::store::{RunFilter, Store as _};
use serde_json::{Value, json};

use super::gateway::{AUTH_TOKEN, Gateway, eventually, simulated, webhook};

const ASSETS: [&str; 3] = [
    "33333333-cccc-4ccc-8ccc-000000000001",
    "33333333-cccc-4ccc-8ccc-000000000002",
    "33333333-cccc-4ccc-8ccc-000000000003",
];

/// The assets, the second of which has a title of its own.
async fn world() -> Simulator {
    let assets = ASSETS.iter().zip(["One", "Odd", "Three"]);
    let assets: Vec<Value> = assets
        .map(|(id, title)| json!({ "id": id, "title": title }))
        .collect();
    simulated(json!({ "assets": assets })).await
}

/// A gateway with one rule that shows its progress, and looks after its jobs often.
fn gateway(simulator: &Simulator, body: &str) -> Gateway {
    let rule = format!(
        "rule(#{{ on: [\"assets/entity/create\"], progress: \"Check the rights\", allow: [\"jobs:write\"] }});\n{body}"
    );
    let gateway = Gateway::new(simulator, &[("check.rhai", &rule)]);
    gateway.replace(
        "index_lag = \"1s\"",
        "index_lag = \"1s\"\njob_poll = \"1s\"",
    );
    gateway
}

const EACH: &str = r#"
fn each(event) {
    ["33333333-cccc-4ccc-8ccc-000000000001", "33333333-cccc-4ccc-8ccc-000000000002", "33333333-cccc-4ccc-8ccc-000000000003"]
}
"#;

/// Waits for another event.
const WAITS: &str = "fn run(event) { wait_for(\"assets/entity/update\", #{}, \"1h\"); }";

async fn posted(gateway: &Gateway) {
    let body = webhook("entity", "create", ASSETS[0], &json!({}));
    gateway.accepted(&body, &[]).await;
}

/// How many jobs were made.
fn made(simulator: &Simulator) -> usize {
    let requests = simulator.requests().into_iter();
    requests
        .filter(|request| request.method == "POST" && request.path == "jobs/v1/jobs/")
        .count()
}

/// The job as Iconik shows it, once there is one.
async fn job(simulator: &Simulator) -> Option<Value> {
    let list = iconik(simulator, reqwest::Method::GET, "jobs/v1/jobs/", None).await;
    list["objects"].as_array()?.first().cloned()
}

async fn iconik(
    simulator: &Simulator,
    method: reqwest::Method,
    path: &str,
    body: Option<Value>,
) -> Value {
    let url = format!("{}/{path}", simulator.base_url());
    let mut request = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a plain client can be built")
        .request(method, url)
        .header("App-ID", "gateway-app")
        .header("Auth-Token", AUTH_TOKEN);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.expect("the simulator answers");
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer.json().await.unwrap_or(Value::Null)
}

/// The job, once it has this status.
async fn job_with(simulator: &Simulator, status: &str) -> Value {
    let what = format!("the job to be {status}");
    eventually(&what, async || {
        let job = job(simulator).await?;
        (job["status"] == status).then_some(job)
    })
    .await
}

async fn abort(simulator: &Simulator, job: &Value) {
    let body = json!({ "job_ids": [job["id"]], "action": "ABORT" });
    iconik(
        simulator,
        reqwest::Method::PUT,
        "jobs/v1/jobs/state/",
        Some(body),
    )
    .await;
}

async fn runs(gateway: &mut Gateway) -> Vec<Run> {
    gateway.stop().await;
    let store = gateway.store().await;
    store
        .runs(RunFilter::default())
        .await
        .expect("the store can be read")
}

#[tokio::test]
async fn a_run_that_succeeds_and_one_that_dies_say_so_in_their_job() {
    for (body, status, message) in [
        ("fn run(event) { }", "FINISHED", None),
        (
            "fn run(event) { skip(\"nothing to do\"); }",
            "FINISHED",
            Some(("message", "nothing to do")),
        ),
        (
            "fn run(event) { fail(\"no rights\"); }",
            "FAILED",
            Some(("error_message", "no rights")),
        ),
    ] {
        let simulator = world().await;
        let mut gateway = gateway(&simulator, body);
        gateway.start().await;
        posted(&gateway).await;
        let job = job_with(&simulator, status).await;
        assert_eq!(job["title"], "Check the rights");
        assert_eq!(
            (&job["object_type"], &job["object_id"]),
            (&json!("assets"), &json!(ASSETS[0]))
        );
        if let Some((key, text)) = message {
            assert!(
                job[key].as_str().is_some_and(|it| it.contains(text)),
                "{job}"
            );
        }
    }
}

#[tokio::test]
async fn the_job_of_each_counts_the_objects_and_warns_of_those_that_failed() {
    let simulator = world().await;
    let body = format!(
        "{EACH}fn run(event) {{ if iconik::asset(event.asset_id).title == \"Odd\" {{ fail(\"odd\"); }} }}"
    );
    let mut gateway = gateway(&simulator, &body);
    gateway.start().await;
    posted(&gateway).await;
    let job = job_with(&simulator, "FINISHED_WITH_WARNING").await;
    assert_eq!(
        (&job["progress_processed"], &job["progress_total"]),
        (&json!(3), &json!(3))
    );
    assert!(
        job["message"]
            .as_str()
            .is_some_and(|it| it.contains("1 failed")),
        "{job}"
    );
    assert_eq!(made(&simulator), 1, "children have no jobs of their own");
}

#[tokio::test]
async fn a_kill_in_between_makes_no_second_job_and_the_end_is_told_all_the_same() {
    let simulator = world().await;
    let mut gateway = gateway(&simulator, WAITS);
    gateway.start().await;
    posted(&gateway).await;
    gateway.until_runs(RunState::Waiting, 1).await;
    gateway.sigkill().await;
    gateway.start().await;
    let update = webhook("entity", "update", ASSETS[0], &json!({}));
    gateway.accepted(&update, &[]).await;
    job_with(&simulator, "FINISHED").await;
    assert_eq!(made(&simulator), 1);
}

#[tokio::test]
async fn abort_ends_the_run_and_its_children_with_and_without_a_public_url() {
    for called_back in [true, false] {
        let simulator = world().await;
        let body = format!("{EACH}{WAITS}");
        let mut gateway = gateway(&simulator, &body);
        if called_back {
            gateway.replace(
                "drain = \"20s\"",
                "drain = \"20s\"\npublic_url = \"http://127.0.0.1:1\"",
            );
        }
        gateway.start().await;
        posted(&gateway).await;
        gateway.until_runs(RunState::Waiting, 4).await;
        let under_way = job_with(&simulator, "STARTED").await;
        if called_back {
            let context = eventually("the job to name an address", async || {
                let context = &job(&simulator).await?["action_context"]["ABORT"]["url"];
                context.as_str().map(str::to_owned)
            })
            .await;
            assert!(context.starts_with("http://127.0.0.1:1/jobs/"), "{context}");
            let path = context.trim_start_matches("http://127.0.0.1:1");
            assert_eq!(gateway.looked_at(path).await, 405);
            gateway.until_runs(RunState::Waiting, 4).await;
            assert_eq!(gateway.called(path).await, 200);
            assert_eq!(gateway.called("/jobs/0123456789abcdef/abort").await, 404);
        } else {
            abort(&simulator, &under_way).await;
        }
        eventually("the job to be told that it is aborted", async || {
            let job = job(&simulator).await?;
            let message = job["message"].as_str()?;
            (job["status"] == "ABORTED" && message.contains("aborted in Iconik")).then_some(())
        })
        .await;
        gateway.until_runs(RunState::Cancelled, 4).await;
        let runs = runs(&mut gateway).await;
        assert!(
            runs.iter().all(|run| run.state == RunState::Cancelled),
            "{runs:?}"
        );
    }
}

#[tokio::test]
async fn a_rule_that_may_not_write_jobs_cannot_show_progress() {
    let simulator = world().await;
    let source =
        "rule(#{ on: [\"assets/entity/create\"], progress: \"Check\" });\nfn run(event) { }";
    let gateway = Gateway::new(&simulator, &[("check.rhai", source)]);
    let output = gateway.command(&["check"]).output().await.expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(!output.status.success());
    assert!(
        said.contains("the rule may not write jobs") && said.contains("jobs:write"),
        "{said}"
    );
}

#[tokio::test]
async fn a_run_that_is_retried_goes_on_with_the_same_job() {
    let simulator = world().await;
    let mut gateway = gateway(&simulator, WAITS);
    gateway.start().await;
    posted(&gateway).await;
    gateway.until_runs(RunState::Waiting, 1).await;
    types(&gateway, &["runs", "cancel", "1"]).await;
    job_with(&simulator, "ABORTED").await;
    types(&gateway, &["runs", "retry", "1"]).await;
    let job = job_with(&simulator, "STARTED").await;
    assert_eq!(job["message"], "", "why it had ended is not said any more");
    let update = webhook("entity", "update", ASSETS[0], &json!({}));
    gateway.accepted(&update, &[]).await;
    job_with(&simulator, "FINISHED").await;
    assert_eq!(made(&simulator), 1);
}

async fn types(gateway: &Gateway, arguments: &[&str]) {
    let mut command = gateway.command(arguments);
    command.args(["--url", gateway.admin_url()]);
    let output = command.output().await.expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
}

#[tokio::test]
async fn a_job_that_is_gone_and_a_foreign_id_harm_no_run() {
    let simulator = world().await;
    let mut gateway = gateway(&simulator, WAITS);
    gateway.start().await;
    posted(&gateway).await;
    gateway.until_runs(RunState::Waiting, 1).await;
    let id = job(&simulator).await.expect("it was made")["id"].clone();
    let path = format!("jobs/v1/jobs/{}/", id.as_str().expect("an id"));
    iconik(&simulator, reqwest::Method::DELETE, &path, None).await;
    let odd = json!({ "object_id": "MAM-7", "asset_id": "MAM-7" });
    let body = webhook("entity", "create", "MAM-7", &odd);
    gateway.accepted(&body, &[]).await;
    gateway.until_runs(RunState::Waiting, 2).await;
    let update = webhook("entity", "update", ASSETS[0], &json!({}));
    gateway.accepted(&update, &[]).await;
    gateway.until_runs(RunState::Succeeded, 2).await;
    assert_eq!(
        job_with(&simulator, "FINISHED").await["object_id"],
        Value::Null
    );
}
