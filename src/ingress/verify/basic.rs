//! A user and a password in `Authorization`, for senders that can do nothing else (RFC 7617).
//!
//! User and passwords are kept and compared as their SHA-256, so that all have one length and the comparison tells
//! nothing of the real one's. The user is compared in the same way: that it is wrong takes as long as that the password is.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::model::Secret;

use super::secret_header::digests;
use super::{Request, Unverified, Verified, VerifierError, VerifyError, keys};

/// The header that holds both.
const HEADER: &str = "authorization";

/// Some senders leave the padding out.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) struct Basic {
    user: [u8; 32],
    passwords: Vec<[u8; 32]>,
}

impl Basic {
    pub(super) fn new(user: &str, passwords: &[Secret]) -> Result<Self, VerifierError> {
        Ok(Self {
            user: Sha256::digest(user).into(),
            passwords: digests(passwords)?,
        })
    }

    pub(super) fn verify(&self, request: &Request<Unverified>) -> Result<Verified, VerifyError> {
        let unreadable = || VerifyError::UnreadableHeader(HEADER.to_owned());
        let written = request.only_header(HEADER)?;
        let written = std::str::from_utf8(written).map_err(|_| unreadable())?;
        let (scheme, credentials) = written.split_once(' ').ok_or_else(unreadable)?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(unreadable());
        }
        let pair = LENIENT
            .decode(credentials.trim())
            .map_err(|_| unreadable())?;
        let colon = pair.iter().position(|byte| *byte == b':');
        let (user, password) = pair.split_at(colon.ok_or_else(unreadable)?);
        let user: [u8; 32] = Sha256::digest(user).into();
        let password: [u8; 32] = Sha256::digest(&password[1..]).into();
        let right_user = self.user.ct_eq(&user);
        let fits = self.passwords.iter();
        let secret = keys::first(fits.map(|digest| digest.ct_eq(&password) & right_user))
            .ok_or(VerifyError::BadSignature)?;
        Ok(Verified {
            secret: Some(secret),
            message_id: None,
        })
    }
}
