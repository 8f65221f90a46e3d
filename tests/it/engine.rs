//! The engine through its front door: what compiles, what is refused and how, and what an advance yields.

mod buttons;
mod determinism;
mod header;
mod listing;
mod metadata;
mod objects;
mod pure;
mod records;
mod tricks;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;

use cuegate::engine::{self, Advance, EngineLimits, Moment, Outcome, Rule, When};
use cuegate::model::{
    Answer, Call, DeadClass, Effect, Event, EventKey, EventKind, Failure, Method, Program,
    RuleFile, RuleSet, RuleSetId, SourceName, Step,
};
use jiff::Timestamp;
use serde_json::{Value, json};

const LIMITS: EngineLimits = EngineLimits {
    operations: 100_000,
    string_bytes: 16 * 1024,
    elements: 2_000,
    source_bytes: 32 * 1024,
    log_bytes: 64 * 1024,
};

fn at(text: &str) -> Timestamp {
    text.parse().expect("the test writes times as ISO-8601")
}

fn event(body: Value) -> Arc<Event> {
    let source = SourceName::from("iconik");
    let kind = if body.get("context").is_some() {
        EventKind::Button
    } else {
        EventKind::Webhook
    };
    let key = EventKey::of_iconik(&source, kind, &body);
    Arc::new(Event {
        id: key.event_id(0),
        key,
        window: 0,
        source,
        kind,
        received_at: at("2026-03-01T12:00:00Z"),
        headers: BTreeMap::new(),
        body,
    })
}

fn metadata_event() -> Arc<Event> {
    event(json!({
        "event_type": "assets", "realm": "metadata", "operation": "update", "object_id": "a1",
        "data": { "object_type": "assets", "object_id": "a1", "title": "News", "count": 3, "nested": { "deep": null } },
    }))
}

fn file(path: &str, source: &str) -> RuleFile {
    let (path, source) = (path.to_owned(), source.to_owned());
    RuleFile { path, source }
}

