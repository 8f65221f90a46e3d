//! Every metric is documented, and every documented metric is there.

use std::collections::BTreeSet;

use crate::sources::{files_below, read};

/// Names in quotes, such as `"cuegate_runs"`, in the shipped sources.
fn counted() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in files_below(&["src"], "rs") {
        if path.ends_with("tests.rs") || path.contains("/tests/") {
            continue;
        }
        for part in read(&path)
            .split('"')
            .filter(|part| part.starts_with("cuegate_"))
        {
            let is_name = part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit());
            // Samples of unit tests beside the code.
            if is_name && !part.starts_with("cuegate_test") {
                names.insert(part.to_owned());
            }
        }
    }
    names
}

/// Names in the first column of the tables.
fn documented() -> Vec<String> {
    let page = read("docs/metrics.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| Some(row.split_once('`')?.0.to_owned()))
        .collect()
}

#[test]
fn every_metric_is_on_the_page_once_and_every_row_is_a_metric() {
    let (counted, documented) = (counted(), documented());
    assert!(counted.len() > 30, "only {} were found", counted.len());
    let once: BTreeSet<String> = documented.iter().cloned().collect();
    assert_eq!(once.len(), documented.len(), "a metric has two rows");
    let missing: Vec<_> = counted.difference(&once).collect();
    assert!(missing.is_empty(), "not in docs/metrics.md: {missing:?}");
    let stale: Vec<_> = once.difference(&counted).collect();
    assert!(
        stale.is_empty(),
        "in docs/metrics.md and nowhere else: {stale:?}"
    );
}
