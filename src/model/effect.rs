//! What a script asks for, as data, and what was answered.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Position;

/// An HTTP method of Iconik's API.
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
    pub position: Option<Position>,
}

/// What identifies a request: method, path, query and body. A re-execution that asks for another digest
/// at the same step has diverged.
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
        let Self::Call(call) = self;
        let identity = (call.method, &call.path, &call.query, &call.body);
        let bytes = serde_json::to_vec(&identity).expect("a call always has a JSON form");
        let hash: [u8; 32] = Sha256::digest(&bytes).into();
        let mut digest = [0_u8; 16];
        digest.copy_from_slice(&hash[..16]);
        Digest(digest)
    }

    /// Whether the outside may be different afterwards.
    pub fn is_write(&self) -> bool {
        let Self::Call(call) = self;
        call.is_write()
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
