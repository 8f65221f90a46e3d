//! Trouble on purpose, as a client meets it: spoiled answers, errors at random, nobody there.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use cuegate::model::Method;
use cuegate::simulator::{
    HoldPoint, Matching, RandomTrouble, Simulator, SimulatorOptions, Trouble,
};
use serde_json::{Value, json};

use super::{Iconik, answer, prompt, within};

const ASSETS: &str = "assets/v1/assets/";

impl Iconik {
    fn creation(&self) -> reqwest::RequestBuilder {
        self.request("POST", ASSETS).json(&json!({ "title": "x" }))
    }

    fn next_creation(&self, trouble: Trouble) {
        let matching = Matching::path(Method::Post, ASSETS);
        self.simulator.fault(matching, 1, trouble);
    }

    fn made(&self) -> usize {
        self.simulator.world().assets().len()
    }
}

#[tokio::test]
async fn half_a_body_comes_of_an_answer_whose_write_was_made() {
    let iconik = Iconik::start().await;
    iconik.next_creation(Trouble::HalfBody);
    let mut response = within(iconik.creation().send()).await.unwrap();
    assert_eq!(response.status(), 201);
    let promised = response.content_length().unwrap();
    let mut came = Vec::new();
    let broken = loop {
        match within(response.chunk()).await {
            Ok(Some(chunk)) => came.extend_from_slice(&chunk),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(broken, "the connection ends before the body does");
    assert_eq!(came.len() as u64, promised / 2);
    assert!(serde_json::from_slice::<Value>(&came).is_err());
    assert_eq!(iconik.made(), 1);
    assert_eq!(
        within(iconik.creation().send()).await.unwrap().status(),
        201
    );
}

#[tokio::test]
async fn half_of_no_body_is_a_lost_answer() {
    let iconik = Iconik::start().await;
    let asset = iconik.asset("x").await;
    let path = format!("{ASSETS}{asset}/");
    let matching = Matching::prefix(Method::Delete, ASSETS);
    iconik.simulator.fault(matching, 1, Trouble::HalfBody);
    let request = iconik.request("DELETE", &path);
    assert!(within(request.send()).await.is_err());
    assert_eq!(iconik.get(&path).await.1["status"], "DELETED");
}

#[tokio::test]
async fn a_web_page_comes_with_the_status_of_the_write_that_was_made() {
    let iconik = Iconik::start().await;
    iconik.next_creation(Trouble::NotJson);
    let response = within(iconik.creation().send()).await.unwrap();
    assert_eq!(response.status(), 201);
    assert!(
        response.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/html")
    );
    let body = within(response.text()).await.unwrap();
    assert!(serde_json::from_str::<Value>(&body).is_err(), "{body}");
    assert_eq!(iconik.made(), 1);
}

#[tokio::test]
async fn a_server_error_may_come_before_or_after_the_write() {
    let iconik = Iconik::start().await;
    let (status, body, retry_after) = (503, json!({ "errors": ["down"] }), None);
    let before = Trouble::Answer {
        status,
        body: body.clone(),
        retry_after,
    };
    let after = Trouble::AnswerAfterwards {
        status,
        body: body.clone(),
        retry_after,
    };
    for (trouble, made) in [(before, 0), (after, 1)] {
        iconik.next_creation(trouble);
        let response = within(iconik.creation().send()).await.unwrap();
        assert_eq!(answer(response).await, (503, body.clone()));
        assert_eq!(iconik.made(), made);
    }
    iconik.next_creation(Trouble::Answer {
        status: 502,
        body: Value::Null,
        retry_after,
    });
    let response = within(iconik.creation().send()).await.unwrap();
    assert_eq!(response.content_length(), Some(0));
}

#[tokio::test]
async fn a_slow_answer_is_to_a_write_that_was_made_at_once() {
    let iconik = Iconik::start().await;
    iconik.next_creation(Trouble::Slow(Duration::from_secs(3600)));
    let unanswered = tokio::spawn(iconik.creation().send());
    let made = |it: &Simulator| (it.world().assets().len() == 1).then_some(());
    within(iconik.simulator.until(made)).await;
    assert!(!unanswered.is_finished());
    unanswered.abort();
    iconik.next_creation(Trouble::Slow(Duration::from_millis(100)));
    let begun = Instant::now();
    assert_eq!(
        within(iconik.creation().send()).await.unwrap().status(),
        201
    );
    assert!(begun.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn random_trouble_brings_every_kind_of_error_until_it_ends() {
    let iconik = Iconik::with(SimulatorOptions {
        rate_limit: None,
        ..prompt()
    })
    .await;
    let trouble = RandomTrouble {
        slow_by: Duration::from_millis(1),
        ..RandomTrouble::each(42, 0.08)
    };
    iconik.simulator.trouble_at_random(trouble);
    let mut seen = BTreeSet::new();
    for _ in 0..400 {
        let outcome = match within(iconik.creation().send()).await {
            Err(_) => "no answer".to_owned(),
            Ok(response) => {
                let status = response.status().as_u16();
                let waits = response.headers().contains_key("Retry-After");
                match within(response.bytes()).await {
                    Err(_) => "half a body".to_owned(),
                    Ok(body)
                        if status == 201 && serde_json::from_slice::<Value>(&body).is_err() =>
                    {
                        "no JSON".to_owned()
                    }
                    Ok(_) if waits => format!("{status} with a wait"),
                    Ok(_) => status.to_string(),
                }
            }
        };
        seen.insert(outcome);
    }
    let expected = [
        "201",
        "429",
        "429 with a wait",
        "500",
        "502",
        "503",
        "half a body",
        "no JSON",
        "no answer",
    ];
    assert_eq!(seen, expected.map(str::to_owned).into());
    let struck = iconik.simulator.struck_at_random();
    assert_eq!(struck.len(), 9, "{struck:?}");
    let undone = [
        "too_many",
        "too_many_retry_after",
        "server_error",
        "lose_request",
    ];
    let undone: u64 = undone.iter().map(|kind| struck[kind]).sum();
    assert_eq!(iconik.made() as u64, 400 - undone);

    iconik.simulator.end_random_trouble();
    assert!(iconik.simulator.struck_at_random().is_empty());
    for _ in 0..50 {
        assert_eq!(
            within(iconik.creation().send()).await.unwrap().status(),
            201
        );
    }
}

#[tokio::test]
async fn what_a_test_asks_for_comes_before_what_the_dice_say() {
    let iconik = Iconik::start().await;
    iconik.simulator.trouble_at_random(RandomTrouble {
        lose_request: 1.0,
        ..RandomTrouble::default()
    });
    iconik.next_creation(Trouble::NotJson);
    assert_eq!(
        within(iconik.creation().send()).await.unwrap().status(),
        201
    );
    assert!(within(iconik.creation().send()).await.is_err());
}

#[tokio::test]
async fn nobody_is_there_while_connections_are_refused_and_the_same_port_answers_again() {
    let iconik = Iconik::start().await;
    let asset = iconik.asset("kept").await;
    let base = iconik.simulator.base_url();
    let matching = Matching::path(Method::Get, ASSETS);
    let mut under_way = iconik.simulator.hold(matching, HoldPoint::Before);
    let asked = tokio::spawn(iconik.request("GET", ASSETS).send());
    within(under_way.held()).await;

    within(iconik.simulator.refuse_connections()).await.unwrap();
    let lost = within(asked).await.unwrap().unwrap_err();
    assert!(!lost.is_connect(), "it was cut while it was held: {lost}");
    for _ in 0..3 {
        let refused = within(iconik.creation().send()).await.unwrap_err();
        assert!(refused.is_connect(), "{refused}");
    }
    within(iconik.simulator.refuse_connections()).await.unwrap();
    drop(under_way);

    within(iconik.simulator.accept_connections()).await.unwrap();
    assert_eq!(iconik.simulator.base_url(), base);
    let path = format!("{ASSETS}{asset}/");
    assert_eq!(within(iconik.get(&path)).await.1["title"], "kept");
    assert_eq!(iconik.made(), 1);
    within(iconik.simulator.accept_connections()).await.unwrap();
    assert_eq!(within(iconik.get(&path)).await.0, 200);
}

#[tokio::test]
async fn a_simulator_that_refuses_connections_can_be_stopped() {
    let iconik = Iconik::start().await;
    within(iconik.simulator.refuse_connections()).await.unwrap();
    within(iconik.simulator.stop()).await;
}
