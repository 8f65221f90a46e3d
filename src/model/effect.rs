//! What a script asks for, as data, and what was answered.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{FilePosition, Pattern};

/// An HTTP method, of Iconik's API or of another system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    Get,
    /// Creates or starts something.
    Post,
    /// Replaces.
    Put,
    /// Changes what is named.
    Patch,
    /// Deletes.
    Delete,
}

impl Method {
    /// The method as HTTP spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The next thing that a run wants from outside. The engine only ever describes it; `runner` performs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Effect {
    /// A call of Iconik's API.
    Call(Call),
    /// A call of another system that the configuration names.
    Egress(EgressCall),
    /// Goes on at a time.
    Sleep(Sleep),
    /// Goes on when an event arrives, or at a time without one.
    WaitForEvent(WaitForEvent),
    /// Goes on when a job of Iconik has ended, or at a time when it has not.
    WaitForJob(WaitForJob),
    /// Reads or changes what the rule keeps.
    State(StateCall),
}

/// One request to Iconik.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The HTTP method.
    pub method: Method,
    /// The path below `/API/`, with its closing slash: `assets/v1/assets/{id}/` with the ids filled in.
    pub path: String,
    /// Query parameters, sorted by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, String>,
    /// The JSON body, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// The answer may be one that the gateway read a moment ago for any run: for settings such as metadata
    /// views, which change seldom and are looked up by name in every run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cacheable: bool,
    /// Where in the rule the call was asked for. No part of the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<FilePosition>,
}

/// One request to a target under `[egress]`. The answer's body holds what the rule sees beside the status:
/// `headers`, `body`, and `dropped`, which is true where nobody knows what became of the request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EgressCall {
    /// The target's name in the configuration.
    pub target: String,
    /// The HTTP method.
    pub method: Method,
    /// What comes after the target's URL; empty for the URL itself.
    pub path: String,
    /// Query parameters, sorted by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, String>,
    /// Headers that the rule adds, names in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body, if there is one: a string goes as it is, anything else as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Where in the rule the call was asked for. No part of the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<FilePosition>,
}

/// `sleep` and `sleep_until`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sleep {
    /// When the run goes on. It follows from the script's own time, so it is the same in every advance.
    pub until: Timestamp,
    /// Where in the rule. No part of the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<FilePosition>,
}

/// `wait_for`. The answer's body is the event, or `null` at the timeout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaitForEvent {
    /// Which events are meant.
    pub pattern: Pattern,
    /// What they must say: see [`super::Event::field`] for the names.
    pub fields: BTreeMap<String, Value>,
    /// The timeout.
    pub until: Timestamp,
    /// Where in the rule. No part of the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<FilePosition>,
}

/// `job.wait`. The answer's body is the job as Iconik shows it, or `null` at the timeout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaitForJob {
    /// The job's id.
    pub job: String,
    /// The timeout.
    pub until: Timestamp,
    /// Where in the rule. No part of the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<FilePosition>,
}

/// One access to what a rule keeps from run to run, in one transaction with its step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateCall {
    /// The name of the entry, unique in its rule.
    pub key: String,
    /// What is done.
    pub access: StateAccess,
    /// Where in the rule. No part of the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<FilePosition>,
}

/// What is done with an entry of `state`. The answer's body is given with each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "access", rename_all = "snake_case")]
pub enum StateAccess {
    /// The value, or `null`.
    Get,
    /// Replaces the value: `null`.
    Set {
        /// The new value.
        value: Value,
        /// When the entry disappears by itself.
        expires_at: Option<Timestamp>,
    },
    /// Adds to a number, which is 0 where there is no entry: the sum.
    Add {
        /// What is added.
        amount: i64,
        /// When the entry disappears by itself.
        expires_at: Option<Timestamp>,
    },
    /// Replaces the value only if it is the expected one (`null`: only if there is none): whether it was.
    SetIf {
        /// What must be there.
        expected: Value,
        /// The new value.
        value: Value,
        /// When the entry disappears by itself.
        expires_at: Option<Timestamp>,
    },
    /// Removes the entry: whether there was one.
    Delete,
}

/// What identifies an effect: everything but its place in the rule, for a call of Iconik method, path, query and
/// body. A re-execution that asks for another digest at the same step has diverged.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 16]);

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Digest({})", hex::encode(self.0))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0_u8; 16];
        hex::decode_to_slice(&text, &mut bytes).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes))
    }
}

impl Effect {
    /// The digest of what is asked for.
    pub fn digest(&self) -> Digest {
        let bytes = match self {
            Self::Call(call) => {
                serde_json::to_vec(&(call.method, &call.path, &call.query, &call.body))
            }
            other => serde_json::to_vec(&other.without_position()),
        };
        let bytes = bytes.expect("an effect always has a JSON form");
        let hash: [u8; 32] = Sha256::digest(&bytes).into();
        let mut digest = [0_u8; 16];
        digest.copy_from_slice(&hash[..16]);
        Digest(digest)
    }