fn findings(files: &[RuleFile], vars: &Value) -> String {
    let compiled = engine::compile(files, vars, &LIMITS);
    compiled
        .diagnostics
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

fn finding(source: &str) -> String {
    findings(&[file("r.rhai", source)], &json!({}))
}

fn set(files: Vec<RuleFile>, vars: Value) -> RuleSet {
    let compiled = engine::compile(&files, &vars, &LIMITS);
    let shown: Vec<String> = compiled
        .diagnostics
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
    RuleSet {
        id: RuleSetId::from("set"),
        files,
        rules: compiled.rules,
        site: "https://iconik.test".to_owned(),
        vars,
    }
}

fn program(files: Vec<RuleFile>, vars: Value) -> Arc<Program> {
    let set = set(files, vars);
    Arc::new(
        set.program(&set.rules[0].rule)
            .expect("the first rule has a program"),
    )
}

fn rule_of(body: &str) -> Rule {
    let source = format!(
        "rule(#{{ on: [\"assets/*/*\"], allow: [\"assets:write\", \"assets:delete\", \"metadata:write\", \"jobs:write\"] }});\n{body}\n"
    );
    Rule::load(program(vec![file("r.rhai", &source)], json!({})), &LIMITS)
        .expect("the rule was compiled before")
}

/// The same with other scopes, of the body of `run`.
fn rule_with(allow: &[&str], body: &str) -> Rule {
    let source = format!(
        "rule(#{{ on: [\"assets/*/*\"], allow: {} }});\nfn run(event) {{ {body} }}\n",
        json!(allow)
    );
    Rule::load(program(vec![file("r.rhai", &source)], json!({})), &LIMITS)
        .expect("the rule was compiled before")
}

fn moment() -> Moment {
    Moment::of_run(at("2026-03-01T12:00:01Z"))
}

fn advance(rule: &Rule, journal: Vec<Step>) -> Advance {
    rule.advance(&moment(), &metadata_event(), Arc::new(journal))
}

fn run(body: &str) -> Outcome {
    advance(&rule_of(&format!("fn run(event) {{ {body} }}")), Vec::new()).outcome
}

fn failure(body: &str) -> Failure {
    match run(body) {
        Outcome::Failed(failure) => failure,
        other => panic!("{body} ended as {other:?}"),
    }
}

fn call_of(outcome: &Outcome) -> &Call {
    match outcome {
        Outcome::Effect(Effect::Call(call)) => call,
        other => panic!("no call was asked for: {other:?}"),
    }
}

fn answered(number: u32, outcome: &Outcome, status: u16, body: Value) -> Step {
    let Outcome::Effect(effect) = outcome else {
        panic!("no effect to answer: {outcome:?}")
    };
    Step {
        number,
        digest: effect.digest(),
        effect: effect.clone(),
        answer: Answer {
            status,
            body,
            at: at("2026-03-01T12:00:05Z"),
        },
    }
}

/// Goes on until the run ends, answering each effect by `answer`.
fn drive_effects(
    rule: &Rule,
    mut answer: impl FnMut(&Effect) -> (u16, Value),
) -> (Vec<Step>, Outcome) {
    let mut journal = Vec::new();
    loop {
        let outcome = advance(rule, journal.clone()).outcome;
        let Outcome::Effect(effect) = &outcome else {
            return (journal, outcome);
        };
        let (status, body) = answer(effect);
        let number = u32::try_from(journal.len()).expect("a journal is short");
        journal.push(answered(number, &outcome, status, body));
    }
}

/// Goes on until the run ends, answering each call by `answer`.
fn drive(rule: &Rule, answer: impl Fn(&Call) -> (u16, Value)) -> (Vec<Step>, Outcome) {
    let mut journal = Vec::new();
    loop {
        let outcome = advance(rule, journal.clone()).outcome;
        let Outcome::Effect(Effect::Call(call)) = &outcome else {
            return (journal, outcome);
        };
        let (status, body) = answer(call);
        journal.push(answered(
            u32::try_from(journal.len()).expect("a journal is short"),
            &outcome,
            status,
            body,
        ));
    }
}

#[test]
fn a_rule_yields_its_first_call_and_goes_on_with_the_answer() {
    let rule = rule_of(
        "fn run(event) { let asset = iconik::asset(event.asset_id); if asset.title == \"X\" { asset.trash(); } }",
    );
    let first = advance(&rule, Vec::new()).outcome;
    assert_eq!(call_of(&first).path, "assets/v1/assets/a1/");
    let journal = vec![answered(
        0,
        &first,
        200,
        json!({ "id": "a1", "title": "X" }),
    )];
    let second = advance(&rule, journal.clone()).outcome;
    assert_eq!(
        (call_of(&second).method, call_of(&second).path.as_str()),
        (Method::Delete, "assets/v1/assets/a1/")
    );
    let journal = vec![journal[0].clone(), answered(1, &second, 204, Value::Null)];
    assert_eq!(advance(&rule, journal).outcome, Outcome::Finished);
}

#[test]
fn the_same_inputs_give_the_same_outcome() {
    let rule = rule_of("fn run(event) { log::info(`at ${time::now()}`); iconik::asset(\"a1\") }");
    assert_eq!(advance(&rule, Vec::new()), advance(&rule, Vec::new()));
}

#[test]
fn an_effect_inside_any_callback_is_an_effect_like_anywhere_else() {
    let ways = [
        "[1, 2].map(|x| iconik::asset(\"a1\"))",
        "[1, 2].filter(|x| { iconik::asset(\"a1\"); true })",
        "[2, 1].sort(|a, b| { iconik::asset(\"a1\"); 0 })",
        "[2, 1].reduce(|sum, x| { iconik::asset(\"a1\"); 0 }, 0)",
        "[2, 1].for_each(|x| { iconik::asset(\"a1\"); })",
        "try { try { iconik::asset(\"a1\"); } catch { log::warn(\"caught\"); } } catch { log::warn(\"caught\"); }",
        "try { [1].map(|x| iconik::asset(\"a1\")); } catch { iconik::asset(\"other\"); }",
        "let f = |id| iconik::asset(id); let g = f.curry(\"a1\"); g.call(); iconik::asset(\"other\");",
        "let n = 0; let f = || { n += 1; iconik::asset(\"a1\"); }; f.call(); iconik::asset(\"other\");",
        "loop { try { [1].map(|x| iconik::asset(\"a1\")); } catch {} }",
        "return [1].map(|x| { iconik::asset(\"a1\"); 5 })[0];",
    ];
    for way in ways {
        let outcome = run(way);
        assert_eq!(call_of(&outcome).path, "assets/v1/assets/a1/", "{way}");
    }
}

#[test]
fn skip_and_fail_cannot_be_caught_or_swallowed() {
    assert_eq!(
        run("try { skip(\"no\"); } catch { } "),
        Outcome::Skipped("no".to_owned())
    );
    assert_eq!(
        run("[2, 1].sort(|a, b| { skip(\"no\"); 0 }); iconik::asset(\"a1\")"),
        Outcome::Skipped("no".to_owned())
    );
    let failed = failure("try { fail(\"bad\"); } catch { }");
    assert_eq!(
        (failed.class, failed.message.as_str()),
        (DeadClass::Failed, "bad")
    );
}

#[test]
fn the_operation_limit_holds_inside_callbacks_and_catches() {
    for loops in [
        "loop {}",
        "loop { try { [1].map(|x| { loop {} }); } catch { } }",
        "while true { let x = 1; }",
    ] {
        let failed = failure(loops);
        assert_eq!(failed.class, DeadClass::Limit, "{loops}");
        assert!(
            failed.message.contains("100000 operations"),
            "{}",
            failed.message
        );
    }
}

#[test]
fn a_replace_bomb_is_refused_before_it_allocates() {
    let failed = failure("let s = \"x\"; s.pad(16000, 'x'); let t = s; s.replace(\"x\", t);");
    assert_eq!(failed.class, DeadClass::Limit);
}

#[test]
fn a_list_of_long_texts_cannot_be_turned_into_one_text() {
    for way in [
        "let t = `${list}`;",
        "let t = list.to_string();",
        "let t = \"\" + list;",
        "print(list);",
    ] {
        let body = format!("let s = \"x\"; s.pad(10000, 'x'); let list = [s, s, s]; {way}");
        assert_eq!(failure(&body).class, DeadClass::Limit, "{way}");
    }
}

#[test]
fn values_of_different_kinds_have_no_order() {
    for wrong in [
        "() > 5",
        "5 > ()",
        "!(() > 5)",
        "\"5\" > 5",
        "time::now() > 5",
        "() < time::now()",
        "true > 1",
    ] {
        let failed = failure(&format!("if {wrong} {{ iconik::asset(\"a1\").trash(); }}"));
        assert_eq!(failed.class, DeadClass::ScriptError, "{wrong}");
        assert_eq!(
            failed.position.map(|p| p.line),
            Some(2),
            "{wrong}: {failed}"
        );
    }
}

#[test]
fn comparisons_that_make_sense_work() {
    for right in [
        "1 < 2",
        "2.5 > 1",
        "1 == 1.0",
        "\"a\" < \"b\"",
        "() == ()",
        "5 != ()",
        "[1, #{a: 2}] == [1, #{a: 2}]",
        "time::parse(\"2026-01-01\") < time::parse(\"2026-01-02\")",
        "2 in [1, 2]",
        "![1].contains(2)",
        "\"PROMO\"[0] == \"P\"",
        "\"P\" == \"PROMO\"[0]",
        "!(\"PROMO\"[0] != \"P\")",
        "\"PROMO\"[0] < \"Q\"",
        "'a' == 'a'",
        "1 <= 1",
        "event.data.count == 3",
        "event.data.missing == ()",
    ] {
        assert_eq!(
            run(&format!("if !({right}) {{ fail(\"not so\"); }}")),
            Outcome::Finished,
            "{right}"
        );
    }
}

#[test]
fn one_of_our_values_is_never_compared_with_something_else() {
    assert_eq!(
        failure("if time::now() == 5 { }").class,
        DeadClass::ScriptError
    );
    assert_eq!(
        run("if time::now() == () { fail(\"x\"); }"),
        Outcome::Finished
    );
}

#[test]
fn objects_are_equal_when_they_are_the_same_one() {
    let rule = rule_of(
        "fn run(event) {
            let a = iconik::asset(\"a1\"); let b = iconik::asset(\"a1\"); let c = iconik::asset(\"c3\");
            if a == b && a != c { skip(\"as it should be\"); }
        }",
    );
    let found = |call: &Call| (200, json!({ "id": call.path.split('/').nth(3) }));
    assert_eq!(
        drive(&rule, found).1,
        Outcome::Skipped("as it should be".to_owned())
    );
}

#[test]
fn a_missing_value_says_what_is_missing_and_what_is_there() {
    let failed = failure("let t = event.data.titel.to_upper();");
    assert!(
        failed
            .message
            .contains("`event.data.titel` is missing in this event (line 2); `title` is there"),
        "{failed}"
    );
    assert_eq!(
        failed.hint.as_deref(),
        Some("write `(event.data.title ?? \"\")` if it may be missing")
    );
    let failed = failure("let t = event.data.titel;\nlet u = t + \"x\";");
    assert!(
        failed
            .message
            .contains("`t` is missing here: `event.data.titel` is missing"),
        "{failed}"
    );
    for way in [
        "let t = `${event.data.titel}`;",
        "let t = \"a\" + event.data.titel;",
    ] {
        assert!(failure(way).message.contains("missing"), "{way}");
    }
}

#[test]
fn a_misspelt_key_of_the_event_is_an_error_with_a_suggestion() {
    let failed = failure("let x = event.asset_ids_;\n");
    assert!(failed.message.contains("no key `asset_ids_`"), "{failed}");
    let failed = failure("let x = event.operatoin;");
    assert!(
        failed.message.contains("did you mean `event.operation`?"),
        "{failed}"
    );
}

#[test]
fn events_are_read_only_and_methods_on_their_values_are_not_writes() {
    assert_eq!(
        run("let a = event.data.title.to_upper(); let b = event.received_at.plus(\"1d\");"),
        Outcome::Finished
    );
    for write in [
        "event.operation = \"x\";",
        "event.asset_id += \"x\";",
        "event[\"operation\"] = 1;",
    ] {
        let failed = failure(write);
        assert!(failed.message.contains("read-only"), "{write}: {failed}");
    }
}

#[test]
fn constants_are_visible_in_every_function_and_can_be_shadowed() {
    let rule = rule_of(
        "const NAME = \"a1\"; fn id() { NAME } fn run(event) { let x = [1].map(|n| NAME); iconik::asset(id()); }",
    );
    assert_eq!(
        call_of(&advance(&rule, Vec::new()).outcome).path,
        "assets/v1/assets/a1/"
    );
    let rule = rule_of(
        "const NAME = \"a1\"; fn f(NAME) { NAME } fn run(event) { iconik::asset(f(\"b2\")); }",
    );
    assert_eq!(
        call_of(&advance(&rule, Vec::new()).outcome).path,
        "assets/v1/assets/b2/"
    );
}

#[test]
fn libraries_bring_functions_and_constants() {
    let rule = program(
        vec![
            file(
                "r.rhai",
                "import \"lib/ids\" as ids;\nrule(#{ on: [\"assets/*/*\"] });\nfn run(event) { iconik::asset(ids::full(ids::PREFIX)); }",
            ),
            file(
                "lib/ids.rhai",
                "import \"lib/more\" as more;\nexport const PREFIX = \"a\";\nconst HIDDEN = \"-x\";\nfn full(p) { p + more::one() + HIDDEN }",
            ),
            file("lib/more.rhai", "fn one() { \"1\" }"),
        ],
        json!({}),
    );
    let rule = Rule::load(rule, &LIMITS).expect("it compiled before");
    assert_eq!(
        call_of(&advance(&rule, Vec::new()).outcome).path,
        "assets/v1/assets/a1-x/"
    );
}

#[test]
fn vars_are_there_and_a_misspelt_one_is_found_at_load() {
    let source =
        "rule(#{ on: [\"assets/*/*\"] });\nfn run(event) { iconik::asset(vars::asset_id); }";
    let rule = program(vec![file("r.rhai", source)], json!({ "asset_id": "v1" }));
    let rule = Rule::load(rule, &LIMITS).expect("it compiled before");
    assert_eq!(
        call_of(&advance(&rule, Vec::new()).outcome).path,
        "assets/v1/assets/v1/"
    );
    let shown = findings(
        &[file("r.rhai", &source.replace("asset_id", "aset_id"))],
        &json!({ "asset_id": "v1" }),
    );
    assert!(
        shown.contains("no `[vars]` key `aset_id`")
            && shown.contains("did you mean `vars::asset_id`?"),
        "{shown}"
    );
}

#[test]
fn a_missing_permission_names_the_line_to_add() {
    let source = "rule(#{ on: [\"assets/*/*\"], allow: [\"metadata:write\"] });\nfn run(event) {\n    iconik::delete(\"assets/v1/assets/a1/\");\n}";
    let rule = Rule::load(program(vec![file("r.rhai", source)], json!({})), &LIMITS).unwrap();
    let Outcome::Failed(failed) = advance(&rule, Vec::new()).outcome else {
        panic!("it was allowed")
    };
    assert_eq!(failed.class, DeadClass::Permission);
    assert_eq!(failed.position.map(|p| p.line), Some(3));
    assert_eq!(
        failed.hint.as_deref(),
        Some("write `allow: [\"metadata:write\", \"assets:delete\"],` in the header")
    );
    assert!(
        failed
            .excerpt
            .as_deref()
            .is_some_and(|line| line.contains("iconik::delete"))
    );
}

#[test]
fn an_unknown_operation_suggests_the_nearest() {
    let failed = failure("let path = \"assets/v1/asets/\"; iconik::get(path);");
    assert!(
        failed
            .hint
            .as_deref()
            .is_some_and(|hint| hint.contains("assets/v1/assets/")),
        "{failed}"
    );
}

#[test]
fn when_calls_nothing_and_sees_the_events_time() {
    let rule = rule_of(
        "fn when(event) { time::now() == event.received_at && event.operation == \"update\" } fn run(event) { }",
    );
    assert_eq!(rule.when(&metadata_event()), When::Yes);
    let rule = rule_of("fn when(event) { iconik::asset(\"a1\"); true } fn run(event) { }");
    assert!(
        matches!(rule.when(&metadata_event()), When::Failed(failure) if failure.message.contains("must not ask for"))
    );
    let rule = rule_of("fn when(event) { 1 } fn run(event) { }");
    assert!(matches!(rule.when(&metadata_event()), When::Failed(_)));
}

#[test]
fn a_refused_call_can_be_caught_and_is_dead_as_api_error_otherwise() {
    let refused = |_: &Call| (404, json!({ "errors": ["no such asset"] }));
    let rule = rule_of(
        "fn run(event) { try { iconik::asset(\"a1\"); } catch (e) { if e.status != 404 { fail(\"x\"); } skip(e.message); } }",
    );
    assert_eq!(
        drive(&rule, refused).1,
        Outcome::Skipped("no such asset".to_owned())
    );
    let rule = rule_of("fn run(event) { iconik::asset(\"a1\"); }");
    let (_, Outcome::Failed(failed)) = drive(&rule, refused) else {
        panic!("nobody caught it")
    };
    assert_eq!(failed.class, DeadClass::ApiError);
    assert!(
        failed
            .message
            .contains("GET assets/v1/assets/a1/ with 404: no such asset"),
        "{failed}"
    );
}

#[test]
fn a_run_that_asks_for_something_else_has_diverged() {
    let rule = rule_of("fn run(event) { iconik::asset(\"a1\"); }");
    let other = rule_of("fn run(event) { iconik::asset(\"b2\"); }");
    let first = advance(&rule, Vec::new()).outcome;
    let Outcome::Failed(failed) =
        advance(&other, vec![answered(0, &first, 200, json!({"id": "a1"}))]).outcome
    else {
        panic!("it did not notice");
    };
    assert_eq!(failed.class, DeadClass::Diverged);
    assert!(
        failed.message.contains("a1") && failed.message.contains("b2"),
        "{failed}"
    );
}

#[test]
fn log_lines_before_an_answered_step_are_not_told_again() {
    let rule = rule_of(
        "fn run(event) { log::info(\"one\"); iconik::asset(\"a1\"); log::info(\"two\"); iconik::asset(\"b2\"); log::info(\"three\"); }",
    );
    let first = advance(&rule, Vec::new());
    assert_eq!(
        first
            .logs
            .iter()
            .map(|l| l.text.as_str())
            .collect::<Vec<_>>(),
        ["one"]
    );
    let second = advance(
        &rule,
        vec![answered(0, &first.outcome, 200, json!({ "id": "a1" }))],
    );
    assert_eq!(
        second
            .logs
            .iter()
            .map(|l| (l.step, l.index, l.text.as_str()))
            .collect::<Vec<_>>(),
        [(1, 0, "two")]
    );
}

#[test]
fn what_is_printed_goes_to_the_log_and_is_bounded() {
    let rule = rule_of("fn run(event) { print(\"one\"); debug(2); }");
    let texts: Vec<String> = advance(&rule, Vec::new())
        .logs
        .into_iter()
        .map(|line| line.text)
        .collect();
    assert_eq!(texts, ["one", "2"]);
    let failed = failure("let s = \"x\"; s.pad(10000, 'x'); loop { print(s); }");
    assert!(
        failed.message.contains("logged more than 65536 bytes"),
        "{failed}"
    );
}

#[test]
fn wrong_files_are_refused_with_place_and_suggestion() {
    let head = "rule(#{ on: [\"assets/*/*\"] });\n";
    for (source, wanted) in [
        ("fn run(event) { }", "no `rule(#{…})`"),
        (
            "rule(#{ on: [\"assets/*/*\"] });\nrule(#{ on: [\"assets/*/*\"] });\nfn run(event) { }",
            "r.rhai:2:1",
        ),
        (
            "rule(#{ onn: [\"assets/*/*\"] });\nfn run(event) { }",
            "did you mean `on`?",
        ),
        (
            "rule(#{ on: [\"assets/*/*\"], allow: [\"metadata:wirte\"] });\nfn run(event) { }",
            "did you mean \"metadata:write\"?",
        ),
        ("rule(#{ on: || 1 });\nfn run(event) { }", "only literals"),
        (
            "rule(#{ on: [\"Assets/entity/create\"] });\nfn run(event) { }",
            "write \"assets/entity/create\"",
        ),
        (
            "rule(#{ on: [\"assets/create\"] });\nfn run(event) { }",
            "no pattern of events",
        ),
        (
            "rule(#{ on: [\"assets/*/*\"], expires: \"7x\" });\nfn run(event) { }",
            "no duration",
        ),
        (
            "rule(#{ allow: [] });\nfn run(event) { }",
            "nothing wakes this rule",
        ),
        (
            &format!("{head}fn rum(event) {{ }}"),
            "did you mean `fn run`?",
        ),
        (
            &format!("{head}fn run(a, b) {{ }}"),
            "takes 1 argument(s), not 2",
        ),
        (
            &format!("{head}print(\"hello\");\nfn run(event) {{ }}"),
            "r.rhai:2:1",
        ),
        (
            &format!("{head}fn run(event) {{ iconik::aset(event.asset_id); }}"),
            "did you mean `iconik::asset`?",
        ),
        (
            &format!(
                "{head}fn run(event) {{ let a = iconik::asset(\"x\"); a.set_metdata(\"v\", #{{}}); }}"
            ),
            "did you mean `set_metadata`?",
        ),
        (
            &format!("{head}fn run(event) {{ undefined_name }}"),
            "r.rhai:2:17",
        ),
        (&format!("{head}fn run(event) {{ let x = ; }}"), "r.rhai:2:"),
        (&format!("{head}fn run(event) {{ eval(\"1\"); }}"), "eval"),
        (
            &format!("{head}fn skip(x) {{ }}\nfn run(event) {{ }}"),
            "name of a built-in function",
        ),
        (
            &format!("{head}fn run(event) {{ import \"lib/x\" as x; }}"),
            "imports stand at the top",
        ),
        (
            &format!("import \"../x\" as x;\n{head}fn run(event) {{ }}"),
            "only files below lib/",
        ),
        (
            &format!("import \"lib/none\" as x;\n{head}fn run(event) {{ }}"),
            "there is no file lib/none.rhai",
        ),
    ] {
        let shown = finding(source);
        assert!(
            shown.contains(wanted),
            "{source}\nexpected {wanted}\ngot {shown}"
        );
        assert!(shown.contains("--> r.rhai"), "{shown}");
    }
}

#[test]
fn a_file_that_is_too_large_is_not_even_parsed() {
    let shown = finding(&format!("// {}\n", "x".repeat(40_000)));
    assert!(shown.contains("a rule file may have 32768"), "{shown}");
}

#[test]
fn no_key_and_no_method_of_ours_is_a_reserved_word() {
    for function in engine::functions() {
        let source = match function.place {
            engine::Place::Top => format!("{}()", function.name()),
            engine::Place::Module(module) => format!("{module}::{}()", function.name()),
            engine::Place::Type(_) if function.signature.contains('(') => {
                format!("let x = 1; x.{}()", function.name())
            }
            engine::Place::Type(_) => format!("let x = 1; x.{}", function.name()),
        };
        let shown = finding(&format!(
            "rule(#{{ on: [\"assets/*/*\"] }});\nfn run(event) {{ {source} }}"
        ));
        assert!(
            !shown.contains("reserved") && !shown.contains("syntax"),
            "{source}: {shown}"
        );
    }
}

#[test]
fn every_function_is_documented_with_an_example_that_compiles() {
    for function in engine::functions() {
        assert!(function.about.len() > 10, "{}", function.signature);
        let source = format!(
            "rule(#{{ on: [\"assets/*/*\"], allow: [\"egress:desk\"] }});\nfn run(event) {{\n{}\n}}",
            function.example
        );
        assert_eq!(finding(&source), "", "{}", function.signature);
        assert!(
            function.example.contains(function.name()),
            "{} does not show itself",
            function.signature
        );
    }
}
