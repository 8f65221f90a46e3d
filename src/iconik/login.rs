//! Who we are to Iconik: an application token, or one that OAuth gives for a while.
//!
//! Both can change while the gateway runs: the operator replaces a token, Iconik ends one. Requests that are under way keep
//! the credentials that they began with.
//!
//! Of OAuth only the address, the fields of the form and the grant types are documented (2026, `oauth/token`); lifetimes and
//! the form of the answer are not, so they are taken from RFC 6749, and a token without `expires_in` is used until Iconik
//! refuses it. That it goes into `Auth-Token` with an `App-ID` beside it is inferred: every operation documents both. If the
//! answer calls it a bearer token, it goes into `Authorization` as well, as RFC 6750 has it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{StatusCode, Url};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::answer::read;
use super::error::{CallError, SetupError};
use crate::config;
use crate::model::{Secret, causes};

/// Where OAuth tokens are issued, below the base URL.
pub(super) const TOKEN_PATH: &str = "auth/v1/oauth/token/";

/// A token is renewed this long before it expires, or a quarter of its life if that is shorter.
const EARLY: Duration = Duration::from_secs(60);

/// How long a renewal that failed is not tried again while the old token is still good.
const AFTER_FAILURE: Duration = Duration::from_secs(10);

/// The longest life that an answer is believed about; a slip there must not overflow a clock.
const LIFE_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);

/// What a request proves itself with.
pub(super) struct Credentials {
    headers: HeaderMap,
    app_id: String,
    token: Secret,
}

impl Credentials {
    fn new(app_id: &str, token: &Secret) -> Result<Self, SetupError> {
        let headers = HeaderMap::from_iter([
            (
                HeaderName::from_static("app-id"),
                secret("iconik.app_id", app_id)?,
            ),
            (
                HeaderName::from_static("auth-token"),
                secret("iconik.auth_token", token.expose())?,
            ),
        ]);
        Ok(Self {
            headers,
            app_id: app_id.to_owned(),
            token: token.clone(),
        })
    }

    /// The same application with the token of somebody else.
    ///
    /// # Errors
    /// When no header can hold the token.
    pub(super) fn of_person(&self, token: &Secret) -> Result<Self, CallError> {
        Self::new(&self.app_id, token).map_err(|_| CallError::Malformed {
            what: "the token has characters that a header cannot carry".to_owned(),
        })
    }

    pub(super) fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    /// A text of Iconik's for people, without the token that it may repeat.
    pub(super) fn redacted(&self, text: &str) -> String {
        match self.token.expose() {
            "" => text.to_owned(),
            token => text.replace(token, "***"),
        }
    }
}

