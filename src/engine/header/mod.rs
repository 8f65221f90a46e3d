//! The header of a rule: every key checked, every wrong one named with its place and a suggestion.

mod keys;

use rhai::Position as At;

use super::bindings::nearest;
use super::literal::{Constant, Literal};
use super::source::Source;
use crate::model::{Diagnostic, RuleHeader, RuleId, RuleVersion};
use keys::{
    Wrong, boolean, button, concurrency, duration, lane, limits, list, only, pattern, retry, scope,
    text, wrong,
};

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
    let has = |wanted: &str| source.functions.iter().any(|(name, _)| name == wanted);
    RuleHeader {
        has_when: has("when"),
        has_lane: has("lane"),
        has_each: has("each"),
        has_done: has("done"),
        about: source.about.clone(),
        ..RuleHeader::new(
            RuleId(source.path.trim_end_matches(".rhai").to_owned()),
            RuleVersion(String::new()),
            source.path.clone(),
        )
    }
}

struct Reader<'a> {
    source: &'a Source,
    findings: Vec<Diagnostic>,
    parsed: Parsed,
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
        // What is wrong with a key may be the very reason that nothing wakes the rule.
        if self.findings.is_empty() && header.on.is_empty() && header.button.is_none() {
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
