//! The client against servers that say what Iconik may say: what is the caller told?

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap as Headers, Method as HttpMethod, Uri};
use axum::response::IntoResponse;
use serde_json::json;
use tokio::net::TcpListener;

use crate::clock::ManualClock;
use crate::config::Rate;
use crate::iconik::answer::ANSWER_BYTES_MAX;

use super::*;

mod connections;
mod logins;

const TOKEN: &str = "very-secret-token";
const NOW: &str = "2026-11-20T10:00:00Z";

fn config_of(base_url: &str) -> config::Iconik {
    config::Iconik {
        base_url: base_url.to_owned(),
        app_id: "secret-app".to_owned(),
        auth_token: Secret::new(TOKEN),
        rate: Rate {
            per_second: 1000,
            per_20s: 1000,
        },
        ..config::Iconik::default()
    }
}

fn client_with(config: &config::Iconik) -> Result<IconikClient, SetupError> {
    let clock = ManualClock::at(NOW.parse().expect("a time"));
    IconikClient::new(config, Arc::new(clock))
}

fn client_of(base_url: &str) -> IconikClient {
    client_with(&config_of(base_url)).expect("a client")
}

fn client_at(address: SocketAddr) -> IconikClient {
    client_of(&format!("http://{address}/API"))
}

fn call(method: Method, path: &str) -> Call {
    Call {
        method,
        path: path.to_owned(),
        query: BTreeMap::new(),
        body: None,
        cacheable: false,
        position: None,
    }
}

fn get() -> Call {
    call(Method::Get, "assets/v1/assets/1/")
}

