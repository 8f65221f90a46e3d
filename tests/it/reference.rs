//! `docs/functions.md` says what the program has, because it is made from what the program registers.
//!
//! The test compares the committed page with the registrations; `CUEGATE_BLESS=1` writes the page anew.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use cuegate::engine::{self, FunctionDoc, Place};
use serde_json::Value;

const OPENING: &str = "\
# Functions that rules can use

This page is generated from what the program registers; `CUEGATE_BLESS=1 cargo test --test it reference` writes it anew.
Each example is the body of a `fn run(event)` and runs as a test. [rules.md](rules.md) explains how a rule is built.

Rhai's own functions for texts, numbers, arrays and maps are there as well, described in
[the Rhai book](https://rhai.rs/book/), except that `eval` and imports from outside `rules/lib` are not, and that order
comparisons are strict: values of different kinds, or `()`, are an error, never `false`.
";

#[test]
fn the_reference_lists_every_function_that_rules_can_see() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/functions.md");
    let wanted = reference(engine::functions());
    if std::env::var_os("CUEGATE_BLESS").is_some() {
        fs::write(&path, &wanted).expect("docs/ is writable");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == wanted,
        "docs/functions.md differs from what rules can see, first at {:?}; run this test with CUEGATE_BLESS=1 and commit the page",
        first_difference(&committed, &wanted)
    );
}

#[test]
fn every_function_is_described_and_shown() {
    for doc in engine::functions() {
        assert!(
            doc.about.trim_end().ends_with('.'),
            "{} is not described in sentences",
            doc.signature
        );
        assert!(
            !doc.example.trim().is_empty(),
            "{} has no example",
            doc.signature
        );
        assert!(
            doc.example.contains(doc.name()),
            "the example of {} does not use it",
            doc.signature
        );
    }
}

/// The reference names the keys of every kind of object in one sentence: its schema, then its keys.
#[test]
#[expect(
    clippy::print_stdout,
    reason = "whoever runs the tests should know what was left out"
)]
fn the_keys_of_every_kind_of_object_are_those_of_iconiks_documents() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/iconik/specs/openapi-2025-05");
    let Ok(files) = fs::read_dir(&folder) else {
        println!("not compared: {} is not there", folder.display());
        return;
    };
    let documents: Vec<Value> = files
        .map(|file| fs::read(file.expect("it was listed").path()).expect("it can be read"))
        .map(|bytes| serde_json::from_slice(&bytes).expect("a document is JSON"))
        .collect();
    let mut compared = 0;
    for doc in engine::functions() {
        let Some((_, said)) = doc.about.split_once("is a property (`") else {
            continue;
        };
        let (schema, said) = said.split_once("`)").expect("the schema ends");
        let (_, said) = said.split_once("error: ").expect("the keys follow");
        let said: Vec<&str> = said
            .trim_end_matches('.')
            .split(", ")
            .map(|key| key.trim_matches('`'))
            .collect();
        let same = documents.iter().any(|document| {
            let documented = document["components"]["schemas"][schema]["properties"].as_object();
            let mut documented: Vec<&str> = documented
                .into_iter()
                .flatten()
                .map(|(key, _)| key.as_str())
                .collect();
            documented.sort_unstable();
            documented == said
        });
        assert!(same, "{schema} has other keys than {said:?}");
        compared += 1;
    }
    assert_eq!(compared, 12, "every kind of object was compared");
}

fn reference(functions: &[FunctionDoc]) -> String {
    let mut sorted: Vec<&FunctionDoc> = functions.iter().collect();
    // Stable: inside its place a function stays where it was registered.
    sorted.sort_by_key(|doc| doc.place);
    let mut page = OPENING.to_owned();
    let mut place = None;
    for doc in sorted {
        if place != Some(doc.place) {
            place = Some(doc.place);
            let _ = writeln!(page, "\n## {}", heading(doc.place));
        }
        let about = doc.about.trim_end();
        let _ = write!(
            page,
            "\n### `{}`\n\n{about}\n\n```rhai\n{}\n```\n",
            written(doc),
            doc.example.trim()
        );
    }
    page
}

fn heading(place: Place) -> String {
    match place {
        Place::Top => "Called by name".to_owned(),
        Place::Module(name) => format!("`{name}`"),
        Place::Type(name) => format!("On {name}"),
    }
}

/// As a rule writes it.
fn written(doc: &FunctionDoc) -> String {
    match doc.place {
        Place::Top => doc.signature.to_owned(),
        Place::Module(name) => format!("{name}::{}", doc.signature),
        Place::Type(_) => format!(".{}", doc.signature),
    }
}

fn first_difference<'a>(committed: &'a str, wanted: &'a str) -> Option<(&'a str, &'a str)> {
    let ended = std::iter::repeat("");
    let lines = committed
        .lines()
        .chain(ended.clone())
        .zip(wanted.lines().chain(ended));
    let longest = committed.lines().count().max(wanted.lines().count());
    lines.take(longest).find(|(old, new)| old != new)
}
