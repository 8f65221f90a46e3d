//! Tokens that were given out besides those of the credentials: by a log-in, for an application, for a
//! button. A token opens what its application's credential opens, until it expires or is revoked.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::DEFAULT_USER;
use super::operation::Caller;
use super::table::Document;
use super::world::{document, new_id, stamp};

/// How long the token of a log-in lives. Its real life is not published; a button's was recorded as this.
pub(super) const LIFE: Duration = Duration::from_secs(12 * 60 * 60);

/// A token.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// Its id.
    pub(super) id: String,
    /// What is sent in `App-ID`.
    pub(super) app_id: String,
    /// Whom it acts as.
    pub(super) user_id: String,
    created: Timestamp,
    expires: Timestamp,
}

/// The tokens that were given out, by what is sent in `Auth-Token`.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    given: BTreeMap<String, Token>,
}

impl Tokens {
    /// Gives out this text as a token.
    pub(super) fn give(
        &mut self,
        text: String,
        app_id: &str,
        user_id: &str,
        now: Timestamp,
    ) -> Token {
        let token = Token {
            id: new_id(),
            app_id: app_id.to_owned(),
            user_id: user_id.to_owned(),
            created: now,
            expires: now + LIFE,
        };
        self.given.insert(text, token.clone());
        token
    }

    /// The token of this text, if it is one of this application's and lives.
    pub(super) fn find(&self, app_id: &str, text: &str, now: Timestamp) -> Option<&Token> {
        let token = self.given.get(text)?;
        (token.app_id == app_id && now < token.expires).then_some(token)
    }

    /// The token with the id and its text.
    pub(super) fn by_id(&self, id: &str) -> Option<(&str, &Token)> {
        let mut given = self.given.iter();
        let (text, token) = given.find(|(_, token)| token.id == id)?;
        Some((text, token))
    }

    /// Lets a token live as long again from now on.
    pub(super) fn renew(&mut self, text: &str, now: Timestamp) -> Option<&Token> {
        let token = self.given.get_mut(text)?;
        token.expires = now + LIFE;
        Some(token)
    }

    /// Ends a token; whether there was one.
    pub(super) fn revoke(&mut self, text: &str) -> bool {
        self.given.remove(text).is_some()
    }

    /// Ends every token of a user.
    pub(super) fn revoke_of_user(&mut self, user_id: &str) {
        self.given.retain(|_, token| token.user_id != user_id);
    }

    /// Those of a user, oldest first.
    pub(super) fn of_user(&self, user_id: &str) -> Vec<&Token> {
        let mut own: Vec<_> = self
            .given
            .values()
            .filter(|token| token.user_id == user_id)
            .collect();
        own.sort_by_key(|token| token.created);
        own
    }
}

impl Token {
    /// The token that the caller came with, where it is a credential's own.
    pub(super) fn of(caller: &Caller) -> Self {
        Self {
            id: DEFAULT_USER.to_owned(),
            app_id: caller.app_id.clone(),
            user_id: caller.user_id.clone(),
            created: caller.now,
            expires: caller.now + LIFE,
        }
    }

    /// As `TokenSchema` shows it, without its text.
    pub(super) fn shown(&self, domain: &str, user: Option<&Document>) -> Document {
        let is_admin = user.is_some_and(|user| user.get("is_admin") == Some(&Value::Bool(true)));
        document(json!({
            "app_id": self.app_id,
            "date_created": stamp(self.created),
            "date_modified": stamp(self.created),
            "expires": stamp(self.expires),
            "id": self.id,
            "is_admin": is_admin,
            "is_super_admin": false,
            "system_domain_id": domain,
            "system_domains": [domain],
            "user_id": self.user_id,
        }))
    }
}
