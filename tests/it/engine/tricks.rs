//! What a script may try against the engine itself: reach around a name, send what nobody should send, mean
//! another path than the one that was checked.

use cuegate::engine::Outcome;
use cuegate::model::{DeadClass, LogLevel};
use serde_json::json;

use super::{advance, call_of, drive, failure, file, finding, findings, rule_of, run};

#[test]
fn what_is_printed_is_logged_and_bounded_like_the_log() {
    let rule = rule_of("fn run(event) { print(\"one\"); debug(2); print([3]); log::warn(4); }");
    let logged: Vec<_> = advance(&rule, Vec::new())
        .logs
        .into_iter()
        .map(|line| (line.level, line.text))
        .collect();
    assert_eq!(
        logged,
        [
            (LogLevel::Info, "one".to_owned()),
            (LogLevel::Info, "2".to_owned()),
            (LogLevel::Info, "[3]".to_owned()),
            (LogLevel::Warn, "4".to_owned()),
        ]
    );
    for flood in [
        "loop { log::info(\"\"); }",
        "loop { print(\"\"); }",
        "loop { debug(\"\"); }",
    ] {
        let failed = failure(flood);
        assert_eq!(failed.class, DeadClass::Limit, "{flood}");
        assert!(
            failed.message.contains("logged more than 65536 bytes"),
            "{flood}: {failed}"
        );
    }
}

#[test]
fn a_request_that_nobody_should_send_ends_the_rule() {
    let failed = failure(
        "let s = \"x\"; s.pad(16000, 'x'); let body = #{ \"type\": \"CUSTOM\", status: \"READY\", title: \"t\" }; for i in 0..200 { body[`key${i}`] = s; } \
         iconik::post(\"jobs/v1/jobs/\", body);",
    );
    assert_eq!(failed.class, DeadClass::Limit, "{failed}");
    assert!(
        failed.message.contains("a request may have 1048576"),
        "{failed}"
    );
    assert!(
        failed.hint.is_some() && failed.position.is_some(),
        "{failed}"
    );
}

#[test]
fn a_path_means_the_same_at_the_door_and_on_the_way() {
    for path in [
        "assets/v1/assets/./",
        "assets/v1/assets/../",
        "assets/v1/./assets/",
        "API/API/assets/v1/assets/a1/",
        "assets/v1/assets/%2e%2e/",
        "assets/v1/assets/a1/?x=1",
    ] {
        let failed = failure(&format!("let path = \"{path}\"; iconik::delete(path);"));
        assert!(
            failed.message.contains("is no path of the API"),
            "{path}: {failed}"
        );
    }
    let same = run("iconik::delete(\"/API/assets/v1/assets/a1\");");
    assert_eq!(call_of(&same).path, "assets/v1/assets/a1/");
}

#[test]
fn what_is_not_a_number_has_no_order() {
    for wrong in [
        "0.0 / 0.0 > 5",
        "!(5 > 0.0 / 0.0)",
        "(0.0 / 0.0) <= (0.0 / 0.0)",
    ] {
        let failed = failure(&format!("if {wrong} {{ iconik::asset(\"a1\").trash(); }}"));
        assert!(failed.message.contains("has no order"), "{wrong}: {failed}");
    }
}

#[test]
fn an_import_cannot_take_the_name_of_a_built_in_module() {
    let source = "import \"lib/x\" as iconik;\nrule(#{ on: [\"assets/*/*\"] });\nfn run(event) { }";
    let files = [
        file("r.rhai", source),
        file("lib/x.rhai", "fn asset(id) { }"),
    ];
    let shown = findings(&files, &json!({}));
    assert!(
        shown.contains("`iconik` is the name of a built-in module"),
        "{shown}"
    );
    assert!(shown.contains("--> r.rhai:1:"), "{shown}");
}

#[test]
fn the_smallest_number_as_a_constant_is_no_crash() {
    let source = "const LEAST = -9223372036854775808;\nconst TURNED = -LEAST;\nrule(#{ on: [\"assets/*/*\"] });\nfn run(event) { }";
    let shown = finding(source);
    assert!(shown.contains("r.rhai:"), "{shown}");
}

#[test]
fn function_pointers_reach_nothing_that_a_name_does_not() {
    for reach in [
        "Fn(\"eval\").call(\"1\")",
        "call(Fn(\"eval\"), \"1\")",
        "Fn(\"exit\").call()",
        "Fn(\"import\").call(\"lib/x\")",
        "Fn(\"Fn\").call(\"run\")",
        "Fn(\"iconik::delete\").call(\"assets/v1/assets/a1/\")",
        "Fn(\"timestamp\").call()",
        "Fn(\"sleep\").call(1)",
        "Fn(\"rule\").call(#{})",
    ] {
        let failed = failure(reach);
        assert_eq!(failed.class, DeadClass::ScriptError, "{reach}: {failed}");
    }
    let skipped = run("Fn(\"skip\").call(\"by name\"); iconik::asset(\"a1\");");
    assert_eq!(skipped, Outcome::Skipped("by name".to_owned()));
}

