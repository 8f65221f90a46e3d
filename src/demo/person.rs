//! Somebody who works in Iconik, over its API: registers webhooks, brings assets in, sets markers, presses
//! buttons.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::model::{RULE_HEADER, RuleHeader, Secret};
use crate::simulator::Credential;

/// The header that carries the secret of the webhooks.
pub(super) const SECRET_HEADER: &str = "x-cuegate-secret";

/// Something that a person does in Iconik did not work.
#[derive(Debug, thiserror::Error)]
pub enum PersonError {
    /// Iconik was not reached.
    #[error("the simulator was not reached: {0}")]
    Unreachable(#[from] reqwest::Error),
    /// Iconik refused.
    #[error("the simulator answered {status} to {method} {path}: {body}")]
    Refused {
        /// What was asked.
        method: &'static str,
        /// Where.
        path: String,
        /// The status.
        status: u16,
        /// The answer.
        body: String,
    },
}

/// A person with an application token.
#[derive(Debug)]
pub(super) struct Person {
    http: reqwest::Client,
    base_url: String,
    app_id: String,
    auth_token: Secret,
}

impl Person {
    pub(super) fn new(base_url: &str, credential: &Credential) -> Result<Self, PersonError> {
        Ok(Self {
            http: reqwest::Client::builder().no_proxy().build()?,
            base_url: base_url.to_owned(),
            app_id: credential.app_id.clone(),
            auth_token: credential.auth_token.clone(),
        })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, PersonError> {
        self.send("GET", path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Result<Value, PersonError> {
        self.send("POST", path, Some(body)).await
    }

    pub(super) async fn put(&self, path: &str, body: Value) -> Result<Value, PersonError> {
        self.send("PUT", path, Some(body)).await
    }

    async fn send(
        &self,
        method: &'static str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, PersonError> {
        let verb =
            reqwest::Method::from_bytes(method.as_bytes()).expect("the methods are literals");
        let mut request = self
            .http
            .request(verb, format!("{}/{path}", self.base_url))
            .header("App-ID", &self.app_id)
            .header("Auth-Token", self.auth_token.expose());
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let body = answer.text().await?;
        if !status.is_success() {
            return Err(PersonError::Refused {
                method,
                path: path.to_owned(),
                status: status.as_u16(),
                body,
            });
        }
        Ok(serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// Registers in Iconik what the rules want to hear: a webhook for each kind of event, a custom action for
    /// each button and place.
    pub(super) async fn register(
        &self,
        rules: &[RuleHeader],
        hooks: SocketAddr,
        secret: &Secret,
    ) -> Result<(), PersonError> {
        let url = format!("http://{hooks}/hooks/iconik");
        let wanted: BTreeSet<&[String]> = rules
            .iter()
            .flat_map(|rule| &rule.on)
            .filter(|pattern| pattern.source == "iconik")
            .map(|pattern| pattern.parts.as_slice())
            .collect();
        for parts in wanted {
            let any = |part: &String| {
                if part == "*" {
                    Value::Null
                } else {
                    json!(part)
                }
            };
            let webhook = json!({
                "name": format!("cuegate {}", parts.join("/")), "event_type": parts[0], "realm": any(&parts[1]),
                "operation": any(&parts[2]), "status": "ENABLED", "url": url,
                "headers": { SECRET_HEADER: secret.expose() },
            });
            self.post("notifications/v1/webhooks/", webhook).await?;
        }
        for rule in rules {
            for context in rule.button.iter().flat_map(|button| &button.contexts) {
                let title = rule.button.as_ref().map_or("", |button| &button.title);
                let action = json!({
                    "title": title, "url": url, "context": context, "type": "POST",
                    "headers": { SECRET_HEADER: secret.expose(), RULE_HEADER: rule.rule.as_str() },
                });
                self.post(&format!("assets/v1/custom_actions/{context}/"), action)
                    .await?;
            }
        }
        Ok(())
    }

    /// Presses the button of this title on a selection of assets.
    pub(super) async fn press(
        &self,
        title: &str,
        context: &str,
        assets: &[&str],
    ) -> Result<(), PersonError> {
        let actions = self
            .get(&format!("assets/v1/custom_actions/{context}/"))
            .await?;
        let actions = actions
            .get("objects")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let Some(id) = actions
            .iter()
            .find(|action| action["title"] == title)
            .and_then(|action| action["id"].as_str())
        else {
            let path = format!("assets/v1/custom_actions/{context}/");
            return Err(PersonError::Refused {
                method: "GET",
                path,
                status: 404,
                body: format!("there is no button `{title}`"),
            });
        };
        let selection = json!({
            "asset_ids": assets, "collection_ids": [], "saved_search_ids": [], "metadata_view_id": null,
            "metadata_values": null,
        });
        self.post(
            &format!("assets/v1/custom_actions/{context}/{id}/callback/"),
            selection,
        )
        .await?;
        Ok(())
    }

    /// Makes an object and returns its id.
    pub(super) async fn make(&self, path: &str, body: Value) -> Result<String, PersonError> {
        let made = self.post(path, body).await?;
        Ok(made["id"].as_str().unwrap_or_default().to_owned())
    }

    /// Sets fields of a metadata view.
    pub(super) async fn describe(
        &self,
        object: &str,
        view: &str,
        values: &[(&str, Value)],
    ) -> Result<(), PersonError> {
        let fields: serde_json::Map<String, Value> = values
            .iter()
            .map(|(field, value)| {
                (
                    (*field).to_owned(),
                    json!({ "field_values": [{ "value": value }] }),
                )
            })
            .collect();
        self.put(
            &format!("metadata/v1/{object}/views/{view}/"),
            json!({ "metadata_values": fields }),
        )
        .await?;
        Ok(())
    }

    /// The values of a field of a metadata view; none if the view was never written.
    pub(super) async fn values(
        &self,
        object: &str,
        view: &str,
        field: &str,
    ) -> Result<Vec<Value>, PersonError> {
        let answer = match self
            .get(&format!("metadata/v1/{object}/views/{view}/"))
            .await
        {
            Err(PersonError::Refused { status: 404, .. }) => return Ok(Vec::new()),
            answer => answer?,
        };
        let values = answer["metadata_values"][field]["field_values"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        Ok(values
            .into_iter()
            .map(|value| value["value"].clone())
            .collect())
    }
}
