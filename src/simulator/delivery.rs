//! What Iconik sends: events to webhooks, presses to the URLs of buttons.
//!
//! Each webhook has one queue and one task, so that its events keep their order and a slow receiver holds
//! up nobody else. The task reads the definition anew for every attempt: what was disabled or deleted gets
//! nothing more, not even what was queued.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::warn;

use super::DeliveryOptions;
use super::operation::{Caller, Change};
use super::recorder::Recorder;
use super::records::{Delivery, Records};
use super::table::{Document, text};
use super::webhooks::{headers, is_enabled, is_meant, wants};
use super::world::{World, stamp};
use crate::clock::SharedClock;

/// The most of a receiver's answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Sends what Iconik sends.
#[derive(Debug)]
pub(super) struct Courier {
    desk: Arc<Desk>,
    lanes: Mutex<Lanes>,
}

/// What the tasks share.
#[derive(Debug)]
struct Desk {
    world: Arc<Mutex<World>>,
    records: Arc<Records>,
    clock: SharedClock,
    client: reqwest::Client,
    options: DeliveryOptions,
    recorder: Option<Arc<Recorder>>,
    dice: Mutex<fastrand::Rng>,
}

#[derive(Debug, Default)]
struct Lanes {
    queues: HashMap<String, mpsc::Sender<Value>>,
    tasks: JoinSet<()>,
}

