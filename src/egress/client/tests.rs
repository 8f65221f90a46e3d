//! Targets that answer whatever other systems may answer: what is the caller told?

use std::sync::Mutex;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap as Headers, Method as HttpMethod, Uri};
use axum::response::IntoResponse;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::clock::ManualClock;
use crate::model::Secret;

const NOW: &str = "2026-11-20T10:00:00Z";

fn config(url: &str) -> config::Egress {
    config::Egress {
        url: Secret::new(url),
        url_file: None,
        header_files: BTreeMap::new(),
        headers: BTreeMap::from([("x-key".to_owned(), Secret::new("t0ken-of-desk"))]),
        uncertain: OnUncertain::Park,
        timeout: Duration::from_secs(10),
        allow_private: true,
        max_answer: 64 << 10,
    }
}

fn egress_with(config: config::Egress) -> Egress {
    let clock = ManualClock::at(NOW.parse().expect("a time"));
    Egress::new(
        &BTreeMap::from([("desk".to_owned(), config)]),
        Arc::new(clock),
    )
    .expect("it can be set up")
}

fn call(method: Method, path: &str) -> EgressCall {
    EgressCall {
        target: "desk".to_owned(),
        method,
        path: path.to_owned(),
        query: BTreeMap::new(),
        headers: BTreeMap::new(),
        body: None,
        position: None,
    }
}

