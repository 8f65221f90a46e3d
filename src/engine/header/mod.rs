//! The header of a rule: every key checked, every wrong one named with its place and a suggestion.

mod clock;
mod combinations;
mod keys;
mod subjects;
mod values;

use std::collections::BTreeMap;

use rhai::Position as At;

use super::bindings::nearest;
use super::literal::{Constant, Literal};
use super::source::Source;
use crate::model::{Diagnostic, RuleHeader, RuleId, RuleVersion, RunAs};
use clock::{debounce, schedule};
use keys::{button, concurrency, lane, limits, priority, retry};
use subjects::{pattern, scope};
use values::{Wrong, boolean, duration, list, one_of, text, title, wrong};

pub(super) use subjects::{EGRESS, parse_pattern};

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
        at: literal.at,
        keys: BTreeMap::new(),
        bounds_each: false,
        findings: Vec::new(),
        parsed: Parsed {
            header: empty(source),
            enabled: true,
        },
    };
    for (key, at, value) in fields {
        reader.keys.insert(key, *at);
        if let Err(finding) = reader.read(key, *at, value) {
            reader.find(finding);
        }
    }
    // What is wrong with a key may be the very reason for an odd combination.
    if reader.findings.is_empty() {
        for finding in combinations::impossible(&reader) {
            reader.find(finding);
        }
    }
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
    /// Where the header is.
    at: At,
    /// Where its keys are.
    keys: BTreeMap<&'a str, At>,
    /// Whether `limits` says anything about `each`.
    bounds_each: bool,
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

    /// Where a key of the header is; where the header is, if it does not have it.
    fn key(&self, key: &str) -> At {
        self.keys.get(key).copied().unwrap_or(self.at)
    }

    fn read(&mut self, key: &str, at: At, value: &Literal) -> Result<(), Wrong> {
        let header = &mut self.parsed.header;
        match key {
            "on" => {
                let patterns = list(value, key)?.iter().map(pattern);
                header.on = patterns.collect::<Result<_, _>>()?;
            }
            "button" => header.button = Some(button(value)?),
            "schedule" => header.schedule = Some(schedule(value)?),
            "allow" => {
                let scopes = list(value, key)?.iter().map(scope);
                header.allow = scopes.collect::<Result<_, _>>()?;
            }
            "lane" => header.lane = lane(value)?,
            "concurrency" => header.concurrency = concurrency(value)?,
            "debounce" => header.debounce = Some(debounce(value)?),
            "retry" => header.retry = retry(value)?,
            "limits" => (header.limits, self.bounds_each) = limits(value)?,
            "timeout" => header.timeout = duration(value, key)?,
            "expires" => header.expires = duration(value, key)?,
            "echoes" => header.echoes = boolean(value, key)?,
            "priority" => header.priority = priority(value)?,
            "owner" => header.owner = Some(text(value, key)?.to_owned()),
            "id" => header.rule = RuleId(text(value, key)?.to_owned()),
            "enabled" => self.parsed.enabled = boolean(value, key)?,
            "run_as" => {
                let known = [("service", RunAs::Service), ("user", RunAs::User)];
                header.run_as = one_of(value, key, &known)?;
            }
            "api" => match value.value {
                Constant::Int(1) => {}
                _ => return Err(wrong(value.at, "`api` is 1: this version knows no other")),
            },
            "progress" => header.progress = Some(title(value, key)?),
            "mode" => {
                return Err(wrong(at, "`mode` is not supported yet by this version"));
            }
            _ => {
                let hint =
                    nearest(key, KEYS.into_iter()).map(|near| format!("did you mean `{near}`?"));
                return Err((at, format!("a header has no key `{key}`"), hint));
            }
        }
        Ok(())
    }
}
