//! Against signatures made another way: with the hash crates themselves, and by the senders' documentation.

mod properties;

use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::{Sha256, Sha512};

use super::{Request, Unverified, Verified, Verifier, VerifierError, VerifyError};
use crate::config::{self, HmacAlgorithm, HmacEncoding, SignedPart, Verify};
use crate::model::Secret;

const NOW: i64 = 1_614_265_330;
const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

type Headers = Vec<(String, Vec<u8>)>;

fn request(headers: &Headers, body: &[u8], now: i64) -> Request<Unverified> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(
            HeaderName::try_from(name).unwrap(),
            HeaderValue::from_bytes(value).unwrap(),
        );
    }
    let now = Timestamp::from_second(now).unwrap();
    Request::new(map, Bytes::copy_from_slice(body), now)
}

fn headers(pairs: &[(&str, &str)]) -> Headers {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
        .collect()
}

fn verify(
    scheme: &Verify,
    headers: &Headers,
    body: &[u8],
    now: i64,
) -> Result<Request<Verified>, VerifyError> {
    Verifier::new(scheme)
        .unwrap()
        .verify(request(headers, body, now))
}

fn secrets(texts: &[&str]) -> Vec<Secret> {
    texts.iter().copied().map(Secret::new).collect()
}

fn sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn sha512(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha512>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn standard(keys: &[&str]) -> Verify {
    Verify::StandardWebhooks {
        secrets: secrets(keys),
        tolerance: Duration::from_secs(300),
    }
}

fn message(id: &str, at: i64, signatures: &str) -> Headers {
    headers(&[
        ("webhook-id", id),
        ("webhook-timestamp", &at.to_string()),
        ("webhook-signature", signatures),
    ])
}

fn v1(id: &str, at: i64, body: &[u8]) -> String {
    let mut text = format!("{id}.{at}.").into_bytes();
    text.extend_from_slice(body);
    let key = STANDARD.decode(KEY).unwrap();
    format!("v1,{}", STANDARD.encode(sha256(&key, &text)))
}

/// A scheme like Slack's and Frame.io's.
fn timed(secrets_: &[&str], encoding: HmacEncoding) -> config::Hmac {
    config::Hmac {
        header: "x-signature".to_owned(),
        algorithm: HmacAlgorithm::Sha256,
        encoding,
        prefix: "v0=".to_owned(),
        signed: vec![
            SignedPart::Literal("v0".to_owned()),
            SignedPart::Timestamp,
            SignedPart::Body,
        ],
        separator: ":".to_owned(),
        timestamp_header: Some("x-timestamp".to_owned()),
        tolerance: Duration::from_secs(300),
        secrets: secrets(secrets_),
    }
}

/// A scheme like GitHub's.
fn plain(algorithm: HmacAlgorithm, encoding: HmacEncoding, prefix: &str) -> config::Hmac {
    config::Hmac {
        header: "x-signature".to_owned(),
        algorithm,
        encoding,
        prefix: prefix.to_owned(),
        signed: vec![SignedPart::Body],
        separator: ":".to_owned(),
        timestamp_header: None,
        tolerance: Duration::ZERO,
        secrets: secrets(&["key"]),
    }
}

#[test]
fn the_example_of_standard_webhooks_is_believed() {
    let given = message(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        NOW,
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    );
    let body = br#"{"test": 2432232314}"#;
    for key in [KEY.to_owned(), format!("whsec_{KEY}")] {
        let verified = verify(&standard(&[&key]), &given, body, NOW).unwrap();
        assert_eq!(verified.message_id(), Some("msg_p5jXN8AQM9LWM0D4loKWxJek"));
        assert_eq!(verified.secret(), Some(0));
    }
}

#[test]
fn the_example_of_github_is_believed() {
    let mut scheme = plain(HmacAlgorithm::Sha256, HmacEncoding::Hex, "sha256=");
    scheme.header = "x-hub-signature-256".to_owned();
    scheme.secrets = secrets(&["It's a Secret to Everybody"]);
    let given = headers(&[(
        "X-Hub-Signature-256",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    )]);
    verify(&Verify::Hmac(scheme), &given, b"Hello, World!", NOW).unwrap();
}

#[test]
fn one_of_several_signatures_is_enough_and_other_versions_are_passed_over() {
    let good = v1("msg_1", NOW, b"{}");
    let other = v1("msg_2", NOW, b"{}");
    for signatures in [
        format!("{other} {good}"),
        format!("{good} {other}"),
        format!("v1a,abc v2,{} {good} v1,%%%", &good[3..]),
    ] {
        let given = message("msg_1", NOW, &signatures);
        verify(&standard(&[KEY]), &given, b"{}", NOW).unwrap();
    }
    for signatures in ["", "v1", "v1a,abc", &good[3..], &good.replace("v1,", "v2,")] {
        let given = message("msg_1", NOW, signatures);
        let error = verify(&standard(&[KEY]), &given, b"{}", NOW).unwrap_err();
        assert_eq!(error.reason(), "unreadable_header", "{signatures}");
    }
    let given = message("msg_1", NOW, &other);
    let error = verify(&standard(&[KEY]), &given, b"{}", NOW).unwrap_err();
    assert_eq!(error, VerifyError::BadSignature);
}

#[test]
fn a_shortened_signature_is_not_a_signature() {
    let tag = sha256(b"key", b"{}");
    for length in [0, 1, 16, 31] {
        let scheme = Verify::Hmac(plain(HmacAlgorithm::Sha256, HmacEncoding::Hex, ""));
        let given = headers(&[("x-signature", &hex::encode(&tag[..length]))]);
        let error = verify(&scheme, &given, b"{}", NOW).unwrap_err();
        assert_eq!(error, VerifyError::BadSignature, "{length}");
    }
}

#[test]
fn every_way_of_writing_a_signature_is_read() {
    let body = b"\xfb\xff raw bytes";
    let (short, long) = (sha256(b"key", body), sha512(b"key", body));
    let cases = [
        (
            HmacAlgorithm::Sha256,
            HmacEncoding::Hex,
            hex::encode(&short),
        ),
        (
            HmacAlgorithm::Sha256,
            HmacEncoding::Hex,
            hex::encode_upper(&short),
        ),
        (HmacAlgorithm::Sha512, HmacEncoding::Hex, hex::encode(&long)),
        (
            HmacAlgorithm::Sha256,
            HmacEncoding::Base64,
            STANDARD.encode(&short),
        ),
        (
            HmacAlgorithm::Sha256,
            HmacEncoding::Base64,
            STANDARD_NO_PAD.encode(&short),
        ),
        (
            HmacAlgorithm::Sha256,
            HmacEncoding::Base64,
            URL_SAFE.encode(&short),
        ),
        (
            HmacAlgorithm::Sha512,
            HmacEncoding::Base64,
            URL_SAFE_NO_PAD.encode(&long),
        ),
    ];
    for (algorithm, encoding, text) in cases {
        let scheme = Verify::Hmac(plain(algorithm, encoding, "sig "));
        let given = headers(&[("x-signature", &format!("sig {text}"))]);
        verify(&scheme, &given, body, NOW).unwrap();
        let bare = headers(&[("x-signature", &text)]);
        let error = verify(&scheme, &bare, body, NOW).unwrap_err();
        assert_eq!(error.reason(), "unreadable_header");
    }
}

#[test]
fn a_signature_of_another_hash_is_not_believed() {
    let given = headers(&[("x-signature", &hex::encode(sha256(b"key", b"{}")))]);
    let scheme = Verify::Hmac(plain(HmacAlgorithm::Sha512, HmacEncoding::Hex, ""));
    let error = verify(&scheme, &given, b"{}", NOW).unwrap_err();
    assert_eq!(error, VerifyError::BadSignature);
}

#[test]
fn a_time_is_believed_up_to_the_tolerance_on_both_sides() {
    let scheme = Verify::Hmac(timed(&["key"], HmacEncoding::Hex));
    let at = |seconds: i64| {
        let tag = sha256(b"key", format!("v0:{seconds}:{{}}").as_bytes());
        let written = seconds.to_string();
        let signature = format!("v0={}", hex::encode(tag));
        headers(&[("x-timestamp", &written), ("x-signature", &signature)])
    };
    for near in [-300, 0, 300] {
        verify(&scheme, &at(NOW + near), b"{}", NOW).unwrap();
        let given = message("m", NOW + near, &v1("m", NOW + near, b"{}"));
        verify(&standard(&[KEY]), &given, b"{}", NOW).unwrap();
    }
    for far in [-301, 301, i64::from(i32::MAX)] {
        let error = verify(&scheme, &at(NOW + far), b"{}", NOW).unwrap_err();
        assert_eq!(error.reason(), "outside_window");
        let given = message("m", NOW + far, &v1("m", NOW + far, b"{}"));
        let error = verify(&standard(&[KEY]), &given, b"{}", NOW).unwrap_err();
        assert_eq!(error.reason(), "outside_window");
    }
}

#[test]
fn a_time_that_is_not_written_in_digits_is_refused() {
    for written in [
        "",
        "-1",
        "+1614265330",
        "1614265330.0",
        "soon",
        "99999999999999999999",
    ] {
        let scheme = standard(&[KEY]);
        let given = headers(&[
            ("webhook-id", "m"),
            ("webhook-timestamp", written),
            ("webhook-signature", &v1("m", NOW, b"{}")),
        ]);
        let error = verify(&scheme, &given, b"{}", NOW).unwrap_err();
        assert_eq!(
            error,
            VerifyError::UnreadableHeader("webhook-timestamp".to_owned()),
            "{written}"
        );
    }
}

#[test]
fn every_header_of_a_proof_must_be_there_once() {
    let signature = v1("m", NOW, b"{}");
    let whole = message("m", NOW, &signature);
    for number in 0..whole.len() {
        let name = whole[number].0.clone();
        let mut without = whole.clone();
        without.remove(number);
        let error = verify(&standard(&[KEY]), &without, b"{}", NOW).unwrap_err();
        assert_eq!(error, VerifyError::MissingHeader(name.clone()));
        let mut twice = whole.clone();
        twice.push(whole[number].clone());
        let error = verify(&standard(&[KEY]), &twice, b"{}", NOW).unwrap_err();
        assert_eq!(error, VerifyError::RepeatedHeader(name));
    }
}

#[test]
fn the_secret_header_is_gone_once_it_is_verified() {
    let scheme = Verify::Header {
        header: "user-agent".to_owned(),
        secrets: secrets(&["secret"]),
    };
    let given = headers(&[("User-Agent", "secret"), ("x-other", "kept")]);
    let verified = verify(&scheme, &given, b"{}", NOW).unwrap();
    let names: Vec<_> = verified.headers().keys().map(HeaderName::as_str).collect();
    assert_eq!(names, ["x-other"]);
}

#[test]
fn nothing_prints_a_secret() {
    let verifier = Verifier::new(&Verify::Hmac(timed(&["hidden"], HmacEncoding::Hex))).unwrap();
    assert_eq!(format!("{verifier:?}"), "Verifier(hmac)");
    let request = request(&headers(&[("x-secret", "hidden")]), b"hidden", NOW);
    assert!(!format!("{request:?}").contains("hidden"));
}

#[test]
fn a_verifier_without_a_usable_secret_cannot_be_made() {
    let header = |texts: &[&str]| Verify::Header {
        header: "x".to_owned(),
        secrets: secrets(texts),
    };
    let hmac = |texts: &[&str]| Verify::Hmac(timed(texts, HmacEncoding::Hex));
    let mut timeless = timed(&["key"], HmacEncoding::Hex);
    timeless.timestamp_header = None;
    for (scheme, error) in [
        (header(&[]), VerifierError::NoSecret),
        (hmac(&[]), VerifierError::NoSecret),
        (standard(&[]), VerifierError::NoSecret),
        (header(&["a", ""]), VerifierError::EmptySecret(1)),
        (hmac(&["", "a"]), VerifierError::EmptySecret(0)),
        (standard(&["whsec_"]), VerifierError::EmptySecret(0)),
        (standard(&[KEY, "whsec_%"]), VerifierError::UnreadableKey(1)),
        (Verify::Hmac(timeless), VerifierError::NoTimestampHeader),
    ] {
        assert_eq!(Verifier::new(&scheme).unwrap_err(), error);
    }
}
