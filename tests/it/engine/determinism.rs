//! What makes a run the same again: divergence is told, time never goes back, caught mistakes are kept.

use cuegate::engine::Outcome;
use cuegate::model::{DeadClass, LogLevel};
use serde_json::json;

use super::{advance, answered, drive, failure, rule_of};

fn logged(body: &str) -> Vec<(LogLevel, String)> {
    let rule = rule_of(body);
    let lines = advance(&rule, Vec::new()).logs.into_iter();
    lines.map(|line| (line.level, line.text)).collect()
}

#[test]
fn a_divergence_shows_both_effects_or_the_first_difference_between_them() {
    let diverged = |before: &str, now: &str| {
        let (before, now) = (
            rule_of(&format!("fn run(event) {{ {before} }}")),
            rule_of(&format!("fn run(event) {{ {now} }}")),
        );
        let first = advance(&before, Vec::new()).outcome;
        let step = answered(0, &first, 200, json!({ "id": "a1" }));
        match advance(&now, vec![step]).outcome {
            Outcome::Failed(failed) => failed,
            other => panic!("it did not notice: {other:?}"),
        }
    };
    for (before, now, parts) in [
        (
            "iconik::asset(\"a1\");",
            "sleep(\"1h\");",
            [
                "`GET assets/v1/assets/a1/`",
                "a sleep until 2026-03-01T13:00:01Z",
            ],
        ),
        (
            "iconik::patch(\"assets/v1/assets/a1/\", #{ title: \"A\", tags: [1, 2] });",
            "iconik::patch(\"assets/v1/assets/a1/\", #{ title: \"A\", tags: [1, 3] });",
            ["another `body.tags.1`", "it was 2 and is 3 now"],
        ),
        (
            "state::set(\"k\", 1);",
            "state::set(\"k\", 1, \"1d\");",
            ["another `access.expires_at`", "it was null"],
        ),
        (
            "sleep(\"1h\");",
            "sleep(\"2h\");",
            ["13:00:01Z", "14:00:01Z"],
        ),
    ] {
        let failed = diverged(before, now);
        assert_eq!(failed.class, DeadClass::Diverged);
        for part in parts {
            assert!(failed.message.contains(part), "{failed}");
        }
        assert!(failed.position.is_some(), "{failed}");
    }
}

#[test]
fn time_never_goes_backwards_even_if_an_answer_says_so() {
    let rule = rule_of(
        "fn run(event) { let a = time::now(); iconik::asset(\"a1\"); if time::now() < a { fail(\"back\"); } skip(`${time::now()}`); }",
    );
    let first = advance(&rule, Vec::new()).outcome;
    let mut step = answered(0, &first, 200, json!({ "id": "a1" }));
    step.answer.at = super::at("2026-03-01T11:00:00Z");
    let outcome = advance(&rule, vec![step]).outcome;
    assert_eq!(
        outcome,
        Outcome::Skipped("2026-03-01T12:00:01.000000+00:00".to_owned())
    );
}

#[test]
fn a_mistake_that_the_rules_own_catch_swallows_is_kept_as_a_warning() {
    for (mistake, wanted) in [
        ("let x = 1; x.unknown_thing;", "unknown_thing"),
        ("let a = [1]; a[7];", "rray"),
        ("1 / 0;", "ivision"),
        ("if () > 5 { }", "cannot be compared with a missing value"),
        ("iconik::asset(());", "the id of the asset is missing"),
        ("event.assetid;", "did you mean `event.asset_id`?"),
    ] {
        for catch in [
            "catch { }",
            "catch (e) { }",
            "catch (e) { try { throw 1; } catch (e) { } }",
        ] {
            let lines = logged(&format!("fn run(event) {{ try {{ {mistake} }} {catch} }}"));
            assert_eq!(lines.len(), 1, "{mistake} {catch}: {lines:?}");
            let (level, text) = &lines[0];
            assert_eq!(*level, LogLevel::Warn);
            assert!(
                text.starts_with("an error was caught: ") && text.contains(wanted),
                "{text}"
            );
        }
    }
}

#[test]
fn what_a_rule_throws_itself_and_a_refused_call_are_nothing_to_warn_about() {
    for thrown in [
        "throw \"mine\";",
        "throw #{ error: \"mine\", message: \"m\" };",
        "throw 7;",
    ] {
        let lines = logged(&format!(
            "fn run(event) {{ try {{ {thrown} }} catch (e) {{ }} }}"
        ));
        assert_eq!(lines, [], "{thrown}");
    }
    let rule = rule_of(
        "fn run(event) { try { iconik::asset(\"a1\"); } catch (e) { } iconik::asset(\"b2\"); }",
    );
    let first = advance(&rule, Vec::new()).outcome;
    let refused = answered(0, &first, 404, json!({ "errors": ["gone"] }));
    assert_eq!(advance(&rule, vec![refused]).logs, []);
}

#[test]
fn a_swallowed_mistake_is_told_once_however_often_the_run_is_gone_through() {
    let rule = rule_of(
        "fn run(event) { try { 1 / 0 } catch { } iconik::asset(\"a1\"); try { 2 / 0 } catch { } iconik::asset(\"a1\"); }",
    );
    let (journal, _) = drive(&rule, |_| (200, json!({ "id": "a1" })));
    let told: Vec<usize> = (0..=2)
        .map(|steps| advance(&rule, journal[..steps].to_vec()).logs.len())
        .collect();
    assert_eq!(told, [1, 1, 0]);
    let many = logged("fn run(event) { for i in 0..500 { try { 1 / 0 } catch { } } }");
    assert_eq!(many.len(), 20, "a loop of mistakes does not fill the log");
}

#[test]
fn places_behind_a_catch_are_told_as_they_were_written() {
    let place = |body: &str| failure(body).position.map(|at| at.column);
    // The rule stands behind `fn run(event) { `.
    let start = u32::try_from("fn run(event) { ".len()).unwrap() + 1;
    for (body, at) in [
        ("try { 1 } catch (e) { 2 } fail(\"x\");", "fail"),
        ("try { 1 } catch { 2 } fail(\"x\");", "fail"),
        ("try { 1 / 0 } catch { fail(\"x\") }", "fail"),
        ("try { 1 / 0 } catch (e) { fail(\"x\") }", "fail"),
        (
            "try { 1 } catch { } try { 1 / 0 } catch (e) { fail(\"x\"); }",
            "fail",
        ),
        (
            "let t = \"catch {\"; try { 1 } catch { } fail(\"x\");",
            "fail",
        ),
    ] {
        let wanted = start + u32::try_from(body.find(at).unwrap()).unwrap();
        assert_eq!(place(body), Some(wanted), "{body}");
    }
    let failed = failure("try { 1 } catch { } let x = \"5\" > 4;");
    let wanted = start + u32::try_from("try { 1 } catch { } let x = \"5\" ".len()).unwrap();
    assert_eq!(
        failed.position.map(|at| at.column),
        Some(wanted),
        "{failed}"
    );
}

#[test]
fn the_watch_over_catch_blocks_is_no_function_of_the_rule() {
    let shown =
        super::finding("rule(#{ on: [\"assets/*/*\"] });\nfn __caught(e) { }\nfn run(event) { }");
    assert!(shown.contains("name of a built-in function"), "{shown}");
    let shown = super::finding("rule(#{ on: [\"assets/*/*\"] });\nfn run(event) { __caught(1); }");
    assert!(shown.contains("there is no function `__caught`"), "{shown}");
}
