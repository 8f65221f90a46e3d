//! The token of whoever pressed a button: sealed and kept apart from the event if the rule runs as that person, dropped
//! otherwise.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::model::{Event, RuleSet, RunAs, Secret};
use crate::seal::Seal;
use crate::store::{SealedToken, StoreError, Tokens};

/// The key under which Iconik sends it.
pub(super) const AUTH_TOKEN: &str = "auth_token";

/// The longest that a token is kept: how long those that were recorded live.
const LIFE: SignedDuration = SignedDuration::from_hours(12);

/// Seals tokens and keeps them.
#[derive(Clone, Debug)]
pub struct Sealing {
    /// The key.
    pub seal: Arc<Seal>,
    /// Where they are kept.
    pub tokens: Arc<dyn Tokens>,
}

impl Sealing {
    /// Keeps the token of a press for the runs that are made as the person. Durable when it returns.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub(super) async fn keep(&self, event: &Event, body: &[u8]) -> Result<(), StoreError> {
        let Some(token) = token_in(body) else {
            return Ok(());
        };
        let Some(sealed) = self.seal.close(event.id, &token) else {
            tracing::error!(event = %event.id, "a token was not sealed: the machine gives no randomness; its run ends without it");
            return Ok(());
        };
        let kept = SealedToken {
            event: event.id,
            sealed,
            expires_at: expires_at(&token, event.received_at),
        };
        self.tokens.keep_token(kept).await
    }
}

/// Whether the rule that the button names runs as whoever has pressed it.
pub(super) fn runs_as_user(set: Option<&RuleSet>, event: &Event) -> bool {
    let rule = event.pressed_rule();
    let header = set.and_then(|set| {
        let mut rules = set.rules.iter();
        rules.find(|header| Some(header.rule.as_str()) == rule)
    });
    header.is_some_and(|header| header.button.is_some() && header.run_as == RunAs::User)
}

fn token_in(body: &[u8]) -> Option<Secret> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let token = body.get(AUTH_TOKEN)?.as_str()?;
    (!token.is_empty()).then(|| Secret::new(token))
}

/// When the token says that it expires, twelve hours from now at the latest. Recorded tokens say it in the first part, others
/// of the same form in the second.
fn expires_at(token: &Secret, now: Timestamp) -> Timestamp {
    let latest = now.checked_add(LIFE).unwrap_or(Timestamp::MAX);
    let says = token.expose().split('.').take(2).filter_map(|part| {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
        let claims: Value = serde_json::from_slice(&bytes).ok()?;
        Timestamp::from_second(claims.get("exp")?.as_i64()?).ok()
    });
    says.min().map_or(latest, |says| says.min(latest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, payload: &str) -> Secret {
        let parts = [header, payload, "signature"].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
        Secret::new(parts.join("."))
    }

    #[test]
    fn a_token_is_kept_until_it_says_that_it_expires_and_no_longer_than_twelve_hours() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let after = |seconds: i64| Timestamp::from_second(1_000_000 + seconds).unwrap();
        let half = 43_200;
        for (token, expires) in [
            (token(r#"{"exp":1000060}"#, "{}"), 60),
            (token("{}", r#"{"exp":1000060}"#), 60),
            (token(r#"{"exp":9000000}"#, "{}"), half),
            (token("{}", "{}"), half),
            (token("no json", r#"{"exp":"soon"}"#), half),
            (Secret::new("opaque"), half),
        ] {
            assert_eq!(
                expires_at(&token, now),
                after(expires),
                "{}",
                token.expose()
            );
        }
    }
}
