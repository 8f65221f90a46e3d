//! The modules that only compute: `list`, `json`, `hash`. What they refuse, and that they may be used everywhere.

use cuegate::engine::{Outcome, When};
use cuegate::model::DeadClass;

use super::{failure, metadata_event, rule_of, run};

#[test]
fn a_list_is_sorted_by_keys_of_one_kind_or_not_at_all() {
    for (script, wanted) in [
        (
            "list::sort_by([#{ n: 1 }, #{ n: \"a\" }], \"n\")",
            "these keys are: number, text",
        ),
        (
            "list::sort_by([#{ n: 1 }, #{}], \"n\")",
            "element 1 of the list has no key to sort by",
        ),
        (
            "list::sort_by([1, 2], \"n\")",
            "write the key as a function",
        ),
        ("list::sort_by([0.0 / 0.0, 1], |n| n)", "has no order"),
        ("list::largest([1, \"a\"])", "these keys are: number, text"),
        (
            "list::sum([1, \"2\"])",
            "element 1 of the list is no number but a text",
        ),
        (
            "list::group_by([#{}], \"kind\")",
            "this key is a missing value",
        ),
        ("list::chunks([1], 0)", "at least 1"),
    ] {
        let failed = failure(script);
        assert!(failed.message.contains(wanted), "{script}: {failed}");
    }
}

#[test]
fn equal_keys_keep_their_order_and_numbers_are_compared_as_numbers() {
    let script = "
        let rows = [#{ n: 2, at: \"a\" }, #{ n: 1.5, at: \"b\" }, #{ n: 2, at: \"c\" }, #{ n: 10, at: \"d\" }];
        let up = text::join(list::sort_by(rows, \"n\").map(|row| row.at), \"\");
        let down = text::join(list::sort_down_by(rows, \"n\").map(|row| row.at), \"\");
        skip(up + \" \" + down);
    ";
    assert_eq!(run(script), Outcome::Skipped("bacd dacb".to_owned()));
}

#[test]
fn whole_and_decimal_numbers_that_are_equal_are_the_same_element() {
    let script =
        "skip(json::stringify([list::unique([1, 1.0, \"1\"]), list::without([1, 2], [2.0])]));";
    assert_eq!(run(script), Outcome::Skipped("[[1,\"1\"],[1]]".to_owned()));
}

#[test]
fn a_function_that_asks_for_a_call_ends_the_advance_and_sorts_nothing() {
    let outcome = run("list::sort_by([\"a1\"], |id| iconik::asset(id).title); skip(\"no\");");
    assert!(matches!(outcome, Outcome::Effect(_)), "{outcome:?}");
}

#[test]
fn what_would_grow_too_large_ends_the_rule() {
    let many = "let a = []; for i in 0..1_500 { a.push(i); }";
    for script in [
        format!("{many} list::flatten([a, a]);"),
        format!("{many} let b = []; for i in 0..3 {{ b.push(a); }} json::stringify(b);"),
        "let t = \"\"; for i in 0..9_000 { t += \"a\"; } hash::hex(t);".to_owned(),
    ] {
        let failed = failure(&script);
        assert_eq!(failed.class, DeadClass::Limit, "{script}: {failed}");
    }
}

#[test]
fn what_is_no_json_and_no_base64_says_so() {
    for (script, wanted) in [
        ("json::parse(\"{\")", "this is no JSON"),
        (
            "let t = \"\"; for i in 0..40 { t += \"[\"; } for i in 0..40 { t += \"]\"; } json::parse(t)",
            "nested deeper",
        ),
        (
            "json::parse(\"[[[\" + text::slug(\"a\"))",
            "this is no JSON",
        ),
        ("json::at(#{}, \"a\")", "is no JSON pointer"),
        ("hash::from_base64(\"%\")", "this is no base64"),
        ("hash::from_base64(\"/w==\")", "are no text"),
        ("hash::bucket(\"a\", 0)", "at least 1 bucket"),
    ] {
        let failed = failure(script);
        assert!(failed.message.contains(wanted), "{script}: {failed}");
    }
}

#[test]
fn they_may_be_used_before_a_run_begins() {
    let rule = rule_of(
        "fn when(event) { list::first([event.asset_id]) == \"a1\" && json::parse(\"[1]\") == [1] }
         fn lane(event) { hash::short(event.asset_id) }
         fn run(event) { }",
    );
    assert_eq!(rule.when(&metadata_event()), When::Yes);
    let lane = rule.lane(&metadata_event()).expect("a text");
    assert_eq!(lane.len(), 12, "{lane}");
}