/// An HTTP server that answers every request with `answer`.
async fn serve<F, R>(answer: F) -> IconikClient
where
    F: Fn(HttpMethod, Uri, Headers, Bytes) -> R + Clone + Send + Sync + 'static,
    R: IntoResponse + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let client = client_at(listener.local_addr().expect("an address"));
    let router = Router::new().fallback(move |method, uri, headers, body| {
        let answer = answer(method, uri, headers, body);
        async move { answer }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    client
}

async fn error_of(client: &IconikClient, call: &Call) -> CallError {
    client.send(call).await.expect_err("no success")
}

#[tokio::test]
async fn a_request_arrives_as_it_was_asked_for_and_its_answer_comes_back() {
    let seen = Arc::new(Mutex::new(None));
    let client = serve({
        let seen = Arc::clone(&seen);
        move |method, uri, headers, body| {
            *seen.lock().expect("not poisoned") = Some((method, uri, headers, body));
            (StatusCode::CREATED, r#"{"id": "7"}"#)
        }
    })
    .await;
    let reply = client
        .send(&Call {
            query: BTreeMap::from([("q".to_owned(), "a b&c=d#ü".to_owned())]),
            body: Some(json!({"title": "Ü"})),
            ..call(Method::Post, "assets/v1/assets/ein Asset/")
        })
        .await
        .expect("success");
    assert_eq!(reply.status, 201);
    assert_eq!(reply.body, json!({"id": "7"}));
    assert_eq!(reply.at.to_string(), NOW);

    let (method, uri, headers, body) = seen
        .lock()
        .expect("not poisoned")
        .take()
        .expect("a request");
    assert_eq!(method, "POST");
    assert_eq!(uri.path(), "/API/assets/v1/assets/ein%20Asset/");
    assert_eq!(uri.query(), Some("q=a+b%26c%3Dd%23%C3%BC"));
    assert_eq!(headers["app-id"], "secret-app");
    assert_eq!(headers["auth-token"], TOKEN);
    assert_eq!(headers["accept"], "application/json");
    assert_eq!(headers["content-type"], "application/json");
    let agent = headers["user-agent"].to_str().expect("text");
    assert!(agent.starts_with("cuegate/"), "{agent}");
    assert_eq!(body, r#"{"title":"Ü"}"#);
}

#[tokio::test]
async fn an_empty_body_is_null() {
    let client = serve(|_, _, _, _| StatusCode::NO_CONTENT).await;
    let reply = client.send(&get()).await.expect("success");
    assert_eq!((reply.status, reply.body), (204, Value::Null));
    let client = serve(|_, _, _, _| (StatusCode::CREATED, "\r\n ")).await;
    assert_eq!(
        client.send(&get()).await.expect("success").body,
        Value::Null
    );
}

#[tokio::test]
async fn a_refusal_tells_iconiks_reasons_and_that_nothing_happened() {
    let client =
        serve(|_, _, _, _| (StatusCode::NOT_FOUND, r#"{"errors": ["no such asset"]}"#)).await;
    let error = error_of(&client, &get()).await;
    assert_eq!(
        error,
        CallError::Refused {
            status: 404,
            message: "no such asset".to_owned(),
            errors: json!(["no such asset"]),
            body: json!({"errors": ["no such asset"]}),
        }
    );
    assert!(error.proves_nothing_happened());
}

#[tokio::test]
async fn unknown_credentials_are_told_apart() {
    let client = serve(|_, _, _, _| {
        (
            StatusCode::UNAUTHORIZED,
            r#"{"errors": ["Token is invalid"]}"#,
        )
    })
    .await;
    let error = error_of(&client, &get()).await;
    assert!(matches!(&error, CallError::Unauthorized { message } if message == "Token is invalid"));
}

#[tokio::test]
async fn server_errors_and_a_request_time_out_are_uncertain_and_keep_their_status() {
    for status in [408, 500, 502, 503] {
        let client = serve(move |_, _, _, _| {
            (
                StatusCode::from_u16(status).expect("a status"),
                "<html>oops</html>",
            )
        })
        .await;
        let error = error_of(&client, &get()).await;
        assert!(matches!(error, CallError::Uncertain { .. }), "{error:?}");
        assert_eq!(error.status(), Some(status));
    }
}

#[tokio::test]
async fn success_without_json_is_uncertain() {
    let client = serve(|_, _, _, _| "<html>Log in to the hotel's network</html>").await;
    let error = error_of(&client, &get()).await;
    assert!(
        matches!(
            error,
            CallError::Uncertain {
                status: Some(200),
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.to_string().contains("not JSON"), "{error}");
}

#[tokio::test]
async fn after_a_429_everybody_waits_as_long_as_iconik_says() {
    let times = Arc::new(Mutex::new(Vec::new()));
    let client = serve({
        let times = Arc::clone(&times);
        move |_, _, _, _| {
            let mut times = times.lock().expect("not poisoned");
            times.push(Instant::now());
            if times.len() == 1 {
                (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")], "").into_response()
            } else {
                StatusCode::NO_CONTENT.into_response()
            }
        }
    })
    .await;
    let error = error_of(&client, &get()).await;
    let retry_after = Some(Duration::from_secs(1));
    assert_eq!(error, CallError::Throttled { retry_after });
    assert!(error.proves_nothing_happened());
    let other = call(Method::Delete, "assets/v1/assets/2/");
    client.send(&other).await.expect("success");
    let times = times.lock().expect("not poisoned");
    assert!(
        times[1] - times[0] >= Duration::from_millis(990),
        "{times:?}"
    );
}

#[tokio::test]
async fn nothing_remaining_pauses_the_next_request() {
    let times = Arc::new(Mutex::new(Vec::new()));
    let client = serve({
        let times = Arc::clone(&times);
        move |_, _, _, _| {
            times.lock().expect("not poisoned").push(Instant::now());
            ([("RateLimit-Remaining", "0")], "{}")
        }
    })
    .await;
    client.send(&get()).await.expect("success");
    client.send(&get()).await.expect("success");
    let times = times.lock().expect("not poisoned");
    assert!(
        times[1] - times[0] >= Duration::from_millis(990),
        "{times:?}"
    );
}

#[tokio::test]
async fn retry_after_is_read_as_seconds_or_as_a_date() {
    let client = client_of("http://127.0.0.1:1/API");
    for (text, seconds) in [
        ("120", Some(120)),
        ("Fri, 20 Nov 2026 10:00:30 GMT", Some(30)),
        ("Fri, 20 Nov 2026 09:00:00 GMT", Some(0)),
        ("99999999999999", Some(600)),
        ("Fri, 20 Nov 2099 10:00:00 GMT", Some(600)),
        ("soon", None),
        ("-1", None),
    ] {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
        let expected = seconds.map(Duration::from_secs);
        assert_eq!(client.retry_after(&headers), expected, "{text}");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_permanent_and_has_happened() {
    let client = serve(|_, _, _, _| format!("\"{}\"", "x".repeat(ANSWER_BYTES_MAX - 2))).await;
    assert!(client.send(&get()).await.is_ok(), "just fits");
    let client = serve(|_, _, _, _| format!("\"{}\"", "x".repeat(ANSWER_BYTES_MAX - 1))).await;
    let error = error_of(&client, &get()).await;
    assert!(
        matches!(error, CallError::TooLarge { status: 200, .. }),
        "{error:?}"
    );
    assert!(error.is_permanent() && !error.proves_nothing_happened());
    assert!(error.to_string().contains("fewer fields"), "{error}");
}

#[tokio::test]
async fn a_refusal_that_is_too_long_is_cut() {
    let client =
        serve(|_, _, _, _| (StatusCode::BAD_REQUEST, "x".repeat(2 * ANSWER_BYTES_MAX))).await;
    let error = error_of(&client, &get()).await;
    assert!(matches!(error, CallError::Refused { status: 400, .. }));
    assert!(error.to_string().len() < 1_000);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let target = format!("http://{}/", elsewhere.local_addr().expect("an address"));
    for status in [301, 302, 307] {
        let target = target.clone();
        let client = serve(move |_, _, _, _| {
            let status = StatusCode::from_u16(status).expect("a status");
            (status, [("location", target.clone())], "")
        })
        .await;
        let error = error_of(&client, &get()).await;
        assert_eq!(error.status(), Some(status));
        assert!(error.to_string().contains("iconik.base_url"), "{error}");
    }
    let visit = tokio::time::timeout(Duration::from_millis(50), elsewhere.accept()).await;
    assert!(visit.is_err(), "somebody followed");
}

#[tokio::test]
async fn secrets_are_in_no_text() {
    let client = serve(|_, _, headers: Headers, _| {
        let token = headers["auth-token"].to_str().expect("text").to_owned();
        (
            StatusCode::BAD_REQUEST,
            format!(r#"{{"errors": ["no rights: {token}"]}}"#),
        )
    })
    .await;
    let error = error_of(&client, &get()).await;
    assert!(error.to_string().contains("no rights: ***"), "{error}");
    let refused = client_of("http://127.0.0.1:1/API");
    let query = BTreeMap::from([("q".to_owned(), TOKEN.to_owned())]);
    let unsent = error_of(&refused, &Call { query, ..get() }).await;
    for text in [
        format!("{error} {error:?}"),
        format!("{unsent} {unsent:?}"),
        format!("{client:?}"),
    ] {
        assert!(
            !text.contains(TOKEN) && !text.contains("secret-app"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn the_account_is_the_current_users() {
    let client = serve(|_, uri: Uri, _, _| match uri.path() {
        "/API/users/v1/users/current/" => r#"{"id": "u", "system_domain_id": "d-1"}"#,
        _ => "{}",
    })
    .await;
    let account = Account {
        domain: "d-1".to_owned(),
        user: Some("u".to_owned()),
    };
    assert_eq!(client.account().await, Ok(account));
    let client = serve(|_, _, _, _| r#"{"id": "", "system_domain_id": "d-1"}"#).await;
    assert_eq!(client.account().await.map(|account| account.user), Ok(None));
    let client = serve(|_, _, _, _| r#"{"id": "u"}"#).await;
    let error = client.account().await.expect_err("no domain");
    assert!(error.to_string().contains("system_domain_id"), "{error}");
}

#[test]
fn a_credential_that_no_header_may_hold_is_refused_by_its_key() {
    let config = config::Iconik {
        auth_token: Secret::new("se\ncret"),
        ..config_of("http://127.0.0.1:1/API")
    };
    let error = client_with(&config).expect_err("no header");
    assert!(error.to_string().contains("iconik.auth_token"), "{error}");
    assert!(!format!("{error:?} {error}").contains("cret"), "{error:?}");
}
