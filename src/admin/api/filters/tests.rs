//! Filters as people write them: each word means something or is refused with what was meant.

use proptest::prelude::*;

use super::*;
use crate::admin::api::asked::understood;

fn now() -> Timestamp {
    "2026-03-10T12:00:00Z".parse().unwrap()
}

fn runs(pairs: &[(&str, &str)]) -> Result<RunFilter, String> {
    let pairs = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let asked: Result<RunsPage, Refusal> = understood(pairs);
    asked
        .and_then(|asked| asked.filter(now()))
        .map_err(Refusal::into_error)
}

fn events(pairs: &[(&str, &str)]) -> Result<EventFilter, String> {
    let pairs = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let asked: Result<EventsPage, Refusal> = understood(pairs);
    asked
        .and_then(|asked| asked.filter(now()))
        .map_err(Refusal::into_error)
}

#[test]
fn every_part_of_a_filter_arrives() {
    let filter = runs(&[
        ("state", "dead, parked"),
        ("rule", "news/tag"),
        ("class", "limit"),
        ("event", "00112233445566778899aabbccddeeff"),
        ("object", "A"),
        ("parent", "7"),
        ("since", "24h"),
        ("until", "2026-03-10"),
        ("before", "99"),
        ("limit", "500"),
    ]);
    let expected = RunFilter {
        states: vec![RunState::Dead, RunState::Parked],
        rule: Some(RuleId::from("news/tag")),
        class: Some("limit".to_owned()),
        event: Some("00112233445566778899aabbccddeeff".parse().unwrap()),
        object: Some("A".to_owned()),
        parent: Some(RunId(7)),
        since: Some("2026-03-09T12:00:00Z".parse().unwrap()),
        until: Some("2026-03-10T00:00:00Z".parse().unwrap()),
        dead_letters: false,
        before: Some(RunId(99)),
        limit: 500,
    };
    assert_eq!(filter.unwrap(), expected);
    assert_eq!(runs(&[]).unwrap().limit, 50);

    let filter = events(&[
        ("state", "held"),
        ("source", "iconik"),
        ("subject", "assets/entity/create"),
        ("object", "A"),
        ("since", "2026-03-01T08:00:00+02:00"),
        ("id", "ABCDEF"),
        ("before", "00112233445566778899aabbccddeeff"),
    ])
    .unwrap();
    assert_eq!(filter.states, [EventState::Held]);
    assert_eq!(filter.source, Some(SourceName::from("iconik")));
    assert_eq!(filter.since, Some("2026-03-01T06:00:00Z".parse().unwrap()));
    assert_eq!(filter.id.as_deref(), Some("abcdef"));
    assert!(filter.before.is_some());
}

#[test]
fn what_means_nothing_is_refused_with_what_was_meant() {
    for (name, value, expected) in [
        (
            "stat",
            "dead",
            "there is no parameter `stat`; did you mean `state`?",
        ),
        (
            "zzz",
            "1",
            "there is no parameter `zzz`; there are state, rule,",
        ),
        (
            "state",
            "ded",
            "there is no state `ded`; did you mean `dead`?",
        ),
        ("state", "dead,", "there is no state ``"),
        ("state", "DEAD", "did you mean `dead`?"),
        ("state", "routed", "there is no state `routed`"),
        (
            "class",
            "api-error",
            "there is no class `api-error`; did you mean `api_error`?",
        ),
        ("event", "12", "`12` is no event id"),
        ("parent", "seven", "parent: `seven` is no run"),
        ("since", "yesterday", "since: `yesterday` is no time"),
        ("since", "2026-13-01", "since: `2026-13-01` is no time"),
        (
            "until",
            "2026-03-01 12:00",
            "until: `2026-03-01 12:00` is no time",
        ),
        ("before", "x", "before: `x` is no run"),
        (
            "limit",
            "0",
            "limit: `0` is no length of a page; give a number from 1 to 500",
        ),
        ("limit", "501", "limit: `501`"),
        ("limit", "-1", "limit: `-1`"),
        ("rule", "", "the parameter `rule` is empty"),
    ] {
        let error = runs(&[(name, value)]).expect_err(value);
        assert!(error.contains(expected), "{name}={value}: {error}");
    }
    let twice = runs(&[("rule", "a"), ("rule", "b")]).unwrap_err();
    assert!(twice.contains("given twice"), "{twice}");
    for (id, expected) in [
        ("abcde", "the first 6 or more"),
        ("abcdeg", "begins no event id"),
        ("00112233445566778899aabbccddeeff0", "begins no event id"),
    ] {
        let error = events(&[("id", id)]).expect_err(id);
        assert!(error.contains(expected), "{id}: {error}");
    }
    let error = events(&[("state", "dead")]).unwrap_err();
    assert!(error.contains("there is no state `dead`"), "{error}");
}

proptest! {
    #[test]
    fn no_text_makes_a_filter_fail_in_another_way(name in "[a-z]{0,8}", value in ".{0,40}") {
        // Neither a panic nor a filter that means more than was said.
        for known in [name.as_str(), "state", "since", "until", "limit", "before", "parent", "event", "class", "id"] {
            if let Ok(filter) = runs(&[(known, &value)]) {
                prop_assert!(filter != runs(&[]).unwrap(), "{known}={value} was ignored");
            }
            if let Ok(filter) = events(&[(known, &value)]) {
                prop_assert!(filter != events(&[]).unwrap(), "{known}={value} was ignored");
            }
        }
    }

    #[test]
    fn any_choice_of_states_is_read_back(chosen in prop::sample::subsequence(RunState::ALL.to_vec(), 1..9)) {
        let text: Vec<&str> = chosen.iter().map(|state| state.as_str()).collect();
        prop_assert_eq!(runs(&[("state", &text.join(","))]).unwrap().states, chosen);
    }
}
