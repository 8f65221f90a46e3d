//! Passwords, addresses, secrets that are replaced, and senders with words of their own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;

use super::wire::{Wire, request, send};
use super::{Door, SECRET};
use crate::model::{EventKind, Pattern, Secret};

async fn logged_in(door: &Door, authorization: &str) -> super::wire::Answer {
    let headers = [("authorization", authorization)];
    send(door.address, request("POST /hooks/login", &headers, "{}")).await
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

#[tokio::test]
async fn either_password_of_the_user_lets_in_and_the_metric_says_which() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let door = Door::open().await;
    let unpadded = basic("iconik:newest").trim_end_matches('=').to_owned();
    let shouted = basic("iconik:newest").replace("Basic", "BASIC");
    for right in [
        &basic("iconik:newest"),
        &basic("iconik:the:older"),
        &unpadded,
        &shouted,
    ] {
        assert_eq!(logged_in(&door, right).await.status, 200, "{right}");
    }
    let text = metrics.render();
    for line in [
        r#"cuegate_hook_secret_used_total{source="login",secret="0"} 3"#,
        r#"cuegate_hook_secret_used_total{source="login",secret="1"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let stored = serde_json::to_string(&door.store.events()).unwrap();
    assert!(!stored.contains("authorization"), "{stored}");
}

#[tokio::test]
async fn a_wrong_login_is_refused_and_asked_for_a_right_one() {
    let door = Door::open().await;
    for wrong in [
        "",
        "Basic",
        "Basic !",
        "Bearer bmV3ZXN0",
        &basic("iconik:"),
        &basic("iconik:newes"),
        &basic("iconik:newest "),
        &basic("Iconik:newest"),
        &basic(":newest"),
        &basic("iconik"),
        &basic("iconiknewest"),
        &basic("iconik:the"),
    ] {
        let answer = logged_in(&door, wrong).await;
        assert_eq!(answer.refused(401), "the sender could not be verified");
        let challenge = answer.header("www-authenticate");
        assert_eq!(
            challenge, r#"Basic realm="cuegate", charset="UTF-8""#,
            "{wrong}"
        );
    }
    let twice = basic("iconik:newest");
    let headers = [("authorization", twice.as_str()), ("authorization", &twice)];
    let bytes = request("POST /hooks/login", &headers, "{}");
    send(door.address, bytes).await.refused(401);
    let other = send(door.address, request("POST /hooks/iconik", &[], "{}")).await;
    other.refused(401);
    assert_eq!(other.header("www-authenticate"), "", "it has another proof");
    assert_eq!(door.store.events(), []);
}

/// Posts with the right secret and these headers.
async fn from(door: &Door, source: &str, more: &[(&str, &str)]) -> super::wire::Answer {
    let mut headers = vec![("x-cuegate-secret", SECRET)];
    headers.extend(more);
    let line = format!("POST /hooks/{source}");
    send(door.address, request(&line, &headers, "{}")).await
}

#[tokio::test]
async fn an_address_that_may_not_send_is_refused_in_the_words_of_a_wrong_secret() {
    let door = Door::open().await;
    assert_eq!(from(&door, "near", &[]).await.status, 200);
    let refused = from(&door, "far", &[]).await;
    assert_eq!(refused.refused(401), "the sender could not be verified");
    let wrong = send(door.address, request("POST /hooks/near", &[], "{}")).await;
    wrong.refused(401);
    assert_eq!(wrong.text, refused.text);
    assert_eq!(door.store.events().len(), 1);
}

#[tokio::test]
async fn the_body_of_a_refused_address_is_not_waited_for() {
    let door = Door::open().await;
    let mut wire = Wire::connect(door.address).await;
    wire.write("POST /hooks/far HTTP/1.1\r\nhost: c\r\ncontent-length: 60000\r\n\r\n{")
        .await;
    wire.answer().await.refused(401);
    assert_eq!(wire.until_closed().await, b"");
}

#[tokio::test]
async fn headers_about_the_way_are_believed_from_trusted_proxies_alone() {
    let claim = [("x-forwarded-for", "192.0.2.9")];
    let standard = [("forwarded", "for=192.0.2.9;proto=https")];
    let direct = Door::open().await;
    from(&direct, "far", &claim).await.refused(401);
    from(&direct, "far", &standard).await.refused(401);
    assert_eq!(from(&direct, "near", &claim).await.status, 200);

    let proxied = Door::behind("127.0.0.1:0", &["127.0.0.1/32"]).await;
    assert_eq!(from(&proxied, "far", &claim).await.status, 200);
    assert_eq!(from(&proxied, "far", &standard).await.status, 200);
    from(&proxied, "near", &claim).await.refused(401);
    let made_up = [("x-forwarded-for", "192.0.2.9, 198.51.100.1")];
    from(&proxied, "far", &made_up).await.refused(401);
    let nobody = [("x-forwarded-for", "unknown")];
    from(&proxied, "far", &nobody).await.refused(401);
    assert_eq!(proxied.store.events().len(), 2);
}

#[tokio::test]
async fn ipv6_is_as_good_as_ipv4_and_ipv4_inside_it_is_ipv4() {
    let six = Door::behind("[::1]:0", &[]).await;
    assert_eq!(from(&six, "near", &[]).await.status, 200);
    from(&six, "far", &[]).await.refused(401);
    // One socket for both: the other end of an IPv4 connection is ::ffff:127.0.0.1 there.
    let mut both = Door::behind("[::]:0", &[]).await;
    both.address = ([127, 0, 0, 1], both.address.port()).into();
    assert_eq!(from(&both, "near", &[]).await.status, 200);
}

#[tokio::test]
async fn refused_addresses_are_counted_by_reason() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let door = Door::behind("127.0.0.1:0", &["127.0.0.1/32"]).await;
    from(&door, "far", &[]).await.refused(401);
    let nobody = [("x-forwarded-for", "unknown")];
    from(&door, "far", &nobody).await.refused(401);
    let text = metrics.render();
    for line in [
        r#"cuegate_hooks_refused_total{source="far",reason="address_not_allowed"} 1"#,
        r#"cuegate_hooks_refused_total{source="far",reason="address_unknown"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn replaced_secrets_are_asked_for_at_once_and_bad_ones_change_nothing() {
    let door = Door::open().await;
    let with = async |secret: &str| {
        let headers = [("x-cuegate-secret", secret)];
        let bytes = request("POST /hooks/iconik", &headers, "{}");
        send(door.address, bytes).await.status
    };
    assert_eq!(with(SECRET).await, 200);
    assert_eq!(with("replaced").await, 401);
    let new = vec![Secret::new("replaced")];
    door.ingress.replace_secrets("iconik", new).unwrap();
    assert_eq!(with(SECRET).await, 401);
    assert_eq!(with("replaced").await, 200);
    for useless in [vec![], vec![Secret::new("")]] {
        door.ingress.replace_secrets("iconik", useless).unwrap_err();
        assert_eq!(with("replaced").await, 200);
    }
}

#[tokio::test]
async fn a_foreign_message_is_what_its_sender_calls_it() {
    let door = Door::open().await;
    let post = async |kind: Option<&str>, body: &str| {
        let mut headers = vec![("x-cuegate-secret", SECRET)];
        headers.extend(kind.map(|kind| ("x-event", kind)));
        let bytes = request("POST /hooks/foreign", &headers, body);
        let answer = send(door.address, bytes).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let event = door.store.events().pop().expect("it was stored");
        (
            event,
            answer.json()["duplicate"].as_bool().expect("it is said"),
        )
    };
    let body = r#"{"delivery": 7, "resource": {"id": "f-1"}, "event_type": "assets", "realm": "entity", "operation": "create"}"#;
    let (event, _) = post(Some("file.ready"), body).await;
    assert_eq!(event.kind, EventKind::Other);
    assert_eq!(event.subject(), "file.ready");
    assert_eq!(event.object(), Some("f-1"));
    assert_eq!(event.body["data"]["delivery"], 7);
    let pattern = |parts: &[&str]| Pattern {
        source: "foreign".to_owned(),
        parts: parts.iter().map(|part| (*part).to_owned()).collect(),
    };
    assert!(pattern(&["file.ready"]).matches(&event));
    assert!(pattern(&["*"]).matches(&event));
    assert!(!pattern(&["file.gone"]).matches(&event));
    assert!(!pattern(&["assets", "entity", "create"]).matches(&event));

    // The id makes the message, and not its bytes.
    let (_, again) = post(Some("file.ready"), r#"{"delivery": 7, "attempt": 2}"#).await;
    assert!(again);
    let (_, again) = post(Some("file.ready"), r#"{"delivery": 8}"#).await;
    assert!(!again);
    // What says nothing of itself is kept all the same.
    let (event, again) = post(None, r#"{"resource": {"id": {}}}"#).await;
    assert!(!again);
    assert_eq!(
        event.body,
        json!({ "type": null, "object_id": null, "data": { "resource": { "id": {} } } })
    );
    assert!(pattern(&["*"]).matches(&event));
    let (event, _) = post(Some("image/jpeg"), "{}").await;
    assert!(pattern(&["image", "jpeg"]).matches(&event));
}
