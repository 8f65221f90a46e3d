//! The header of a rule: every key checked, every wrong one named with its place and a suggestion.

use std::time::Duration;

use rhai::Position as At;

use super::bindings::nearest;
use super::literal::{Constant, Literal};
use super::source::Source;
use crate::model::{
    Button, Concurrency, Diagnostic, Lane, Limits, Pattern, Retry, RuleHeader, RuleId, RuleVersion,
    Uncertain, parse_duration,
};
use crate::operations;

const KEYS: [&str; 20] = [
    "on",
    "button",
    "schedule",
    "allow",
    "run_as",
    "mode",
    "lane",
    "concurrency",
    "debounce",
    "retry",
    "timeout",
    "expires",
    "limits",
    "progress",
    "echoes",
    "priority",
    "enabled",
    "owner",
    "id",
    "api",
];
const BUTTON_CONTEXTS: [&str; 10] = [
    "ASSET",
    "ASSET_SUBCLIP",
    "SHARED_ASSET",
    "COLLECTION",
    "SHARED_COLLECTION",
    "BULK",
    "SAVED_SEARCH",
    "NONE",
    "PLAYLIST",
    "SHARED_PLAYLIST",
];
const EXPIRES: Duration = Duration::from_secs(30 * 86_400);

/// A header and whether the rule is switched on.
pub(super) struct Parsed {
    pub(super) header: RuleHeader,
    pub(super) enabled: bool,
}

/// Reads the header of a rule file.
pub(super) fn parse(source: &Source) -> Result<Parsed, Vec<Diagnostic>> {
    let Some(literal) = &source.header else {
        let missing = Diagnostic::at(&source.path, &source.text, None, "the file has no `rule(#{…})`, so nothing would ever wake it")
            .with_hint("begin with `rule(#{ on: [\"assets/entity/create\"] });`; files of shared functions belong below lib/");
        return Err(vec![missing]);
    };
    let Constant::Map(fields) = &literal.value else {
        return Err(vec![source.finding(
            literal.at,
            format!("`rule` takes a map, and this is {}", literal.kind()),
        )]);
    };
    let mut reader = Reader {
        source,
        findings: Vec::new(),
        parsed: Parsed {
            header: empty(source),
            enabled: true,
        },
    };
    for (key, at, value) in fields {
        reader.key(key, *at, value);
    }
    reader.combinations(literal.at);
    if reader.findings.is_empty() {
        Ok(reader.parsed)
    } else {
        Err(reader.findings)
    }
}

fn empty(source: &Source) -> RuleHeader {
    RuleHeader {
        rule: RuleId(source.path.trim_end_matches(".rhai").to_owned()),
        version: RuleVersion(String::new()),
        file: source.path.clone(),
        imports: Vec::new(),
        on: Vec::new(),
        button: None,
        allow: Vec::new(),
        lane: Lane::Default,
        concurrency: Concurrency::Queued,
        retry: Retry::default(),
        limits: Limits::default(),
        expires: EXPIRES,
        owner: None,
        has_when: source.functions.iter().any(|(name, _)| name == "when"),
        about: source.about.clone(),
    }
}

struct Reader<'a> {
    source: &'a Source,
    findings: Vec<Diagnostic>,
    parsed: Parsed,
}

type Wrong = (At, String, Option<String>);

fn wrong(at: At, message: impl Into<String>) -> Wrong {
    (at, message.into(), None)
}