#[test]
fn a_replacement_is_measured_by_what_it_makes() {
    assert_eq!(
        run(
            "let t = \"a\"; t.pad(9000, \" a\"); let u = text::replace(t, \" \", \"-\"); if u.len() < 9000 { fail(`${u.len()}`); }"
        ),
        Outcome::Finished
    );
    let failed = failure(
        "let t = \"\"; t.pad(9000, \"a\"); let same = \"$0\"; same.pad(9000, \"$0\"); text::replace(t, \"a+\", same);",
    );
    assert_eq!(failed.class, DeadClass::Limit, "{failed}");
}

#[test]
fn an_error_in_a_function_of_a_module_says_where() {
    for wrong in [
        "iconik::asset(\"no/id\");",
        "text::matches(\"x\", \"(\");",
        "time::parse(\"never\");",
        "iconik::get(`a${\"?\"}b`);",
    ] {
        let failed = failure(&format!("let x = 1;\n{wrong}"));
        let position = failed.position.map(|at| (at.line, at.column));
        let column = u32::try_from(wrong.find("::").unwrap() + 3).unwrap();
        assert_eq!(position, Some((3, column)), "{failed}");
        assert!(
            failed.excerpt.is_some_and(|line| line.starts_with(wrong)),
            "{wrong}"
        );
    }
}

#[test]
fn an_answer_may_hold_more_text_than_one_text_may() {
    let rule = rule_of(
        "fn run(event) { let page = iconik::get(\"jobs/v1/jobs/\"); skip(`${page.objects.len()}`); }",
    );
    let jobs: Vec<_> = (0..300)
        .map(|n| json!({ "id": format!("job-{n}"), "title": "x".repeat(200), "a": 1, "b": 2, "c": 3, "d": 4, "e": 5 }))
        .collect();
    let (_, outcome) = drive(&rule, |_| (200, json!({ "objects": jobs })));
    assert_eq!(outcome, Outcome::Skipped("300".to_owned()));
}

#[test]
fn a_body_that_does_not_fit_ends_the_run_at_its_line() {
    for (wrong, said) in [
        (
            "let body = #{ external_id: \"x\" }; iconik::post(\"assets/v1/assets/\", body);",
            "is without `title`",
        ),
        (
            "let body = #{}; body[\"titel\"] = \"t\"; iconik::post(\"assets/v1/assets/\", body);",
            "has no key `titel`",
        ),
        (
            "let body = [1]; iconik::post(\"jobs/v1/jobs/\", body);",
            "is a map",
        ),
        (
            "let path = \"assets/v1/favorites/\"; iconik::delete(path);",
            "is without `object_ids`",
        ),
    ] {
        let failed = failure(&format!("try {{ {wrong} }} catch {{ }}"));
        assert_eq!(failed.class, DeadClass::ScriptError, "{failed}");
        assert!(failed.message.contains(said), "{failed}");
        assert!(
            failed.hint.is_some() && failed.position.is_some(),
            "{failed}"
        );
    }
}

#[test]
fn a_function_may_be_named_like_a_method_unless_somebody_means_the_method() {
    let rule = |body: &str| format!("rule(#{{ on: [\"assets/*/*\"] }});\n{body}");
    let own = "fn update(asset) { asset.title }\nfn remove(list) { list.len() }\n";
    let good = format!("{own}fn run(event) {{ update(iconik::asset(\"a\")); remove([]); }}");
    assert_eq!(finding(&rule(&good)), "");
    for (body, wanted) in [
        (
            "fn run(event) { update(iconik::asset(\"a\")); iconik::asset(\"a\").update(#{}); }",
            "`fn update` takes the place of the built-in `update`, which r.rhai calls too",
        ),
        (
            "fn fail(why) { }\nfn run(event) { }",
            "`fn fail` has the name of a built-in function",
        ),
        (
            "fn abs(number) { }\nfn run(event) { }",
            "`fn abs` has the name of a built-in function",
        ),
    ] {
        let shown = finding(&rule(&format!("{own}{body}")));
        assert!(shown.contains(wanted), "{body}\n{shown}");
    }
    let files = [
        file(
            "r.rhai",
            "import \"lib/x\" as x;\nrule(#{ on: [\"assets/*/*\"] });\nfn update(asset) { }\nfn run(event) { x::change(event); }",
        ),
        file(
            "lib/x.rhai",
            "import \"lib/y\" as y;\nfn change(event) { y::change(event); }",
        ),
        file(
            "lib/y.rhai",
            "fn change(event) { iconik::asset(event.asset_id).update(#{}); }",
        ),
    ];
    let shown = findings(&files, &json!({}));
    assert!(shown.contains("which lib/y.rhai calls too"), "{shown}");
}
