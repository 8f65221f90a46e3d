//! Who may use the admin API: whoever has a token, and where there are none whoever is on this machine.
//!
//! A browser on this machine runs pages of strangers, so without a token a request must name this machine as its host
//! (a stranger's name that was bent to loopback does not), and what changes something must be declared as JSON, for
//! which a browser asks first.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use super::api::Refusal;
use crate::model::Secret;

/// The tokens, as hashes: comparing them tells neither their lengths nor how much of a guess was right.
#[derive(Clone)]
pub struct Access {
    tokens: Arc<ArcSwap<Vec<[u8; 32]>>>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("tokens", &self.tokens.load().len())
            .finish()
    }
}

impl Access {
    /// Whoever has one of the tokens; without any, whoever is on this machine.
    pub fn new(tokens: &[Secret]) -> Self {
        Self {
            tokens: Arc::new(ArcSwap::from_pointee(hashes(tokens))),
        }
    }

    /// Takes these tokens from now on, everywhere where this was cloned to.
    pub fn replace(&self, tokens: &[Secret]) {
        self.tokens.store(Arc::new(hashes(tokens)));
    }

    /// Whether a token has to be shown.
    pub(super) fn wants_token(&self) -> bool {
        !self.tokens.load().is_empty()
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if !self.wants_token() {
            return check_host(headers);
        }
        let Some(said) = bearer(headers) else {
            refused("no_token");
            return Err(Refusal::new(
                StatusCode::UNAUTHORIZED,
                "the admin API needs a token",
                "send `authorization: Bearer TOKEN` with one of `[server] admin_tokens`; commands take it from CUEGATE_TOKEN",
            ));
        };
        let said = hash(said.as_bytes());
        let tokens = self.tokens.load();
        let fits = tokens
            .iter()
            .fold(Choice::from(0), |fits, token| fits | token.ct_eq(&said));
        if bool::from(fits) {
            return Ok(());
        }
        refused("wrong_token");
        Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "the token is not one of those that this gateway takes",
            "compare it with `[server] admin_tokens` of its configuration",
        ))
    }
}

fn hashes(tokens: &[Secret]) -> Vec<[u8; 32]> {
    let hashes = tokens.iter().map(|token| hash(token.expose().as_bytes()));
    hashes.collect()
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn check_host(headers: &HeaderMap) -> Result<(), Refusal> {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    if is_this_machine(host) {
        return Ok(());
    }
    refused("host");
    Err(Refusal::new(
        StatusCode::FORBIDDEN,
        format!("without a token the admin API answers on this machine only, not as `{host}`"),
        "ask 127.0.0.1 or localhost, or set `[server] admin_tokens`",
    ))
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => host.split(':').next(),
    };
    let name = name.unwrap_or_default();
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn refused(reason: &'static str) {
    metrics::counter!("cuegate_admin_refused_total", "reason" => reason).increment(1);
}

/// Lets a request pass, or answers 401 or 403.
pub(super) async fn guard(State(access): State<Access>, request: Request, next: Next) -> Response {
    match access.check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            let mut response = refusal.into_response();
            if response.status() == StatusCode::UNAUTHORIZED {
                let scheme = header::HeaderValue::from_static("Bearer");
                response
                    .headers_mut()
                    .insert(header::WWW_AUTHENTICATE, scheme);
            }
            response
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_few_names() {
        for ours in [
            "localhost",
            "LOCALHOST:8081",
            "127.0.0.1:8081",
            "127.9.9.9",
            "[::1]:8081",
        ] {
            assert!(is_this_machine(ours), "{ours}");
        }
        for theirs in [
            "",
            "evil.example:8081",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "[::2]:8081",
            "0.0.0.0",
        ] {
            assert!(!is_this_machine(theirs), "{theirs}");
        }
    }

    #[test]
    fn a_token_is_taken_whole_or_not_at_all() {
        let access = Access::new(&[
            Secret::new("the-new-token-of-a-length"),
            Secret::new("the-old-token-of-a-length"),
        ]);
        let says = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            access.check(&headers).is_ok()
        };
        assert!(says("Bearer the-new-token-of-a-length"));
        assert!(says("bearer the-old-token-of-a-length"));
        for wrong in [
            "the-new-token-of-a-length",
            "Basic the-new-token-of-a-length",
            "Bearer the-new-token-of-a-lengt",
            "Bearer the-new-token-of-a-length2",
            "Bearer ",
        ] {
            assert!(!says(wrong), "{wrong}");
        }
        assert!(access.check(&HeaderMap::new()).is_err());
        assert_eq!(format!("{access:?}"), "Access { tokens: 2 }");
        let elsewhere = access.clone();
        elsewhere.replace(&[Secret::new("the-next-token-of-a-length")]);
        assert!(says("Bearer the-next-token-of-a-length"));
        assert!(!says("Bearer the-new-token-of-a-length"));
    }
}
