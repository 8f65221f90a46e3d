//! Who sent this? Asked over the raw bytes, before anything is parsed, and answered by a type.
//!
//! Everything after this module takes a `Request<Verified>`, and only [`Verifier::verify`] makes one, so that
//! no path can forget to ask. Nothing here reads a clock or a socket: the request says when it arrived, and
//! the same bytes get the same answer. What a sender learns from a refusal is always the same; the kinds of
//! [`VerifyError`] are for the operator's log and counters.

mod basic;
mod keys;
mod secret_header;
mod signature;
mod standard_webhooks;

#[cfg(test)]
mod tests;

use std::fmt;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use jiff::Timestamp;

use crate::config;

use basic::Basic;
use secret_header::SecretHeader;
use signature::Signature;
use standard_webhooks::StandardWebhooks;

/// What arrived, and whether its sender is known yet: `S` is [`Unverified`] or [`Verified`].
pub struct Request<S> {
    headers: HeaderMap,
    body: Bytes,
    received_at: Timestamp,
    state: S,
}

/// Nobody has looked at who sent it.
#[derive(Debug)]
pub struct Unverified;

/// The sender is who the configuration says it may be.
#[derive(Debug, Default)]
pub struct Verified {
    /// The number of the secret that fitted, 0 being the newest; none where no secret is asked for.
    secret: Option<usize>,
    /// The unique id that the sender gave the message and signed.
    message_id: Option<String>,
}

impl<S> fmt::Debug for Request<S> {
    /// Neither header values nor the body: both may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("body_bytes", &self.body.len())
            .field("received_at", &self.received_at)
            .finish_non_exhaustive()
    }
}

impl Request<Unverified> {
    /// A request as it came from the wire; `received_at` is when its last byte had been read.
    pub fn new(headers: HeaderMap, body: Bytes, received_at: Timestamp) -> Self {
        Self {
            headers,
            body,
            received_at,
            state: Unverified,
        }
    }

    /// The one value of a header. A sender that repeats it may mean either value, so it means neither.
    fn only_header(&self, name: &str) -> Result<&[u8], VerifyError> {
        let mut values = self.headers.get_all(name).iter();
        let Some(value) = values.next() else {
            return Err(VerifyError::MissingHeader(name.to_owned()));
        };
        match values.next() {
            None => Ok(value.as_bytes()),
            Some(_) => Err(VerifyError::RepeatedHeader(name.to_owned())),
        }
    }

    /// The one value of a header that holds a Unix time in seconds, as it was written and as a time.
    fn only_time(&self, name: &str) -> Result<(&[u8], Timestamp), VerifyError> {
        let written = self.only_header(name)?;
        let time = std::str::from_utf8(written)
            .ok()
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .and_then(|seconds| Timestamp::from_second(seconds).ok())
            .ok_or_else(|| VerifyError::UnreadableHeader(name.to_owned()))?;
        Ok((written, time))
    }

    /// Whether the message was signed at a time near enough, in the past or in the future.
    fn within(&self, signed_at: Timestamp, tolerance_seconds: u64) -> Result<(), VerifyError> {
        let away = (self.received_at.as_second() - signed_at.as_second()).unsigned_abs();
        if away <= tolerance_seconds {
            Ok(())
        } else {
            Err(VerifyError::OutsideWindow {
                away_seconds: away,
                tolerance_seconds,
            })
        }
    }
}

impl Request<Verified> {
    /// The headers, without the one that held the secret.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The raw body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// When the request had been read.
    pub fn received_at(&self) -> Timestamp {
        self.received_at
    }

    /// The number of the secret that fitted, 0 being the newest; none where no secret is asked for.
    pub fn secret(&self) -> Option<usize> {
        self.state.secret
    }

    /// The unique id that the sender gave the message, where the scheme has one.
    pub fn message_id(&self) -> Option<&str> {
        self.state.message_id.as_deref()
    }
}

/// Why a sender was not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The header that proves the sender is not there.
    #[error("the header `{0}` is missing")]
    MissingHeader(String),
    /// It is there more than once.
    #[error("the header `{0}` is there more than once")]
    RepeatedHeader(String),
    /// It is not written as the scheme says.
    #[error("the header `{0}` is not written as the scheme says")]
    UnreadableHeader(String),
    /// No secret fits.
    #[error("no configured secret fits: compare it with the sender's")]
    BadSignature,
    /// The signature is right but old or from the future: a replay, or a clock that is wrong.
    #[error(
        "signed {away_seconds} s away from now, and {tolerance_seconds} s are allowed: a replay, or one of the clocks is wrong"
    )]
    OutsideWindow {
        /// How far away, in seconds.
        away_seconds: u64,
        /// How far it may be, in seconds.
        tolerance_seconds: u64,
    },
}

