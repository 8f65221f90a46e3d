//! A keyed hash in a header, in the many ways that senders write it: GitHub, Slack, Frame.io and others differ
//! only in prefix, encoding and in what they sign.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::config::{self, HmacEncoding, SignedPart};

use super::keys::{self, Keys};
use super::{Request, Unverified, Verified, VerifierError, VerifyError};

/// Senders write Base64 with padding or without it.
const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);

/// Base64 in either alphabet, with padding or without it.
pub(super) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD
        .decode(text)
        .or_else(|_| URL_SAFE.decode(text))
        .ok()
}

pub(super) struct Signature {
    keys: Keys,
    header: String,
    prefix: String,
    encoding: HmacEncoding,
    signed: Vec<SignedPart>,
    separator: String,
    /// The header with the time, and how many seconds that may be away.
    timestamp: Option<(String, u64)>,
}

impl Signature {
    pub(super) fn new(hmac: &config::Hmac) -> Result<Self, VerifierError> {
        if hmac.signed.contains(&SignedPart::Timestamp) && hmac.timestamp_header.is_none() {
            return Err(VerifierError::NoTimestampHeader);
        }
        Ok(Self {
            keys: Keys::new(hmac.algorithm, keys::bytes(&hmac.secrets))?,
            header: hmac.header.clone(),
            prefix: hmac.prefix.clone(),
            encoding: hmac.encoding,
            signed: hmac.signed.clone(),
            separator: hmac.separator.clone(),
            timestamp: hmac
                .timestamp_header
                .clone()
                .map(|header| (header, hmac.tolerance.as_secs())),
        })
    }

    /// The signature is looked at before the time, so that "outside the window" is said of a message that
    /// really comes from the sender.
    pub(super) fn verify(&self, request: &Request<Unverified>) -> Result<Verified, VerifyError> {
        let given = self.given(request)?;
        let time = match &self.timestamp {
            Some((header, tolerance)) => Some((request.only_time(header)?, *tolerance)),
            None => None,
        };
        let written = time.map_or(&b""[..], |((written, _), _)| written);
        let secret = self
            .keys
            .signed(&self.message(request, written), &[given])
            .ok_or(VerifyError::BadSignature)?;
        if let Some(((_, signed_at), tolerance)) = time {
            request.within(signed_at, tolerance)?;
        }
        Ok(Verified {
            secret: Some(secret),
            message_id: None,
        })
    }

    /// The signature that the request carries, as bytes.
    fn given(&self, request: &Request<Unverified>) -> Result<Vec<u8>, VerifyError> {
        let written = request.only_header(&self.header)?;
        written
            .strip_prefix(self.prefix.as_bytes())
            .and_then(|text| match self.encoding {
                HmacEncoding::Hex => hex::decode(text).ok(),
                HmacEncoding::Base64 => base64(text),
            })
            .ok_or_else(|| VerifyError::UnreadableHeader(self.header.clone()))
    }

    /// The signed parts with the separator between them.
    fn message<'a>(
        &'a self,
        request: &'a Request<Unverified>,
        timestamp: &'a [u8],
    ) -> Vec<&'a [u8]> {
        let mut parts = Vec::with_capacity(self.signed.len() * 2);
        for part in &self.signed {
            if !parts.is_empty() {
                parts.push(self.separator.as_bytes());
            }
            parts.push(match part {
                SignedPart::Body => &request.body,
                SignedPart::Timestamp => timestamp,
                SignedPart::Literal(text) => text.as_bytes(),
            });
        }
        parts
    }
}