/// The base URL of a server that answers every request with `answer`.
async fn serve<F, R>(answer: F) -> String
where
    F: Fn(HttpMethod, Uri, Headers, Bytes) -> R + Clone + Send + Sync + 'static,
    R: IntoResponse + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().fallback(move |method, uri, headers, body| {
        let answer = answer(method, uri, headers, body);
        async move { answer }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// The base URL of a server that reads the head of each request and then does what `act` says.
async fn raw<F, R>(act: F) -> String
where
    F: Fn(TcpStream) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("a request"));
            }
            act(stream).await;
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn a_request_carries_what_rule_and_operator_say_and_its_answer_is_readable() {
    type Seen = (HttpMethod, Uri, Headers, Bytes);
    let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
    let server = {
        let seen = Arc::clone(&seen);
        serve(move |method, uri, headers, body| {
            seen.lock().unwrap().push((method, uri, headers, body));
            let headers = [
                ("content-type", "application/problem+json; charset=utf-8"),
                ("x-seen", "yes"),
                ("set-cookie", "session=t0ken"),
            ];
            (StatusCode::CREATED, headers, r#"{"id": 7}"#)
        })
        .await
    };
    let egress = egress_with(config(&format!("{server}/in?sig=S")));
    let mut asked = call(Method::Post, "orders");
    asked.query.insert("q".to_owned(), "a b".to_owned());
    asked.headers.insert("x-kind".to_owned(), "news".to_owned());
    asked.body = Some(json!({"text": "hello"}));
    let reply = egress.send(&asked).await.unwrap();
    assert_eq!((reply.status, &reply.body), (201, &json!({"id": 7})));
    assert_eq!(reply.headers["x-seen"], "yes");
    assert!(!reply.headers.contains_key("set-cookie"));
    assert_eq!(reply.at, NOW.parse().unwrap());
    asked.body = Some(json!("plain text"));
    egress.send(&asked).await.unwrap();
    asked
        .headers
        .insert("content-type".to_owned(), "text/xml".to_owned());
    asked.body = Some(json!("<a/>"));
    egress.send(&asked).await.unwrap();

    let seen = seen.lock().unwrap();
    let (method, uri, headers, body) = &seen[0];
    assert_eq!(
        (method, uri.to_string().as_str()),
        (&HttpMethod::POST, "/in/orders?sig=S&q=a+b")
    );
    assert_eq!(headers["x-key"], "t0ken-of-desk");
    assert_eq!(headers["x-kind"], "news");
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(body, r#"{"text":"hello"}"#);
    assert_eq!(seen[1].2["content-type"], "text/plain; charset=utf-8");
    assert_eq!(seen[1].3, "plain text");
    assert_eq!(
        seen[2].2.get_all("content-type").iter().collect::<Vec<_>>(),
        ["text/xml"]
    );
    assert_eq!(seen[2].3, "<a/>");
}

#[tokio::test]
async fn bodies_are_json_only_if_they_say_so_and_are() {
    for (content_type, body, expected) in [
        ("application/json", r#"[1, "a"]"#, json!([1, "a"])),
        ("Application/JSON;charset=utf-8", "true", json!(true)),
        ("application/json", "ok", json!("ok")),
        ("text/plain", r#"{"a": 1}"#, json!(r#"{"a": 1}"#)),
        ("text/plain", "", Value::Null),
        ("application/json", "", Value::Null),
    ] {
        let server = serve(move |_, _, _, _| ([("content-type", content_type)], body)).await;
        let egress = egress_with(config(&server));
        let reply = egress.send(&call(Method::Get, "")).await.unwrap();
        assert_eq!(reply.body, expected, "{content_type} {body}");
    }
}

#[tokio::test]
async fn every_status_but_a_doubtful_one_is_an_answer() {
    for status in [200, 204, 302, 400, 401, 403, 404, 409, 410, 422] {
        let status = StatusCode::from_u16(status).unwrap();
        let server = serve(move |_, _, _, _| status).await;
        let reply = egress_with(config(&server))
            .send(&call(Method::Post, ""))
            .await;
        assert_eq!(reply.unwrap().status, status.as_u16());
    }
    for status in [408, 500, 502, 503, 504] {
        let code = StatusCode::from_u16(status).unwrap();
        let server = serve(move |_, _, _, _| (code, "t0ken-of-desk is down")).await;
        let error = egress_with(config(&server))
            .send(&call(Method::Post, ""))
            .await
            .unwrap_err();
        assert!(matches!(error, EgressError::Uncertain { .. }), "{error:?}");
        assert_eq!(error.status(), Some(status));
        let words = error.to_string();
        assert!(words.contains(&format!("{status}: *** is down")), "{words}");
    }
    let server = serve(|_, _, _, _| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "7")])).await;
    let error = egress_with(config(&server))
        .send(&call(Method::Post, ""))
        .await
        .unwrap_err();
    let retry_after = Some(Duration::from_secs(7));
    assert_eq!(error, EgressError::Throttled { retry_after });
}

#[tokio::test]
async fn a_redirect_is_followed_by_a_read_inside_the_host_and_by_nothing_else() {
    let elsewhere = serve(|_, _, headers: Headers, _| {
        assert!(!headers.contains_key("x-key"), "a secret left its host");
        "elsewhere"
    })
    .await;
    let server = serve(move |method: HttpMethod, uri: Uri, headers: Headers, _| {
        let to = match uri.path() {
            "/in/near" => "/there?q=1".to_owned(),
            "/in/far" => format!("{elsewhere}/there"),
            "/in/round" => "/in/round".to_owned(),
            path => {
                assert_eq!(headers["x-key"], "t0ken-of-desk");
                return (
                    StatusCode::OK,
                    [("location", String::new())],
                    format!("{method} {path}"),
                );
            }
        };
        (StatusCode::FOUND, [("location", to)], String::new())
    })
    .await;
    let egress = egress_with(config(&format!("{server}/in")));
    for (method, path, expected) in [
        (Method::Get, "near", (200, json!("GET /there"))),
        (Method::Get, "far", (302, Value::Null)),
        (Method::Get, "round", (302, Value::Null)),
        (Method::Post, "near", (302, Value::Null)),
        (Method::Delete, "near", (302, Value::Null)),
    ] {
        let reply = egress.send(&call(method, path)).await.unwrap();
        assert_eq!((reply.status, reply.body), expected, "{method} {path}");
    }
}

#[tokio::test]
async fn an_answer_beyond_the_bound_is_too_large_headers_included() {
    for (headers, body) in [(0, 70 << 10), (4 << 10, 62 << 10)] {
        let server =
            serve(move |_, _, _, _| ([("x-long", "h".repeat(headers))], "b".repeat(body))).await;
        let error = egress_with(config(&server))
            .send(&call(Method::Post, ""))
            .await
            .unwrap_err();
        assert!(
            matches!(error, EgressError::TooLarge { status: 200, .. }),
            "{error:?}"
        );
    }
    let server = serve(|_, _, _, _| "b".repeat(62 << 10)).await;
    egress_with(config(&server))
        .send(&call(Method::Post, ""))
        .await
        .unwrap();
}

#[tokio::test]
async fn broken_connections_are_told_apart_by_what_they_prove() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/s3cret", listener.local_addr().unwrap());
    drop(listener);
    let error = egress_with(config(&nobody))
        .send(&call(Method::Post, ""))
        .await
        .unwrap_err();
    assert!(matches!(error, EgressError::NotSent { .. }), "{error:?}");
    assert!(!error.to_string().contains("s3cret"), "{error}");

    let reset = raw(|stream| async move { drop(stream) }).await;
    let half = raw(|mut stream| async move {
        let half = b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\nabc";
        stream.write_all(half).await.expect("written");
    })
    .await;
    for (server, status) in [(reset, None), (half, Some(201))] {
        let server = format!("{server}/s3cret");
        let error = egress_with(config(&server))
            .send(&call(Method::Post, ""))
            .await
            .unwrap_err();
        assert!(matches!(error, EgressError::Uncertain { .. }), "{error:?}");
        assert_eq!(error.status(), status);
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }

    let refusal = raw(|mut stream| async move {
        let half = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 100\r\n\r\nnot";
        stream.write_all(half).await.expect("written");
    })
    .await;
    let reply = egress_with(config(&refusal))
        .send(&call(Method::Post, ""))
        .await
        .unwrap();
    assert_eq!((reply.status, reply.body), (403, json!("not")));
}

