//! A source as the configuration describes it: who may send, from where, and how its messages are read.

use std::time::Duration;

use ipnet::IpNet;

use super::SecretFile;
use crate::model::Secret;

/// `[sources.NAME]`
#[derive(Clone, Debug)]
pub struct Source {
    /// How a sender proves who it is.
    pub verify: Verify,
    /// The file that the secrets of `verify` come from, if they come from one.
    pub secrets_file: Option<SecretFile>,
    /// The addresses that it may have; any if there are none.
    pub allow_ips: Vec<IpNet>,
    /// Where a foreign sender says what its message is; none for Iconik and its like.
    pub event: Option<Mapping>,
    /// How long a repeated delivery is known as one.
    pub dedup_window: Duration,
}

impl Source {
    /// A source whose senders may have any address and speak as Iconik does.
    pub fn new(verify: Verify, dedup_window: Duration) -> Self {
        Self {
            verify,
            secrets_file: None,
            allow_ips: Vec::new(),
            event: None,
            dedup_window,
        }
    }
}

/// How a request is verified. Several secrets are tried newest first.
#[derive(Clone, Debug)]
pub enum Verify {
    /// Anybody may send. It has to be spelled out as `verify = "none"`.
    None,
    /// A static secret in a header.
    Header {
        /// The header's name, in lower case.
        header: String,
        /// The accepted values.
        secrets: Vec<Secret>,
    },
    /// A user and a password (RFC 7617).
    Basic {
        /// The user's name.
        user: String,
        /// The accepted passwords.
        passwords: Vec<Secret>,
    },
    /// A keyed hash over parts of the request.
    Hmac(Hmac),
    /// The Standard Webhooks scheme, version 1.
    StandardWebhooks {
        /// `whsec_…` keys.
        secrets: Vec<Secret>,
        /// How far the message's timestamp may be from now.
        tolerance: Duration,
    },
}

impl Verify {
    /// The accepted secrets, newest first.
    pub fn secrets(&self) -> &[Secret] {
        match self {
            Self::None => &[],
            Self::Header { secrets, .. } | Self::StandardWebhooks { secrets, .. } => secrets,
            Self::Basic { passwords, .. } => passwords,
            Self::Hmac(hmac) => &hmac.secrets,
        }
    }

    /// The same scheme with other secrets.
    #[must_use]
    pub fn with_secrets(&self, new: Vec<Secret>) -> Self {
        let mut verify = self.clone();
        match &mut verify {
            Self::None => {}
            Self::Header { secrets, .. } | Self::StandardWebhooks { secrets, .. } => *secrets = new,
            Self::Basic { passwords, .. } => *passwords = new,
            Self::Hmac(hmac) => hmac.secrets = new,
        }
        verify
    }
}

/// `event = { … }`: where a foreign sender says what its message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// What kind of thing happened: `event.type` of rules.
    pub kind: Locator,
    /// What it is about: `event.object_id` of rules.
    pub object: Option<Locator>,
    /// What makes the message unique.
    pub id: Option<Locator>,
}

/// A place in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Locator {
    /// A JSON pointer (RFC 6901) into the body: `/resource/id`.
    Body(String),
    /// A header, its name in lower case: `header:x-github-event`.
    Header(String),
}

/// `verify = { hmac = { … } }`
#[derive(Clone, Debug)]
pub struct Hmac {
    /// The header that holds the signature, in lower case.
    pub header: String,
    /// The hash.
    pub algorithm: HmacAlgorithm,
    /// How the signature is written.
    pub encoding: HmacEncoding,
    /// What stands before it, such as `sha256=` or `v0=`.
    pub prefix: String,
    /// What is signed, in order.
    pub signed: Vec<SignedPart>,
    /// What stands between the signed parts; `:` unless told otherwise.
    pub separator: String,
    /// The header that holds the Unix time in seconds.
    pub timestamp_header: Option<String>,
    /// How far that time may be from now.
    pub tolerance: Duration,
    /// The keys.
    pub secrets: Vec<Secret>,
}

/// The hash of an [`Hmac`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HmacAlgorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How an [`Hmac`] signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HmacEncoding {
    /// Hexadecimal, in either case.
    Hex,
    /// Base64 with or without padding.
    Base64,
}

/// One part of what an [`Hmac`] signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedPart {
    /// The raw body (`"body"`).
    Body,
    /// The value of `timestamp_header` (`"timestamp"`).
    Timestamp,
    /// Any other text stands for itself (`"v0"`).
    Literal(String),
}
