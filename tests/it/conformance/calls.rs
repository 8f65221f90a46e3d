//! Calls over HTTP, each held against the documents.

use std::collections::BTreeSet;

use cuegate::simulator::{Credential, DEFAULT_USER, SimulatorOptions};
use serde_json::{Value, json};

use super::bodies::{self, Known};
use super::cast::{MAKERS, WORDS, before, instead};
use super::documents::{Documents, Way};
use crate::simulator::{Iconik, Receiver, prompt};

/// The application that calls.
const APP: &str = "2f6d1c5a-7a8b-41ee-9d3f-0a580a3c0f30";

/// Makes the calls and remembers where they and the documents differ.
pub(crate) struct Driver {
    documents: Documents,
    iconik: Iconik,
    client: reqwest::Client,
    receiver: Receiver,
    made: usize,
    differences: BTreeSet<(String, String)>,
}

impl Driver {
    pub(crate) async fn start(documents: Documents) -> Self {
        let options = SimulatorOptions {
            rate_limit: None,
            credentials: vec![Credential::new(APP, "demo", DEFAULT_USER)],
            ..prompt()
        };
        Self {
            documents,
            iconik: Iconik::with(options).await,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            receiver: Receiver::start().await,
            made: 0,
            differences: BTreeSet::new(),
        }
    }

    pub(crate) fn documents(&self) -> &Documents {
        &self.documents
    }

    pub(crate) fn documents_mut(&mut self) -> &mut Documents {
        &mut self.documents
    }

    pub(crate) fn differences(&self) -> &BTreeSet<(String, String)> {
        &self.differences
    }

    /// Calls an operation of the simulator on objects of its own.
    pub(crate) async fn call(&mut self, method: &str, path: &str) {
        let mut known = Known::new();
        for (method, path, over) in before(method, path) {
            let made = self.carry_out(method, path, &mut known, &over).await;
            if let Some(name) = made["name"].as_str() {
                known.insert("name".to_owned(), name.to_owned());
            }
        }
        self.carry_out(method, path, &mut known, &json!({})).await;
    }

    /// Makes what the path needs, calls it, and answers the body.
    async fn carry_out(
        &mut self,
        method: &str,
        path: &str,
        known: &mut Known,
        over: &Value,
    ) -> Value {
        let mut filled = Vec::new();
        for part in path.split('/') {
            filled.push(
                match part.strip_prefix('{').and_then(|it| it.strip_suffix('}')) {
                    Some(name) => Box::pin(self.object(path, name, known)).await,
                    None => part.to_owned(),
                },
            );
        }
        let filled = filled.join("/");
        let Some(at) = self.documents.named(method, path) else {
            self.differ(&format!("{method} {path}"), "is in no document".to_owned());
            return Value::Null;
        };
        let name = self.documents.operations[at].name();
        let body = self.body(at, (method, path), known, over).await;
        let url = format!("{}/{filled}", self.iconik.simulator.base_url());
        let request = self.client.request(method.parse().unwrap(), url);
        let mut request = request.header("App-ID", APP).header("Auth-Token", "demo");
        if let Some(body) = &body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.bytes().await.unwrap();
        if !self.documents.operations[at].successes().contains(&status) {
            let said = String::from_utf8_lossy(&bytes).into_owned();
            let sent = body.unwrap_or_default();
            self.differ(&name, format!("status {status} to {filled} {sent}: {said}"));
        }
        self.judge(at, status, &bytes)
    }

    /// Holds an answer against its schema.
    fn judge(&mut self, at: usize, status: u16, bytes: &[u8]) -> Value {
        let operation = &self.documents.operations[at];
        let name = operation.name();
        let answer = serde_json::from_slice(bytes).unwrap_or(Value::Null);
        // An answer without content has no body, whatever schema stands beside it.
        let Some((kind, schema)) = operation.answer(status).filter(|_| status != 204) else {
            return answer;
        };
        if kind != "application/json" {
            if bytes.is_empty() {
                self.differ(&name, format!("an empty {kind}"));
            }
            return answer;
        }
        let schema = schema.clone();
        let differences = self
            .documents
            .differences(at, &schema, Way::Answer, &answer);
        for difference in differences {
            self.differ(&name, format!("answer {difference}"));
        }
        answer
    }

