//! What a rule is woken by and what it may do: patterns of events, scopes.

use rhai::Position as At;

use super::super::bindings::nearest;
use super::super::literal::Literal;
use super::super::source::can_be_written;
use super::values::{Wrong, text};
use crate::model::Pattern;
use crate::operations;

/// What comes before the name of a target in a scope.
pub(in super::super) const EGRESS: &str = "egress:";

/// `"assets/metadata/update"`, `"*/*/create"`, `"source:type"`.
pub(super) fn pattern(value: &Literal) -> Result<Pattern, Wrong> {
    parse_pattern(text(value, "on")?).map_err(|(message, hint)| (value.at, message, Some(hint)))
}

/// Reads a pattern of events; what is wrong and what to write instead otherwise.
pub(in super::super) fn parse_pattern(given: &str) -> Result<Pattern, (String, String)> {
    let (source, subject) = given.split_once(':').unwrap_or(("iconik", given));
    let parts: Vec<String> = subject.split('/').map(ToOwned::to_owned).collect();
    let odd = parts
        .iter()
        .any(|part| part.is_empty() || (part.contains('*') && part != "*"));
    let webhook = source == "iconik" || parts.len() == 3;
    // A foreign type may hold slashes, and `*` stands for a whole one.
    let starred = !webhook && parts.len() > 1 && parts.iter().any(|part| part == "*");
    if source.is_empty() || odd || starred || (webhook && parts.len() != 3) {
        let hint = "write event_type/realm/operation, each a word or `*`, for example \"assets/metadata/update\"; \
                    \"source:type\" for another sender";
        let message = format!("`{given}` is no pattern of events");
        return Err((message, hint.to_owned()));
    }
    if source == "iconik" && subject.chars().any(char::is_uppercase) {
        let message = format!("`{given}` would match nothing: Iconik's events are in lower case");
        return Err((message, format!("write \"{}\"", given.to_lowercase())));
    }
    Ok(Pattern {
        source: source.to_owned(),
        parts,
    })
}

pub(super) fn scope(value: &Literal) -> Result<String, Wrong> {
    let given = text(value, "allow")?;
    if operations::scopes().any(|known| known == given) {
        return Ok(given.to_owned());
    }
    if let Some(target) = given.strip_prefix(EGRESS) {
        return egress(value.at, given, target);
    }
    let hint = nearest(given, operations::scopes()).map_or_else(
        || {
            let all = operations::scopes().collect::<Vec<_>>().join(", ");
            format!("there are {all}, and \"egress:NAME\" for a target of the configuration")
        },
        |near| format!("did you mean \"{near}\"?"),
    );
    Err((
        value.at,
        format!("there is no scope \"{given}\""),
        Some(hint),
    ))
}

fn egress(at: At, given: &str, target: &str) -> Result<String, Wrong> {
    if can_be_written(target) {
        return Ok(given.to_owned());
    }
    let hint = "give the target in the configuration a name of letters, digits and `_` that is no word of Rhai";
    Err((
        at,
        format!("`egress::{target}` cannot be written in a rule, so \"{given}\" allows nothing"),
        Some(hint.to_owned()),
    ))
}
