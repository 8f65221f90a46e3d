//! `${NAME}` in a string of the file is the environment.
//!
//! There is no `${NAME:-default}` on purpose: a default belongs where the variable is set, and a variable
//! that somebody forgot must be an error, not an empty password.

use std::collections::BTreeMap;

/// The environment, handed in so that nothing here reads the process's own.
pub(super) type Environment = BTreeMap<String, String>;

/// What is wrong with a `${…}`, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) hint: String,
}

/// Replaces every `${NAME}`; `$${` stands for `${` itself. Any other `$` is a plain character.
///
/// # Errors
///
/// The first variable that is not set, or a `${` that is no variable.
pub(super) fn expand(text: &str, environment: &Environment) -> Result<String, Wrong> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            expanded.push_str(&rest[..at - 1]);
            expanded.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        expanded.push_str(&rest[..at]);
        let after = &rest[at + 2..];
        let Some(name) = after
            .find('}')
            .map(|end| &after[..end])
            .filter(|n| is_name(n))
        else {
            return Err(Wrong {
                message: "`${` begins a variable, but no name and `}` follow".to_owned(),
                hint: "write `${NAME}` for an environment variable, or `$${` for the characters themselves"
                    .to_owned(),
            });
        };
        let Some(value) = environment.get(name) else {
            return Err(Wrong {
                message: format!("the environment variable `{name}` is not set"),
                hint: format!("set {name}, or write `$${{{name}}}` for the characters themselves"),
            });
        };
        expanded.push_str(value);
        rest = &after[name.len() + 1..];
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// Writes text so that [`expand`] gives it back.
pub(super) fn escape(text: &str) -> String {
    text.replace("${", "$${")
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn environment() -> Environment {
        BTreeMap::from([
            ("A".to_owned(), "1".to_owned()),
            ("B_2".to_owned(), "${A}".to_owned()),
        ])
    }

    #[test]
    fn variables_are_replaced_once_and_doubled_dollars_stay() {
        for (text, expected) in [
            ("", ""),
            ("plain $ and $A", "plain $ and $A"),
            ("${A}", "1"),
            ("x${A}y${A}", "x1y1"),
            ("${B_2}", "${A}"),
            ("$${A}", "${A}"),
            ("$$${A}", "$${A}"),
            ("ü${A}ü", "ü1ü"),
        ] {
            assert_eq!(
                expand(text, &environment()).as_deref(),
                Ok(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn an_unset_variable_and_a_broken_one_are_refused() {
        for wrong in [
            "${MISSING}",
            "${",
            "${}",
            "${A",
            "${A:-1}",
            "${1}",
            "${a b}",
        ] {
            assert!(expand(wrong, &environment()).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[${}A a$]{0,24}") {
            let _ = expand(&text, &environment());
        }

        #[test]
        fn escaped_text_expands_to_itself(text in "[${}Aa ü]{0,24}") {
            prop_assert_eq!(expand(&escape(&text), &environment()), Ok(text));
        }
    }
}