    async fn body(
        &mut self,
        at: usize,
        (method, path): (&str, &str),
        known: &mut Known,
        over: &Value,
    ) -> Option<Value> {
        let schema = self.documents.operations[at].request()?.clone();
        for key in bodies::required(&self.documents, at, &schema) {
            if MAKERS.iter().any(|(name, _)| *name == key) {
                Box::pin(self.object(path, &key, known)).await;
            }
        }
        let mut body = bodies::made(&self.documents, at, &schema, known);
        let mut instead = instead(method, path);
        if let (Some(instead), Some(over)) = (instead.as_object_mut(), over.as_object()) {
            instead.extend(over.clone());
        }
        if let (Some(body), Value::Object(mut instead)) = (body.as_object_mut(), instead) {
            instead.retain(|key, _| body.contains_key(key));
            for (key, value) in instead {
                match value {
                    Value::Null => drop(body.remove(&key)),
                    value => {
                        let value = Box::pin(self.filled_in(&value, path, known)).await;
                        body.insert(key, value);
                    }
                }
            }
        }
        let differences = self.documents.differences(at, &schema, Way::Request, &body);
        let name = self.documents.operations[at].name();
        for difference in differences {
            self.differ(&name, format!("request {difference}"));
        }
        Some(body)
    }

    /// Ids in the place of `{names}`, in keys and values.
    async fn filled_in(&mut self, value: &Value, path: &str, known: &mut Known) -> Value {
        let mut text = value.to_string();
        while let Some(begin) = text.find("\"{").map(|at| at + 1) {
            let end = begin + text[begin..].find('}').unwrap();
            let name = text[begin + 1..end].to_owned();
            let id = match name.as_str() {
                "fresh" => self.fresh(),
                "fresh_collection" => {
                    let mut other = Known::new();
                    Box::pin(self.object(path, "collection_id", &mut other)).await
                }
                "receiver" => self.receiver.url.clone(),
                name => Box::pin(self.object(path, name, known)).await,
            };
            text.replace_range(begin..=end, &id);
        }
        serde_json::from_str(&text).unwrap()
    }

    fn fresh(&mut self) -> String {
        self.made += 1;
        format!("made-{}", self.made)
    }

    /// The id or word for a part of a path.
    async fn object(&mut self, path: &str, name: &str, known: &mut Known) -> String {
        if let Some(id) = known.get(name) {
            return id.clone();
        }
        let alias = match name {
            // A sub-object of an asset is a segment.
            "object_type" if path.contains("/assets/{asset_id}/{object_type}/") => {
                return "segments".to_owned();
            }
            "object_type" if path.contains("/content/") => return "collections".to_owned(),
            "object_id" if path.contains("/assets/{asset_id}/{object_type}/") => "segment_id",
            "object_id" | "object_key" => "asset_id",
            "source_version_id" => "version_id",
            "system_domain_id" => return self.iconik.simulator.world().domain(),
            "job_step_id" => return "0a1b2c3d-7a8b-41ee-9d3f-0a580a3c0f20".to_owned(),
            "format_id"
                if path.starts_with("files/v1/formats/{format_id}/")
                    && path.ends_with("/bulk/") =>
            {
                return "ORIGINAL".to_owned();
            }
            "storage_id" if path.contains("{purpose}/default") => return "FILES".to_owned(),
            name => name,
        };
        if let Some((_, word)) = WORDS.iter().find(|(word, _)| *word == alias) {
            return (*word).to_owned();
        }
        if alias == "version_id" {
            Box::pin(self.object(path, "asset_id", known)).await;
            return known["version_id"].clone();
        }
        if let Some(id) = known.get(alias) {
            return id.clone();
        }
        let Some((_, maker)) = MAKERS.iter().find(|(made, _)| *made == alias) else {
            self.differ(path, format!("nobody makes {name}"));
            return name.to_owned();
        };
        let made = Box::pin(self.carry_out("POST", maker, known, &json!({}))).await;
        let id = ["id", "name"].iter().find_map(|key| made[*key].as_str());
        let id = id.unwrap_or_default().to_owned();
        if alias == "asset_id" {
            let version = made["versions"][0]["id"].as_str().unwrap_or_default();
            known.insert("version_id".to_owned(), version.to_owned());
        }
        known.insert(alias.to_owned(), id.clone());
        id
    }

    fn differ(&mut self, operation: &str, difference: String) {
        self.differences.insert((operation.to_owned(), difference));
    }
}
