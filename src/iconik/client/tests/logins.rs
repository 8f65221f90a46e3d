//! How the client proves itself: tokens that are replaced, OAuth, a proxy on the way, an authority of one's own.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::response::Response as Answer;
use tokio_rustls::TlsAcceptor;

use crate::config::{Http, OAuth};

use super::*;

/// What a fake Iconik saw: `METHOD path app-id auth-token authorization body`.
type Seen = Arc<Mutex<Vec<String>>>;

fn line(method: &HttpMethod, uri: &Uri, headers: &Headers, body: &Bytes) -> String {
    let header = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or("-").to_owned()
    };
    let [app, token, bearer] = ["app-id", "auth-token", "authorization"].map(header);
    let body = String::from_utf8_lossy(body);
    let path = uri.path().trim_start_matches("/API/");
    format!("{method} {path} {app} {token} {bearer} {body}")
        .trim_end()
        .to_owned()
}

/// A server on a port of its own that answers as `answer` says, and what it saw.
async fn iconik<F>(answer: F) -> (String, Seen)
where
    F: Fn(&str) -> Answer + Clone + Send + Sync + 'static,
{
    let seen = Seen::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}/API", listener.local_addr().expect("an address"));
    let all = Arc::clone(&seen);
    let router = Router::new().fallback(move |method, uri, headers, body| {
        let line = line(&method, &uri, &headers, &body);
        all.lock().expect("not poisoned").push(line.clone());
        let answer = answer(&line);
        async move { answer }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (base, seen)
}

fn told(seen: &Seen) -> Vec<String> {
    std::mem::take(&mut seen.lock().expect("not poisoned"))
}

fn by_oauth(base: &str) -> IconikClient {
    client_with(&oauth_of(base)).expect("a client")
}

fn oauth_of(base: &str) -> config::Iconik {
    config::Iconik {
        app_id: String::new(),
        auth_token: Secret::new(""),
        oauth: Some(OAuth {
            client_id: "client 1".to_owned(),
            client_secret: Secret::new("s3cret&x"),
            client_secret_file: None,
        }),
        ..config_of(base)
    }
}

fn json_answer(status: u16, body: &Value) -> Answer {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, body.to_string()).into_response()
}

/// Issues `t1`, `t2`, …; accepts the newest alone, until `ended` of them are over.
fn issuing(
    expires_in: Value,
) -> (
    impl Fn(&str) -> Answer + Clone,
    Arc<AtomicUsize>,
    Arc<AtomicUsize>,
) {
    let (issued, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, over) = (Arc::clone(&issued), Arc::clone(&ended));
    let answer = move |line: &str| {
        if line.starts_with("POST auth/v1/oauth/token/ ") {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            let mut body = json!({ "access_token": format!("t{number}"), "token_type": "bearer" });
            if !expires_in.is_null() {
                body["expires_in"] = expires_in.clone();
            }
            return json_answer(200, &body);
        }
        let good = over.load(Ordering::SeqCst) + 1..=count.load(Ordering::SeqCst);
        if good
            .clone()
            .any(|number| line.contains(&format!(" t{number} Bearer t{number}")))
        {
            json_answer(200, &json!({}))
        } else {
            json_answer(401, &json!({ "errors": ["Token is invalid"] }))
        }
    };
    (answer, issued, ended)
}

