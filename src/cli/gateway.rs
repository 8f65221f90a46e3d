//! How commands speak to a running gateway: over its admin API, and what they say when it does not answer as it should.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode, Url, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Exit, environment};
use crate::admin::views::Problem;
use crate::model::Secret;

/// How long one request may take. A batch of many runs is one.
const WITHIN: Duration = Duration::from_secs(120);

/// The variable that holds the token. It is no argument, because arguments can be seen by everybody on the machine.
const TOKEN: &str = "CUEGATE_TOKEN";

/// Which gateway.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct GatewayAt {
    /// The admin address of the gateway; a token is taken from `CUEGATE_TOKEN`
    #[arg(
        long,
        value_name = "URL",
        env = "CUEGATE_URL",
        default_value = "http://127.0.0.1:8081"
    )]
    url: String,
}

/// A gateway to talk to.
#[derive(Debug)]
pub(super) struct Gateway {
    client: Client,
    url: Url,
    token: Option<Secret>,
}

/// Why there is no answer, and how the command ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) exit: Exit,
    pub(super) message: String,
}

impl Failed {
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            message: message.into(),
        }
    }

    pub(super) fn findings(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Findings,
            message: message.into(),
        }
    }
}

impl GatewayAt {
    pub(super) fn open(&self) -> Result<Gateway, Failed> {
        let url = Url::parse(&self.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
            .ok_or_else(|| {
                Failed::usage(format!(
                    "`{}` is no address of a gateway; write something like http://127.0.0.1:8081",
                    self.url
                ))
            })?;
        // An error only says that a provider is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // The token is for the gateway and for nobody on the way.
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .timeout(WITHIN)
            .build()
            .map_err(|error| Failed::findings(format!("no client can be made: {error}")))?;
        let token = environment()
            .remove(TOKEN)
            .filter(|token| !token.trim().is_empty());
        Ok(Gateway {
            client,
            url,
            token: token.map(|token| Secret::new(token.trim())),
        })
    }
}

/// The query of a request.
pub(super) type Query = Vec<(&'static str, String)>;

impl Gateway {
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Query,
    ) -> Result<T, Failed> {
        self.ask(Method::GET, path, query, None::<&Value>).await
    }

    pub(super) async fn delete<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Query,
    ) -> Result<T, Failed> {
        self.ask(Method::DELETE, path, query, None::<&Value>).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failed> {
        self.ask(Method::POST, path, &Vec::new(), Some(body)).await
    }

    pub(super) async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failed> {
        self.ask(Method::PUT, path, &Vec::new(), Some(body)).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &Query,
        body: Option<&impl Serialize>,
    ) -> Result<T, Failed> {
        let base = self.url.as_str().trim_end_matches('/');
        let mut request = self
            .client
            .request(method, format!("{base}/api/v1{path}"))
            .query(query);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request
            .send()
            .await
            .map_err(|error| self.unreachable(error))?;
        let status = response.status();
        let bytes = response
            .bytes()
            .await
            .map_err(|error| self.unreachable(error))?;
        if status.is_success() {
            return serde_json::from_slice(&bytes)
                .map_err(|error| self.foreign(&error.to_string()));
        }
        Err(self.refused(status, &bytes))
    }

    fn unreachable(&self, error: reqwest::Error) -> Failed {
        let mut reason = String::new();
        let error = error.without_url();
        let mut next: Option<&dyn std::error::Error> = Some(&error);
        while let Some(cause) = next {
            if !reason.is_empty() {
                reason.push_str(": ");
            }
            reason.push_str(&cause.to_string());
            next = cause.source();
        }
        Failed::findings(format!(
            "no gateway answers at {}: {reason}; is `cuegate serve` running, and is that its admin address? --url or \
             CUEGATE_URL names another",
            self.url
        ))
    }

    fn foreign(&self, what: &str) -> Failed {
        Failed::findings(format!(
            "{} does not answer as the admin API of this version does ({what}); is it the admin address (`[server] \
             admin_listen`), and is the gateway as new as this program?",
            self.url
        ))
    }

    fn refused(&self, status: StatusCode, bytes: &[u8]) -> Failed {
        // Other listeners answer errors as well, and without a hint.
        let problem: Option<Problem> = serde_json::from_slice::<Value>(bytes)
            .ok()
            .filter(|answer| answer.get("hint").is_some())
            .and_then(|answer| serde_json::from_value(answer).ok());
        let Some(problem) = problem else {
            return self.foreign(&format!("status {}", status.as_u16()));
        };
        let exit = match status {
            StatusCode::BAD_REQUEST => Exit::Usage,
            _ => Exit::Findings,
        };
        let message = match (status, &self.token) {
            (StatusCode::UNAUTHORIZED, Some(_)) => format!(
                "the token in {TOKEN} is not one of those that {} takes; compare it with `[server] admin_tokens`",
                self.url
            ),
            (StatusCode::UNAUTHORIZED, None) => {
                format!(
                    "{} needs a token: set {TOKEN} to one of its `[server] admin_tokens`",
                    self.url
                )
            }
            _ => problem.to_string(),
        };
        Failed { exit, message }
    }
}
