//! `docs/functions.md` says what the program has, because it is made from what the program registers; so are the page for
//! browsers and the definitions for editors.
//!
//! The test compares the committed page with the registrations; `CUEGATE_BLESS=1` writes the page anew.

use std::fs;
use std::path::Path;

use cuegate::engine::{self, reference};
use serde_json::Value;

#[test]
fn the_reference_lists_every_function_that_rules_can_see() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/functions.md");
    let wanted = reference::markdown();
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
        let (_, said) = said.split_once("The keys: ").expect("the keys follow");
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

fn first_difference<'a>(committed: &'a str, wanted: &'a str) -> Option<(&'a str, &'a str)> {
    let ended = std::iter::repeat("");
    let lines = committed
        .lines()
        .chain(ended.clone())
        .zip(wanted.lines().chain(ended));
    let longest = committed.lines().count().max(wanted.lines().count());
    lines.take(longest).find(|(old, new)| old != new)
}

#[test]
fn the_page_for_browsers_holds_every_function_and_leads_to_every_section() {
    let page = reference::html();
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
    for doc in engine::functions() {
        let signature = doc
            .signature
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        assert!(
            page.contains(&format!("{signature}</code></h3>")),
            "{signature}"
        );
    }
    let links: Vec<&str> = page
        .split("href=\"#")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(links.len(), page.matches("<h2 id=").count(), "{links:?}");
    for link in links {
        assert_eq!(
            page.matches(&format!("<h2 id=\"{link}\">")).count(),
            1,
            "{link}"
        );
    }
    assert!(
        !page.contains("<script") && !page.contains("http://"),
        "it needs nothing else"
    );
}

#[test]
fn the_definitions_for_editors_hold_every_function_once() {
    let files = reference::definitions();
    let name = regex::Regex::new(
        r"^fn (get )?[a-z_0-9]+\(((this: [A-Z]\w*|[a-z_0-9]+: \?)(, [a-z_0-9]+: \?)*)?\) -> \?;$",
    )
    .expect("the pattern is a literal");
    let mut defined = 0;
    for (file, text) in &files {
        let module = file.strip_suffix(".d.rhai").expect("a definition file");
        assert!(text.starts_with(&format!("module {module};\n")), "{file}");
        for line in text
            .lines()
            .skip(1)
            .filter(|line| !line.is_empty() && !line.starts_with("///"))
        {
            assert!(name.is_match(line), "{file}: {line}");
            defined += 1;
        }
    }
    assert_eq!(defined, engine::functions().len());
    let own = &files["iconik.d.rhai"];
    assert!(
        own.contains("fn post(path: ?, body: ?, query: ?) -> ?;"),
        "{own}"
    );
    let of_values = &files["static.d.rhai"];
    assert!(
        of_values.contains("fn get title(this: Asset) -> ?;"),
        "{of_values}"
    );
    assert!(
        of_values.contains("fn metadata(this: Asset, view: ?) -> ?;"),
        "{of_values}"
    );
}
