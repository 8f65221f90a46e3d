//! Several secrets at once, so that a rotation loses no event.
//!
//! Every key is tried, whole, and only then is it asked which one fitted: neither a wrong guess nor the number
//! of the right one can be told from the time that the answer takes.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq};

use crate::config::HmacAlgorithm;
use crate::model::Secret;

use super::VerifierError;

/// The keys of one source, the newest first, ready to sign.
pub(super) struct Keys(Vec<Key>);

enum Key {
    Sha256(Hmac<Sha256>),
    Sha512(Box<Hmac<Sha512>>),
}

impl Keys {
    /// Keys for signing with `algorithm`; at least one and none of them empty.
    pub(super) fn new<'a>(
        algorithm: HmacAlgorithm,
        keys: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, VerifierError> {
        let keys = keys
            .into_iter()
            .enumerate()
            .map(|(number, key)| {
                if key.is_empty() {
                    Err(VerifierError::EmptySecret(number))
                } else {
                    Ok(Key::new(algorithm, key))
                }
            })
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(VerifierError::NoSecret);
        }
        Ok(Self(keys))
    }

    /// The number of the first key that made one of `signatures` over `parts`, one after the other.
    pub(super) fn signed(&self, parts: &[&[u8]], signatures: &[Vec<u8>]) -> Option<usize> {
        first(self.0.iter().map(|key| {
            let expected = key.sign(parts);
            signatures
                .iter()
                .map(|given| expected.ct_eq(given))
                .fold(Choice::from(0), |one, other| one | other)
        }))
    }
}

impl Key {
    fn new(algorithm: HmacAlgorithm, key: &[u8]) -> Self {
        const ANY_LENGTH: &str = "HMAC takes a key of any length";
        match algorithm {
            HmacAlgorithm::Sha256 => Self::Sha256(Hmac::new_from_slice(key).expect(ANY_LENGTH)),
            HmacAlgorithm::Sha512 => {
                Self::Sha512(Box::new(Hmac::new_from_slice(key).expect(ANY_LENGTH)))
            }
        }
    }

    fn sign(&self, parts: &[&[u8]]) -> Vec<u8> {
        fn over(mut mac: impl Mac, parts: &[&[u8]]) -> Vec<u8> {
            for part in parts {
                mac.update(part);
            }
            mac.finalize().into_bytes().to_vec()
        }
        match self {
            Self::Sha256(mac) => over(mac.clone(), parts),
            Self::Sha512(mac) => over(Hmac::<Sha512>::clone(mac), parts),
        }
    }
}

/// The bytes of each secret, to make keys of.
pub(super) fn bytes(secrets: &[Secret]) -> impl Iterator<Item = &[u8]> {
    secrets.iter().map(|secret| secret.expose().as_bytes())
}

/// The number of the first that is true, looked for only after all are known.
pub(super) fn first(fits: impl Iterator<Item = Choice>) -> Option<usize> {
    let fits: Vec<Choice> = fits.collect();
    fits.into_iter().position(bool::from)
}