impl VerifyError {
    /// The kind, as a label of counters.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::MissingHeader(_) => "missing_header",
            Self::RepeatedHeader(_) => "repeated_header",
            Self::UnreadableHeader(_) => "unreadable_header",
            Self::BadSignature => "bad_signature",
            Self::OutsideWindow { .. } => "outside_window",
        }
    }
}

/// Why a verifier cannot be made from its configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifierError {
    /// Without a secret nobody could ever send.
    #[error("`secrets` is empty: give at least one, the newest first")]
    NoSecret,
    /// With an empty secret everybody could.
    #[error("secret number {0} (counted from 0) is empty: is its variable or file empty?")]
    EmptySecret(usize),
    /// A Standard Webhooks secret that is not Base64.
    #[error(
        "secret number {0} (counted from 0) is no Standard Webhooks key: it is `whsec_` and Base64, as the sender shows it"
    )]
    UnreadableKey(usize),
    /// `signed` names a timestamp that nothing holds.
    #[error("`signed` has \"timestamp\": say in `timestamp_header` which header holds it")]
    NoTimestampHeader,
}

/// Says whether a request comes from a sender that knows a secret.
pub struct Verifier(Scheme);

enum Scheme {
    None,
    Header(SecretHeader),
    Basic(Basic),
    Signature(Box<Signature>),
    StandardWebhooks(StandardWebhooks),
}

impl fmt::Debug for Verifier {
    /// The scheme without its keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Scheme::None => "Verifier(none)",
            Scheme::Header(_) => "Verifier(header)",
            Scheme::Basic(_) => "Verifier(basic)",
            Scheme::Signature(_) => "Verifier(hmac)",
            Scheme::StandardWebhooks(_) => "Verifier(standard_webhooks)",
        })
    }
}

impl Verifier {
    /// Prepares the keys of a source.
    ///
    /// # Errors
    /// When a secret is missing, empty or unreadable, or a signed part comes from nowhere.
    pub fn new(verify: &config::Verify) -> Result<Self, VerifierError> {
        Ok(Self(match verify {
            config::Verify::None => Scheme::None,
            config::Verify::Header { header, secrets } => {
                Scheme::Header(SecretHeader::new(header, secrets)?)
            }
            config::Verify::Basic { user, passwords } => {
                Scheme::Basic(Basic::new(user, passwords)?)
            }
            config::Verify::Hmac(hmac) => Scheme::Signature(Box::new(Signature::new(hmac)?)),
            config::Verify::StandardWebhooks { secrets, tolerance } => {
                Scheme::StandardWebhooks(StandardWebhooks::new(secrets, *tolerance)?)
            }
        }))
    }

    /// What a refused sender is asked for (RFC 9110, `WWW-Authenticate`), where the scheme has it.
    pub fn challenge(&self) -> Option<&'static str> {
        match self.0 {
            Scheme::Basic(_) => Some(r#"Basic realm="cuegate", charset="UTF-8""#),
            Scheme::None
            | Scheme::Header(_)
            | Scheme::Signature(_)
            | Scheme::StandardWebhooks(_) => None,
        }
    }

    /// Turns a request into one whose sender is known, and takes the secret out of its headers.
    ///
    /// The time that this takes tells nothing about the secrets: all of them are compared, and each whole.
    ///
    /// # Errors
    /// When the proof is missing, ambiguous, wrong or too old; the request is gone then.
    pub fn verify(&self, request: Request<Unverified>) -> Result<Request<Verified>, VerifyError> {
        let verified = match &self.0 {
            Scheme::None => Verified::default(),
            Scheme::Header(scheme) => scheme.verify(&request)?,
            Scheme::Basic(scheme) => scheme.verify(&request)?,
            Scheme::Signature(scheme) => scheme.verify(&request)?,
            Scheme::StandardWebhooks(scheme) => scheme.verify(&request)?,
        };
        let mut headers = request.headers;
        match &self.0 {
            Scheme::Header(scheme) => drop(headers.remove(scheme.name())),
            Scheme::Basic(_) => drop(headers.remove(AUTHORIZATION)),
            Scheme::None | Scheme::Signature(_) | Scheme::StandardWebhooks(_) => {}
        }
        Ok(Request {
            headers,
            body: request.body,
            received_at: request.received_at,
            state: verified,
        })
    }
}
