//! Lists that a script gets as a whole: every page is asked for once, in the way of the list, and no more is held than may
//! be held.

use cuegate::engine::Outcome;
use cuegate::model::Call;
use serde_json::{Value, json};

use super::records::steps_of;
use super::{drive, rule_with};

/// Entries of which `of` says how many there are, 100 in a page, by page number or after the last id.
fn paged(call: &Call, of: usize) -> (u16, Value) {
    let begin = match (
        call.query.get("page"),
        call.query.get("last_id"),
        call.query.get("last_field_name"),
    ) {
        (Some(page), _, _) => (page.parse::<usize>().expect("a number") - 1) * 100,
        (None, Some(last), _) | (None, None, Some(last)) => {
            last[1..].parse::<usize>().expect("a number") + 1
        }
        (None, None, None) => 0,
    };
    let end = of.min(begin + 100);
    let entry = |n: usize| json!({ "id": format!("e{n}"), "name": format!("e{n}") });
    let next = (end < of).then_some("/API/next");
    (
        200,
        json!({ "objects": (begin..end).map(entry).collect::<Vec<_>>(), "next_url": next }),
    )
}

fn listed(script: &str, of: usize) -> (Vec<String>, Outcome) {
    let rule = rule_with(&[], script);
    let (journal, outcome) = drive(&rule, |call| match call.path.as_str() {
        "assets/v1/assets/a1/" => (200, json!({ "id": "a1" })),
        _ => paged(call, of),
    });
    let asked = steps_of(&journal)
        .into_iter()
        .filter(|call| call.path != "assets/v1/assets/a1/");
    (
        asked.map(|call| json!(call.query).to_string()).collect(),
        outcome,
    )
}

#[test]
fn every_page_is_asked_for_once_in_the_way_of_the_list() {
    let by_page = |page: usize| format!("{{\"page\":\"{page}\",\"per_page\":\"100\"}}");
    let after = |key: &str, last: usize| format!("{{\"{key}\":\"e{last}\",\"per_page\":\"100\"}}");
    let first = "{\"per_page\":\"100\"}".to_owned();
    for (script, wanted) in [
        (
            "iconik::storages(#{})",
            vec![by_page(1), by_page(2), by_page(3)],
        ),
        (
            "iconik::asset(\"a1\").formats()",
            vec![first.clone(), after("last_id", 99), after("last_id", 199)],
        ),
        (
            "iconik::fields()",
            vec![
                first,
                after("last_field_name", 99),
                after("last_field_name", 199),
            ],
        ),
        // No document says that this list has pages; if it has, they are read.
        (
            "iconik::relation_types()",
            vec![
                "{}".to_owned(),
                "{\"page\":\"2\"}".to_owned(),
                "{\"page\":\"3\"}".to_owned(),
            ],
        ),
    ] {
        let (asked, outcome) = listed(&format!("skip(`${{{script}.len()}}`);"), 250);
        assert_eq!(
            outcome,
            Outcome::Skipped("250".to_owned()),
            "{script}: {asked:?}"
        );
        assert_eq!(asked, wanted, "{script}");
    }
}

#[test]
fn a_list_that_is_exactly_as_long_as_a_list_may_be_is_held_and_a_longer_one_is_not() {
    let (asked, outcome) = listed("skip(`${iconik::storages(#{}).len()}`);", 2_000);
    assert_eq!(outcome, Outcome::Skipped("2000".to_owned()));
    assert_eq!(asked.len(), 20);
    let (asked, outcome) = listed("iconik::storages(#{});", 2_001);
    let Outcome::Failed(failed) = outcome else {
        panic!("it ended as {outcome:?}")
    };
    assert!(
        failed.message.contains("more than 2000 storages"),
        "{failed}"
    );
    assert_eq!(asked.len(), 20);
}

#[test]
fn a_list_that_goes_on_without_end_and_without_entries_ends() {
    let rule = rule_with(&[], "skip(`${iconik::storages(#{}).len()}`);");
    let (journal, outcome) = drive(&rule, |_| {
        (200, json!({ "objects": [], "next_url": "/API/next" }))
    });
    assert_eq!(outcome, Outcome::Skipped("0".to_owned()));
    assert_eq!(journal.len(), 1);
}
