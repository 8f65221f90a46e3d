//! One request to a target, and what came of it.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde_json::Value;
use tokio::time::Instant;

use super::address::{NotPublic, PublicOnly};
use super::answer::{body_of, retry_after, shown, size_of};
use super::error::{EgressError, SetupError};
use super::target::Target;
use crate::clock::{SharedClock, SystemClock};
use crate::config::{self, OnUncertain};
use crate::model::{EgressCall, Method, causes};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// The most redirects that a `GET` follows.
const REDIRECTS_MAX: usize = 5;

/// As much of the body of a 5xx as a message shows, in bytes.
const REASON_BYTES_MAX: usize = 300;

/// A target's answer that ends a step: any status but 408, 429 and 5xx.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case, several values of one joined by commas; without `set-cookie`.
    pub headers: BTreeMap<String, String>,
    /// The body: as JSON if it says that it is JSON and is, else as text; `null` when there was none.
    pub body: Value,
    /// When the answer was complete.
    pub at: Timestamp,
}

/// The targets of the configuration.
pub struct Egress {
    targets: BTreeMap<String, ArcSwap<Reached>>,
    http: config::Http,
    clock: SharedClock,
}

/// A target and what it takes to reach it.
struct Reached {
    target: Target,
    http: reqwest::Client,
    uncertain: OnUncertain,
    answer_bytes_max: usize,
}

impl Egress {
    /// Clients for the configured targets, reached directly. Nothing is sent yet.
    ///
    /// # Errors
    /// As for [`Self::through`].
    pub fn new(
        targets: &BTreeMap<String, config::Egress>,
        clock: SharedClock,
    ) -> Result<Self, SetupError> {
        Self::through(targets, &config::Http::default(), clock)
    }

    /// Clients for the configured targets, reached as `[http]` says. Nothing is sent yet.
    ///
    /// # Errors
    /// If a target can never be sent anything, or the machine has no CA certificates for `https`.
    pub fn through(
        targets: &BTreeMap<String, config::Egress>,
        http: &config::Http,
        clock: SharedClock,
    ) -> Result<Self, SetupError> {
        let targets = targets
            .iter()
            .map(|(name, config)| {
                let reached = Reached::new(name, config, http)?;
                Ok((name.clone(), ArcSwap::from_pointee(reached)))
            })
            .collect::<Result<_, SetupError>>()?;
        Ok(Self {
            targets,
            http: http.clone(),
            clock,
        })
    }

    /// Reaches a target as this says from now on, for a secret that was replaced; requests under way end as they began.
    ///
    /// # Errors
    /// As for [`Self::through`], and then everything stays as it was.
    pub fn replace(&self, name: &str, config: &config::Egress) -> Result<(), SetupError> {
        if let Some(reached) = self.targets.get(name) {
            reached.store(Arc::new(Reached::new(name, config, &self.http)?));
        }
        Ok(())
    }

    /// No targets.
    pub fn none() -> Self {
        Self {
            targets: BTreeMap::new(),
            http: config::Http::default(),
            clock: Arc::new(SystemClock),
        }
    }

    /// What becomes of a request to the target that may or may not have been carried out; none if there is no such
    /// target.
    pub fn on_uncertain(&self, target: &str) -> Option<OnUncertain> {
        self.targets
            .get(target)
            .map(|reached| reached.load().uncertain)
    }

    /// Sends one request, once, and waits for the whole answer. Dropping the future leaves open whether it was
    /// carried out.
    ///
    /// # Errors
    /// Whatever is no complete answer that ends the step: see [`EgressError`].
    pub async fn send(&self, call: &EgressCall) -> Result<Reply, EgressError> {
        let Some(reached) = self.targets.get(&call.target) else {
            return Err(EgressError::NoTarget {
                target: call.target.clone(),
            });
        };
        let sent = Instant::now();
        let outcome = reached.load_full().exchange(call, &self.clock).await;
        let target = call.target.clone();
        let status = match &outcome {
            Ok(reply) => Some(reply.status),
            Err(error) => error.status(),
        };
        let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        metrics::counter!("cuegate_egress_requests_total", "target" => target.clone(), "status" => status)
            .increment(1);
        metrics::histogram!("cuegate_egress_request_seconds", "target" => target)
            .record(sent.elapsed());
        outcome
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.targets.keys()).finish()
    }
}

impl Reached {
    fn new(name: &str, config: &config::Egress, http: &config::Http) -> Result<Self, SetupError> {
        let target = Target::new(name, config)?;
        // Whoever installed one before has decided, and any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("cuegate/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT.min(config.timeout / 2))
            .timeout(config.timeout);
        // What may be private is on this side of a proxy. A proxy looks names up by itself, and what it finds is its own to
        // judge; a proxy that only the environment names is none that anybody chose for this.
        builder = match http.outgoing().filter(|_| !config.allow_private) {
            Some(proxy) => builder.proxy(proxy),
            None if config.allow_private => builder.no_proxy(),
            None => builder.no_proxy().dns_resolver(PublicOnly),
        };
        if target.is_encrypted() {
            builder = builder.tls_certs_merge(http.ca.clone());
        } else {
            // No certificate is ever asked for, so it does not matter whether the machine has any.
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|error| SetupError::Connection {
            target: name.to_owned(),
            what: causes(&error),
        })?;
        Ok(Self {
            target,
            http,
            uncertain: config.uncertain,
            answer_bytes_max: config.max_answer,
        })
    }