    fn without_position(&self) -> Self {
        let mut same = self.clone();
        *same.place() = None;
        same
    }

    fn place(&mut self) -> &mut Option<FilePosition> {
        match self {
            Self::Call(call) => &mut call.position,
            Self::Egress(call) => &mut call.position,
            Self::Sleep(sleep) => &mut sleep.position,
            Self::WaitForEvent(wait) => &mut wait.position,
            Self::WaitForJob(wait) => &mut wait.position,
            Self::State(call) => &mut call.position,
        }
    }

    /// Where in the rule it was asked for.
    pub fn position(&self) -> Option<&FilePosition> {
        match self {
            Self::Call(call) => call.position.as_ref(),
            Self::Egress(call) => call.position.as_ref(),
            Self::Sleep(sleep) => sleep.position.as_ref(),
            Self::WaitForEvent(wait) => wait.position.as_ref(),
            Self::WaitForJob(wait) => wait.position.as_ref(),
            Self::State(call) => call.position.as_ref(),
        }
    }

    /// Says where in the rule it was asked for.
    pub fn set_position(&mut self, position: Option<FilePosition>) {
        *self.place() = position;
    }

    /// Whether the outside may be different afterwards.
    pub fn is_write(&self) -> bool {
        match self {
            Self::Call(call) => call.is_write(),
            Self::Egress(call) => call.method != Method::Get,
            Self::Sleep(_) | Self::WaitForEvent(_) | Self::WaitForJob(_) | Self::State(_) => false,
        }
    }
}

impl std::fmt::Display for Effect {
    /// A few words for a sentence: `` `GET assets/v1/assets/…/` ``, `a sleep until …`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Call(call) => write!(f, "`{} {}`", call.method, call.path),
            Self::Egress(call) => {
                write!(f, "`{} {}", call.method, call.target)?;
                if !call.path.is_empty() {
                    write!(f, " {}", call.path)?;
                }
                f.write_str("`")
            }
            Self::Sleep(sleep) => write!(f, "a sleep until {}", sleep.until),
            Self::WaitForEvent(wait) => write!(f, "a wait for `{}`", wait.pattern),
            Self::WaitForJob(wait) => write!(f, "a wait for job {}", wait.job),
            Self::State(call) => write!(f, "`state` entry {:?}", call.key),
        }
    }
}

impl Call {
    /// Whether the outside may be different afterwards, as far as the method tells. The `operations` table
    /// knows the exceptions (a search is a POST that writes nothing).
    pub fn is_write(&self) -> bool {
        self.method != Method::Get
    }
}

/// What the outside answered: only answers that end the step are kept, i.e. success and permanent errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body; `null` when there was none.
    pub body: Value,
    /// When the answer was complete, by the gateway's clock. This is what `time::now()` says after the step.
    pub at: Timestamp,
}

/// Effect number `number` of a run, with its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Counts from 0 inside the run.
    pub number: u32,
    /// Identifies the request.
    pub digest: Digest,
    /// What was asked for.
    pub effect: Effect,
    /// What came back.
    pub answer: Answer,
}

impl WaitForEvent {
    /// Whether this is an event that is waited for.
    pub fn is_met_by(&self, event: &super::Event) -> bool {
        self.pattern.matches(event)
            && self
                .fields
                .iter()
                .all(|(name, value)| &event.field(name) == value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn patch(ratio: f64) -> Effect {
        Effect::Call(Call {
            method: Method::Patch,
            path: "assets/v1/assets/a/".to_owned(),
            query: BTreeMap::new(),
            body: Some(serde_json::json!({ "ratio": ratio })),
            cacheable: false,
            position: None,
        })
    }

    fn sent_over(effect: &Effect) -> Effect {
        let text = serde_json::to_string(effect).expect("an effect has a JSON form");
        serde_json::from_str(&text).expect("it reads back")
    }

    proptest! {
        #[test]
        fn an_effect_is_the_same_on_both_sides_of_the_pipe(ratio in proptest::num::f64::NORMAL) {
            let effect = patch(ratio);
            prop_assert_eq!(sent_over(&effect).digest(), effect.digest());
        }
    }

    #[test]
    fn a_quotient_of_frame_rates_keeps_its_last_digit() {
        for ratio in [5.0 / 24.0, 22.0 / 23.976, 27.0 / 29.97] {
            let effect = patch(ratio);
            assert_eq!(sent_over(&effect).digest(), effect.digest(), "{ratio}");
        }
    }
}