fn secret(key: &'static str, text: &str) -> Result<HeaderValue, SetupError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| SetupError::Credential { key })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Where credentials come from.
pub(super) enum Login {
    Application(ArcSwap<Credentials>),
    OAuth(Box<OAuth>),
}

impl Login {
    pub(super) fn new(
        config: &config::Iconik,
        http: &reqwest::Client,
        token_url: Url,
    ) -> Result<Self, SetupError> {
        Ok(match &config.oauth {
            None => {
                let credentials = Credentials::new(&config.app_id, &config.auth_token)?;
                Self::Application(ArcSwap::from_pointee(credentials))
            }
            Some(oauth) => Self::OAuth(Box::new(OAuth {
                http: http.clone(),
                url: token_url,
                app_id: Some(config.app_id.clone())
                    .filter(|id| !id.is_empty())
                    .unwrap_or_else(|| oauth.client_id.clone()),
                client_id: oauth.client_id.clone(),
                client_secret: ArcSwap::from_pointee(oauth.client_secret.clone()),
                issued: ArcSwapOption::empty(),
                not_before: Mutex::new(None),
            })),
        })
    }

    /// What the next request proves itself with.
    ///
    /// # Errors
    /// When OAuth gives no token. Nothing was sent then but the question for one.
    pub(super) async fn credentials(&self) -> Result<Arc<Credentials>, CallError> {
        match self {
            Self::Application(credentials) => Ok(credentials.load_full()),
            Self::OAuth(oauth) => oauth.credentials().await,
        }
    }

    /// Iconik does not accept these; answers whether others are worth a try.
    pub(super) fn refused(&self, credentials: &Arc<Credentials>) -> bool {
        match self {
            Self::Application(_) => false,
            Self::OAuth(oauth) => {
                let issued = oauth.issued.load_full();
                if issued.is_some_and(|issued| Arc::ptr_eq(&issued.credentials, credentials)) {
                    oauth.issued.store(None);
                }
                true
            }
        }
    }

    /// Another application token from now on. Of no consequence where OAuth gives them.
    pub(super) fn replace_token(&self, token: &Secret) -> Result<(), SetupError> {
        if let Self::Application(credentials) = self {
            let app_id = credentials.load().app_id.clone();
            credentials.store(Arc::new(Credentials::new(&app_id, token)?));
        }
        Ok(())
    }

    /// Another application from now on.
    pub(super) fn replace_app_id(&self, app_id: &str) -> Result<(), SetupError> {
        if let Self::Application(credentials) = self {
            let token = credentials.load().token.clone();
            credentials.store(Arc::new(Credentials::new(app_id, &token)?));
        }
        Ok(())
    }

    /// Another OAuth secret from the next token on.
    pub(super) fn replace_client_secret(&self, secret: Secret) {
        if let Self::OAuth(oauth) = self {
            oauth.client_secret.store(Arc::new(secret));
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Application(_) => "Login(application)",
            Self::OAuth(_) => "Login(oauth)",
        })
    }
}

/// Client credentials (RFC 6749, 4.4), and the token that they have brought.
pub(super) struct OAuth {
    http: reqwest::Client,
    url: Url,
    app_id: String,
    client_id: String,
    client_secret: ArcSwap<Secret>,
    issued: ArcSwapOption<Issued>,
    /// One question at a time; after a failure, when the next may be asked.
    not_before: Mutex<Option<Instant>>,
}

/// A token and how long it is good.
struct Issued {
    credentials: Arc<Credentials>,
    /// When to ask for the next one, and when this one ends; never known to be if Iconik does not say.
    renew_at: Option<Instant>,
    ends_at: Option<Instant>,
}

impl Issued {
    fn is_good(&self, now: Instant) -> bool {
        self.ends_at.is_none_or(|end| now < end)
    }

    fn is_due(&self, now: Instant) -> bool {
        self.renew_at.is_some_and(|at| at <= now)
    }
}

impl OAuth {
    async fn credentials(&self) -> Result<Arc<Credentials>, CallError> {
        if let Some(issued) = self.issued.load_full() {
            let now = Instant::now();
            if !issued.is_due(now) {
                return Ok(Arc::clone(&issued.credentials));
            }
            if issued.is_good(now) {
                return Ok(self.renewed(&issued, now).await);
            }
        }
        let mut turn = self.not_before.lock().await;
        // Somebody may have been faster.
        if let Some(issued) = self.issued.load_full()
            && !issued.is_due(Instant::now())
        {
            return Ok(Arc::clone(&issued.credentials));
        }
        *turn = None;
        self.issue().await
    }

    /// The first to come asks for a new token; everybody else goes on with the old one, and so does everybody if there is
    /// trouble.
    async fn renewed(&self, old: &Issued, now: Instant) -> Arc<Credentials> {
        let old = Arc::clone(&old.credentials);
        let Ok(mut turn) = self.not_before.try_lock() else {
            return old;
        };
        if turn.is_some_and(|at| now < at) {
            return old;
        }
        match self.issue().await {
            Ok(new) => {
                *turn = None;
                new
            }
            Err(error) => {
                tracing::warn!(%error, "the OAuth token could not be renewed; the old one is still good");
                *turn = Some(Instant::now() + AFTER_FAILURE);
                old
            }
        }
    }

    async fn issue(&self) -> Result<Arc<Credentials>, CallError> {
        let outcome = self.ask().await;
        let label = if outcome.is_ok() { "issued" } else { "refused" };
        metrics::counter!("cuegate_iconik_tokens_total", "outcome" => label).increment(1);
        let issued = outcome?;
        let credentials = Arc::clone(&issued.credentials);
        self.issued.store(Some(Arc::new(issued)));
        Ok(credentials)
    }

