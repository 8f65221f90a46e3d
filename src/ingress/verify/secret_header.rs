//! A static secret in a header: the one proof that Iconik can give, because it sends fixed headers and signs
//! nothing (public recordings and its documentation of webhooks).
//!
//! Secrets are kept and compared as their SHA-256, so that all have one length and the comparison tells
//! nothing of the real one's.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use crate::model::Secret;

use super::{Request, Unverified, Verified, VerifierError, VerifyError, keys};

/// What secrets are kept as; at least one and none of them empty.
pub(super) fn digests(secrets: &[Secret]) -> Result<Vec<[u8; 32]>, VerifierError> {
    if let Some(number) = secrets.iter().position(|secret| secret.expose().is_empty()) {
        return Err(VerifierError::EmptySecret(number));
    }
    if secrets.is_empty() {
        return Err(VerifierError::NoSecret);
    }
    let bytes = keys::bytes(secrets);
    Ok(bytes.map(|secret| Sha256::digest(secret).into()).collect())
}

pub(super) struct SecretHeader {
    name: String,
    digests: Vec<[u8; 32]>,
}

impl SecretHeader {
    pub(super) fn new(name: &str, secrets: &[Secret]) -> Result<Self, VerifierError> {
        Ok(Self {
            name: name.to_owned(),
            digests: digests(secrets)?,
        })
    }

    /// The header that holds the secret.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn verify(&self, request: &Request<Unverified>) -> Result<Verified, VerifyError> {
        let given: [u8; 32] = Sha256::digest(request.only_header(&self.name)?).into();
        let secret = keys::first(self.digests.iter().map(|digest| digest.ct_eq(&given)))
            .ok_or(VerifyError::BadSignature)?;
        Ok(Verified {
            secret: Some(secret),
            message_id: None,
        })
    }
}
