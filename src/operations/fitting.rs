//! Whether a call fits an operation: asked of what stands in a rule before it runs, and of every raw call when it does.
//!
//! The keys of a body are those of May 2025, and Iconik adds to them. So a key is refused where it is all but one of the
//! operation's and no key of any other: that is a slip, and Iconik would ignore it without a word. What else is unknown
//! may be new, and is Iconik's to judge.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::model::Method;

use super::index::{candidates, nearest};
use super::{Operation, all};

/// Stands in a path for what is known only when the rule runs: a segment with it may be any word or id.
pub const OPEN: &str = "{}";

/// Up to this length a slip is one letter, beyond it two.
const SHORT: usize = 4;

/// What is known of the body of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given<'a> {
    /// Nothing is.
    Unknown,
    /// There is none.
    Nothing,
    /// It is a map with these keys.
    Keys(&'a [&'a str]),
    /// It is something else.
    NoMap,
}

/// What is wrong with a call, for whoever wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// What is wrong.
    pub message: String,
    /// What to do instead.
    pub hint: Option<String>,
    /// The key of the body that it is about, if it is about one that is there.
    pub key: Option<String>,
}

static KEYS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let keys = all().flat_map(|operation| operation.required.iter().chain(operation.optional));
    keys.copied().collect()
});

/// What is wrong with a call; nothing if it fits an operation, or one of those that an open path may come to.
pub fn misfit(method: Method, path: &str, given: Given<'_>) -> Option<Misfit> {
    let operations = candidates(method, path);
    let Some(likeliest) = operations.first() else {
        let near = nearest(method, path);
        return Some(Misfit {
            message: format!("Iconik has no operation {method} {path}"),
            hint: near
                .first()
                .map(|near| format!("did you mean {} {}?", near.method, near.path)),
            key: None,
        });
    };
    let wrong = body(likeliest, given)?;
    let fits_another = operations[1..]
        .iter()
        .any(|operation| body(operation, given).is_none());
    (!fits_another).then_some(wrong)
}

fn body(operation: &Operation, given: Given<'_>) -> Option<Misfit> {
    let Operation { method, path, .. } = operation;
    let keys: &[&str] = match given {
        Given::Unknown => return None,
        Given::Keys(keys) => keys,
        Given::Nothing => &[],
        Given::NoMap if operation.required.is_empty() => return None,
        Given::NoMap => {
            return Some(Misfit {
                message: format!("the body of {method} {path} is a map"),
                hint: Some(needed(operation)),
                key: None,
            });
        }
    };
    let own = || operation.required.iter().chain(operation.optional).copied();
    for key in keys {
        if KEYS.contains(key) {
            continue;
        }
        let near = own()
            .map(|known| (strsim::osa_distance(key, known), known))
            .min()
            .filter(|(distance, _)| *distance <= if key.len() <= SHORT { 1 } else { 2 });
        if let Some((_, near)) = near {
            return Some(Misfit {
                message: format!("the body of {method} {path} has no key `{key}`"),
                hint: Some(format!("did you mean `{near}`?")),
                key: Some((*key).to_owned()),
            });
        }
    }
    let missing: Vec<_> = operation
        .required
        .iter()
        .filter(|key| !keys.contains(key))
        .map(|key| format!("`{key}`"))
        .collect();
    if missing.is_empty() {
        return None;
    }
    let missing = missing.join(" and ");
    Some(Misfit {
        message: format!("the body of {method} {path} is without {missing}"),
        hint: Some(needed(operation)),
        key: None,
    })
}

