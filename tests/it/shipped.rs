//! What lies beside the code works: the shipped rules and every example, by the commands that the pages name.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn cuegate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cuegate"))
        .current_dir(here(""))
        .args(arguments)
        .env_remove("CUEGATE_CONFIG")
        .output()
        .expect("the binary was built for this test")
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// Runs an example and gives its trace. Without an event the rule's schedule is due.
fn run(rule: &str, event: &str) -> String {
    let event = (!event.is_empty()).then(|| format!("examples/events/{event}.json"));
    let mut arguments = vec!["run", rule, "--simulator", "examples/seed.json", "--trace"];
    if let Some(event) = &event {
        arguments.extend(["--event", event]);
    }
    let output = cuegate(&arguments);
    assert!(output.status.success(), "{rule}: {}", text(&output));
    text(&output)
}

#[test]
fn the_shipped_rules_check_without_findings() {
    let output = cuegate(&["check", "rules"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(
        text(&output).contains("5 rule(s), no findings"),
        "{}",
        text(&output)
    );
}

#[test]
fn every_example_does_what_its_rule_says() {
    for (rule, event, write) in [
        ("tag_on_arrival", "asset_created", "PUT metadata/v1/assets/"),
        (
            "subclip_from_marker",
            "marker_set",
            "POST assets/v1/assets/ -> 201",
        ),
        (
            "expired_to_trash",
            "",
            "DELETE assets/v1/assets/5c1a3e70-0000-4000-8000-0000000000b2/ -> 204",
        ),
        (
            "campaign_from_collection",
            "collection_entry",
            "PUT metadata/v1/assets/",
        ),
        (
            "release_button",
            "button_pressed",
            "POST jobs/v1/jobs/ -> 201",
        ),
    ] {
        let trace = run(rule, event);
        assert!(trace.contains(write), "{rule}: {trace}");
        assert!(
            trace.contains(&format!("{rule}: succeeded")),
            "{rule}: {trace}"
        );
    }
}

#[test]
fn only_what_has_expired_and_is_not_on_hold_goes_to_the_trash() {
    let trace = run("expired_to_trash", "");
    assert_eq!(trace.matches("DELETE ").count(), 1, "{trace}");
    assert!(
        trace.contains("log: 1 of 1 assets that looked expired are in the trash, 0 failed"),
        "{trace}"
    );
}

#[test]
fn a_rule_without_a_schedule_is_not_run_without_an_event() {
    let output = cuegate(&["run", "tag_on_arrival", "--simulator", "examples/seed.json"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("--event"), "{}", text(&output));
}

#[test]
fn an_event_that_a_rule_does_not_want_makes_no_run() {
    let arguments = [
        "run",
        "tag_on_arrival",
        "--event",
        "examples/events/marker_set.json",
        "--simulator",
        "examples/seed.json",
    ];
    let output = cuegate(&arguments);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output).contains("does not want this event"),
        "{}",
        text(&output)
    );
}

#[test]
fn the_example_configuration_is_fine() {
    let output = cuegate(&["config", "check", "--config", "examples/cuegate.toml"]);
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn the_embedded_rules_are_the_shipped_ones() {
    let embedded = cuegate::demo::shipped_rules();
    let shipped = cuegate::authoring::load(&here("rules")).expect("the rules can be read");
    assert_eq!(embedded, shipped);
}
