//! What a person who watches the simulator can see and do: its page, its recordings, faults in words.

use cuegate::simulator::{DeliveryOptions, Seed, SimulatorOptions};
use serde_json::{Value, json};

use super::{Iconik, Receiver, prompt, within};

#[tokio::test]
async fn the_page_shows_what_is_there_and_what_happened_to_anybody() {
    let iconik = Iconik::start().await;
    iconik.asset("<b>Match</b>").await;
    let base = iconik.simulator.base_url();
    let page = reqwest::get(base.strip_suffix("API").unwrap())
        .await
        .unwrap();
    assert_eq!(page.status().as_u16(), 200);
    let text = page.text().await.unwrap();
    assert!(text.contains("<td>assets</td><td>1</td>"), "{text}");
    assert!(
        text.contains("<td>POST</td><td>assets/v1/assets/</td><td>201</td>"),
        "{text}"
    );
    assert!(!text.contains("<b>"), "{text}");
    assert_eq!(
        iconik.simulator.requests().len(),
        1,
        "looking is no request"
    );
}

#[tokio::test]
async fn a_session_is_written_as_fixtures_without_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let options = SimulatorOptions {
        record: Some(folder.path().join("fixtures")),
        ..prompt()
    };
    let iconik = Iconik::with(options).await;
    let mut receiver = Receiver::start().await;
    let webhook = json!({
        "event_type": "assets", "status": "ENABLED", "url": receiver.url,
        "headers": { "x-secret": "hush" },
    });
    iconik.make("notifications/v1/webhooks/", webhook).await;
    let asset = iconik.asset("Match").await;
    receiver.next().await;
    let read = || -> Vec<(String, Value)> {
        let files = std::fs::read_dir(folder.path().join("fixtures")).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        let named = files.into_iter().filter_map(|file| {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            let fixture = serde_json::from_slice(&std::fs::read(&file).unwrap()).ok()?;
            Some((name, fixture))
        });
        named.collect()
    };
    // A fixture is written a little after what it tells of.
    let written = within(async {
        loop {
            let written = read();
            if written.len() == 3 {
                return written;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    let all = format!("{written:?}");
    assert!(!all.contains("hush"), "{all}");
    let made = written
        .iter()
        .find(|(name, _)| name.contains("POST.assets.v1.assets"));
    let (_, made) = made.unwrap();
    assert_eq!(
        (&made["request"]["title"], &made["status"]),
        (&json!("Match"), &json!(201))
    );
    let sent = written
        .iter()
        .find(|(name, _)| name.contains("event.assets.entity.create"));
    assert_eq!(sent.unwrap().1["event"]["object_id"], asset.as_str());
}

#[tokio::test]
async fn faults_come_from_a_seed_and_while_it_runs_and_end_as_said() {
    let seed: Seed = serde_json::from_value(json!({
        "faults": ["GET assets/v1/assets/* answer=503 times=2"],
    }))
    .unwrap();
    let options = SimulatorOptions {
        seed: Some(seed),
        ..prompt()
    };
    let iconik = Iconik::with(options).await;
    let asset = iconik.asset("a").await;
    let path = format!("assets/v1/assets/{asset}/");
    for status in [503, 503, 200] {
        assert_eq!(iconik.get(&path).await.0, status);
    }
    let base = iconik.simulator.base_url();
    let control = format!("{}control/faults/", base.strip_suffix("API").unwrap());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let tell = async |text: &'static str| {
        let told = client.post(&control).body(text).send().await.unwrap();
        told.status().as_u16()
    };
    assert_eq!(
        tell("DELETE assets/v1/** answer=500\nGET ** explode").await,
        400
    );
    assert_eq!(tell("DELETE assets/v1/** answer=500").await, 204);
    assert_eq!(iconik.delete(&path).await.0, 500);
    assert_eq!(iconik.delete(&path).await.0, 204);
}

#[tokio::test]
async fn what_is_unknown_of_iconik_can_be_had_in_either_way() {
    let options = SimulatorOptions {
        per_page_max: Some(50),
        redirects_to_slash: true,
        delivery: DeliveryOptions {
            duplicates: 1.0,
            partial_data: true,
            user_agent: Some("iconik"),
            ..DeliveryOptions::default()
        },
        ..prompt()
    };
    let iconik = Iconik::with(options).await;
    assert_eq!(iconik.get("assets/v1/assets/?per_page=51").await.0, 400);
    assert_eq!(iconik.get("assets/v1/assets/?per_page=50").await.0, 200);
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let url = format!(
        "{}/assets/v1/assets?per_page=2",
        iconik.simulator.base_url()
    );
    let request = client.get(url).header("App-ID", "demo");
    let answer = request.header("Auth-Token", "demo").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 308);
    assert_eq!(
        answer.headers()["location"],
        "/API/assets/v1/assets/?per_page=2"
    );

    let asset = iconik.asset("a").await;
    let mut receiver = Receiver::start().await;
    let webhook = json!({ "event_type": "assets", "status": "ENABLED", "url": receiver.url });
    iconik.make("notifications/v1/webhooks/", webhook).await;
    iconik
        .patch(
            &format!("assets/v1/assets/{asset}/"),
            json!({ "title": "b" }),
        )
        .await;
    let (one, twin) = (receiver.next().await, receiver.next().await);
    assert_eq!(one.body, twin.body);
    assert_eq!(one.body["data"]["id"], asset.as_str());
    assert!(one.body["data"].get("title").is_none());
    assert_eq!(one.headers["user-agent"], "iconik");
}

#[tokio::test]
async fn a_webhook_that_recovers_gets_events_again_when_its_time_has_come() {
    use std::sync::Arc;
    use std::time::Duration;
    let clock = cuegate::clock::ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap());
    let clock = Arc::new(clock);
    let options = SimulatorOptions {
        delivery: DeliveryOptions {
            attempts: 1,
            recovers_after: Some(Duration::from_secs(3600)),
            ..DeliveryOptions::default()
        },
        ..prompt()
    };
    let iconik = Iconik::at(options, Arc::<cuegate::clock::ManualClock>::clone(&clock)).await;
    let mut receiver = Receiver::start().await;
    let webhook = json!({ "event_type": "assets", "status": "ENABLED", "url": receiver.url });
    let webhook = iconik.make("notifications/v1/webhooks/", webhook).await;
    let path = format!("notifications/v1/webhooks/{webhook}/");
    receiver.will_answer(500, json!({})).await;
    iconik.asset("a").await;
    receiver.next().await;
    iconik
        .simulator
        .until(|it| (it.undelivered() == 0).then_some(()))
        .await;
    assert_eq!(iconik.get(&path).await.1["status"], "FAILING");
    iconik.asset("b").await;
    clock.advance(Duration::from_secs(3600));
    iconik.asset("c").await;
    assert_eq!(receiver.next().await.body["data"]["title"], "c");
    assert_eq!(iconik.get(&path).await.1["status"], "ENABLED");
}
