//! Reads definitions from Iconik and writes them there. There is no PATCH of a webhook, and a custom action wants its whole
//! body as well, so a change states everything (documented; clients in the field report the second).

use std::collections::BTreeMap;

use serde_json::Value;

use super::definition::{Found, Kind, Needed};
use super::plan::{Change, Step};
use crate::iconik::{CallError, IconikClient};
use crate::model::{Call, Method};

/// Where webhooks are.
const WEBHOOKS: &str = "notifications/v1/webhooks/";

/// Where custom actions are, below it by context.
const ACTIONS: &str = "assets/v1/custom_actions/";

/// Where metadata views are.
const VIEWS: &str = "metadata/v1/views/";

/// Iconik did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what}: {error}{}", hint(error))]
pub struct RegistryError {
    what: String,
    error: CallError,
}

fn hint(error: &CallError) -> &'static str {
    match error {
        CallError::Refused { status: 403, .. } => {
            "; the role of our user needs can_read_webhooks, can_write_webhooks, can_delete_webhooks and the same of custom actions"
        }
        CallError::Uncertain { .. } => "; do it once more: what is there is read anew first",
        _ => "",
    }
}

/// A metadata view that a button may show as its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// Iconik's definitions.
#[derive(Clone, Copy, Debug)]
pub struct Registry<'a> {
    client: &'a IconikClient,
}

impl<'a> Registry<'a> {
    /// What this client's Iconik has.
    pub fn new(client: &'a IconikClient) -> Self {
        Self { client }
    }

    /// Every webhook, whoever has made it.
    ///
    /// # Errors
    ///
    /// If Iconik does not answer, or refuses.
    pub async fn webhooks(&self) -> Result<Vec<Found>, RegistryError> {
        let objects = self
            .list("Iconik's webhooks cannot be read", WEBHOOKS)
            .await?;
        Ok(all(Kind::Webhook, objects))
    }

    /// Every webhook and custom action, whoever has made it.
    ///
    /// # Errors
    ///
    /// As for [`Self::webhooks`].
    pub async fn found(&self) -> Result<Vec<Found>, RegistryError> {
        let mut found = self.webhooks().await?;
        let what = "Iconik's custom actions cannot be read";
        found.extend(all(Kind::Button, self.list(what, ACTIONS).await?));
        Ok(found)
    }

    /// Every metadata view.
    ///
    /// # Errors
    ///
    /// As for [`Self::webhooks`].
    pub async fn views(&self) -> Result<Vec<View>, RegistryError> {
        let objects = self
            .list("Iconik's metadata views cannot be read", VIEWS)
            .await?;
        let text = |view: &Value, key: &str| Some(view.get(key)?.as_str()?.to_owned());
        let view = |view: &Value| {
            Some(View {
                id: text(view, "id")?,
                name: text(view, "name")?,
            })
        };
        Ok(objects.iter().filter_map(view).collect())
    }

    /// Does what a plan says about one definition.
    ///
    /// # Errors
    ///
    /// As for [`Self::webhooks`]; whether it was done is open if the error says that it is uncertain.
    pub async fn carry_out(&self, change: &Change) -> Result<(), RegistryError> {
        let about = |verb: &str| {
            let kind = change.kind.as_str();
            format!("the {kind} {} was not {verb}", change.subject)
        };
        match (change.step, &change.needed, &change.found) {
            (Step::Create, Some(needed), _) => {
                let path = collection(needed.kind, context_of(needed));
                self.send(about("created"), Method::Post, path, Some(needed.body()))
                    .await?;
            }
            (Step::Update, Some(needed), Some(found)) => {
                let mut body = needed.body();
                // A button that somebody has switched off stays off.
                if found.is_disabled() {
                    body["disabled"] = true.into();
                }
                self.send(about("updated"), Method::Put, place(found), Some(body))
                    .await?;
            }
            (Step::Remove, _, Some(found)) => {
                self.send(about("removed"), Method::Delete, place(found), None)
                    .await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Switches a definition on and makes it what is needed.
    ///
    /// # Errors
    ///
    /// As for [`Self::carry_out`].
    pub async fn switch_on(&self, needed: &Needed, found: &Found) -> Result<(), RegistryError> {
        let what = format!(
            "the {} {} was not switched on",
            needed.kind.as_str(),
            needed.subject
        );
        let body = Some(needed.body());
        self.send(what, Method::Put, place(found), body).await?;
        Ok(())
    }

    async fn list(&self, what: &str, path: &str) -> Result<Vec<Value>, RegistryError> {
        let answer = self.send(what.to_owned(), Method::Get, path.to_owned(), None);
        let mut answer = answer.await?;
        match answer.get_mut("objects").map(Value::take) {
            Some(Value::Array(objects)) => Ok(objects),
            // An answer without them must not look like an Iconik that has none: everything would be made twice.
            _ => Err(RegistryError {
                what: what.to_owned(),
                error: CallError::Uncertain {
                    status: None,
                    what: "the answer has no `objects`; is iconik.base_url right?".to_owned(),
                },
            }),
        }
    }

    async fn send(
        &self,
        what: String,
        method: Method,
        path: String,
        body: Option<Value>,
    ) -> Result<Value, RegistryError> {
        self.ask(what, method, path, (BTreeMap::new(), body)).await
    }

    /// One request. `what` says what did not come about if it fails.
    pub(super) async fn ask(
        &self,
        what: String,
        method: Method,
        path: String,
        (query, body): (BTreeMap<String, String>, Option<Value>),
    ) -> Result<Value, RegistryError> {
        let call = Call {
            method,
            path,
            query,
            body,
            cacheable: false,
            position: None,
        };
        let sent = self.client.send(&call).await;
        sent.map(|reply| reply.body)
            .map_err(|error| RegistryError { what, error })
    }
}

fn all(kind: Kind, objects: Vec<Value>) -> Vec<Found> {
    let objects = objects.into_iter();
    objects
        .filter_map(|object| Found::of(kind, object))
        .collect()
}

fn context_of(needed: &Needed) -> &str {
    let context = needed.keys.get("context").and_then(Value::as_str);
    context.unwrap_or_default()
}

fn collection(kind: Kind, context: &str) -> String {
    match kind {
        Kind::Webhook => WEBHOOKS.to_owned(),
        Kind::Button => format!("{ACTIONS}{context}/"),
    }
}

fn place(found: &Found) -> String {
    let context = found.text("context").unwrap_or_default();
    format!("{}{}/", collection(found.kind, context), found.id)
}
