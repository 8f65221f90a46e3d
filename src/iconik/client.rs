//! One request, and what came of it.
//!
//! Redirects are not followed, because the credentials must not leave the host that the operator named;
//! answers are read up to a bound, because they are journaled; and a failure is named by how far the request
//! had come, because the repeat of a write hangs on that.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};
use serde_json::Value;
use tokio::time::Instant;

use crate::clock::SharedClock;
use crate::config;
use crate::model::{Call, Method, Secret};

use super::address::Address;
use super::budget::{Budget, Permit, RETRY_AFTER_MAX};
use super::error::{CallError, SetupError};
use super::person::{AUTH_TOKEN, sensitive};
use super::queue::Share;

/// The longest answer that is read, in bytes: what one step of a journal may hold.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// Iconik's header for the part of its budget that is left.
const REMAINING: &str = "ratelimit-remaining";

/// Iconik's answer to a request that it carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The status, 2xx.
    pub status: u16,
    /// The JSON body; `null` when there was none.
    pub body: Value,
    /// When the answer was complete.
    pub at: Timestamp,
}

/// Whom Iconik takes us for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// `UserSchema.system_domain_id`: the domain that the credentials belong to.
    pub domain: String,
    /// `UserSchema.id`: what the events that our own writes cause carry as `user_id`.
    pub user: Option<String>,
}

/// A client for one Iconik domain. It is meant to be shared: all callers share its connections and its budget.
pub struct IconikClient {
    http: reqwest::Client,
    address: Address,
    auth_token: Secret,
    budget: Budget,
    clock: SharedClock,
}

impl IconikClient {
    /// A client for the configured Iconik. Nothing is sent yet.
    ///
    /// # Errors
    /// If the base URL or a credential is of no use, or the machine has no CA certificates for `https`.
    pub fn new(config: &config::Iconik, clock: SharedClock) -> Result<Self, SetupError> {
        let address = Address::parse(&config.base_url)?;
        // Whoever installed one before has decided, and any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .default_headers(headers(config)?)
            .user_agent(concat!("cuegate/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT.min(config.timeout / 2))
            .timeout(config.timeout);
        if !address.is_encrypted() {
            // No certificate is ever asked for, so it does not matter whether the machine has any.
            builder = builder.tls_certs_only([]);
        }
        if address.is_loopback() {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| SetupError::Connection {
            what: causes(&error),
        })?;
        Ok(Self {
            http,
            address,
            auth_token: config.auth_token.clone(),
            budget: Budget::new(config.rate),
            clock,
        })
    }

    /// Sends one request as soon as the budget allows, and waits for the whole answer. Nothing is repeated.
    /// Dropping the future leaves open whether the request was carried out.
    ///
    /// # Errors
    /// Whatever is no complete answer with a status of success: see [`CallError`].
    pub async fn send(&self, call: &Call) -> Result<Reply, CallError> {
        let permit = self.admit(&Share::gateway()).await;
        self.send_admitted(permit, call).await
    }

    /// Waits until the budget allows one request on this account. What has to be written down before a request
    /// leaves is written after this, because the wait may be long.
    pub async fn admit(&self, share: &Share) -> Permit {
        let asked = Instant::now();
        let permit = self.budget.admit(share).await;
        metrics::histogram!("cuegate_iconik_budget_wait_seconds").record(asked.elapsed());
        permit
    }

    /// Sends one request that was admitted, at once; otherwise like [`Self::send`].
    ///
    /// # Errors
    /// As for [`Self::send`].
    pub async fn send_admitted(&self, permit: Permit, call: &Call) -> Result<Reply, CallError> {
        self.send_with(permit, call, None).await
    }

    /// The same with the token of somebody else of the same application, such as whoever has pressed a button of ours.
    ///
    /// # Errors
    /// As for [`Self::send`]; a 401 is about that token.
    pub async fn send_admitted_as(
        &self,
        permit: Permit,
        call: &Call,
        token: &Secret,
    ) -> Result<Reply, CallError> {
        self.send_with(permit, call, Some(token)).await
    }

    async fn send_with(
        &self,
        permit: Permit,
        call: &Call,
        token: Option<&Secret>,
    ) -> Result<Reply, CallError> {
        let url = self.address.url(&call.path)?;
        let sent = Instant::now();
        permit.used();
        let outcome = self.exchange(call, url, token).await;
        let method = call.method.as_str();
        let status = match &outcome {
            Ok(reply) => Some(reply.status),
            Err(error) => error.status(),
        };
        let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        metrics::counter!("cuegate_iconik_requests_total", "method" => method, "status" => status)
            .increment(1);
        metrics::histogram!("cuegate_iconik_request_seconds", "method" => method)
            .record(sent.elapsed());
        outcome
    }

    /// The account that the credentials belong to.
    ///
    /// `GET users/v1/users/current/` answers the user that the token acts as (documented: `users`, May 2025,
    /// `UserSchema`).
    ///
    /// # Errors
    /// As for [`Self::send`]; [`CallError::Uncertain`] as well if the answer names no domain.
    pub async fn account(&self) -> Result<Account, CallError> {
        let reply = self
            .send(&Call {
                method: Method::Get,
                path: "users/v1/users/current/".to_owned(),
                query: Default::default(),
                body: None,
                cacheable: false,
                position: None,
            })
            .await?;
        let text = |key: &str| {
            let value = reply.body.get(key).and_then(Value::as_str);
            value.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        match text("system_domain_id") {
            Some(domain) => Ok(Account {
                domain,
                user: text("id"),
            }),
            None => Err(CallError::Uncertain {
                status: Some(reply.status),
                what: "the current user is without a system_domain_id; is iconik.base_url right?"
                    .to_owned(),
            }),
        }
    }

    async fn exchange(
        &self,
        call: &Call,
        url: Url,
        token: Option<&Secret>,
    ) -> Result<Reply, CallError> {
        let mut request = self.http.request(http_method(call.method), url);
        if let Some(token) = token {
            // Instead of ours: a header of the request comes before the client's own of the same name.
            request = request.header(AUTH_TOKEN, sensitive(token)?);
        }
        if !call.query.is_empty() {
            request = request.query(&call.query);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| unanswered(&error))?;
        let status = response.status();
        self.mind_budget(&response);
        if status.is_success() {
            let body = read_json(response).await?;
            return Ok(Reply {
                status: status.as_u16(),
                body,
                at: self.clock.now(),
            });
        }
        let retry_after = self.retry_after(response.headers());
        let body = self.read_reasons(response, token).await;
        Err(CallError::from_answer(status, retry_after, &body))
    }

    /// Pauses everybody when Iconik says that the budget is used up.
    fn mind_budget(&self, response: &Response) {
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            metrics::counter!("cuegate_iconik_throttled_total").increment(1);
            let until = self.budget.throttled(self.retry_after(response.headers()));
            tracing::warn!(
                pause_ms = u64::try_from(until.duration_since(Instant::now()).as_millis())
                    .unwrap_or(u64::MAX),
                "Iconik asks for fewer requests; all requests pause"
            );
            return;
        }
        self.budget.answered();
        let remaining = response.headers().get(REMAINING);
        if remaining.is_some_and(|remaining| remaining.as_bytes() == b"0") {
            self.budget.exhausted();
        }
    }

    /// `Retry-After`, which is a number of seconds or a date, within reason.
    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
        }
        let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        let wait = Duration::try_from(date.duration_since(self.clock.now())).unwrap_or_default();
        Some(wait.min(RETRY_AFTER_MAX))
    }