impl Courier {
    pub(super) fn new(
        world: Arc<Mutex<World>>,
        records: Arc<Records>,
        clock: SharedClock,
        options: DeliveryOptions,
        recorder: Option<Arc<Recorder>>,
    ) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(options.timeout)
            .build()?;
        Ok(Self {
            desk: Arc::new(Desk {
                world,
                records,
                clock,
                client,
                dice: Mutex::new(fastrand::Rng::with_seed(options.seed)),
                options,
                recorder,
            }),
            lanes: Mutex::default(),
        })
    }

    /// Queues the changes of one request for the webhooks that want them. The caller holds the world, so
    /// events queue up in the order of the changes.
    pub(super) fn publish(&self, world: &World, caller: &Caller, changes: Vec<Change>) {
        self.lanes()
            .queues
            .retain(|webhook, _| world.webhooks.contains(webhook));
        for change in changes {
            for webhook in world.webhooks.iter() {
                let recovers = self.desk.recovers(webhook);
                if !(is_enabled(webhook) || recovers) || !wants(webhook, &change) {
                    continue;
                }
                let mut envelope = envelope(&world.domain, caller, &change);
                if !is_meant(webhook, &envelope) {
                    continue;
                }
                if self.desk.options.partial_data && change.operation == "update" {
                    envelope["data"] = only_ids(&change.data);
                }
                let webhook = text(webhook, "id");
                if self.desk.strikes(self.desk.options.duplicates) {
                    self.queue(webhook, envelope.clone());
                }
                self.queue(webhook, envelope);
            }
        }
    }

    fn queue(&self, webhook: &str, envelope: Value) {
        let mut lanes = self.lanes();
        while lanes.tasks.try_join_next().is_some() {}
        if !lanes.queues.contains_key(webhook) {
            let (sender, queue) = mpsc::channel(self.desk.options.queue);
            lanes.queues.insert(webhook.to_owned(), sender);
            let desk = Arc::clone(&self.desk);
            lanes.tasks.spawn(desk.serve(webhook.to_owned(), queue));
        }
        let sent = lanes.queues.get(webhook).map(|it| it.try_send(envelope));
        match sent {
            Some(Err(error)) => {
                let envelope = error.into_inner();
                let error = "the queue is full; the event is lost".to_owned();
                self.desk.record(webhook, 0, &envelope, Err(error));
            }
            _ => self.desk.records.delivery_queued(),
        }
    }

    /// Calls the URL of a definition once, with its headers.
    ///
    /// # Errors
    ///
    /// What went wrong, in words, if there was no answer or one that is no success.
    pub(super) async fn call(&self, definition: &Document, body: &Value) -> Result<Value, String> {
        let answer = self.desk.post(definition, body).await?;
        match answer.status {
            200..300 => Ok(answer.body),
            status => Err(format!("the receiver answered {status}")),
        }
    }

    /// Ends all deliveries, finished or not.
    pub(super) async fn stop(&self) {
        let mut tasks = std::mem::take(&mut *self.lanes()).tasks;
        tasks.shutdown().await;
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The event: exactly these eight keys were recorded.
fn envelope(domain: &str, caller: &Caller, change: &Change) -> Value {
    json!({
        "system_domain_id": domain,
        "event_type": change.event_type,
        "object_id": change.object_id,
        "user_id": caller.user_id,
        "realm": change.realm,
        "operation": change.operation,
        "data": change.data,
        "request_id": caller.request_id,
    })
}

/// What a partial update still says: which objects it is about.
fn only_ids(data: &Value) -> Value {
    let keys = data.as_object().into_iter().flatten();
    let ids = keys.filter(|(key, _)| *key == "id" || key.ends_with("_id") || *key == "object_type");
    let ids = ids.map(|(key, value)| (key.clone(), value.clone()));
    Value::Object(ids.collect())
}

struct Answer {
    status: u16,
    body: Value,
}

impl Desk {
    async fn serve(self: Arc<Self>, webhook: String, mut queue: mpsc::Receiver<Value>) {
        let mut waiting = Vec::new();
        while queue
            .recv_many(&mut waiting, 1 + self.options.reorder)
            .await
            > 0
        {
            if self.options.reorder > 0 {
                self.dice().shuffle(&mut waiting);
            }
            for envelope in waiting.drain(..) {
                self.deliver(&webhook, &envelope).await;
                self.records.delivery_ended();
            }
        }
    }

    /// Tries one event until it is taken or the webhook has failed.
    async fn deliver(&self, webhook: &str, envelope: &Value) {
        let mut wait = self.options.backoff;
        for attempt in 1..=self.options.attempts {
            let definition = self.definition(webhook);
            let Some(definition) = definition.filter(is_enabled) else {
                return;
            };
            let outcome = match self.post(&definition, envelope).await {
                Ok(answer) if (200..300).contains(&answer.status) => Ok(answer.status),
                Ok(answer) => Err(format!("the receiver answered {}", answer.status)),
                Err(error) => Err(error),
            };
            let last = attempt == self.options.attempts;
            self.note(webhook, envelope, outcome.as_ref().err(), last);
            let taken = outcome.is_ok();
            let delivery = self.record(webhook, attempt, envelope, outcome);
            if let Some(recorder) = &self.recorder {
                recorder.delivery(&delivery).await;
            }
            if taken || last {
                return;
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
    }

    /// Writes into the definition how it went.
    fn note(&self, webhook: &str, envelope: &Value, error: Option<&String>, last: bool) {
        let now = json!(stamp(self.clock.now()));
        let mut world = self.world();
        let Some(definition) = world.webhooks.get_mut(webhook) else {
            return;
        };
        let Some(error) = error else {
            definition.insert("first_failed_at".to_owned(), Value::Null);
            return;
        };
        if definition["first_failed_at"].is_null() {
            definition.insert("first_failed_at".to_owned(), now);
        }
        definition.insert("last_error".to_owned(), json!(error));
        definition.insert("last_payload".to_owned(), json!(envelope.to_string()));
        if last {
            warn!(
                webhook,
                error, "a webhook keeps failing and gets no more events"
            );
            definition.insert("status".to_owned(), json!("FAILING"));
            let now = json!(stamp(self.clock.now()));
            definition.insert("date_modified".to_owned(), now);
        }
    }

    fn record(
        &self,
        webhook: &str,
        attempt: u32,
        envelope: &Value,
        outcome: Result<u16, String>,
    ) -> Delivery {
        let delivery = Delivery {
            at: self.clock.now(),
            webhook_id: webhook.to_owned(),
            attempt,
            envelope: envelope.clone(),
            outcome,
        };
        self.records.delivered(delivery.clone());
        delivery
    }

    async fn post(&self, definition: &Document, body: &Value) -> Result<Answer, String> {
        let mut request = self.client.post(text(definition, "url")).json(body);
        if let Some(agent) = self.options.user_agent {
            request = request.header(reqwest::header::USER_AGENT, agent);
        }
        for (name, value) in headers(definition) {
            request = request.header(name, value);
        }
        let mut response = request.send().await.map_err(|error| explain(&error))?;
        let status = response.status().as_u16();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| explain(&error))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > ANSWER_BYTES_MAX {
                break;
            }
        }
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Answer { status, body })
    }

    /// Whether a webhook that failed is to have events again.
    fn recovers(&self, webhook: &Document) -> bool {
        let (Some(after), "FAILING") = (self.options.recovers_after, text(webhook, "status"))
        else {
            return false;
        };
        let failed = text(webhook, "date_modified").parse::<Timestamp>();
        failed.is_ok_and(|at| self.clock.now() >= at + after)
    }

    /// The definition as it is now, enabled again if its time has come.
    fn definition(&self, webhook: &str) -> Option<Document> {
        let mut world = self.world();
        let definition = world.webhooks.get(webhook)?.clone();
        if !self.recovers(&definition) {
            return Some(definition);
        }
        let recovered = world.webhooks.get_mut(webhook)?;
        recovered.insert("status".to_owned(), json!("ENABLED"));
        recovered.insert("first_failed_at".to_owned(), Value::Null);
        Some(recovered.clone())
    }

    /// Whether something with this share of all cases happens now.
    fn strikes(&self, share: f64) -> bool {
        share > 0.0 && self.dice().f64() < share
    }

    fn dice(&self) -> MutexGuard<'_, fastrand::Rng> {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error with its causes, but without the URL, which may hold a secret.
fn explain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "the receiver did not answer in time".to_owned();
    }
    let mut text = if error.is_connect() {
        "no connection".to_owned()
    } else {
        "the call broke off".to_owned()
    };
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
