//! Everything around the rules: the configuration, a gateway's health, the demo, and wrong calls.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use serde_json::json;

use super::{Desk, GOOD, Said};
use crate::gateway::{Gateway, simulated};

#[test]
fn a_wrong_configuration_is_shown_by_file_line_and_key() {
    let desk = Desk::new();
    desk.write(
        "cuegate.toml",
        "[server]\nlistenn = \"127.0.0.1:0\"\n\n[iconik]\napp_id = \"${NOT_SET}\"\nauth_token = \"sesame-77\"\n",
    );
    for command in [&["config", "check"][..], &["serve"], &["config", "show"]] {
        let said = desk.types(command);
        said.ended(
            78,
            &[
                "cuegate.toml:2:1",
                "server.listenn",
                "did you mean `listen`?",
            ],
        );
        said.ended(78, &["cuegate.toml:5:", "iconik.app_id", "NOT_SET"]);
        assert!(
            !said.everything().contains("sesame"),
            "{}",
            said.everything()
        );
    }
    let report = desk.types(&["config", "check", "--format", "json"]);
    assert_eq!(report.code, Some(78));
    let findings = report.json()["findings"].clone();
    assert_eq!(findings[0]["key"], "server.listenn");
    assert_eq!(findings[1]["line"], 5);
}

#[test]
fn a_configuration_without_credentials_cannot_serve() {
    let desk = Desk::with_rules(&[("good.rhai", GOOD)]);
    desk.write(
        "cuegate.toml",
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n",
    );
    desk.types(&["config", "check"])
        .ended(78, &["`iconik.app_id` is missing"]);
    desk.types(&["serve"])
        .ended(78, &["`iconik.app_id` is missing"]);
    desk.types(&["check"]).ended(0, &["no findings"]);
}

#[test]
fn config_show_masks_every_secret_and_shows_the_rest() {
    let desk = Desk::new();
    desk.write(
        "cuegate.toml",
        "[iconik]\napp_id = \"a\"\nauth_token = \"sesame-77\"\n[sources.iconik]\nverify = { header = \"x-s\", \
         secrets = [\"sesame-88\"] }\n[sources.standard.verify.standard_webhooks]\nsecrets = [\"whsec_c2VzYW1lLTk5LXNlc2FtZS05OQ==\"]\n\
         [vars]\nchannel = \"#news\"\n",
    );
    desk.types(&["config", "check"])
        .ended(0, &["the configuration is fine"]);
    let said = desk.types(&["config", "show"]);
    said.ended(0, &["x-s", "***", "#news", "drain = \"50s\""]);
    for secret in ["sesame", "c2VzYW1l"] {
        assert!(!said.everything().contains(secret), "{}", said.everything());
    }
}

#[tokio::test]
async fn health_tells_by_its_exit_code_whether_a_gateway_is_ready() {
    let simulator = simulated(json!({})).await;
    let mut gateway = Gateway::new(&simulator, &[("rule.rhai", "no rule")]);
    gateway.start_unready().await;
    let asks = async |gateway: &Gateway, url: &str| {
        let output = gateway.command(&["health", url]).output().await;
        Said::from(output.expect("the binary can be started"))
    };
    let admin = gateway.admin_url().to_owned();
    asks(&gateway, &admin)
        .await
        .ended(1, &["503", "no rule set"]);
    asks(&gateway, &format!("{admin}/healthz"))
        .await
        .ended(0, &[]);
    gateway.write("rules/rule.rhai", GOOD);
    gateway.signal(rustix::process::Signal::HUP);
    gateway.until_logged(&["rules are active"]).await;
    let hooks = gateway.hooks_url().to_owned();
    asks(&gateway, &admin).await.ended(0, &["\"ready\""]);
    asks(&gateway, &hooks).await.ended(0, &["\"ready\""]);
    gateway.stop().await;
    asks(&gateway, &admin).await.ended(1, &["does not answer"]);
}

#[test]
fn an_address_that_is_taken_is_named_with_its_key() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it is bound");
    let desk = Desk::with_rules(&[("good.rhai", GOOD)]);
    desk.write(
        "cuegate.toml",
        &format!(
            "[server]\nlisten = \"{address}\"\n[iconik]\napp_id = \"a\"\nauth_token = \"b\"\n"
        ),
    );
    desk.types(&["serve"])
        .ended(1, &[&address.to_string(), "server.listen"]);
}

#[test]
fn completions_are_printed_for_a_shell() {
    let said = Desk::new().types(&["completions", "bash"]);
    said.ended(0, &["_cuegate()", "simulate"]);
    assert!(
        !said.out.contains("sandbox-worker"),
        "workers are nobody's command"
    );
}

#[test]
fn a_wrong_call_ends_with_2_and_help_with_0() {
    let desk = Desk::new();
    desk.types(&["serv"]).ended(2, &["unrecognized subcommand"]);
    desk.types(&[]).ended(2, &["Usage: cuegate"]);
    desk.types(&["run"]).ended(2, &["<RULE>"]);
    desk.types(&["simulate", "--trouble", "7"])
        .ended(2, &["it is not from 0 to 1"]);
    desk.types(&["--help"])
        .ended(0, &["demo", "serve", "health"]);
    desk.types(&["--version"]).ended(0, &["cuegate "]);
}

#[test]
fn the_day_of_the_demo_ends_well_with_the_rules_that_the_program_carries() {
    let said = Desk::new().types(&["demo", "--once"]);
    said.ended(
        0,
        &[
            "those that the program carries",
            "Every expected effect happened.",
        ],
    );
    assert!(!said.out.contains("MISSING"), "{}", said.out);
}

#[test]
fn a_shipped_rule_that_is_broken_by_hand_makes_the_demo_fail_and_name_what_is_missing() {
    let desk = Desk::new();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    for file in fs::read_dir(shipped).expect("the shipped rules are there") {
        let file = file.expect("it can be read");
        let source = fs::read_to_string(file.path()).expect("it is text");
        let name = file.file_name();
        let name = name.to_str().expect("its name is text");
        let broken = if name == "tag_on_arrival.rhai" {
            assert!(source.contains("found[1].to_lower()"), "{source}");
            source.replace("found[1].to_lower()", "found[1]")
        } else {
            source
        };
        desk.write(&format!("broken/{name}"), &broken);
    }
    let said = desk.types(&["demo", "--once", "--dir", "broken"]);
    said.ended(1, &["see MISSING above"]);
    let missing: Vec<_> = said
        .out
        .lines()
        .filter(|line| line.contains("MISSING"))
        .collect();
    assert!(missing[0].contains("tag_on_arrival"), "{missing:?}");
    assert!(
        missing[0].contains("tagged for the desk \"sport\""),
        "{missing:?}"
    );
    assert!(
        said.out.contains("seen     subclip_from_marker"),
        "{}",
        said.out
    );
}

#[test]
fn the_demo_refuses_rules_that_do_not_compile() {
    let desk = Desk::with_rules(&[(
        "bad.rhai",
        "rule(#{ on: [\"assets/entity/create\"] });\nfn run(event) { let x = ; }\n",
    )]);
    desk.types(&["demo", "--once"])
        .ended(1, &["bad.rhai:2:25", "unexpected ';'"]);
}