impl Reader<'_> {
    fn find(&mut self, (at, message, hint): Wrong) {
        let finding = self.source.finding(at, message);
        self.findings.push(match hint {
            Some(hint) => finding.with_hint(hint),
            None => finding,
        });
    }

    fn key(&mut self, key: &str, at: At, value: &Literal) {
        if let Err(finding) = self.read(key, at, value) {
            self.find(finding);
        }
    }

    fn read(&mut self, key: &str, at: At, value: &Literal) -> Result<(), Wrong> {
        let header = &mut self.parsed.header;
        match key {
            "on" => {
                let patterns = list(value, key)?.iter().map(pattern);
                header.on = patterns.collect::<Result<_, _>>()?;
            }
            "button" => header.button = Some(button(value)?),
            "allow" => {
                let scopes = list(value, key)?.iter().map(scope);
                header.allow = scopes.collect::<Result<_, _>>()?;
            }
            "lane" => header.lane = lane(value)?,
            "concurrency" => header.concurrency = concurrency(value)?,
            "retry" => header.retry = retry(value)?,
            "limits" => header.limits = limits(value)?,
            "expires" => header.expires = duration(value, key)?,
            "owner" => header.owner = Some(text(value, key)?.to_owned()),
            "id" => header.rule = RuleId(text(value, key)?.to_owned()),
            "enabled" => self.parsed.enabled = boolean(value, key)?,
            "run_as" => only(value, key, "service", &["user"])?,
            "api" => match value.value {
                Constant::Int(1) => {}
                _ => return Err(wrong(value.at, "`api` is 1: this version knows no other")),
            },
            "schedule" | "mode" | "debounce" | "timeout" | "progress" | "echoes" | "priority" => {
                return Err(wrong(
                    at,
                    format!("`{key}` is not supported yet by this version"),
                ));
            }
            _ => {
                let hint =
                    nearest(key, KEYS.into_iter()).map(|near| format!("did you mean `{near}`?"));
                return Err((at, format!("a header has no key `{key}`"), hint));
            }
        }
        Ok(())
    }

    fn combinations(&mut self, at: At) {
        let header = &self.parsed.header;
        if header.on.is_empty() && header.button.is_none() {
            let hint = "add `on: [\"assets/metadata/update\"]` or `button: #{ title: \"…\", contexts: [\"ASSET\"] }`";
            self.find((
                at,
                "nothing wakes this rule: it has neither `on` nor `button`".to_owned(),
                Some(hint.to_owned()),
            ));
        }
        if header_id_is_odd(&self.parsed.header.rule) {
            self.find(wrong(
                at,
                "an id has letters, digits, `-`, `_`, `.` and `/` only",
            ));
        }
    }
}

fn header_id_is_odd(rule: &RuleId) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '.');
    rule.as_str().is_empty() || rule.as_str().len() > 200 || !rule.as_str().chars().all(plain)
}

fn text<'a>(value: &'a Literal, key: &str) -> Result<&'a str, Wrong> {
    match &value.value {
        Constant::Text(text) => Ok(text),
        _ => Err(wrong(
            value.at,
            format!("`{key}` takes a text, and this is {}", value.kind()),
        )),
    }
}

fn boolean(value: &Literal, key: &str) -> Result<bool, Wrong> {
    match value.value {
        Constant::Bool(flag) => Ok(flag),
        _ => Err(wrong(
            value.at,
            format!("`{key}` takes true or false, and this is {}", value.kind()),
        )),
    }
}

fn list<'a>(value: &'a Literal, key: &str) -> Result<&'a [Literal], Wrong> {
    match &value.value {
        Constant::List(items) => Ok(items),
        _ => Err(wrong(
            value.at,
            format!("`{key}` takes a list, and this is {}", value.kind()),
        )),
    }
}

fn map<'a>(value: &'a Literal, key: &str) -> Result<&'a [(String, At, Literal)], Wrong> {
    match &value.value {
        Constant::Map(fields) => Ok(fields),
        _ => Err(wrong(
            value.at,
            format!("`{key}` takes a map, and this is {}", value.kind()),
        )),
    }
}

fn duration(value: &Literal, key: &str) -> Result<Duration, Wrong> {
    let length = parse_duration(text(value, key)?).map_err(|message| wrong(value.at, message))?;
    if length.is_zero() {
        return Err(wrong(
            value.at,
            format!("`{key}` must be longer than nothing"),
        ));
    }
    Ok(length)
}

