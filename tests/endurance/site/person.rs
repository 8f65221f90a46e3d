//! Somebody else who works in the same Iconik: makes what rules work on, and now and then the very thing that a
//! rule is about to make.

use std::sync::Arc;
use std::time::Duration;

use cuegate::clock::SystemClock;
use cuegate::simulator::{Credential, Seed, Simulator, SimulatorOptions};
use serde_json::{Value, json};

use crate::gateway::{AUTH_TOKEN, GATEWAY_USER, PATIENCE};

const APP: &str = "person-app";
const TOKEN: &str = "person-token-51c8";
const USER: &str = "22222222-aaaa-4aaa-8aaa-000000000002";

/// The view that metadata is written through.
pub(crate) const VIEW: &str = "22222222-bbbb-4bbb-8bbb-000000000001";

/// How far lists are behind. The gateway is told to wait for a second; a request may be on its way for some of it.
const INDEX_LAG: Duration = Duration::from_millis(500);

/// An Iconik that knows the gateway and a person, keeps a log of everything, and never says that it is too much.
pub(crate) async fn iconik() -> Simulator {
    let seed: Seed = serde_json::from_value(json!({
        "fields": [{ "name": "keywords", "label": "Keywords", "field_type": "tag_cloud", "multi": true }],
        "views": [{ "id": VIEW, "name": "Operations", "view_fields": [{ "name": "keywords" }] }],
    }))
    .expect("the seed has known keys");
    let options = SimulatorOptions {
        seed: Some(seed),
        credentials: vec![
            Credential::new("gateway-app", AUTH_TOKEN, GATEWAY_USER),
            Credential::new(APP, TOKEN, USER),
        ],
        rate_limit: None,
        index_lag: INDEX_LAG,
        keep_writes: true,
        log_entries: 1_000_000,
        ..SimulatorOptions::default()
    };
    Simulator::start(options, Arc::new(SystemClock))
        .await
        .expect("the seed can be planted")
}

/// The person.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    http: reqwest::Client,
    base: String,
}

impl Person {
    pub(crate) fn at(simulator: &Simulator) -> Self {
        // An error only says that a provider is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(PATIENCE)
                .build()
                .expect("a plain client can be built"),
            base: simulator.base_url(),
        }
    }

    /// Makes something; answers what was made. Trouble that was meant for the gateway may meet a person, who then
    /// does it once more.
    pub(crate) async fn makes(&self, path: &str, body: &Value) -> Value {
        let ask = || {
            let request = self.http.post(format!("{}/{path}", self.base));
            let request = request.header("app-id", APP).header("auth-token", TOKEN);
            request.json(body).send()
        };
        let answer = match ask().await {
            Ok(answer) => answer,
            Err(_) => ask().await.expect("trouble strikes once"),
        };
        assert_eq!(answer.status(), 201, "{path}: {body}");
        // Some answers have no body.
        answer.json().await.unwrap_or(Value::Null)
    }

    /// Makes something; answers its id.
    pub(crate) async fn makes_one(&self, path: &str, body: &Value) -> String {
        let made = self.makes(path, body).await;
        made["id"].as_str().expect("it has an id").to_owned()
    }
}
