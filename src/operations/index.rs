//! From a call to its operation.
//!
//! Asked for every effect of every run, so the patterns are cut into segments once and kept by method and
//! number of segments, with literal segments before placeholders: the first match is the right one.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::model::Method;

use super::{OPEN, Operation, all};

/// How many suggestions are worth reading.
const NEAREST_MAX: usize = 3;

/// The edit distance, in characters, beyond which two paths have nothing to do with each other.
const DISTANCE_MAX: usize = 12;

struct Pattern {
    operation: &'static Operation,
    segments: Vec<&'static str>,
}

impl Pattern {
    fn matches(&self, path: &[&str]) -> bool {
        self.segments
            .iter()
            .zip(path)
            .all(|(pattern, segment)| pattern == segment || is_placeholder(pattern))
    }
}

static PATTERNS: LazyLock<HashMap<(Method, usize), Vec<Pattern>>> = LazyLock::new(|| {
    let mut patterns: HashMap<_, Vec<Pattern>> = HashMap::new();
    for operation in all() {
        let segments = segments(operation.path);
        patterns
            .entry((operation.method, segments.len()))
            .or_default()
            .push(Pattern {
                operation,
                segments,
            });
    }
    for alike in patterns.values_mut() {
        alike.sort_by_key(|pattern| {
            let placeholders = pattern.segments.iter().copied().map(is_placeholder);
            placeholders.collect::<Vec<_>>()
        });
    }
    patterns
});

/// The operation that a call is: `path` has its ids filled in, and may have a slash or `API/` before it and
/// lack its closing slash. Where a word and an id are both possible, the word is meant.
pub fn find(method: Method, path: &str) -> Option<&'static Operation> {
    matching(method, &segments(path))
}

/// What somebody may have meant who called an unknown operation: other methods of the same path first, then
/// the closest paths, the same method before others. At most three; none if nothing is similar.
pub fn nearest(method: Method, path: &str) -> Vec<&'static Operation> {
    let path = segments(path);
    let methods = [
        Method::Get,
        Method::Post,
        Method::Put,
        Method::Patch,
        Method::Delete,
    ];
    let mut nearest: Vec<_> = methods
        .into_iter()
        .filter_map(|other| matching(other, &path))
        .collect();
    let mut similar: Vec<_> = all()
        .map(|operation| (distance(&segments(operation.path), &path), operation))
        .filter(|(distance, operation)| *distance <= DISTANCE_MAX && !nearest.contains(operation))
        .collect();
    similar.sort_by_key(|(distance, operation)| (*distance, operation.method != method));
    nearest.extend(similar.into_iter().map(|(_, operation)| operation));
    nearest.truncate(NEAREST_MAX);
    nearest
}

/// The operations that a call may be whose path has [`OPEN`] in the segments that are not known yet, the likeliest first.
/// Without any, it is one at most.
pub(super) fn candidates(method: Method, path: &str) -> Vec<&'static Operation> {
    let path = segments(path);
    if !path.iter().any(|segment| segment.contains(OPEN)) {
        return matching(method, &path).into_iter().collect();
    }
    let is_open = |segment: &str| segment.contains(OPEN);
    let known = PATTERNS.get(&(method, path.len()));
    let mut found: Vec<(Vec<bool>, usize, &Operation)> = Vec::new();
    for pattern in known.into_iter().flatten() {
        let mut ids = Vec::new();
        let mut words = 0;
        let matches = pattern.segments.iter().zip(&path).all(|(known, given)| {
            let id = is_placeholder(known);
            if is_open(given) {
                words += usize::from(!id);
                return true;
            }
            ids.push(id);
            id && !given.is_empty() || known == given
        });
        if matches {
            found.push((ids, words, pattern.operation));
        }
    }
    // Where a word and an id are both possible for what is written out, the word is meant; for what is open, the id.
    found.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
    let best = found.first().map(|(ids, ..)| ids.clone());
    let found = found
        .into_iter()
        .filter(|(ids, ..)| Some(ids) == best.as_ref());
    found.map(|(.., operation)| operation).collect()
}

fn matching(method: Method, path: &[&str]) -> Option<&'static Operation> {
    if path.iter().any(|segment| segment.is_empty()) {
        return None;
    }
    PATTERNS
        .get(&(method, path.len()))?
        .iter()
        .find(|pattern| pattern.matches(path))
        .map(|pattern| pattern.operation)
}

fn segments(path: &str) -> Vec<&str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_prefix("API/").unwrap_or(path);
    path.strip_suffix('/').unwrap_or(path).split('/').collect()
}

fn is_placeholder(segment: &str) -> bool {
    segment.starts_with('{')
}