#[tokio::test]
async fn a_target_that_does_not_answer_is_given_up_in_time_and_left_uncertain() {
    let server = raw(|stream| async move {
        // Open until the other side has had enough.
        let mut stream = stream;
        while stream.read_u8().await.is_ok() {}
    })
    .await;
    let mut config = config(&server);
    config.timeout = Duration::from_millis(200);
    let error = egress_with(config)
        .send(&call(Method::Get, ""))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("no answer in time"), "{error}");
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_refused_before_anything_is_sent() {
    let server = serve(|_, _, _, _| -> &str { panic!("it was reached") }).await;
    let by_name = server.replace("127.0.0.1", "localhost");
    let mut refused = config(&by_name);
    refused.allow_private = false;
    let error = egress_with(refused)
        .send(&call(Method::Get, ""))
        .await
        .unwrap_err();
    assert!(matches!(error, EgressError::NotPublic { .. }), "{error:?}");
    let words = error.to_string();
    assert!(words.contains("set `allow_private = true`"), "{words}");
}

#[tokio::test]
async fn a_target_that_is_not_configured_does_not_exist() {
    let egress = egress_with(config("http://127.0.0.1:9/"));
    let mut unknown = call(Method::Get, "");
    unknown.target = "other".to_owned();
    let error = egress.send(&unknown).await.unwrap_err();
    assert!(error.to_string().contains("no target `other`"), "{error}");
    assert_eq!(egress.on_uncertain("other"), None);
    assert_eq!(egress.on_uncertain("desk"), Some(OnUncertain::Park));
    assert!(!format!("{egress:?}").contains("127.0.0.1"));
}

#[tokio::test]
async fn a_proxy_is_asked_for_public_targets_and_not_for_private_ones() {
    let proxy = serve(|_, uri: Uri, headers: Headers, _| {
        let proof = headers.get("proxy-authorization").is_some();
        json!({ "asked": uri.to_string(), "proof": proof }).to_string()
    })
    .await;
    let here = serve(|_, _, _, _| "direct").await;
    let http = config::Http {
        proxy: Some(Secret::new(proxy.replace("http://", "http://me:pass@"))),
        ..config::Http::default()
    };
    let through = |config: config::Egress| {
        let clock = ManualClock::at(NOW.parse().expect("a time"));
        let targets = BTreeMap::from([("desk".to_owned(), config)]);
        Egress::through(&targets, &http, Arc::new(clock)).expect("it can be set up")
    };
    // Nobody but the proxy could know this name.
    let public = config::Egress {
        allow_private: false,
        ..config("http://desk.invalid/in")
    };
    let reply = through(public).send(&call(Method::Get, "")).await;
    let body = reply.expect("the proxy answers").body;
    let said: Value = serde_json::from_str(body.as_str().expect("text")).expect("JSON");
    assert_eq!(
        said,
        json!({ "asked": "http://desk.invalid/in", "proof": true })
    );
    let reply = through(config(&here)).send(&call(Method::Get, "")).await;
    assert_eq!(reply.expect("it answers").body, json!("direct"));
    // An address that is written out is refused, whatever stands in between.
    let private = config::Egress {
        allow_private: false,
        ..config("http://127.0.0.1:1/")
    };
    let targets = BTreeMap::from([("desk".to_owned(), private)]);
    let clock = ManualClock::at(NOW.parse().expect("a time"));
    Egress::through(&targets, &http, Arc::new(clock)).expect_err("it is private");
}
