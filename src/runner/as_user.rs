//! Calls as the person who pressed the button: the rule says `run_as: "user"`, and the sealed token that came with the
//! press is opened for the call and for nothing else.

use crate::iconik::CallError;
use crate::model::{DeadClass, Failure, RunAs, Secret};

use super::door::Door;
use super::programs::Known;
use super::progress::{End, Progress};

/// Whom a call is sent as.
#[derive(Debug)]
pub(super) enum Sender {
    /// The user of the configured credentials.
    Service,
    /// The person whose token this is.
    Person(Secret),
}

impl Door {
    /// Whom the run's calls are sent as. A run without the token that it needs ends; it is never sent as somebody else.
    pub(super) async fn sender(&self, known: &Known, progress: &Progress) -> Result<Sender, End> {
        if known.header.run_as == RunAs::Service {
            return Ok(Sender::Service);
        }
        let Some(seal) = &self.seal else {
            return Err(progress.given_up(without(
                "the configuration has no `server.seal_key_file`, so no token is kept",
                "set it, restart, and have the button pressed again",
            )));
        };
        let event = progress.event.id;
        let kept = self.store.token(event, self.clock.now()).await;
        let kept = kept.map_err(|error| {
            let trouble =
                format!("the token of whoever pressed the button cannot be read: {error}");
            End::own_trouble(&self.clock, progress, &trouble)
        })?;
        match kept.map(|sealed| seal.open(event, &sealed)) {
            Some(Some(token)) => Ok(Sender::Person(token)),
            Some(None) => Err(progress.given_up(without(
                "it was sealed with another key than the one in `server.seal_key_file`",
                "have the button pressed again",
            ))),
            None => Err(progress.given_up(without(
                "Iconik sent none, or it has expired: it lives for twelve hours, and no longer than the run of its press",
                "have the button pressed again; `cuegate webhooks sync` registers the button with our `app_id`, without \
                 which Iconik sends no token",
            ))),
        }
    }
}

fn without(why: &str, hint: &str) -> Failure {
    let message = format!("there is no token of the person who pressed the button: {why}");
    Failure {
        hint: Some(hint.to_owned()),
        ..Failure::new(DeadClass::Permission, message)
    }
}

/// What a person's token is refused with says nothing about ours: it is the call's own end, and no outage.
pub(super) fn refused_as_person(error: CallError) -> CallError {
    match error {
        CallError::Unauthorized { message } => CallError::Refused {
            status: 401,
            message: format!(
                "the token of the person who pressed the button is not accepted: {message}"
            ),
            errors: serde_json::Value::Null,
            body: serde_json::Value::Null,
        },
        other => other,
    }
}
