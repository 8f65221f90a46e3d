//! Ids are types, so that an event can never be looked up by the id of a run.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An event's id: sixteen bytes derived from its key and the deduplication window, printed as 32 hex
/// digits. A repeated delivery inside the window therefore gets the same id without a look-up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub [u8; 16]);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({self})")
    }
}

impl FromStr for EventId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0_u8; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| {
            format!("`{text}` is no event id: an event id is 32 hexadecimal digits")
        })?;
        Ok(Self(bytes))
    }
}

impl Serialize for EventId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// A run's number in the store: one rule on one event. Numbers say nothing about order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub i64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text_id! {
    /// A rule's name: its path below the rules directory without the ending (`news/tag`), or the `id` of
    /// its header, which keeps lanes and history over a rename.
    RuleId
}
text_id! {
    /// What a rule was at one time: the hash of its source and of everything that it imports, in hex.
    RuleVersion
}
text_id! {
    /// The hash of all rule files and of the `[vars]` that they were loaded with, in hex.
    RuleSetId
}
text_id! {
    /// The order key of runs inside one rule: runs with the same key never overlap.
    LaneKey
}
text_id! {
    /// The name of a sender in the configuration: `iconik` for `[sources.iconik]`.
    SourceName
}
