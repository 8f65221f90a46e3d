//! Senders that prove themselves by a password, come from a place, or have words of their own; and secrets that are
//! replaced while the gateway runs.

use std::fs;

use cuegate::model::RunState;
use serde_json::json;

use super::{ASSET, RULES, VIEW, desk, operations};
use crate::gateway::{Gateway, eventually, simulated, webhook};

/// `iconik:old-password` and `iconik:new-password`, as Basic writes them.
const OLD: &str = "Basic aWNvbmlrOm9sZC1wYXNzd29yZA==";
const NEW: &str = "Basic aWNvbmlrOm5ldy1wYXNzd29yZA==";

#[tokio::test]
async fn a_password_file_is_read_again_while_the_gateway_runs() {
    let simulator = simulated(operations()).await;
    let mut gateway = Gateway::new(&simulator, &RULES);
    gateway.write("passwords", "old-password\n");
    gateway.configure("[sources.login]\nverify = { basic = { user = \"iconik\", passwords_file = \"passwords\" } }");
    gateway.start().await;
    let gateway = &gateway;
    let post = async |authorization: &str| {
        let body = webhook("entity", "update", ASSET, &json!({}));
        let headers = [("authorization", authorization)];
        gateway.post_to("login", body.to_string(), &headers).await.0
    };
    assert_eq!((post(OLD).await, post(NEW).await), (200, 401));

    // Both for a while, so that no event is lost in between.
    gateway.write("passwords.new", "new-password\nold-password\n");
    fs::rename(gateway.path("passwords.new"), gateway.path("passwords")).expect("one folder");
    eventually("the new password is known", async || {
        (post(NEW).await == 200).then_some(())
    })
    .await;
    assert_eq!(post(OLD).await, 200);

    // A file of no use changes nothing and is said.
    gateway.write("passwords", "");
    gateway
        .until_logged(&[
            "cannot be used",
            "sources.login.verify.basic.passwords_file",
            "it is empty",
        ])
        .await;
    assert_eq!((post(OLD).await, post(NEW).await), (200, 200));

    gateway.write("passwords", "new-password\n");
    eventually("the old password is forgotten", async || {
        (post(OLD).await == 401).then_some(())
    })
    .await;
    assert_eq!(post(NEW).await, 200);
    let said = gateway.everything_said();
    assert!(!said.contains("-password"), "{said}");
}

#[tokio::test]
async fn only_some_addresses_may_send_and_only_a_trusted_proxy_is_believed() {
    let simulator = simulated(operations()).await;
    let mut gateway = Gateway::new(&simulator, &RULES);
    gateway.configure(
        "[sources.office]\nverify = \"none\"\nallow_ips = [\"192.0.2.0/24\", \"2001:db8::7\"]\n\
         [sources.here]\nverify = \"none\"\nallow_ips = [\"127.0.0.0/8\"]",
    );
    gateway.start().await;
    let claims: [&[(&str, &str)]; 3] = [
        &[("x-forwarded-for", "192.0.2.9")],
        &[("forwarded", "for=\"[2001:db8::7]\"")],
        &[],
    ];
    for claim in claims {
        let (status, answer) = gateway.post_to("office", "{}".to_owned(), claim).await;
        assert_eq!(status, 401, "{claim:?}: {answer}");
        let (status, answer) = gateway.post_to("here", "{}".to_owned(), claim).await;
        assert_eq!(status, 200, "{claim:?}: {answer}");
    }
    gateway.stop().await;

    gateway.replace("[server]", "[server]\ntrusted_proxies = [\"127.0.0.1\"]");
    gateway.start().await;
    let made_up = [("x-forwarded-for", "192.0.2.9, 198.51.100.1")];
    let nobody = [("x-forwarded-for", "unknown")];
    for (claim, expected) in [
        (claims[0], 200),
        (claims[1], 200),
        (claims[2], 401),
        (&made_up, 401),
        (&nobody, 401),
    ] {
        let (status, answer) = gateway.post_to("office", "{}".to_owned(), claim).await;
        assert_eq!(status, expected, "{claim:?}: {answer}");
    }
}

const ARRIVED: &str = r#"rule(#{ on: ["frameio:file.ready"], allow: ["metadata:write"] });
fn run(event) {
    let said = `${event.type} ${event.object_id} ${event.data.resource.name}`;
    iconik::asset(vars::asset).set_metadata("Operations", #{ desk: said });
}"#;

#[tokio::test]
async fn a_message_of_a_foreign_sender_wakes_the_rule_that_names_its_type() {
    let simulator = simulated(operations()).await;
    let mut gateway = Gateway::new(&simulator, &[("arrived.rhai", ARRIVED)]);
    gateway.configure(&format!(
        "[sources.frameio]\nverify = {{ header = \"x-key\", secrets = [\"k\"] }}\n\
         event = {{ type = \"/type\", object = \"/resource/id\", id = \"header:x-delivery\" }}\n\
         [vars]\nasset = \"{ASSET}\""
    ));
    gateway.start().await;
    let post = async |kind: &str, delivery: &str| {
        let body = json!({ "type": kind, "resource": { "id": "f-7", "name": "goal.mov" } });
        let headers = [("x-key", "k"), ("x-delivery", delivery)];
        let (status, answer) = gateway.post_to("frameio", body.to_string(), &headers).await;
        assert_eq!(status, 200, "{answer}");
        answer["duplicate"] == true
    };
    assert!(!post("file.deleted", "d-1").await);
    assert!(!post("file.ready", "d-2").await);
    assert!(post("file.ready", "d-2").await);
    gateway.until_runs(RunState::Succeeded, 1).await;
    gateway.until_quiet().await;
    assert_eq!(
        desk(&simulator, ASSET),
        Some(json!("file.ready f-7 goal.mov"))
    );
    assert_eq!(
        gateway.metric("cuegate_runs{state=\"succeeded\"}").await,
        1.0
    );
    let writes = simulator.requests();
    let written = writes
        .iter()
        .filter(|request| request.path.contains(VIEW) && request.method == "PUT");
    assert_eq!(written.count(), 1);
}