fn count(value: &Literal, key: &str) -> Result<u32, Wrong> {
    match value.value {
        Constant::Int(int) if int > 0 => {
            u32::try_from(int).map_err(|_| wrong(value.at, format!("`{key}` is too large")))
        }
        _ => Err(wrong(
            value.at,
            format!(
                "`{key}` takes a whole number above 0, and this is {}",
                value.kind()
            ),
        )),
    }
}

/// A key with one value that this version carries out, and others that it does not yet.
fn only(value: &Literal, key: &str, supported: &str, later: &[&str]) -> Result<(), Wrong> {
    let given = text(value, key)?;
    if given == supported {
        Ok(())
    } else if later.contains(&given) {
        Err(wrong(
            value.at,
            format!("`{key}: \"{given}\"` is not supported yet by this version"),
        ))
    } else {
        Err(choice(
            value.at,
            key,
            given,
            later.iter().copied().chain([supported]),
        ))
    }
}

fn choice<'a>(
    at: At,
    key: &str,
    given: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Wrong {
    let hint = nearest(given, known.clone()).map(|near| format!("did you mean \"{near}\"?"));
    let all = known
        .map(|k| format!("\"{k}\""))
        .collect::<Vec<_>>()
        .join(", ");
    (
        at,
        format!("`{key}` is one of {all}, not \"{given}\""),
        hint,
    )
}

fn unknown_key<'a>(at: At, place: &str, key: &str, known: impl Iterator<Item = &'a str>) -> Wrong {
    let hint = nearest(key, known).map(|near| format!("did you mean `{near}`?"));
    (at, format!("`{place}` has no key `{key}`"), hint)
}

/// `"assets/metadata/update"`, `"*/*/create"`, `"source:type"`.
fn pattern(value: &Literal) -> Result<Pattern, Wrong> {
    let given = text(value, "on")?;
    let (source, subject) = given.split_once(':').unwrap_or(("iconik", given));
    let parts: Vec<String> = subject.split('/').map(ToOwned::to_owned).collect();
    let odd = parts
        .iter()
        .any(|part| part.is_empty() || (part.contains('*') && part != "*"));
    let webhook = source == "iconik" || parts.len() == 3;
    if source.is_empty() || odd || (webhook && parts.len() != 3) || (!webhook && parts.len() != 1) {
        let hint = "write event_type/realm/operation, each a word or `*`, for example \"assets/metadata/update\"; \
                    \"source:type\" for another sender";
        return Err((
            value.at,
            format!("`{given}` is no pattern of events"),
            Some(hint.to_owned()),
        ));
    }
    if source == "iconik" && subject.chars().any(char::is_uppercase) {
        let hint = format!("write \"{}\"", given.to_lowercase());
        return Err((
            value.at,
            format!("`{given}` would match nothing: Iconik's events are in lower case"),
            Some(hint),
        ));
    }
    Ok(Pattern {
        source: source.to_owned(),
        parts,
    })
}

fn scope(value: &Literal) -> Result<String, Wrong> {
    let given = text(value, "allow")?;
    if operations::scopes().any(|known| known == given) {
        return Ok(given.to_owned());
    }
    if given.starts_with("egress:") {
        return Err(wrong(
            value.at,
            "`egress` is not supported yet by this version",
        ));
    }
    let hint = nearest(given, operations::scopes()).map_or_else(
        || {
            format!(
                "there are {}",
                operations::scopes().collect::<Vec<_>>().join(", ")
            )
        },
        |near| format!("did you mean \"{near}\"?"),
    );
    Err((
        value.at,
        format!("there is no scope \"{given}\""),
        Some(hint),
    ))
}