/// The edit distance of two paths, counted in characters but aligned by segments, so that the length of an
/// id does not matter: to put one in a placeholder costs 1.
fn distance(pattern: &[&str], path: &[&str]) -> usize {
    let mut row: Vec<usize> = std::iter::once(0)
        .chain(path.iter().scan(0, |sum, segment| {
            *sum += segment.len();
            Some(*sum)
        }))
        .collect();
    for expected in pattern {
        let mut diagonal = row[0];
        row[0] += expected.len();
        for (column, actual) in path.iter().enumerate() {
            let replaced = diagonal
                + if is_placeholder(expected) {
                    1
                } else {
                    strsim::osa_distance(expected, actual)
                };
            diagonal = row[column + 1];
            row[column + 1] = replaced
                .min(row[column] + actual.len())
                .min(diagonal + expected.len());
        }
    }
    row[path.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "5d1c1f5a-0b5c-11ef-9c1a-0a580a3c1234";

    fn lines(operations: &[&Operation]) -> Vec<String> {
        operations
            .iter()
            .map(|operation| format!("{} {}", operation.method, operation.path))
            .collect()
    }

    #[test]
    fn a_word_is_preferred_to_a_placeholder() {
        for (path, expected) in [
            (
                "assets/v1/delete_queue/assets/purge/",
                "assets/v1/delete_queue/assets/purge/",
            ),
            (
                "assets/v1/assets/1/segments/bulk/",
                "assets/v1/assets/{asset_id}/segments/bulk/",
            ),
            (
                "assets/v1/assets/1/shares/",
                "assets/v1/{object_type}/{object_id}/shares/",
            ),
        ] {
            assert_eq!(find(Method::Post, path).expect(path).path, expected);
        }
        let current = find(Method::Get, "users/v1/users/current/").expect("known");
        assert_eq!(current.path, "users/v1/users/current/");
    }

    #[test]
    fn slashes_and_the_common_prefix_do_not_matter() {
        let expected = find(Method::Get, "assets/v1/assets/1/");
        assert!(expected.is_some());
        for path in [
            "/assets/v1/assets/1/",
            "assets/v1/assets/1",
            "/API/assets/v1/assets/1/",
            "API/assets/v1/assets/1",
        ] {
            assert_eq!(find(Method::Get, path), expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_operation_is_not_found() {
        for path in [
            "",
            "/",
            "assets/v1/assets//",
            "assets/v1/nothing/of/this/kind/",
            "auth/v1/auth/token/",
            "https://example.com/assets/v1/assets/1/",
        ] {
            assert_eq!(find(Method::Get, path), None, "{path}");
        }
        assert_eq!(find(Method::Post, "settings/v1/cors_hosts/"), None);
    }

    #[test]
    fn the_other_methods_of_a_path_are_suggested_first() {
        let path = format!("metadata/v1/assets/{ID}/views/{ID}/");
        let suggested = lines(&nearest(Method::Patch, &path));
        assert_eq!(
            suggested[..2],
            [
                "GET metadata/v1/{object_type}/{object_id}/views/{view_id}/",
                "PUT metadata/v1/{object_type}/{object_id}/views/{view_id}/",
            ]
        );
    }

    #[test]
    fn a_misspelt_path_is_suggested_right() {
        for (method, path, expected) in [
            (
                Method::Post,
                format!("assets/v1/assets/{ID}/segmets/"),
                "POST assets/v1/assets/{asset_id}/segments/",
            ),
            (
                Method::Get,
                format!("/asset/v1/assets/{ID}"),
                "GET assets/v1/assets/{asset_id}/",
            ),
            (Method::Get, "jobs/v1/job/".to_owned(), "GET jobs/v1/jobs/"),
            (
                Method::Put,
                format!("metadata/assets/{ID}/views/{ID}/"),
                "PUT metadata/v1/{object_type}/{object_id}/views/{view_id}/",
            ),
        ] {
            assert_eq!(lines(&nearest(method, &path))[0], expected, "{path}");
        }
        assert!(nearest(Method::Get, "a/song/that/nobody/has/ever/sung/before/").is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_operation_is_found_with_any_ids_filled_in(
            id in "[a-zA-Z0-9]{1,8}-[a-zA-Z0-9@.]{1,12}",
        ) {
            for operation in all() {
                let path = operation
                    .path
                    .split('/')
                    .map(|segment| if is_placeholder(segment) { &id } else { segment })
                    .collect::<Vec<_>>()
                    .join("/");
                prop_assert_eq!(find(operation.method, &path), Some(operation));
            }
        }

        #[test]
        fn no_path_makes_the_search_fail(path in "\\PC{0,60}") {
            let _ = find(Method::Get, &path);
            prop_assert!(nearest(Method::Get, &path).len() <= NEAREST_MAX);
        }
    }
}