    async fn exchange(&self, call: &EgressCall, clock: &SharedClock) -> Result<Reply, EgressError> {
        let mut url = self.target.url(call)?;
        let headers = self.target.headers(call)?;
        let mut redirects = 0;
        loop {
            let request = self.http.request(http_method(call.method), url.clone());
            let response = with_body(request.headers(headers.clone()), call, &headers)
                .send()
                .await
                .map_err(|error| unanswered(&error))?;
            match self.next_place(call.method, &url, &response) {
                Some(next) if redirects < REDIRECTS_MAX => {
                    redirects += 1;
                    url = next;
                }
                _ => return self.answer(response, clock).await,
            }
        }
    }

    /// Where a read goes on after a redirect; nothing if the answer is one as it is.
    fn next_place(&self, method: Method, from: &Url, response: &Response) -> Option<Url> {
        let followed = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
        if method != Method::Get || !followed {
            return None;
        }
        self.target
            .redirected(from, response.headers().get(LOCATION)?)
    }

    async fn answer(&self, response: Response, clock: &SharedClock) -> Result<Reply, EgressError> {
        let status = response.status();
        let headers = response.headers().clone();
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(EgressError::Throttled {
                retry_after: retry_after(&headers, clock.now()),
            });
        }
        let doubtful = status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT;
        let body = self.read(response, size_of(&headers)).await;
        if doubtful {
            let (Ok(bytes) | Err(ReadError::Broken(bytes, _) | ReadError::TooLarge(bytes))) = body;
            return Err(self.refused_for_now(status, &bytes));
        }
        let bytes = match body {
            Ok(bytes) => bytes,
            // The status alone says that nothing was done; the rest are reasons.
            Err(ReadError::Broken(bytes, _)) if status.is_client_error() => bytes,
            Err(ReadError::Broken(bytes, error)) => {
                let (status, read) = (status.as_u16(), bytes.len());
                let why = causes(&error);
                return Err(EgressError::Uncertain {
                    status: Some(status),
                    what: format!("its answer {status} broke off after {read} bytes: {why}"),
                });
            }
            Err(ReadError::TooLarge(_)) => {
                return Err(EgressError::TooLarge {
                    status: status.as_u16(),
                    limit_bytes: self.answer_bytes_max,
                });
            }
        };
        Ok(Reply {
            status: status.as_u16(),
            body: body_of(&headers, &bytes),
            headers: shown(&headers),
            at: clock.now(),
        })
    }

    fn refused_for_now(&self, status: StatusCode, body: &[u8]) -> EgressError {
        let text = String::from_utf8_lossy(body);
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut reason = self.target.redacted(&words);
        if reason.len() > REASON_BYTES_MAX {
            reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
            reason.push('…');
        }
        // A page for a browser says nothing to anybody.
        let what = if reason.is_empty() || reason.starts_with('<') {
            format!("it answered {}", status.as_u16())
        } else {
            format!("it answered {}: {reason}", status.as_u16())
        };
        EgressError::Uncertain {
            status: Some(status.as_u16()),
            what,
        }
    }

    /// The body, if it fits together with what was read of the answer before.
    async fn read(&self, mut response: Response, before: usize) -> Result<Vec<u8>, ReadError> {
        let most = self.answer_bytes_max.saturating_sub(before);
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() > most => {
                    return Err(ReadError::TooLarge(bytes));
                }
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => return Ok(bytes),
                Err(error) => return Err(ReadError::Broken(bytes, error)),
            }
        }
    }
}

/// Why a body is not there in full, with what there is of it.
enum ReadError {
    Broken(Vec<u8>, reqwest::Error),
    TooLarge(Vec<u8>),
}

/// A text goes as it is, anything else as JSON; `content-type` is the rule's or the target's if they name one.
fn with_body(request: RequestBuilder, call: &EgressCall, headers: &HeaderMap) -> RequestBuilder {
    let Some(body) = &call.body else {
        return request;
    };
    let (bytes, content_type) = match body {
        Value::String(text) => (text.clone(), "text/plain; charset=utf-8"),
        value => (value.to_string(), "application/json"),
    };
    let request = request.body(bytes);
    if headers.contains_key(CONTENT_TYPE) {
        request
    } else {
        request.header(CONTENT_TYPE, HeaderValue::from_static(content_type))
    }
}

/// What a request without an answer means.
fn unanswered(error: &reqwest::Error) -> EgressError {
    if let Some(what) = not_public(error) {
        return EgressError::NotPublic { what };
    }
    let what = causes(error);
    if error.is_builder() {
        EgressError::Malformed { what }
    } else if error.is_connect() {
        EgressError::NotSent { what }
    } else if error.is_timeout() {
        EgressError::Uncertain {
            status: None,
            what: format!("no answer in time: {what}"),
        }
    } else {
        EgressError::Uncertain { status: None, what }
    }
}

fn not_public(error: &reqwest::Error) -> Option<String> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref::<NotPublic>() {
            return Some(refused.to_string());
        }
        cause = error.source();
    }
    None
}

fn http_method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}

#[cfg(test)]
mod tests;
