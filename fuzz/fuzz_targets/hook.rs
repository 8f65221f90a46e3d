//! What a stranger can send: three header values, then a body, parted by line ends. No verifier may believe
//! it, and once it counts as verified, what comes out must be storable and free of tokens.
#![no_main]

use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue};
use cuegate::config::{Hmac, HmacAlgorithm, HmacEncoding, SignedPart, Verify};
use cuegate::ingress::{Request, Unverified, Verifier, parse};
use cuegate::model::{Secret, SourceName};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

const TOLERANCE: Duration = Duration::from_secs(u32::MAX as u64);

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(4, |byte| *byte == b'\n');
    let mut headers = HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        if let Ok(value) = HeaderValue::from_bytes(parts.next().unwrap_or_default()) {
            headers.append(name, value);
        }
    }
    let body = Bytes::copy_from_slice(parts.next().unwrap_or_default());
    let request = || -> Request<Unverified> {
        Request::new(headers.clone(), body.clone(), Timestamp::UNIX_EPOCH)
    };

    for scheme in signed() {
        let verifier = Verifier::new(&scheme).expect("a scheme that is in order");
        assert!(
            verifier.verify(request()).is_err(),
            "a stranger was believed"
        );
    }
    let open = Verifier::new(&Verify::None).expect("nothing to get wrong");
    let request = open.verify(request()).expect("anybody may send");
    if let Ok(event) = parse(&request, &SourceName::from("fuzz"), TOLERANCE, None) {
        assert!(event.body.is_object());
        assert!(!event.body.to_string().contains(r#""auth_token":"#));
    }
});

fn signed() -> [Verify; 2] {
    let secrets = vec![Secret::new("bm9ib2R5IGtub3dzIHRoaXMga2V5")];
    let hmac = Hmac {
        header: "webhook-signature".to_owned(),
        algorithm: HmacAlgorithm::Sha512,
        encoding: HmacEncoding::Base64,
        prefix: "v0=".to_owned(),
        signed: vec![SignedPart::Timestamp, SignedPart::Body],
        separator: ":".to_owned(),
        timestamp_header: Some("webhook-timestamp".to_owned()),
        tolerance: TOLERANCE,
        secrets: secrets.clone(),
    };
    let standard = Verify::StandardWebhooks {
        secrets,
        tolerance: TOLERANCE,
    };
    [Verify::Hmac(hmac), standard]
}