    /// As much of an unsuccessful answer as arrives and fits; the status says the rest. Should it repeat the
    /// token, the token is taken out, because reasons are journaled and shown.
    async fn read_reasons(&self, response: Response, token: Option<&Secret>) -> String {
        let (Ok(bytes) | Err(ReadError::Broken(bytes, _) | ReadError::TooLarge(bytes))) =
            read(response).await;
        let text = String::from_utf8_lossy(&bytes);
        let tokens = [Some(&self.auth_token), token].into_iter().flatten();
        let tokens = tokens.filter(|token| !token.expose().is_empty());
        tokens.fold(text.into_owned(), |text, token| {
            text.replace(token.expose(), "***")
        })
    }
}

impl fmt::Debug for IconikClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IconikClient")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Why a body is not there in full, with what there is of it.
enum ReadError {
    Broken(Vec<u8>, reqwest::Error),
    TooLarge(Vec<u8>),
}

async fn read(mut response: Response) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() > ANSWER_BYTES_MAX => {
                return Err(ReadError::TooLarge(bytes));
            }
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return Ok(bytes),
            Err(error) => return Err(ReadError::Broken(bytes, error)),
        }
    }
}

async fn read_json(response: Response) -> Result<Value, CallError> {
    let status = response.status().as_u16();
    let uncertain = |what: String| CallError::Uncertain {
        status: Some(status),
        what,
    };
    let bytes = read(response).await.map_err(|error| match error {
        ReadError::TooLarge(_) => CallError::TooLarge {
            status,
            limit_bytes: ANSWER_BYTES_MAX,
        },
        ReadError::Broken(bytes, error) => uncertain(format!(
            "its answer {status} broke off after {} bytes: {}",
            bytes.len(),
            causes(&error)
        )),
    })?;
    if bytes.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes)
        .map_err(|error| uncertain(format!("its answer {status} is not JSON: {error}")))
}

/// What a request without an answer means.
fn unanswered(error: &reqwest::Error) -> CallError {
    let what = causes(error);
    if error.is_builder() {
        CallError::Malformed { what }
    } else if error.is_connect() {
        CallError::NotSent { what }
    } else if error.is_timeout() {
        CallError::Uncertain {
            status: None,
            what: format!("no answer in time: {what}"),
        }
    } else {
        CallError::Uncertain { status: None, what }
    }
}

/// An error and what caused it, in one line, without the URL: its query is nobody's business.
fn causes(error: &reqwest::Error) -> String {
    let mut line = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Many wrappers repeat what they wrap.
        if !line.contains(&text) {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&text);
        }
        cause = error.source();
    }
    if line.is_empty() {
        line.push_str("unknown trouble");
    }
    line
}

fn headers(config: &config::Iconik) -> Result<HeaderMap, SetupError> {
    let secret = |key: &'static str, text: &str| {
        let mut value = HeaderValue::from_str(text).map_err(|_| SetupError::Credential { key })?;
        value.set_sensitive(true);
        Ok(value)
    };
    Ok(HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static("application/json")),
        (
            HeaderName::from_static("app-id"),
            secret("iconik.app_id", &config.app_id)?,
        ),
        (
            AUTH_TOKEN,
            secret("iconik.auth_token", config.auth_token.expose())?,
        ),
    ]))
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
