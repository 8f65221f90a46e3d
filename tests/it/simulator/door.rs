//! Tokens, limits, paths, the log, and trouble on purpose.

use std::time::Duration;

use cuegate::model::Method;
use cuegate::simulator::{
    Credential, HoldPoint, Matching, RateLimit, Simulator, SimulatorOptions, Trouble,
};
use serde_json::{Value, json};

use super::{Iconik, answer, prompt, within};

const ASSETS: &str = "assets/v1/assets/";

#[tokio::test]
async fn only_a_known_pair_of_app_and_token_may_pass() {
    let iconik = Iconik::start().await;
    let url = format!("{}/{ASSETS}", iconik.simulator.base_url());
    for headers in [
        &[][..],
        &[("App-ID", "demo")],
        &[("Auth-Token", "demo")],
        &[("App-ID", "demo"), ("Auth-Token", "other")],
    ] {
        let mut request = iconik.client.get(&url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let refused = answer(request.send().await.unwrap()).await;
        assert_eq!(refused, (401, json!({ "errors": ["Token is invalid"] })));
    }
    assert_eq!(iconik.get("auth/v1/auth/token/").await.0, 200);
}

#[tokio::test]
async fn both_slash_forms_are_accepted_and_unknown_paths_are_not() {
    let iconik = Iconik::start().await;
    let id = iconik.asset("Interview").await;
    let with = iconik
        .get(&format!("{ASSETS}{id}/?include_users=true"))
        .await;
    let without = iconik
        .get(&format!("{ASSETS}{id}?include_users=true"))
        .await;
    assert_eq!(with.0, 200);
    assert_eq!(with, without);
    for (method, path, status) in [
        ("GET", "assets/v1/nothing/", 404),
        ("GET", "", 404),
        ("PATCH", "notifications/v1/webhooks/", 405),
    ] {
        let (answered, body) = iconik.call(method, path, None).await;
        assert_eq!(answered, status, "{method} {path}");
        assert!(body["errors"][0].is_string(), "{body}");
    }
    let outside = format!("http://{}/{ASSETS}", iconik.simulator.addr());
    let request = iconik.client.get(outside).header("App-ID", "demo");
    let response = request.header("Auth-Token", "demo").send().await.unwrap();
    assert_eq!(response.status(), 404);
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused() {
    let iconik = Iconik::start().await;
    for body in ["", "{", "[]", "\"text\""] {
        let request = iconik.request("POST", ASSETS).body(body);
        let (status, refused) = answer(request.send().await.unwrap()).await;
        assert_eq!(status, 400, "{body}");
        assert!(refused["errors"][0].is_string(), "{refused}");
    }
    let (status, refused) = iconik
        .post(ASSETS, json!({ "title": 7, "type": "FILM" }))
        .await;
    assert_eq!(status, 400);
    assert_eq!(super::keys(&refused["errors"]), ["title", "type"].into());
    assert!(iconik.simulator.world().assets().is_empty());
}

#[tokio::test]
async fn the_rate_limit_counts_down_and_then_refuses() {
    let iconik = Iconik::with(SimulatorOptions {
        rate_limit: Some(RateLimit {
            requests: 2,
            window: Duration::from_secs(3600),
            retry_after: true,
        }),
        ..prompt()
    })
    .await;
    for remaining in ["1", "0"] {
        let response = iconik.request("GET", ASSETS).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["RateLimit-Remaining"], remaining);
    }
    let response = iconik.request("GET", ASSETS).send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["RateLimit-Remaining"], "0");
    let wait: u64 = response.headers()["Retry-After"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((3590..=3600).contains(&wait), "{wait}");
    let (_, body) = answer(response).await;
    assert!(body["errors"][0].is_string());
}

#[tokio::test]
async fn requests_are_logged_without_their_token() {
    let iconik = Iconik::with(SimulatorOptions {
        credentials: vec![Credential::new("demo", "demo", "user-1")],
        ..prompt()
    })
    .await;
    iconik
        .post(
            "assets/v1/assets?apply_default_acls=true",
            json!({ "title": "x" }),
        )
        .await;
    iconik.get("assets/v1/assets/none/").await;
    let requests = iconik.simulator.requests();
    assert_eq!(requests.len(), 2);
    let first = &requests[0];
    assert_eq!((first.number, first.method.as_str()), (1, "POST"));
    assert_eq!(first.path, ASSETS);
    assert_eq!(first.query["apply_default_acls"], "true");
    assert_eq!(first.body, json!({ "title": "x" }));
    assert_eq!(first.status, Some(201));
    assert_eq!(first.user_id.as_deref(), Some("user-1"));
    assert_eq!(requests[1].status, Some(404));
    assert_eq!(requests[1].body, Value::Null);
}

#[tokio::test]
async fn a_request_held_before_has_done_nothing_and_goes_on_when_released() {
    let iconik = Iconik::start().await;
    let mut hold = iconik
        .simulator
        .hold(Matching::path(Method::Post, ASSETS), HoldPoint::Before);
    let made = tokio::spawn(
        iconik
            .request("POST", ASSETS)
            .json(&json!({ "title": "x" }))
            .send(),
    );
    let number = within(hold.held()).await;
    assert!(iconik.simulator.world().assets().is_empty());
    let held = &iconik.simulator.requests()[0];
    assert_eq!((held.number, held.status), (number, None));
    // Others are not held.
    assert_eq!(within(iconik.get(ASSETS)).await.0, 200);
    hold.release();
    assert_eq!(within(made).await.unwrap().unwrap().status(), 201);
    assert_eq!(iconik.simulator.world().assets().len(), 1);
    assert_eq!(
        within(iconik.post(ASSETS, json!({ "title": "y" }))).await.0,
        201
    );
}

#[tokio::test]
async fn an_answer_held_after_can_be_cut_although_the_write_was_made() {
    let iconik = Iconik::start().await;
    let matching = Matching::prefix(Method::Post, "assets/v1/");
    let mut hold = iconik.simulator.hold(matching, HoldPoint::After);
    let made = tokio::spawn(
        iconik
            .request("POST", ASSETS)
            .json(&json!({ "title": "x" }))
            .send(),
    );
    within(hold.held()).await;
    assert_eq!(iconik.simulator.world().assets().len(), 1);
    hold.cut();
    assert!(within(made).await.unwrap().is_err());
    let cut = within(iconik.simulator.until(|it| it.requests().pop())).await;
    assert_eq!(cut.status, None);
    assert_eq!(iconik.get(ASSETS).await.1["total"], 1);
}

#[tokio::test]
async fn a_dropped_hold_releases() {
    let iconik = Iconik::start().await;
    let mut hold = iconik.simulator.hold(Matching::all(), HoldPoint::Before);
    let asked = tokio::spawn(iconik.request("GET", ASSETS).send());
    within(hold.held()).await;
    drop(hold);
    assert_eq!(within(asked).await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn faults_answer_for_iconik_as_often_as_told() {
    let iconik = Iconik::start().await;
    let matching = Matching::prefix(Method::Post, "assets/");
    let trouble = Trouble::Answer {
        status: 503,
        body: json!({ "errors": ["down"] }),
        retry_after: Some(Duration::from_secs(7)),
    };
    iconik.simulator.fault(matching, 2, trouble);
    for _ in 0..2 {
        let request = iconik
            .request("POST", ASSETS)
            .json(&json!({ "title": "x" }));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["Retry-After"], "7");
        assert_eq!(answer(response).await.1, json!({ "errors": ["down"] }));
    }
    assert!(iconik.simulator.world().assets().is_empty());
    iconik.asset("x").await;
}

#[tokio::test]
async fn a_lost_request_does_nothing_and_a_lost_answer_hides_what_was_done() {
    let iconik = Iconik::start().await;
    for (trouble, made) in [(Trouble::LoseRequest, 0), (Trouble::LoseAnswer, 1)] {
        iconik
            .simulator
            .fault(Matching::path(Method::Post, ASSETS), 1, trouble);
        let request = iconik
            .request("POST", ASSETS)
            .json(&json!({ "title": "x" }));
        assert!(request.send().await.is_err());
        assert_eq!(iconik.simulator.world().assets().len(), made);
    }
}

#[tokio::test]
async fn a_stopped_simulator_refuses_connections() {
    let iconik = Iconik::start().await;
    let request = iconik.request("GET", ASSETS);
    let Iconik { simulator, .. } = iconik;
    let _held = simulator.hold(Matching::all(), HoldPoint::Before);
    within(simulator.stop()).await;
    assert!(request.send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_and_not_another_port() {
    let iconik = Iconik::start().await;
    let options = SimulatorOptions {
        listen: iconik.simulator.addr(),
        ..prompt()
    };
    let clock = std::sync::Arc::new(cuegate::clock::SystemClock);
    let error = Simulator::start(options, clock).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}
