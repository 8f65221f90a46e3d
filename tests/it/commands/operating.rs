//! What an operator types when something has happened: the built binary against a running gateway.

use cuegate::model::{Method, RunState};
use cuegate::simulator::{Matching, Simulator, Trouble};
use serde_json::{Value, json};

use super::{Desk, Said};
use crate::gateway::{Gateway, eventually, simulated, webhook};

const ASSET: &str = "2c5bfe1a-f149-11eb-a843-0a580a3db916";
const JOB: &str = "5d1bfe1a-f149-11eb-a843-0a580a3db916";

/// One job is made, then the asset is renamed.
const RENAME: &str = r#"
rule(#{ on: ["assets/entity/create"], allow: ["assets:write", "jobs:write"] });
fn run(event) {
    let asset = iconik::asset(event.asset_id);
    log::info(`found ${asset.title}`);
    iconik::create_job(#{ "type": "CUSTOM", status: "STARTED", title: "Look", object_id: asset.id, object_type: "assets" });
    iconik::put(`assets/v1/assets/${event.asset_id}/`, #{ title: `${asset.title}!` });
}
"#;

const ABORT: &str = r#"
rule(#{ on: ["assets/entity/update"], allow: ["jobs:write"] });
fn run(event) {
    iconik::put("jobs/v1/jobs/state/", #{ action: "ABORT", job_ids: ["5d1bfe1a-f149-11eb-a843-0a580a3db916"] });
}
"#;

fn seed() -> Value {
    json!({
        "assets": [{ "id": ASSET, "title": "SPORT_final" }],
        "jobs": [{ "id": JOB, "type": "CUSTOM", "status": "STARTED", "title": "Cut" }],
    })
}

fn arrival() -> Value {
    webhook(
        "entity",
        "create",
        ASSET,
        &json!({ "id": ASSET, "title": "SPORT_final" }),
    )
}

async fn types_with(gateway: &Gateway, arguments: &[&str], token: Option<&str>) -> Said {
    let mut command = gateway.command(arguments);
    command.env("CUEGATE_URL", gateway.admin_url());
    if let Some(token) = token {
        command.env("CUEGATE_TOKEN", token);
    }
    Said::from(command.output().await.expect("the binary can be started"))
}

async fn types(gateway: &Gateway, arguments: &[&str]) -> Said {
    types_with(gateway, arguments, None).await
}

/// The newest run in this state.
async fn newest(gateway: &Gateway, state: RunState) -> String {
    gateway.until_runs(state, 1).await;
    let listed = types(
        gateway,
        &[
            "runs",
            "list",
            "--state",
            state.as_str(),
            "--format",
            "json",
        ],
    )
    .await;
    listed.json()["runs"][0]["id"].to_string()
}

fn refuses(simulator: &Simulator, times: u32) {
    let path = format!("assets/v1/assets/{ASSET}/");
    let trouble = Trouble::Answer {
        status: 409,
        body: json!({ "errors": ["the asset is locked"] }),
        retry_after: None,
    };
    simulator.fault(Matching::path(Method::Put, &path), times, trouble);
}

fn posted(simulator: &Simulator) -> usize {
    let requests = simulator.requests();
    requests
        .iter()
        .filter(|request| request.method == "POST" && request.path == "jobs/v1/jobs/")
        .count()
}

#[tokio::test]
async fn a_dead_run_is_told_in_one_line_and_shown_step_by_step() {
    let simulator = simulated(seed()).await;
    refuses(&simulator, 1);
    let gateway = Gateway::started(&simulator, &[("rename.rhai", RENAME)]).await;
    gateway.accepted(&arrival(), &[]).await;
    let run = newest(&gateway, RunState::Dead).await;

    let dead = types(&gateway, &["dead", "list"]).await;
    dead.ended(
        0,
        &[
            "rename",
            "api_error",
            "dead letters",
            "dead (api_error) · rename@",
        ],
    );
    let line = dead
        .out
        .lines()
        .find(|line| line.starts_with("dead ("))
        .expect("one line");
    for part in [
        "\"SPORT_final\"",
        &format!("/asset/{ASSET}"),
        "rename.rhai:7 `iconik::put(",
        "409",
        "the asset is locked",
        "step 2",
        &format!("next: cuegate runs retry {run}"),
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }

    let shown = types(&gateway, &["runs", "show", &run]).await;
    shown.ended(
        0,
        &[
            "  0  GET assets/v1/assets/",
            "rename.rhai:4  let asset",
            "log (info): found SPORT_final",
        ],
    );
    shown.ended(
        0,
        &[
            "  1  POST jobs/v1/jobs/ -> 201",
            "request {",
            "sent ",
            "  2  PUT assets/v1/assets/",
            "-> 409",
        ],
    );
    shown.ended(0, &["--> rename.rhai:7:", "^"]);
    assert!(
        !shown.out.contains('\u{1b}'),
        "colours are for terminals: {}",
        shown.out
    );
}

#[tokio::test]
async fn a_dead_run_is_retried_without_repeating_a_write() {
    let simulator = simulated(seed()).await;
    refuses(&simulator, 1);
    let gateway = Gateway::started(&simulator, &[("rename.rhai", RENAME)]).await;
    gateway.accepted(&arrival(), &[]).await;
    let run = newest(&gateway, RunState::Dead).await;
    let retried = types(&gateway, &["runs", "retry", &run, "--by", "anna"]).await;
    retried.ended(0, &[&format!("run {run} was retried as run ")]);
    gateway.until_runs(RunState::Succeeded, 1).await;
    assert_eq!(posted(&simulator), 1, "the finished write was not repeated");
    let asset = simulator.world().asset(ASSET).expect("it is there");
    assert_eq!(asset["title"], "SPORT_final!");
    types(&gateway, &["dead", "list"])
        .await
        .ended(0, &["no dead letters"]);
    types(&gateway, &["runs", "retry", &run])
        .await
        .ended(1, &["was retried as run", "already, which is succeeded"]);
    let new = newest(&gateway, RunState::Succeeded).await;
    types(&gateway, &["runs", "show", &new]).await.ended(
        0,
        &[
            &format!("retry of    run {run}"),
            "anna let run",
            "go on from here",
        ],
    );
}

#[tokio::test]
async fn a_parked_run_goes_on_as_a_person_says() {
    let simulator = simulated(seed()).await;
    simulator.fault(
        Matching::path(Method::Put, "jobs/v1/jobs/state/"),
        1,
        Trouble::LoseAnswer,
    );
    let gateway = Gateway::started(&simulator, &[("abort.rhai", ABORT)]).await;
    let update = || webhook("entity", "update", ASSET, &json!({ "id": ASSET }));
    gateway.accepted(&update(), &[]).await;
    let run = newest(&gateway, RunState::Parked).await;
    gateway.accepted(&update(), &[]).await;
    let behind = newest(&gateway, RunState::Queued).await;

    let shown = types(&gateway, &["runs", "show", &run]).await;
    shown.ended(
        0,
        &[
            "parked (uncertain)",
            "was not answered: it may have happened",
        ],
    );
    shown.ended(
        0,
        &[&format!(
            "next: cuegate runs retry {run} --as happened (or --as again)"
        )],
    );
    types(&gateway, &["runs", "show", &behind]).await.ended(
        0,
        &[&format!(
            "behind run {run}, which is parked and waits for a decision"
        )],
    );
    types(&gateway, &["runs", "retry", &run])
        .await
        .ended(1, &["may have happened", "--as happened"]);
    types(&gateway, &["runs", "retry", &run, "--as", "happened"])
        .await
        .ended(0, &["was retried as run"]);
    gateway.until_runs(RunState::Succeeded, 2).await;
    let sent = simulator.requests();
    let sent = sent
        .iter()
        .filter(|request| request.path == "jobs/v1/jobs/state/");
    assert_eq!(sent.count(), 2, "once by the first run, once by the second");
    types(&gateway, &["runs", "show", &run])
        .await
        .ended(0, &["cancelled", "went on as  run"]);
}

#[tokio::test]
async fn many_dead_runs_are_counted_before_they_are_retried() {
    let simulator = simulated(seed()).await;
    refuses(&simulator, 3);
    let gateway = Gateway::started(&simulator, &[("rename.rhai", RENAME)]).await;
    for _ in 0..3 {
        gateway.accepted(&arrival(), &[]).await;
    }
    gateway.until_runs(RunState::Dead, 3).await;
    let filter = ["dead", "retry", "--class", "api_error", "--since", "1h"];
    types(&gateway, &filter)
        .await
        .ended(1, &["3 run(s) would be retried", "--yes"]);
    assert_eq!(
        gateway
            .metric("cuegate_dead_letters{class=\"api_error\"}")
            .await,
        3.0
    );
    let mut surely = filter.to_vec();
    surely.push("--yes");
    types(&gateway, &surely)
        .await
        .ended(0, &["3 runs were retried"]);
    gateway.until_runs(RunState::Succeeded, 3).await;
    assert_eq!(posted(&simulator), 3);
    types(&gateway, &surely)
        .await
        .ended(0, &["no run is meant"]);
    types(&gateway, &["dead", "retry", "--yes"])
        .await
        .ended(2, &["say which dead letters", "--all"]);
    types(&gateway, &["dead", "retry", "--all", "--yes"])
        .await
        .ended(0, &["no run is meant"]);
    types(&gateway, &["runs", "retry", "7", "--rule", "rename"])
        .await
        .ended(2, &["not both"]);
}

#[tokio::test]
async fn a_mended_rule_is_replayed_and_repeats_only_after_a_yes() {
    let simulator = simulated(seed()).await;
    let broken = RENAME.replace("`${asset.title}!`", "asset.titel + 1");
    let gateway = Gateway::started(&simulator, &[("rename.rhai", &broken)]).await;
    gateway.accepted(&arrival(), &[]).await;
    let run = newest(&gateway, RunState::Dead).await;
    types(&gateway, &["dead", "show", &run]).await.ended(
        0,
        &[
            "dead (script_error)",
            &format!("next: cuegate runs replay {run}"),
        ],
    );
    gateway.write("rules/rename.rhai", RENAME);
    gateway.signal(rustix::process::Signal::HUP);
    let mended = async || {
        let listed = types(&gateway, &["rules", "list", "--format", "json"])
            .await
            .json();
        let version = listed["rules"][0]["version"].clone();
        let then = types(&gateway, &["runs", "show", &run, "--format", "json"])
            .await
            .json();
        (version != then["run"]["version"]).then_some(())
    };
    eventually("the mended rule is active", mended).await;
    let warned = types(&gateway, &["runs", "replay", &run]).await;
    warned.ended(1, &["would repeat 1 write(s)", "--yes"]);
    let named = format!("run {run} step 1: POST jobs/v1/jobs/ was answered 201");
    warned.ended(1, &[&named]);
    assert_eq!(posted(&simulator), 1);
    types(&gateway, &["runs", "replay", &run, "--yes"])
        .await
        .ended(0, &[&format!("run {run} was replayed as run ")]);
    gateway.until_runs(RunState::Succeeded, 1).await;
    assert_eq!(posted(&simulator), 2);
}

#[tokio::test]
async fn a_waiting_run_says_what_for_and_the_one_behind_it_says_so() {
    let simulator = simulated(seed()).await;
    let trouble = Trouble::Answer {
        status: 503,
        body: json!({ "errors": ["later"] }),
        retry_after: None,
    };
    let path = format!("assets/v1/assets/{ASSET}/");
    simulator.fault(Matching::path(Method::Get, &path), 1_000, trouble);
    let slow = RENAME.replace("allow:", "retry: #{ min: \"1h\", max: \"1h\" }, allow:");
    let gateway = Gateway::started(&simulator, &[("rename.rhai", &slow)]).await;
    gateway.accepted(&arrival(), &[]).await;
    let first = newest(&gateway, RunState::Waiting).await;
    gateway.accepted(&arrival(), &[]).await;
    let second = newest(&gateway, RunState::Queued).await;
    types(&gateway, &["runs", "show", &first])
        .await
        .ended(0, &["waiting (retry)", "waits for the next try until 2"]);
    let words = format!("behind run {first}, waits for the next try until 2");
    types(&gateway, &["runs", "show", &second])
        .await
        .ended(0, &[&words]);
    types(
        &gateway,
        &[
            "runs",
            "cancel",
            &first,
            "--reason",
            "the wrong folder",
            "--by",
            "anna",
        ],
    )
    .await
    .ended(0, &[&format!("run {first} was cancelled")]);
    types(&gateway, &["runs", "show", &first])
        .await
        .ended(0, &["cancelled", "the wrong folder (anna)"]);
    eventually("the one behind begins", async || {
        let shown = types(&gateway, &["runs", "show", &second, "--format", "json"])
            .await
            .json();
        (shown["run"]["state"] == "waiting").then_some(())
    })
    .await;
    types(&gateway, &["runs", "cancel", "--rule", "rename"])
        .await
        .ended(1, &["run(s) would be cancelled"]);
    types(&gateway, &["runs", "cancel", "--rule", "rename", "--yes"])
        .await
        .ended(0, &[&format!("run {second} was cancelled")]);
    types(&gateway, &["runs", "cancel", &second])
        .await
        .ended(1, &["has ended already"]);
}

#[tokio::test]
async fn the_stop_handle_holds_runs_until_they_may_go_on() {
    let simulator = simulated(seed()).await;
    let gateway = Gateway::started(
        &simulator,
        &[("rename.rhai", RENAME), ("abort.rhai", ABORT)],
    )
    .await;
    types(
        &gateway,
        &[
            "pause", "--rule", "rename", "--reason", "too loud", "--by", "anna",
        ],
    )
    .await
    .ended(
        0,
        &[
            "runs of rename are paused since",
            "too loud (anna)",
            "`cuegate resume --rule rename`",
        ],
    );
    gateway.accepted(&arrival(), &[]).await;
    let run = newest(&gateway, RunState::Queued).await;
    types(&gateway, &["runs", "show", &run])
        .await
        .ended(0, &["its rule is paused (too loud (anna))"]);
    types(&gateway, &["rules", "list"]).await.ended(
        0,
        &[
            "rename",
            "paused",
            "abort",
            "active",
            "assets/entity/create",
        ],
    );
    types(&gateway, &["pause", "--writes", "--rule", "rename"])
        .await
        .ended(2, &["cannot be used with"]);
    types(&gateway, &["pause", "--rule", "renam"])
        .await
        .ended(1, &["there is no rule `renam`; did you mean `rename`?"]);
    types(&gateway, &["resume"])
        .await
        .ended(0, &["all runs were not paused"]);
    types(&gateway, &["resume", "--rule", "rename"])
        .await
        .ended(0, &["runs of rename go on"]);
    gateway.until_runs(RunState::Succeeded, 1).await;
}

#[tokio::test]
async fn events_are_listed_and_shown_with_their_runs() {
    let simulator = simulated(seed()).await;
    let quarrel = "rule(#{ on: [\"assets/*/*\"] });\nfn when(event) { event.data.nothing > 5 }\nfn run(event) {}\n";
    let gateway = Gateway::started(
        &simulator,
        &[("rename.rhai", RENAME), ("quarrel.rhai", quarrel)],
    )
    .await;
    let id = gateway.accepted(&arrival(), &[]).await.to_string();
    gateway.until_runs(RunState::Succeeded, 1).await;
    types(
        &gateway,
        &[
            "events",
            "list",
            "--subject",
            "assets/entity/create",
            "--since",
            "1h",
        ],
    )
    .await
    .ended(0, &[&id, "when_failed", "iconik", ASSET]);
    let shown = types(&gateway, &["events", "show", &id[..8]]).await;
    shown.ended(
        0,
        &[
            &id,
            "\"SPORT_final\"",
            "`when` of quarrel@",
            "quarrel.rhai:2:",
            "succeeded",
        ],
    );
    types(&gateway, &["events", "show", "ffffffffff"])
        .await
        .ended(1, &["no event whose id begins with `ffffffffff`"]);
    types(&gateway, &["events", "show", "xyz"])
        .await
        .ended(2, &["`xyz` begins no event id"]);
    types(&gateway, &["events", "list", "--state", "held"])
        .await
        .ended(0, &["no events"]);
}

#[tokio::test]
async fn what_is_wrong_is_one_clear_sentence() {
    let simulator = simulated(seed()).await;
    let token = "the-token-of-this-gateway";
    let mut gateway = Gateway::new(&simulator, &[("rename.rhai", RENAME)]);
    gateway.replace(
        "[server]",
        &format!("[server]\nadmin_tokens = [\"{token}\"]\nmetrics = \"open\""),
    );
    gateway.start().await;
    let told = async |arguments: &[&str]| types_with(&gateway, arguments, Some(token)).await;
    told(&["runs", "show", "99"])
        .await
        .ended(1, &["there is no run 99; `cuegate runs list` shows"]);
    told(&["runs", "list", "--state", "deed"])
        .await
        .ended(2, &["there is no state `deed`; did you mean `dead`?"]);
    told(&["runs", "list", "--limit", "0"])
        .await
        .ended(2, &["`0` is no length of a page"]);
    told(&["runs", "show", "seven"])
        .await
        .ended(2, &["invalid value 'seven'"]);
    told(&["runs", "list"]).await.ended(0, &["no runs"]);
    types(&gateway, &["runs", "list"])
        .await
        .ended(1, &["needs a token: set CUEGATE_TOKEN"]);
    let wrong = types_with(
        &gateway,
        &["runs", "list"],
        Some("another-token-altogether"),
    )
    .await;
    wrong.ended(1, &["the token in CUEGATE_TOKEN is not one of those"]);
    for said in [&wrong.err, &gateway.everything_said()] {
        assert!(
            !said.contains("another-token") && !said.contains(token),
            "{said}"
        );
    }
    let hooks = gateway.hooks_url().to_owned();
    told(&["runs", "list", "--url", &hooks])
        .await
        .ended(1, &["does not answer as the admin API", "admin_listen"]);
    let admin = gateway.admin_url().to_owned();
    gateway.stop().await;
    let desk = Desk::new();
    for command in [
        &["runs", "list"][..],
        &["dead", "list"],
        &["pause"],
        &["rules", "list"],
    ] {
        let mut arguments = command.to_vec();
        arguments.extend(["--url", &admin]);
        let said = desk.types(&arguments);
        said.ended(1, &["no gateway answers at", "cuegate serve"]);
        assert_eq!(said.err.trim().lines().count(), 1, "{}", said.err);
    }
    desk.types(&["runs", "list", "--url", "localhost:8081"])
        .ended(2, &["is no address of a gateway"]);
}

#[test]
fn an_admin_listener_for_others_needs_a_token_to_start() {
    let desk = Desk::new();
    let server = "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"0.0.0.0:0\"\n";
    let iconik = "[iconik]\napp_id = \"a\"\nauth_token = \"b\"\n";
    desk.write("cuegate.toml", &format!("{server}{iconik}"));
    for command in [&["serve"][..], &["config", "check"]] {
        desk.types(command).ended(
            78,
            &[
                "can be reached from other machines, and there is no token",
                "admin_tokens",
            ],
        );
    }
    let token = "admin_tokens = [\"sesame-that-opens-the-door\"]\n";
    desk.write("cuegate.toml", &format!("{server}{token}{iconik}"));
    desk.types(&["config", "check"])
        .ended(0, &["the configuration is fine"]);
    let shown = desk.types(&["config", "show"]);
    shown.ended(0, &["admin_tokens = [\"***", "metrics = \"token\""]);
    assert!(
        !shown.everything().contains("sesame"),
        "{}",
        shown.everything()
    );
}

#[test]
fn completions_know_what_operators_type() {
    let said = Desk::new().types(&["completions", "bash"]);
    said.ended(
        0,
        &[
            "cuegate__subcmd__runs__subcmd__retry",
            "--class",
            "dead",
            "happened",
        ],
    );
}
