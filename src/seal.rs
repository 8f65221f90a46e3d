//! Seals the tokens of people who press buttons, so that the store holds nothing that anybody could act with.
//!
//! XChaCha20-Poly1305 with a random nonce, bound to the event that the token came with: one that is put beside another
//! event does not open. The key is the operator's and lies in a file outside the store.

use std::fmt;

use chacha20poly1305::aead::{Aead, Generate, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};

use crate::model::{EventId, Secret, parse_key};

/// The length of a nonce, in bytes; it stands in front of what is sealed.
const NONCE_BYTES: usize = 24;

/// A key to seal and open with.
pub struct Seal {
    cipher: XChaCha20Poly1305,
}

impl Seal {
    /// The seal of a key: 64 hexadecimal digits, or base64 of 32 bytes.
    ///
    /// # Errors
    ///
    /// A sentence that does not show the key.
    pub fn new(key: &Secret) -> Result<Self, &'static str> {
        let bytes = parse_key(key.expose())?;
        let cipher = XChaCha20Poly1305::new(&bytes.into());
        Ok(Self { cipher })
    }

    /// Seals a secret for an event. Nothing if the machine has no randomness to give.
    pub fn close(&self, event: EventId, secret: &Secret) -> Option<Vec<u8>> {
        let nonce = XNonce::try_generate().ok()?;
        let payload = Payload {
            msg: secret.expose().as_bytes(),
            aad: &event.0,
        };
        let mut sealed = nonce.to_vec();
        sealed.extend(self.cipher.encrypt(&nonce, payload).ok()?);
        Some(sealed)
    }

    /// Opens what was sealed for this event with this key; nothing else opens.
    pub fn open(&self, event: EventId, sealed: &[u8]) -> Option<Secret> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES)?;
        let nonce = XNonce::try_from(nonce).ok()?;
        let payload = Payload {
            msg: sealed,
            aad: &event.0,
        };
        let bytes = self.cipher.decrypt(&nonce, payload).ok()?;
        String::from_utf8(bytes).ok().map(Secret::new)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn seal(key: &str) -> Seal {
        Seal::new(&Secret::new(key)).unwrap()
    }

    #[test]
    fn only_the_same_key_opens_it_and_only_for_the_same_event() {
        let (event, other) = (EventId([1; 16]), EventId([2; 16]));
        let token = Secret::new("a.b.c");
        let sealed = seal(KEY).close(event, &token).unwrap();
        assert!(!sealed.windows(5).any(|part| part == b"a.b.c"));
        let again = seal(KEY).close(event, &token).unwrap();
        assert_ne!(sealed, again, "a nonce is used once");
        let same = seal(&BASE64_STANDARD.encode(hex::decode(KEY).unwrap()));
        let opened = same.open(event, &sealed).unwrap();
        assert_eq!(opened.expose(), "a.b.c");
        assert!(seal(KEY).open(other, &sealed).is_none());
        assert!(
            seal(&KEY.replace("00", "01"))
                .open(event, &sealed)
                .is_none()
        );
        for at in 0..sealed.len() {
            let mut broken = sealed.clone();
            broken[at] ^= 1;
            assert!(seal(KEY).open(event, &broken).is_none(), "byte {at}");
        }
        assert!(seal(KEY).open(event, &sealed[..20]).is_none());
    }
}
