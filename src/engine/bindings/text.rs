//! The module `text`: pure functions over texts. Regular expressions take linear time, whatever is in them.

use std::cell::RefCell;
use std::collections::VecDeque;

use regex::{Regex, RegexBuilder};
use rhai::{Array, Dynamic, ImmutableString, NativeCallContext};

use super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::session::{Fallible, Session, error};
use crate::model::DeadClass;

const TEXT: Place = Place::Module("text");
/// How large a compiled expression may be, in bytes.
const REGEX_BYTES_MAX: usize = 256 * 1024;
/// How many compiled expressions are remembered: compiling one takes longer than most rules.
const REGEX_RECENT_MAX: usize = 8;

thread_local! {
    /// The expressions that were used last, the latest at the end.
    static RECENT: RefCell<VecDeque<(String, Regex)>> = const { RefCell::new(VecDeque::new()) };
}

pub(super) fn register(registry: &mut Registry) {
    register_expressions(registry);
    register_shapes(registry);
}

fn expression(pattern: &str) -> Fallible<Regex> {
    RECENT.with_borrow_mut(|recent| {
        let found = recent.iter().position(|(text, _)| text == pattern);
        let (text, regex) = match found.and_then(|index| recent.remove(index)) {
            Some(known) => known,
            None => (pattern.to_owned(), compile(pattern)?),
        };
        if recent.len() == REGEX_RECENT_MAX {
            recent.pop_front();
        }
        recent.push_back((text, regex.clone()));
        Ok(regex)
    })
}

fn compile(pattern: &str) -> Fallible<Regex> {
    RegexBuilder::new(pattern)
        .size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|e| error(format!("`{pattern}` is no regular expression: {e}")))
}

fn register_expressions(registry: &mut Registry) {
    registry.add(
        FunctionDoc {
            place: TEXT,
            signature: "matches(text, pattern)",
            about: "Whether the regular expression is found anywhere in the text.",
            example: "if !text::matches(\"PROMO_0042.mxf\", `^PROMO_\\d+`) { fail(\"no promo\"); }",
        },
        |text: &str, pattern: &str| -> Fallible<bool> { Ok(expression(pattern)?.is_match(text)) },
    );
    registry.add(
        FunctionDoc {
            place: TEXT,
            signature: "capture(text, pattern)",
            about: "The groups of the first match as a list, the whole match first, `()` for a group that took no part; \
                    `()` when nothing matches.",
            example: "let parts = text::capture(\"news_2026_0042\", `(\\w+)_(\\d{4})_(\\d+)`);\n\
                      if parts[3] != \"0042\" { fail(\"number\"); }",
        },
        |text: &str, pattern: &str| -> Fallible<Dynamic> {
            let Some(groups) = expression(pattern)?.captures(text).map(|groups| {
                groups
                    .iter()
                    .map(|group| group.map_or(Dynamic::UNIT, |group| group.as_str().to_owned().into()))
                    .collect::<Array>()
            }) else {
                return Ok(Dynamic::UNIT);
            };
            Ok(groups.into())
        },
    );
    registry.add(
        FunctionDoc {
            place: TEXT,
            signature: "replace(text, pattern, with)",
            about: "The text with every match replaced; `$1` in `with` is the first group.",
            example: "if text::replace(\"a  b\", ` +`, \" \") != \"a b\" { fail(\"spaces\"); }",
        },
        |context: NativeCallContext<'_>,
         text: &str,
         pattern: &str,
         with: &str|
         -> Fallible<ImmutableString> {
            let expression = expression(pattern)?;
            let (matches, matched) = expression
                .find_iter(text)
                .fold((0_usize, 0), |(count, bytes), found| {
                    (count + 1, bytes + found.len())
                });
            let session = Session::of(&context)?;
            let most = session.limits().string_bytes;
            // Each `$` may repeat what was matched.
            let repeated = with.matches('$').count().saturating_mul(matched);
            let worst = matches.saturating_mul(with.len()).saturating_add(repeated);
            if worst > most.saturating_mul(64) {
                return Err(session.fail(
                    &context,
                    DeadClass::Limit,
                    "the replacement could grow too long",
                    None,
                ));
            }
            Ok(expression.replace_all(text, with).into_owned().into())
        },
    );
}

fn register_shapes(registry: &mut Registry) {
    registry.add(
        FunctionDoc {
            place: TEXT,
            signature: "join(list, between)",
            about: "The texts of a list, one after the other with `between` in between.",
            example: "if text::join([\"a\", \"b\"], \", \") != \"a, b\" { fail(\"join\"); }",
        },
        |context: NativeCallContext<'_>, list: Array, between: &str| -> Fallible<ImmutableString> {
            let session = Session::of(&context)?;
            let mut joined = String::new();
            for (index, item) in list.iter().enumerate() {
                let item = item
                    .as_immutable_string_ref()
                    .map_err(|_| error(format!("element {index} of the list is no text")))?;
                if index > 0 {
                    joined.push_str(between);
                }
                joined.push_str(&item);
                if joined.len() > session.limits().string_bytes {
                    return Err(session.fail(
                        &context,
                        DeadClass::Limit,
                        "the joined text is too long",
                        None,
                    ));
                }
            }
            Ok(joined.into())
        },
    );
    registry.add(
        FunctionDoc {
            place: TEXT,
            signature: "slug(text)",
            about: "Lower case letters and digits with single dashes between words: fit for names and paths.",
            example: "if text::slug(\" Evening News: Part 2 \") != \"evening-news-part-2\" { fail(\"slug\"); }",
        },
        |text: &str| -> ImmutableString { slug(text).into() },
    );
    registry.add(
        FunctionDoc {
            place: TEXT,
            signature: "shorten(text, characters)",
            about: "At most so many characters; a longer text ends in `…`.",
            example: "if text::shorten(\"Evening News\", 8) != \"Evening…\" { fail(\"shorten\"); }",
        },
        |text: &str, characters: i64| -> ImmutableString {
            let most = usize::try_from(characters).unwrap_or(0);
            if text.chars().count() <= most {
                return text.into();
            }
            let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
            short.push('…');
            short.into()
        },
    );
}

fn slug(text: &str) -> String {
    let mut slug = String::new();
    for letter in text.chars().flat_map(char::to_lowercase) {
        if letter.is_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_expressions_than_are_remembered_each_mean_what_they_say() {
        for _ in 0..2 {
            for number in 0..=REGEX_RECENT_MAX {
                let regex = expression(&format!("^{number}$")).unwrap();
                assert!(regex.is_match(&number.to_string()) && !regex.is_match("x"));
            }
        }
        assert!(expression("(").is_err());
        RECENT.with_borrow(|recent| assert_eq!(recent.len(), REGEX_RECENT_MAX));
    }
}
