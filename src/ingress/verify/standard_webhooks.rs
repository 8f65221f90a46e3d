//! The Standard Webhooks scheme, version 1: HMAC-SHA256 over id, time and body.
//!
//! The header may carry several signatures, because a sender that rotates its key signs with both. The signed
//! message id is the sender's own word for "the same event", so it travels on with the proof.

use std::time::Duration;

use crate::config::HmacAlgorithm;
use crate::model::Secret;

use super::keys::Keys;
use super::signature::base64;
use super::{Request, Unverified, Verified, VerifierError, VerifyError};

const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";

/// What stands before a key, so that a person sees what it is.
const KEY_PREFIX: &str = "whsec_";

pub(super) struct StandardWebhooks {
    keys: Keys,
    tolerance_seconds: u64,
}

impl StandardWebhooks {
    pub(super) fn new(secrets: &[Secret], tolerance: Duration) -> Result<Self, VerifierError> {
        let keys = secrets
            .iter()
            .enumerate()
            .map(|(number, secret)| {
                let text = secret.expose();
                let key = text.strip_prefix(KEY_PREFIX).unwrap_or(text);
                base64(key.as_bytes()).ok_or(VerifierError::UnreadableKey(number))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            keys: Keys::new(HmacAlgorithm::Sha256, keys.iter().map(Vec::as_slice))?,
            tolerance_seconds: tolerance.as_secs(),
        })
    }

    pub(super) fn verify(&self, request: &Request<Unverified>) -> Result<Verified, VerifyError> {
        let id = request.only_header(ID)?;
        let message_id = std::str::from_utf8(id)
            .ok()
            .filter(|id| !id.is_empty())
            .ok_or_else(|| VerifyError::UnreadableHeader(ID.to_owned()))?;
        let (timestamp, signed_at) = request.only_time(TIMESTAMP)?;
        let given = signatures(request.only_header(SIGNATURE)?);
        if given.is_empty() {
            return Err(VerifyError::UnreadableHeader(SIGNATURE.to_owned()));
        }
        let secret = self
            .keys
            .signed(&[id, b".", timestamp, b".", &request.body], &given)
            .ok_or(VerifyError::BadSignature)?;
        request.within(signed_at, self.tolerance_seconds)?;
        Ok(Verified {
            secret: Some(secret),
            message_id: Some(message_id.to_owned()),
        })
    }
}

/// The signatures of version 1 in `v1,… v1a,…`; others and unreadable ones are passed over.
fn signatures(header: &[u8]) -> Vec<Vec<u8>> {
    header
        .split(|byte| *byte == b' ')
        .filter_map(|signature| signature.strip_prefix(b"v1,"))
        .filter_map(base64)
        .collect()
}
