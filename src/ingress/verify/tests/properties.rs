//! What holds for every message, key and change of either.

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::{
    Headers, KEY, NOW, headers, message, plain, secrets, sha256, standard, timed, v1, verify,
};
use crate::config::{HmacAlgorithm, HmacEncoding, Verify};
use crate::ingress::VerifyError;

/// Turns one bit of `bytes` over; `bit` counts from 0 over all of them.
fn flip(bytes: &mut [u8], bit: usize) {
    let bit = bit % (bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
}

proptest! {
    #[test]
    fn each_of_several_secrets_is_believed_and_told_apart(
        count in 1_usize..6, chosen in 0_usize..6, body in any::<Vec<u8>>(),
    ) {
        let chosen = chosen % count;
        let texts: Vec<String> = (0..count).map(|number| format!("secret-{number}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();

        let scheme = Verify::Header { header: "x".to_owned(), secrets: secrets(&texts) };
        let given = headers(&[("x", texts[chosen])]);
        prop_assert_eq!(verify(&scheme, &given, &body, NOW).unwrap().secret(), Some(chosen));

        let mut scheme = plain(HmacAlgorithm::Sha256, HmacEncoding::Base64, "");
        scheme.secrets = secrets(&texts);
        let tag = STANDARD.encode(sha256(texts[chosen].as_bytes(), &body));
        let given = headers(&[("x-signature", &tag)]);
        let verified = verify(&Verify::Hmac(scheme), &given, &body, NOW).unwrap();
        prop_assert_eq!(verified.secret(), Some(chosen));
        prop_assert_eq!(verified.body().as_ref(), body.as_slice());
    }

    #[test]
    fn a_standard_message_with_one_bit_changed_is_not_believed(
        body in proptest::collection::vec(any::<u8>(), 1..200), part in 0_usize..4, bit in any::<usize>(),
    ) {
        let mut given = message("msg_1", NOW, &v1("msg_1", NOW, &body));
        verify(&standard(&[KEY]), &given, &body, NOW).unwrap();
        let mut body = body;
        if part == 3 { flip(&mut body, bit) } else { flip(&mut given[part].1, bit) }
        prop_assume!(part == 3 || HeaderValue::from_bytes(&given[part].1).is_ok());
        prop_assert!(verify(&standard(&[KEY]), &given, &body, NOW).is_err());
    }

    #[test]
    fn a_timed_signature_with_one_bit_changed_is_not_believed(
        body in proptest::collection::vec(any::<u8>(), 1..200), part in 0_usize..3, bit in any::<usize>(),
    ) {
        let mut text = format!("v0:{NOW}:").into_bytes();
        text.extend_from_slice(&body);
        let signature = format!("v0={}", STANDARD.encode(sha256(b"key", &text)));
        let now = NOW.to_string();
        let mut given = headers(&[("x-timestamp", &now), ("x-signature", &signature)]);
        let scheme = Verify::Hmac(timed(&["key"], HmacEncoding::Base64));
        verify(&scheme, &given, &body, NOW).unwrap();
        let mut body = body;
        if part == 2 { flip(&mut body, bit) } else { flip(&mut given[part].1, bit) }
        prop_assume!(part == 2 || HeaderValue::from_bytes(&given[part].1).is_ok());
        prop_assert!(verify(&scheme, &given, &body, NOW).is_err());
    }

    #[test]
    fn a_secret_with_one_bit_changed_is_not_believed(bit in any::<usize>()) {
        let scheme = Verify::Header { header: "x".to_owned(), secrets: secrets(&["newer", "secret"]) };
        let mut given = headers(&[("x", "secret")]);
        flip(&mut given[0].1, bit);
        prop_assume!(HeaderValue::from_bytes(&given[0].1).is_ok());
        prop_assert_eq!(verify(&scheme, &given, b"{}", NOW).unwrap_err(), VerifyError::BadSignature);
    }

    #[test]
    fn no_request_whatever_makes_a_verifier_panic(
        id in header_value(), time in header_value(), signature in header_value(), body in any::<Vec<u8>>(),
    ) {
        let given: Headers = [("webhook-id", id), ("webhook-timestamp", time), ("webhook-signature", signature)]
            .map(|(name, value)| (name.to_owned(), value)).into();
        prop_assert!(verify(&standard(&[KEY]), &given, &body, NOW).is_err());
        let given: Headers = given.into_iter().zip(["x-timestamp", "x-signature", "x"])
            .map(|((_, value), name)| (name.to_owned(), value)).collect();
        let scheme = Verify::Hmac(timed(&["key"], HmacEncoding::Base64));
        prop_assert!(verify(&scheme, &given, &body, NOW).is_err());
    }
}

/// Any bytes that a header can hold, digits and commas more often than chance has them.
fn header_value() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        0x20_u8..0x7f,
        0x80_u8..=0xff,
        Just(b'\t'),
        b'0'..=b'9',
        Just(b','),
    ];
    let start = prop_oneof![Just(""), Just("v1,"), Just("v0="), Just("1614265330")];
    (start, proptest::collection::vec(byte, 0..100))
        .prop_map(|(start, rest)| [start.as_bytes(), &rest].concat())
}
