//! `rules scopes`, `rules docs` and `rules definitions`: what rules can use, without any gateway.

use std::fs;

use cuegate::engine::reference;
use cuegate::operations;
use serde_json::json;

use super::Desk;

#[test]
fn the_scopes_are_listed_with_the_number_of_operations_that_each_allows() {
    let desk = Desk::new();
    let deletes = operations::all()
        .filter(|operation| operation.scope == Some("assets:delete"))
        .count();
    let said = desk.types(&["rules", "scopes"]);
    said.ended(0, &["scope", "operations", "reading needs none"]);
    let line = said
        .out
        .lines()
        .find(|line| line.starts_with("assets:delete"));
    let line = line.expect("every scope has a line");
    assert!(line.ends_with(&format!(" {deletes}")), "{line}");

    let report = desk.types(&["rules", "scopes", "--format", "json"]).json();
    let listed: Vec<_> = report
        .as_array()
        .expect("a list")
        .iter()
        .map(|scope| &scope["scope"])
        .collect();
    assert_eq!(listed, operations::scopes().collect::<Vec<_>>());
    let writes = operations::all()
        .filter(|operation| operation.scope.is_some())
        .count();
    let allowed: usize = report
        .as_array()
        .expect("a list")
        .iter()
        .map(|scope| scope["operations"].as_array().expect("a list").len())
        .sum();
    assert_eq!(allowed, writes, "every write is allowed by exactly one");
}

#[test]
fn one_scope_is_shown_operation_by_operation() {
    let desk = Desk::new();
    let said = desk.types(&["rules", "scopes", "--scope", "shares:write"]);
    said.ended(
        0,
        &[
            "POST",
            "assets/v1/{object_type}/{object_id}/shares/",
            "acting",
            "documents of 2025",
        ],
    );
    said.ended(0, &["assets/v1/portals/", "third-party list of 2026"]);
    let report = desk
        .types(&[
            "rules",
            "scopes",
            "--scope",
            "transcode:write",
            "--format",
            "json",
        ])
        .json();
    assert_eq!(report["scope"], "transcode:write");
    let first = &report["operations"][0];
    assert_eq!(
        (&first["method"], &first["class"]),
        (&json!("POST"), &json!("creating"))
    );
    desk.types(&["rules", "scopes", "--scope", "assets:wirte"])
        .ended(
            2,
            &["there is no scope `assets:wirte`; did you mean `assets:write`?"],
        );
}

#[test]
fn the_reference_is_printed_or_written() {
    let desk = Desk::new();
    let said = desk.types(&["rules", "docs"]);
    assert_eq!(
        (said.code, said.out.trim_end()),
        (Some(0), reference::markdown().trim_end())
    );
    desk.types(&[
        "rules",
        "docs",
        "--format",
        "html",
        "--out",
        "functions.html",
    ])
    .ended(0, &[]);
    let page = fs::read_to_string(desk.path("functions.html")).expect("it was written");
    assert_eq!(page, reference::html());
    desk.types(&["rules", "docs", "--out", "no/such/folder.md"])
        .ended(1, &["no/such/folder.md cannot be written"]);
}

#[test]
fn the_definitions_are_written_into_a_directory_that_need_not_be_there() {
    let desk = Desk::new();
    desk.types(&["rules", "definitions", "--out", "editor/rhai"])
        .ended(0, &[]);
    for (name, text) in reference::definitions() {
        let written = fs::read_to_string(desk.path("editor/rhai").join(&name));
        assert_eq!(written.expect("it was written"), text, "{name}");
    }
    desk.types(&["rules", "definitions"]).ended(2, &["--out"]);
}