#[tokio::test]
async fn a_replaced_token_is_sent_from_the_next_request_on() {
    let (base, seen) = iconik(|_| json_answer(200, &json!({}))).await;
    let client = client_of(&base);
    client.send(&get()).await.expect("success");
    client
        .replace_token(&Secret::new("next"))
        .expect("it can be sent");
    client
        .replace_token(&Secret::new("no\nheader"))
        .expect_err("it cannot be sent");
    client.replace_app_id("other-app").expect("it can be sent");
    client.send(&get()).await.expect("success");
    assert_eq!(
        told(&seen),
        [
            "GET assets/v1/assets/1/ secret-app very-secret-token -",
            "GET assets/v1/assets/1/ other-app next -",
        ]
    );
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_sent_in_every_documented_header() {
    let (answer, ..) = issuing(json!(3600));
    let (base, seen) = iconik(answer).await;
    let client = by_oauth(&base);
    client.send(&get()).await.expect("success");
    client.send(&get()).await.expect("success");
    let asked = "POST auth/v1/oauth/token/ - - - grant_type=client_credentials&client_id=client+1&client_secret=s3cret%26x";
    let sent = "GET assets/v1/assets/1/ client 1 t1 Bearer t1";
    assert_eq!(told(&seen), [asked, sent, sent]);
}

#[tokio::test]
async fn many_requests_at_once_share_the_question_for_a_token() {
    let (answer, issued, _) = issuing(json!(3600));
    let (base, _) = iconik(answer).await;
    let client = Arc::new(by_oauth(&base));
    let many: Vec<_> = (0..20)
        .map(|_| {
            let client = Arc::clone(&client);
            tokio::spawn(async move { client.send(&get()).await })
        })
        .collect();
    for one in many {
        one.await.expect("no panic").expect("success");
    }
    assert_eq!(issued.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_token_that_has_ended_is_replaced_and_the_request_sent_once_more() {
    for expires_in in [json!(3600), Value::Null] {
        let (answer, issued, ended) = issuing(expires_in);
        let (base, seen) = iconik(answer).await;
        let client = by_oauth(&base);
        client.send(&get()).await.expect("success");
        ended.store(1, Ordering::SeqCst);
        told(&seen);
        let write = call(Method::Post, "assets/v1/assets/");
        client
            .send(&write)
            .await
            .expect("success with the next token");
        let lines = told(&seen);
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(
            lines[0].starts_with("POST assets/v1/assets/ client 1 t1"),
            "{lines:?}"
        );
        assert!(
            lines[2].starts_with("POST assets/v1/assets/ client 1 t2"),
            "{lines:?}"
        );

        // A token that is refused as soon as it is issued is no reason to go on for ever.
        ended.store(usize::MAX - 1, Ordering::SeqCst);
        let error = error_of(&client, &get()).await;
        assert!(matches!(error, CallError::Unauthorized { .. }), "{error:?}");
        assert_eq!(issued.load(Ordering::SeqCst), 3);
        assert_eq!(told(&seen).len(), 3);
    }
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let (answer, issued, _) = issuing(json!(2));
    let (base, seen) = iconik(answer).await;
    // Few requests a second, so that the seconds pass.
    let few = config::Iconik {
        rate: Rate {
            per_second: 5,
            per_20s: 1000,
        },
        ..oauth_of(&base)
    };
    let client = client_with(&few).expect("a client");
    let renewed = async {
        while issued.load(Ordering::SeqCst) < 3 {
            client
                .send(&get())
                .await
                .expect("no request is ever refused");
        }
    };
    let renewed = tokio::time::timeout(Duration::from_secs(20), renewed).await;
    assert!(renewed.is_ok(), "{:?}", told(&seen).len());
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_the_reason_is_told_without_the_secret() {
    let refusals = [
        (
            400,
            json!({ "error": "invalid_client", "error_description": "s3cret&x is wrong" }),
            "invalid_client: *** is wrong",
        ),
        (401, json!({ "errors": ["no"] }), "no"),
    ];
    for (status, body, reason) in refusals {
        let (base, seen) = iconik(move |_| json_answer(status, &body)).await;
        let error = error_of(&by_oauth(&base), &get()).await;
        assert!(
            matches!(&error, CallError::Unauthorized { message } if message.contains(reason)),
            "{error:?}"
        );
        assert_eq!(told(&seen).len(), 1);
    }
    for (status, body) in [
        (503, json!({})),
        (200, json!({})),
        (200, json!({ "access_token": "" })),
    ] {
        let (base, seen) = iconik(move |_| json_answer(status, &body)).await;
        let error = error_of(&by_oauth(&base), &get()).await;
        assert!(matches!(error, CallError::NotSent { .. }), "{error:?}");
        assert_eq!(told(&seen).len(), 1);
    }
    let nowhere = by_oauth("http://127.0.0.1:1/API");
    let error = error_of(&nowhere, &get()).await;
    assert!(matches!(error, CallError::NotSent { .. }), "{error:?}");
    assert!(!format!("{nowhere:?} {error:?}").contains("s3cret"));
}

#[tokio::test]
async fn a_replaced_client_secret_is_used_for_the_next_token() {
    let (base, seen) = iconik(|line| {
        if line.contains("client_secret=right") {
            json_answer(200, &json!({ "access_token": "t" }))
        } else if line.starts_with("POST auth") {
            json_answer(400, &json!({ "error": "invalid_client" }))
        } else {
            json_answer(200, &json!({}))
        }
    })
    .await;
    let client = by_oauth(&base);
    error_of(&client, &get()).await;
    client.replace_client_secret(Secret::new("right"));
    client.send(&get()).await.expect("success");
    let lines = told(&seen);
    assert_eq!(
        lines.last().map(String::as_str),
        Some("GET assets/v1/assets/1/ client 1 t -")
    );
}

#[tokio::test]
async fn requests_go_through_the_proxy_unless_they_stay_on_this_machine() {
    let (proxy, seen) = iconik(|_| json_answer(200, &json!({}))).await;
    let address = proxy.trim_start_matches("http://").trim_end_matches("/API");
    let http = Http {
        proxy: Some(Secret::new(format!("http://me:pass@{address}"))),
        ..Http::default()
    };
    let through = |base: &str| {
        let clock = ManualClock::at(NOW.parse().expect("a time"));
        IconikClient::through(&config_of(base), &http, Arc::new(clock)).expect("a client")
    };
    // Nobody but the proxy could know this name.
    through("http://iconik.invalid/API")
        .send(&get())
        .await
        .expect("success");
    assert_eq!(
        told(&seen),
        ["GET assets/v1/assets/1/ secret-app very-secret-token -"]
    );
    let (here, direct) = iconik(|_| json_answer(200, &json!({}))).await;
    through(&here).send(&get()).await.expect("success");
    assert_eq!((told(&seen).len(), told(&direct).len()), (0, 1));
}

/// A TLS server for `localhost` whose certificate nobody knows; its port and the certificate.
async fn unknown_to_everybody() -> (u16, Vec<reqwest::Certificate>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("they belong together");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Whoever does not trust it hangs up.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("a request"));
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            stream.write_all(answer).await.expect("written");
            let _ = stream.shutdown().await;
        }
    });
    let pem = made.cert.pem();
    let certificates =
        reqwest::Certificate::from_pem_bundle(pem.as_bytes()).expect("a certificate");
    (port, certificates)
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_where_it_is_configured_and_nowhere_else() {
    let (port, ca) = unknown_to_everybody().await;
    let config = config_of(&format!("https://localhost:{port}/API"));
    let clock = || Arc::new(ManualClock::at(NOW.parse().expect("a time")));
    let http = Http {
        ca,
        ..Http::default()
    };
    let trusting = IconikClient::through(&config, &http, clock()).expect("a client");
    trusting.send(&get()).await.expect("success");
    // A machine without certificates says so already when the client is made.
    if let Ok(strict) = IconikClient::new(&config, clock()) {
        let error = error_of(&strict, &get()).await;
        assert!(matches!(error, CallError::NotSent { .. }), "{error:?}");
    }
}