fn needed(operation: &Operation) -> String {
    format!("it needs {}", operation.required.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Method::{Delete, Get, Patch, Post, Put};

    fn said(method: Method, path: &str, given: Given<'_>) -> String {
        let misfit = misfit(method, path, given);
        misfit.map_or_else(String::new, |it| {
            format!("{}; {}", it.message, it.hint.unwrap_or_default())
        })
    }

    #[test]
    fn what_fits_is_not_complained_about() {
        for (method, path, given) in [
            (Get, "assets/v1/assets/1/", Given::Nothing),
            (
                Post,
                "assets/v1/assets/",
                Given::Keys(&["title", "external_id"]),
            ),
            (Post, "assets/v1/assets/", Given::Unknown),
            // A part of the object, and keys that are only read.
            (Patch, "assets/v1/assets/1/", Given::Keys(&["title"])),
            (
                Put,
                "assets/v1/assets/1/",
                Given::Keys(&["title", "id", "date_created", "date_modified"]),
            ),
            // A key that may have come since 2025.
            (
                Post,
                "jobs/v1/jobs/",
                Given::Keys(&["type", "status", "title", "colour_of_the_bar"]),
            ),
            // Bodies that nobody has documented.
            (Post, "users/v1/teams/", Given::Keys(&["whatever"])),
            (Post, "files/v2/assets/bulk/archive/", Given::NoMap),
        ] {
            assert_eq!(said(method, path, given), "", "{path}");
        }
    }

    #[test]
    fn a_wrong_path_or_method_is_told_with_the_nearest_operation() {
        for (method, path, expected) in [
            (
                Post,
                "assets/v1/assets/1/segmets/",
                "Iconik has no operation POST assets/v1/assets/1/segmets/; did you mean POST assets/v1/assets/{asset_id}/segments/?",
            ),
            (
                Patch,
                "metadata/v1/assets/1/views/2/",
                "Iconik has no operation PATCH metadata/v1/assets/1/views/2/; did you mean GET metadata/v1/{object_type}/{object_id}/views/{view_id}/?",
            ),
        ] {
            assert_eq!(said(method, path, Given::Unknown), expected);
        }
    }

    #[test]
    fn a_missing_or_misspelt_key_is_told() {
        for (method, path, given, expected) in [
            (
                Post,
                "assets/v1/assets/",
                Given::Keys(&["titel"]),
                "the body of POST assets/v1/assets/ has no key `titel`; did you mean `title`?",
            ),
            (
                Post,
                "jobs/v1/jobs/",
                Given::Keys(&["title"]),
                "the body of POST jobs/v1/jobs/ is without `status` and `type`; it needs status, title, type",
            ),
            (
                Delete,
                "assets/v1/favorites/",
                Given::Nothing,
                "the body of DELETE assets/v1/favorites/ is without `object_ids` and `object_type`; it needs object_ids, object_type",
            ),
            (
                Post,
                "jobs/v1/jobs/",
                Given::NoMap,
                "the body of POST jobs/v1/jobs/ is a map; it needs status, title, type",
            ),
        ] {
            assert_eq!(said(method, path, given), expected);
        }
    }

    #[test]
    fn an_open_segment_may_come_to_any_word_or_id() {
        for (method, path, given) in [
            (Get, "assets/v1/assets/{}/", Given::Nothing),
            (Get, "assets/v1/{}/x-{}/", Given::Nothing),
            (
                Post,
                "assets/v1/assets/{}/segments/",
                Given::Keys(&["segment_type"]),
            ),
            (
                Put,
                "metadata/v1/{}/{}/views/{}/",
                Given::Keys(&["metadata_values"]),
            ),
            // An asset takes a title, a collection too; one of them must fit.
            (Post, "assets/v1/{}/", Given::Keys(&["title"])),
        ] {
            assert_eq!(said(method, path, given), "", "{path}");
        }
        let wrong = said(Post, "assets/v1/assets/{}/segmets/", Given::Unknown);
        assert!(wrong.contains("segments/?"), "{wrong}");
        // A word that is written out is the word.
        let wrong = said(
            Post,
            "assets/v1/assets/{}/segments/bulk/",
            Given::Keys(&["segment_type"]),
        );
        assert!(wrong.contains("is without `objects`"), "{wrong}");
    }
}
