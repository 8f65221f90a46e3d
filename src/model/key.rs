//! A key for a cipher, as an operator writes it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// The length of a key, in bytes.
const KEY_BYTES: usize = 32;

/// The bytes of a key: 64 hexadecimal digits, or base64 of 32 bytes.
///
/// # Errors
///
/// What is wrong with the text, as the end of a sentence that does not show it.
pub fn parse_key(text: &str) -> Result<[u8; KEY_BYTES], &'static str> {
    let hex = hex::decode(text).ok();
    let bytes = hex.or_else(|| BASE64_STANDARD.decode(text).ok());
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or("is no key: it must be 64 hexadecimal digits or base64 of 32 bytes, such as `openssl rand -hex 32` makes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_in_one_of_two_ways_and_has_one_length() {
        let bytes = [0xa7; KEY_BYTES];
        assert_eq!(parse_key(&hex::encode(bytes)), Ok(bytes));
        assert_eq!(parse_key(&BASE64_STANDARD.encode(bytes)), Ok(bytes));
        for wrong in [
            String::new(),
            "00".to_owned(),
            hex::encode([0; 31]),
            BASE64_STANDARD.encode([0; 33]),
            format!("{}=", "!".repeat(43)),
        ] {
            let error = parse_key(&wrong).unwrap_err();
            assert!(error.contains("64 hexadecimal digits"), "{error}");
        }
    }
}
