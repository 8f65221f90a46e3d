//! One request, and what came of it.
//!
//! Redirects are not followed, because the credentials must not leave the host that the operator named;
//! answers are read up to a bound, because they are journaled; and a failure is named by how far the request
//! had come, because the repeat of a write hangs on that.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};
use serde_json::Value;
use tokio::time::Instant;

use crate::clock::SharedClock;
use crate::config;
use crate::model::{Call, Method, Secret, causes};

use super::address::Address;
use super::answer::{read_json, read_reasons, unanswered};
use super::budget::{Budget, Permit, RETRY_AFTER_MAX};
use super::error::{CallError, SetupError};
use super::login::{Credentials, Login, TOKEN_PATH};
use super::queue::Share;

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
    login: Login,
    budget: Budget,
    clock: SharedClock,
}

impl IconikClient {
    /// A client for the configured Iconik, reached directly. Nothing is sent yet.
    ///
    /// # Errors
    /// As for [`Self::through`].
    pub fn new(config: &config::Iconik, clock: SharedClock) -> Result<Self, SetupError> {
        Self::through(config, &config::Http::default(), clock)
    }

    /// A client for the configured Iconik, reached as `[http]` says. Nothing is sent yet.
    ///
    /// # Errors
    /// If the base URL or a credential is of no use, or the machine has no CA certificates for `https`.
    pub fn through(
        config: &config::Iconik,
        http: &config::Http,
        clock: SharedClock,
    ) -> Result<Self, SetupError> {
        let address = Address::parse(&config.base_url)?;
        // Whoever installed one before has decided, and any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .default_headers(HeaderMap::from_iter([(
                ACCEPT,
                HeaderValue::from_static("application/json"),
            )]))
            .user_agent(concat!("cuegate/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT.min(config.timeout / 2))
            .timeout(config.timeout);
        if address.is_encrypted() {
            builder = builder.tls_certs_merge(http.ca.clone());
        } else {
            // No certificate is ever asked for, so it does not matter whether the machine has any.
            builder = builder.tls_certs_only([]);
        }
        if address.is_loopback() {
            builder = builder.no_proxy();
        } else if let Some(proxy) = http.outgoing() {
            builder = builder.proxy(proxy);
        }
        let http = builder.build().map_err(|error| SetupError::Connection {
            what: causes(&error),
        })?;
        let token_url = address
            .url(TOKEN_PATH)
            .map_err(|error| SetupError::BaseUrl {
                url: config.base_url.clone(),
                why: error.to_string(),
            })?;
        let login = Login::new(config, &http, token_url)?;
        Ok(Self {
            http,
            address,
            login,
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

    /// Proves itself by another application token from now on. Requests that are under way keep the one before.
    ///
    /// # Errors
    /// When no header can hold it, and then the one before stays.
    pub fn replace_token(&self, token: &Secret) -> Result<(), SetupError> {
        self.login.replace_token(token)
    }

    /// Proves itself as another application from now on.
    ///
    /// # Errors
    /// When no header can hold it, and then the one before stays.
    pub fn replace_app_id(&self, app_id: &str) -> Result<(), SetupError> {
        self.login.replace_app_id(app_id)
    }

    /// Asks for the next OAuth token with another secret.
    pub fn replace_client_secret(&self, secret: Secret) {
        self.login.replace_client_secret(secret);
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

    /// A request that was refused because the OAuth token had ended was not carried out, so it goes out once more with the
    /// next one. A person's token has no next one.
    async fn exchange(
        &self,
        call: &Call,
        url: Url,
        person: Option<&Secret>,
    ) -> Result<Reply, CallError> {
        let credentials = self.login.credentials().await?;
        if let Some(token) = person {
            let credentials = credentials.of_person(token)?;
            return self.exchange_as(&credentials, call, url).await;
        }
        let outcome = self.exchange_as(&credentials, call, url.clone()).await;
        let ended = matches!(&outcome, Err(CallError::Unauthorized { .. }));
        if !ended || !self.login.refused(&credentials) {
            return outcome;
        }
        let credentials = self.login.credentials().await?;
        self.budget.admit(&Share::gateway()).await.used();
        self.exchange_as(&credentials, call, url).await
    }

    async fn exchange_as(
        &self,
        credentials: &Credentials,
        call: &Call,
        url: Url,
    ) -> Result<Reply, CallError> {
        let mut request = self.http.request(http_method(call.method), url);
        request = request.headers(credentials.headers());
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
        let body = read_reasons(response, credentials).await;
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
}

impl fmt::Debug for IconikClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IconikClient")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
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
