//! What a person is told who has to decide whether a call has happened: what was sent, what is unknown, what can be
//! done, and the command for each.

use crate::model::{Effect, ParkedClass, RunId};
use crate::operations::RepeatClass;
use crate::store::{Intent, Settlement};

use super::progress::{End, class_of};

/// The most characters of a body that a reason shows.
const BODY_MAX: usize = 300;

/// Hands a run to a person over its open write.
pub(super) fn park(run: RunId, open: &Intent, doubt: &str) -> End {
    let how = match class_of(&open.effect) {
        RepeatClass::Safe | RepeatClass::Idempotent => {
            "Sending it again would overwrite what was changed since"
        }
        RepeatClass::Creating => "Sending it again may make a second one",
        RepeatClass::Acting => "Sending it again may set it off twice",
    };
    let reason = format!(
        "step {}, {}{}, was to be sent at {} and may or may not have happened: {doubt}. {how}. Look in Iconik which \
         of the two it is. {}",
        open.number,
        open.effect,
        body_of(&open.effect),
        open.at.round(jiff::Unit::Second).unwrap_or(open.at),
        choices(run),
    );
    End::Settle(Settlement::Parked {
        class: ParkedClass::Uncertain,
        reason,
    })
}

/// What can be done about it.
pub(super) fn choices(run: RunId) -> String {
    format!(
        "`cuegate runs retry {run}` sends it again, `cuegate runs retry {run} --happened` goes on as if it had happened, \
         `cuegate runs cancel {run}` gives the run up. Later runs of this lane wait for the decision."
    )
}

fn body_of(effect: &Effect) -> String {
    let body = match effect {
        Effect::Call(call) => call.body.as_ref(),
        Effect::Egress(call) => call.body.as_ref(),
        Effect::Sleep(_) | Effect::WaitForEvent(_) | Effect::WaitForJob(_) | Effect::State(_) => {
            None
        }
    };
    let Some(body) = body else {
        return String::new();
    };
    let mut text = body.to_string();
    if text.chars().count() > BODY_MAX {
        text = text.chars().take(BODY_MAX).chain(['…']).collect();
    }
    format!(" with {text}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples::call;
    use super::*;
    use crate::model::Method;

    fn reason(method: Method, path: &str, body: serde_json::Value) -> String {
        let mut call = call(method, path);
        call.body = Some(body);
        let effect = Effect::Call(call);
        let intent = Intent {
            number: 3,
            digest: effect.digest(),
            effect,
            at: "2026-03-01T12:00:00.4Z".parse().expect("a time"),
        };
        match park(RunId(7), &intent, "no answer in time") {
            End::Settle(Settlement::Parked { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_choice_is_shown_with_its_commands() {
        let reason = reason(Method::Post, "jobs/v1/jobs/", json!({"title": "Cut"}));
        for part in [
            "step 3, `POST jobs/v1/jobs/` with {\"title\":\"Cut\"}, was to be sent at 2026-03-01T12:00:00Z",
            "no answer in time",
            "may make a second one",
            "`cuegate runs retry 7` sends it again",
            "`cuegate runs retry 7 --happened`",
            "`cuegate runs cancel 7`",
        ] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
    }

    #[test]
    fn a_long_body_is_cut() {
        let body = json!({"title": "ä".repeat(10_000)});
        assert!(
            reason(Method::Put, "jobs/v1/jobs/state/", body)
                .chars()
                .count()
                < 1_200
        );
    }
}