fn button(value: &Literal) -> Result<Button, Wrong> {
    let mut button = Button {
        title: String::new(),
        contexts: Vec::new(),
    };
    for (key, at, value) in map(value, "button")? {
        match key.as_str() {
            "title" => text(value, key)?.clone_into(&mut button.title),
            "contexts" => {
                for context in list(value, key)? {
                    let given = text(context, key)?;
                    if !BUTTON_CONTEXTS.contains(&given) {
                        return Err(choice(context.at, key, given, BUTTON_CONTEXTS.into_iter()));
                    }
                    button.contexts.push(given.to_owned());
                }
            }
            "form" | "groups" | "redirect" => {
                return Err(wrong(
                    *at,
                    format!("`button.{key}` is not supported yet by this version"),
                ));
            }
            _ => {
                return Err(unknown_key(
                    *at,
                    "button",
                    key,
                    ["title", "contexts", "form", "groups", "redirect"].into_iter(),
                ));
            }
        }
    }
    if button.title.trim().is_empty() || button.contexts.is_empty() {
        return Err(wrong(
            value.at,
            "a button needs a `title` and at least one of `contexts`",
        ));
    }
    Ok(button)
}

fn lane(value: &Literal) -> Result<Lane, Wrong> {
    let known = [
        ("asset", Lane::Asset),
        ("collection", Lane::Collection),
        ("object", Lane::Object),
        ("rule", Lane::Rule),
        ("none", Lane::None),
    ];
    let given = text(value, "lane")?;
    let found = known
        .iter()
        .find(|(name, _)| *name == given)
        .map(|(_, lane)| *lane);
    found.ok_or_else(|| choice(value.at, "lane", given, known.iter().map(|(name, _)| *name)))
}

fn concurrency(value: &Literal) -> Result<Concurrency, Wrong> {
    match text(value, "concurrency")? {
        "queued" => Ok(Concurrency::Queued),
        "parallel" => Ok(Concurrency::Parallel),
        given @ ("latest" | "single") => Err(wrong(
            value.at,
            format!("`concurrency: \"{given}\"` is not supported yet by this version"),
        )),
        given => Err(choice(
            value.at,
            "concurrency",
            given,
            ["queued", "parallel", "latest", "single"].into_iter(),
        )),
    }
}

fn retry(value: &Literal) -> Result<Retry, Wrong> {
    let mut retry = Retry::default();
    for (key, at, value) in map(value, "retry")? {
        match key.as_str() {
            "min" => retry.min = duration(value, key)?,
            "max" => retry.max = duration(value, key)?,
            "max_age" => retry.max_age = duration(value, key)?,
            "statuses" => {
                retry.statuses = list(value, key)?
                    .iter()
                    .map(status)
                    .collect::<Result<_, _>>()?;
            }
            "uncertain" => {
                retry.uncertain = match text(value, key)? {
                    "park" => Uncertain::Park,
                    "repeat" => Uncertain::Repeat,
                    given => {
                        return Err(choice(value.at, key, given, ["park", "repeat"].into_iter()));
                    }
                };
            }
            _ => {
                return Err(unknown_key(
                    *at,
                    "retry",
                    key,
                    ["min", "max", "max_age", "statuses", "uncertain"].into_iter(),
                ));
            }
        }
    }
    if retry.min > retry.max {
        return Err(wrong(value.at, "`retry.min` is longer than `retry.max`"));
    }
    Ok(retry)
}

fn status(value: &Literal) -> Result<u16, Wrong> {
    match value.value {
        Constant::Int(int @ 400..=499) => Ok(u16::try_from(int).unwrap_or(400)),
        _ => Err(wrong(
            value.at,
            "`retry.statuses` lists statuses from 400 to 499",
        )),
    }
}

fn limits(value: &Literal) -> Result<Limits, Wrong> {
    let mut limits = Limits::default();
    for (key, at, value) in map(value, "limits")? {
        match key.as_str() {
            "calls_per_run" => limits.calls_per_run = count(value, key)?,
            "writes_per_run" => limits.writes_per_run = count(value, key)?,
            "objects" | "writes_per_hour" | "deletes_per_hour" => {
                return Err(wrong(
                    *at,
                    format!("`limits.{key}` is not supported yet by this version"),
                ));
            }
            _ => {
                let known = [
                    "calls_per_run",
                    "writes_per_run",
                    "objects",
                    "writes_per_hour",
                    "deletes_per_hour",
                ];
                return Err(unknown_key(*at, "limits", key, known.into_iter()));
            }
        }
    }
    Ok(limits)
}
