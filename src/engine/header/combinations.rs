//! Combinations of keys and functions that contradict each other: each would do less than it says.

use rhai::Position as At;

use super::Reader;
use super::values::Wrong;
use crate::model::{Concurrency, RuleHeader, RuleId, RunAs};

/// The scope that making a job needs.
const JOBS_WRITE: &str = "jobs:write";

/// Everything that is impossible about a header whose keys are good by themselves.
pub(super) fn impossible(reader: &Reader<'_>) -> Vec<Wrong> {
    let header = &reader.parsed.header;
    let mut found = Vec::new();
    let mut find = |at: At, message: &str, hint: &str| {
        found.push((at, message.to_owned(), Some(hint.to_owned())));
    };
    if header.on.is_empty() && header.button.is_none() && header.schedule.is_none() {
        find(
            reader.at,
            "nothing wakes this rule: it has neither `on` nor `button` nor `schedule`",
            "add `on: [\"assets/metadata/update\"]`, `button: #{ title: \"…\", contexts: [\"ASSET\"] }` or \
             `schedule: #{ cron: \"0 6 * * *\" }`",
        );
    }
    if header_id_is_odd(&header.rule) {
        let message = "an id has letters, digits, `-`, `_`, `.` and `/` only";
        find(
            reader.key("id"),
            message,
            "choose another `id`, or rename the file",
        );
    }
    if header.echoes && header.on.is_empty() {
        find(
            reader.key("echoes"),
            "`echoes` is about events of `on`, and the rule has none",
            "take it out: neither a button nor a schedule is an echo",
        );
    }
    if header.run_as == RunAs::User
        && (header.button.is_none() || !header.on.is_empty() || header.schedule.is_some())
    {
        find(
            reader.key("run_as"),
            "`run_as: \"user\"` is for rules that a button alone wakes: nobody has pressed anything for `on` or `schedule`",
            "make two rules of it, and put what they share into a file below lib/",
        );
    }
    if header.timeout > header.expires {
        find(
            reader.key("timeout"),
            "`timeout` is longer than `expires`, so it would never end a run",
            "make it shorter, or `expires` longer",
        );
    }
    let own_key = header
        .has_lane
        .then(|| about_lane_function(reader))
        .flatten();
    let calm = header.debounce.and_then(|_| about_debounce(header));
    let job = header
        .progress
        .as_ref()
        .and_then(|_| about_progress(header));
    for (at, message, hint) in about_each(reader)
        .into_iter()
        .chain(own_key)
        .chain(calm.map(|(message, hint)| (reader.key("debounce"), message, hint)))
        .chain(job.map(|(message, hint)| (reader.key("progress"), message, hint)))
    {
        find(at, message, hint);
    }
    found
}

fn about_each(reader: &Reader<'_>) -> Vec<(At, &'static str, &'static str)> {
    let header = &reader.parsed.header;
    let mut found = Vec::new();
    if header.has_done && !header.has_each {
        found.push((
            reader.source.place_of("done"),
            "`fn done` would never be called: it comes after the objects of `each`, and the rule has no `fn each`",
            "add `fn each(event)`, or do the work at the end of `run`",
        ));
    }
    if reader.bounds_each && !header.has_each {
        found.push((
            reader.key("limits"),
            "`limits.objects` bounds what `each` finds, and the rule has no `fn each`",
            "take it out, or add `fn each(event)`",
        ));
    }
    found
}

fn about_lane_function(reader: &Reader<'_>) -> Option<(At, &'static str, &'static str)> {
    if let Some(at) = reader.keys.get("lane") {
        return Some((
            *at,
            "the header has `lane`, and the rule has `fn lane`: only one of them can give the order key",
            "take the key `lane` out of the header, or the function out of the rule",
        ));
    }
    (reader.parsed.header.concurrency == Concurrency::Parallel).then(|| {
        (
            reader.source.place_of("lane"),
            "`fn lane` would never be called: parallel runs have no lane",
            "take the function out of the rule, or `concurrency: \"parallel\"` out of the header",
        )
    })
}

fn about_progress(header: &RuleHeader) -> Option<(&'static str, &'static str)> {
    let may_write = header.allow.iter().any(|scope| scope == JOBS_WRITE);
    (!may_write).then_some((
        "`progress` keeps a job in Iconik, and the rule may not write jobs",
        "add \"jobs:write\" to `allow`",
    ))
}

fn about_debounce(header: &RuleHeader) -> Option<(&'static str, &'static str)> {
    match header.concurrency {
        Concurrency::Parallel => Some((
            "`debounce` waits for a lane to calm down, and parallel runs have no lane",
            "take one of the two out",
        )),
        Concurrency::Single => Some((
            "`debounce` keeps the newest event of a lane, and `concurrency: \"single\"` drops it",
            "take one of the two out, or write `concurrency: \"latest\"`",
        )),
        Concurrency::Queued | Concurrency::Latest => header.schedule.is_some().then_some((
            "`debounce` waits until no further event comes, and a `schedule` has its time",
            "make two rules of it, and put what they share into a file below lib/",
        )),
    }
}

fn header_id_is_odd(rule: &RuleId) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '.');
    rule.as_str().is_empty() || rule.as_str().len() > 200 || !rule.as_str().chars().all(plain)
}
