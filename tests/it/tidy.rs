//! Habits of this code base that a machine can look after.
//!
//! A reader should never meet a file without a reason, a name without a meaning or a promise to finish later.

use std::path::Path;

use crate::sources::{files_below, read, root};

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &[
    "utils", "util", "helpers", "common", "core", "manager", "misc",
];

/// Folders and how many lines a file of theirs may have. More, and it does more than one thing. A file of
/// tests is a list of cases that nobody has to hold in mind together, so it may have twice as many.
const LINES_MAX: &[(&str, usize)] = &[("src", 400), ("tests", 800), ("benches", 400)];

/// Files that may be longer, each with its reason. An entry that is no longer needed fails the test.
const LONG_FILES: &[(&str, &str)] = &[];

/// Words that mark work left undone. Spelt in halves, so that this list does not find itself.
const LEFTOVERS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("db", "g!("),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
];

#[test]
fn no_module_is_named_after_nothing() {
    let mut nameless = Vec::new();
    for path in files_below(&["src", "tests", "benches"], "rs") {
        let odd = Path::new(&path).iter().any(|part| {
            let part = part.to_string_lossy();
            EMPTY_NAMES.contains(&part.trim_end_matches(".rs"))
        });
        if odd {
            nameless.push(path);
        }
    }
    assert_eq!(nameless, Vec::<String>::new());
}

#[test]
fn no_file_is_long_without_a_reason() {
    let mut wrong = Vec::new();
    for (folder, lines_max) in LINES_MAX {
        for path in files_below(&[folder], "rs") {
            let lines = read(&path).lines().count();
            let excused = LONG_FILES.iter().any(|(long, _)| *long == path);
            match (lines > *lines_max, excused) {
                (true, false) => {
                    wrong.push(format!("{path} has {lines} lines, more than {lines_max}"));
                }
                (false, true) => {
                    wrong.push(format!("{path} is short enough: take it off LONG_FILES"));
                }
                _ => {}
            }
        }
    }
    for (path, reason) in LONG_FILES {
        assert!(
            root().join(path).exists(),
            "{path} is listed as long and is not there"
        );
        assert!(reason.len() > 20, "{path} is excused without a reason");
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn no_work_is_left_undone_in_the_sources() {
    let mut found = Vec::new();
    let mut files = files_below(&["src", "tests", "benches", "fuzz"], "rs");
    files.extend(files_below(&["rules", "examples"], "rhai"));
    for path in files {
        for (number, line) in read(&path).lines().enumerate() {
            if LEFTOVERS.iter().any(|word| line.contains(word)) {
                found.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_source_file_opens_with_its_reason() {
    let mut silent = files_below(&["src"], "rs");
    silent.retain(|path| !read(path).starts_with("//! "));
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn every_shipped_rule_opens_with_a_comment_for_its_readers() {
    let mut silent = files_below(&["rules"], "rhai");
    assert!(!silent.is_empty(), "no rule is shipped below rules/");
    silent.retain(|path| !read(path).starts_with("//! "));
    assert_eq!(silent, Vec::<String>::new());
}