    async fn ask(&self) -> Result<Issued, CallError> {
        let unsent = |what: String| CallError::NotSent {
            what: format!("no OAuth token can be had: {what}"),
        };
        let secret = self.client_secret.load_full();
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.client_id),
            ("client_secret", secret.expose()),
        ];
        let asked = Instant::now();
        let request = self.http.post(self.url.clone()).form(&form);
        let answer = request.send().await;
        let answer = answer.map_err(|error| unsent(causes(&error)))?;
        let status = answer.status();
        let body = read(answer)
            .await
            .map_err(|_| unsent(format!("its answer {} broke off", status.as_u16())))?;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        if matches!(
            status,
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        ) {
            let reason = reason(&body).replace(secret.expose(), "***");
            return Err(CallError::Unauthorized {
                message: format!("no OAuth token was issued ({}): {reason}", status.as_u16()),
            });
        }
        if !status.is_success() {
            return Err(unsent(format!("it answered {}", status.as_u16())));
        }
        let token = body.get("access_token").and_then(Value::as_str);
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return Err(unsent("the answer holds no access_token".to_owned()));
        };
        let life = life(body.get("expires_in"));
        tracing::info!(
            expires_in_seconds = life.map(|life| life.as_secs()),
            "Iconik has issued an OAuth token"
        );
        let credentials = self
            .accepted(token, body.get("token_type").and_then(Value::as_str))
            .map_err(|error| unsent(error.to_string()))?;
        Ok(Issued {
            credentials: Arc::new(credentials),
            renew_at: life.map(|life| asked + life - EARLY.min(life / 4)),
            ends_at: life.map(|life| asked + life),
        })
    }

    fn accepted(&self, token: &str, kind: Option<&str>) -> Result<Credentials, SetupError> {
        let mut credentials = Credentials::new(&self.app_id, &Secret::new(token))?;
        if kind.is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")) {
            let bearer = secret("the OAuth token", &format!("Bearer {token}"))?;
            credentials.headers.insert(AUTHORIZATION, bearer);
        }
        Ok(credentials)
    }
}

/// Seconds, as a number or in digits; what is nothing of the kind says nothing.
fn life(value: Option<&Value>) -> Option<Duration> {
    let value = value?;
    let seconds = value
        .as_u64()
        .or_else(|| value.as_str()?.trim().parse().ok())
        .filter(|seconds| *seconds > 0)?;
    Some(Duration::from_secs(seconds).min(LIFE_MAX))
}

/// Why none was issued: `error` and `error_description` of RFC 6749, or `errors` as Iconik has them elsewhere.
fn reason(body: &Value) -> String {
    let keys = ["error", "error_description", "errors"];
    let said = keys.iter().filter_map(|key| body.get(key));
    let said = said.map(|value| {
        let text = value.as_str().map(str::to_owned);
        text.unwrap_or_else(|| value.to_string())
    });
    let said = said.collect::<Vec<_>>().join(": ");
    if said.is_empty() {
        return "without a reason".to_owned();
    }
    said.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_life_that_makes_no_sense_is_not_known() {
        for (value, seconds) in [
            (json!(3600), Some(3600)),
            (json!("3600"), Some(3600)),
            (json!(0), None),
            (json!(-5), None),
            (json!("soon"), None),
            (json!(null), None),
            (json!(u64::MAX), Some(LIFE_MAX.as_secs())),
        ] {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(life(Some(&value)), expected, "{value}");
        }
        assert_eq!(life(None), None);
    }

    #[test]
    fn either_form_of_a_refusal_is_readable() {
        for (body, expected) in [
            (json!({ "error": "invalid_client" }), "invalid_client"),
            (
                json!({ "error": "invalid_client", "error_description": "no such client" }),
                "invalid_client: no such client",
            ),
            (json!({ "errors": ["no"] }), r#"["no"]"#),
            (json!(null), "without a reason"),
        ] {
            assert_eq!(reason(&body), expected);
        }
    }
}
