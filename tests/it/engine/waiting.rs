//! Effects besides calls of Iconik: what a rule asks for, and how the answer looks to it.

use std::sync::Arc;

use cuegate::engine::{Outcome, Rule};
use cuegate::model::{
    DeadClass, Effect, EgressCall, Event, EventKind, Failure, Method, Object, RuleId, StateAccess,
};
use serde_json::{Value, json};

use super::{
    LIMITS, at, drive_effects, failure, file, metadata_event, moment, program, rule_of, run,
};

fn effect(body: &str) -> Effect {
    match run(body) {
        Outcome::Effect(effect) => effect,
        other => panic!("{body} ended as {other:?}"),
    }
}

fn refused(body: &str) -> Failure {
    let failed = failure(body);
    assert_eq!(failed.class, DeadClass::ScriptError, "{failed}");
    failed
}

#[test]
fn a_sleep_ends_at_a_time_that_follows_from_the_journal() {
    let Effect::Sleep(sleep) = effect("sleep(\"2h\");") else {
        panic!("no sleep")
    };
    assert_eq!(sleep.until, at("2026-03-01T14:00:01Z"));
    let Effect::Sleep(sleep) = effect("sleep_until(time::parse(\"2026-03-02\"));") else {
        panic!("no sleep")
    };
    assert_eq!(sleep.until, at("2026-03-02T00:00:00Z"));
    // The second one begins where the first was answered.
    let rule = rule_of("fn run(event) { sleep(\"2s\"); sleep(\"2s\"); skip(`${time::now()}`); }");
    let (journal, outcome) = drive_effects(&rule, |_| (200, Value::Null));
    let ends: Vec<_> = journal
        .iter()
        .map(|step| match &step.effect {
            Effect::Sleep(sleep) => sleep.until,
            other => panic!("{other} is no sleep"),
        })
        .collect();
    assert_eq!(
        ends,
        [at("2026-03-01T12:00:03Z"), at("2026-03-01T12:00:07Z")]
    );
    assert_eq!(
        outcome,
        Outcome::Skipped("2026-03-01T12:00:05.000000+00:00".to_owned())
    );
    assert!(
        refused("sleep(\"-2h\");")
            .message
            .contains("lies in the past")
    );
    assert!(
        refused("sleep(\"soon\");")
            .message
            .contains("is no duration")
    );
    let bare = failure("sleep(90);");
    assert!(
        bare.hint
            .is_some_and(|hint| hint.contains("sleep(\"90s\")"))
    );
}

#[test]
fn a_wait_for_an_event_names_what_is_meant_and_gives_the_event_or_nothing() {
    let body =
        "wait_for(\"assets/metadata/update\", #{ asset_id: \"a1\", \"data.count\": 3 }, \"2d\")";
    let Effect::WaitForEvent(wait) = effect(&format!("{body};")) else {
        panic!("no wait")
    };
    assert_eq!(wait.pattern.to_string(), "assets/metadata/update");
    assert_eq!(
        json!(wait.fields),
        json!({ "asset_id": "a1", "data.count": 3 })
    );
    assert_eq!(wait.until, at("2026-03-03T12:00:01Z"));
    assert!(wait.is_met_by(&metadata_event()));

    let rule = rule_of(&format!(
        "fn run(event) {{ let e = {body}; if e == () {{ skip(\"none\"); }} skip(`${{e.operation}} ${{e.data.title}}`); }}"
    ));
    let event = serde_json::to_value(&*metadata_event()).unwrap();
    let (_, came) = drive_effects(&rule, |_| (200, event.clone()));
    assert_eq!(came, Outcome::Skipped("update News".to_owned()));
    let (_, none) = drive_effects(&rule, |_| (200, Value::Null));
    assert_eq!(none, Outcome::Skipped("none".to_owned()));

    let Effect::WaitForEvent(wait) =
        effect("wait_for(\"frameio:file.ready\", #{ \"data.id\": \"x\" }, \"1h\");")
    else {
        panic!("no wait")
    };
    assert_eq!(json!(wait.fields), json!({ "data.id": "x" }));
}

#[test]
fn a_wait_that_could_only_be_in_vain_is_refused() {
    for (arguments, wanted) in [
        ("\"assets/update\", #{}, \"1d\"", "is no pattern of events"),
        (
            "\"Assets/metadata/update\", #{}, \"1d\"",
            "Iconik's events are in lower case",
        ),
        (
            "\"assets/metadata/update\", #{ assetid: \"a1\" }, \"1d\"",
            "did you mean `asset_id`?",
        ),
        (
            "\"assets/metadata/update\", #{ title: \"x\" }, \"1d\"",
            "is named as \"data.title\"",
        ),
        (
            "\"assets/metadata/update\", #{ asset_id: () }, \"1d\"",
            "it is `()`",
        ),
        (
            "\"assets/metadata/update\", #{}, \"1 day\"",
            "is no duration",
        ),
    ] {
        let failed = refused(&format!("wait_for({arguments});"));
        assert!(failed.message.contains(wanted), "{arguments}: {failed}");
    }
}

#[test]
fn a_job_that_ended_well_is_returned_and_any_other_end_is_thrown_and_named() {
    let rule = |catch: &str| {
        rule_of(&format!(
            "fn run(event) {{ let job = iconik::job(\"j1\"); try {{ skip(job.wait(\"2h\").status); }} {catch} }}"
        ))
    };
    let told = "catch (e) { skip(`${e.job_status ?? \"timeout\"} ${e.path} ${e.message}`); }";
    let drive = |rule: &Rule, (status, body): (u16, Value)| {
        drive_effects(rule, |effect| match effect {
            Effect::WaitForJob(wait) => {
                assert_eq!(
                    (wait.job.as_str(), wait.until),
                    ("j1", at("2026-03-01T14:00:05Z"))
                );
                (status, body.clone())
            }
            _ => (
                200,
                json!({ "id": "j1", "title": "Check", "status": "STARTED" }),
            ),
        })
        .1
    };
    let job = |status: &str| {
        (
            200,
            json!({ "id": "j1", "title": "Check", "status": status, "error_message": "no disk" }),
        )
    };
    for good in ["FINISHED", "FINISHED_WITH_WARNING", "SKIPPED"] {
        assert_eq!(
            drive(&rule(told), job(good)),
            Outcome::Skipped(good.to_owned())
        );
    }
    for (answer, wanted) in [
        (
            job("FAILED"),
            "FAILED jobs/v1/jobs/j1/ job j1 (\"Check\") is FAILED: no disk",
        ),
        (
            job("ABORTED"),
            "ABORTED jobs/v1/jobs/j1/ job j1 (\"Check\") is ABORTED: no disk",
        ),
        (
            (200, Value::Null),
            "timeout jobs/v1/jobs/j1/ job j1 (\"Check\") had not ended after 2h",
        ),
    ] {
        assert_eq!(
            drive(&rule(told), answer),
            Outcome::Skipped(wanted.to_owned())
        );
    }
    let gone = (404, json!({ "errors": ["no such job"] }));
    let caught = rule("catch (e) { skip(`${e.status} ${e.message}`); }");
    assert_eq!(
        drive(&caught, gone),
        Outcome::Skipped("404 no such job".to_owned())
    );
    let Outcome::Failed(failed) = drive(&rule("catch (e) { throw e; }"), job("FAILED")) else {
        panic!("nobody caught it")
    };
    assert_eq!(failed.class, DeadClass::ApiError);
    assert!(failed.message.ends_with("is FAILED: no disk"), "{failed}");
    assert!(
        failed
            .hint
            .is_some_and(|hint| hint.contains("e.job_status"))
    );
}

#[test]
fn state_is_asked_for_with_its_expiry_and_answers_what_it_holds() {
    let access = |body: &str| match effect(body) {
        Effect::State(call) => (call.key, call.access),
        other => panic!("{other} is no state"),
    };
    let key = "k".to_owned();
    assert_eq!(
        access("state::get(\"k\");"),
        (key.clone(), StateAccess::Get)
    );
    let value = json!({ "n": [1, "2026-03-01T00:00:00.000000+00:00"] });
    let set = StateAccess::Set {
        value,
        expires_at: Some(at("2026-03-08T12:00:01Z")),
    };
    assert_eq!(
        access("state::set(\"k\", #{ n: [1, time::parse(\"2026-03-01\")] }, \"7d\");"),
        (key.clone(), set)
    );
    let add = StateAccess::Add {
        amount: -2,
        expires_at: None,
    };
    assert_eq!(access("state::add(\"k\", -2);"), (key.clone(), add));
    let set_if = StateAccess::SetIf {
        expected: Value::Null,
        value: json!("v"),
        expires_at: None,
    };
    assert_eq!(
        access("state::set_if(\"k\", (), \"v\");"),
        (key.clone(), set_if)
    );
    assert_eq!(access("state::delete(\"k\");"), (key, StateAccess::Delete));

    let answer = |body: &str, status: u16, kept: Value| {
        let rule = rule_of(&format!("fn run(event) {{ {body} }}"));
        drive_effects(&rule, |_| (status, kept.clone())).1
    };
    let shown = answer("skip(`${state::get(\"k\").a}`);", 200, json!({ "a": 7 }));
    assert_eq!(shown, Outcome::Skipped("7".to_owned()));
    let none = answer(
        "if state::get(\"k\") == () { skip(\"none\"); }",
        200,
        Value::Null,
    );
    assert_eq!(none, Outcome::Skipped("none".to_owned()));
    let Outcome::Failed(failed) = answer("state::add(\"k\", 1);", 409, json!("text")) else {
        panic!("a text is no number")
    };
    assert!(
        failed
            .message
            .contains("cannot be added to the state entry `k`: it holds a text"),
        "{failed}"
    );
}

#[test]
fn what_state_cannot_keep_is_refused_before_anybody_is_asked() {
    for (body, wanted) in [
        ("state::get(\"\");", "has 1 to 256 bytes"),
        (
            "let k = \"\"; k.pad(257, 'k'); state::get(k);",
            "and this one has 257",
        ),
        ("state::set(\"k\", ());", "`state::delete` forgets an entry"),
        (
            "let v = \"\"; v.pad(16384, 'v'); state::set(\"k\", v);",
            "`state` keeps 16384 under a key",
        ),
        ("state::set(\"k\", || 1);", "cannot be sent"),
    ] {
        let failed = refused(body);
        assert!(failed.message.contains(wanted), "{body}: {failed}");
    }
}

fn desk(body: &str) -> Rule {
    let source = format!(
        "rule(#{{ on: [\"assets/*/*\"], allow: [\"egress:desk\"] }});\nfn run(event) {{ {body} }}"
    );
    Rule::load(program(vec![file("r.rhai", &source)], json!({})), &LIMITS).expect("it was compiled")
}

fn sent(body: &str) -> EgressCall {
    let outcome = desk(body)
        .advance(&moment(), &metadata_event(), Arc::default())
        .outcome;
    match outcome {
        Outcome::Effect(Effect::Egress(call)) => call,
        other => panic!("{body} ended as {other:?}"),
    }
}

#[test]
fn egress_sends_what_it_is_given_and_shows_the_whole_answer() {
    let call = sent(
        "egress::desk.post(\"messages\", #{ text: \"new\" }, #{ headers: #{ \"X-Id\": 7 }, query: #{ silent: true } });",
    );
    assert_eq!(
        (call.target.as_str(), call.method, call.path.as_str()),
        ("desk", Method::Post, "messages")
    );
    assert_eq!(call.body, Some(json!({ "text": "new" })));
    assert_eq!(json!(call.headers), json!({ "x-id": "7" }));
    assert_eq!(json!(call.query), json!({ "silent": "true" }));
    for (body, method, path, sent_body) in [
        ("egress::desk.get();", Method::Get, "", None),
        ("egress::desk.get(\"a\");", Method::Get, "a", None),
        ("egress::desk.put([1]);", Method::Put, "", Some(json!([1]))),
        (
            "egress::desk.patch(\"a\", \"text\");",
            Method::Patch,
            "a",
            Some(json!("text")),
        ),
        ("egress::desk.delete(\"a\", ());", Method::Delete, "a", None),
        (
            "egress::desk.post(#{ a: 1 }, #{ query: #{} });",
            Method::Post,
            "",
            Some(json!({ "a": 1 })),
        ),
    ] {
        let call = sent(body);
        assert_eq!(
            (call.method, call.path.as_str(), call.body),
            (method, path, sent_body),
            "{body}"
        );
    }
    let rule =
        desk("let a = egress::desk.get(); skip(`${a.status} ${a.headers[\"x-id\"]} ${a.body.n}`);");
    let answer = json!({ "headers": { "x-id": "7" }, "body": { "n": 5 } });
    let (_, outcome) = drive_effects(&rule, |_| (404, answer.clone()));
    assert_eq!(outcome, Outcome::Skipped("404 7 5".to_owned()));
    let rule = desk("let a = egress::desk.get(); skip(`${a.status} ${a.dropped}`);");
    let lost = json!({ "headers": {}, "body": null, "dropped": true });
    let (_, outcome) = drive_effects(&rule, |_| (0, lost.clone()));
    assert_eq!(outcome, Outcome::Skipped("0 true".to_owned()));
    for (body, wanted) in [
        (
            "egress::desk.post(\"a\", #{}, #{ header: #{} });",
            "did you mean `headers`?",
        ),
        (
            "egress::desk.post(\"a\", #{}, #{ headers: 1 });",
            "takes a map",
        ),
        (
            "egress::desk.post(\"a\", #{}, #{ query: #{ a: [] } });",
            "takes a text, a number",
        ),
    ] {
        let outcome = desk(body)
            .advance(&moment(), &metadata_event(), Arc::default())
            .outcome;
        assert!(
            matches!(&outcome, Outcome::Failed(failure) if failure.message.contains(wanted)),
            "{body}: {outcome:?}"
        );
    }
}

#[test]
fn neither_when_nor_lane_may_wait_or_keep_anything_and_each_may_only_look() {
    for body in [
        "sleep(\"1s\"); true",
        "wait_for(\"assets/metadata/update\", #{}, \"1d\"); true",
        "state::get(\"k\"); true",
        "for x in search::assets() { } true",
    ] {
        let rule = rule_of(&format!("fn when(event) {{ {body} }} fn run(event) {{ }}"));
        let shown = format!("{:?}", rule.when(&metadata_event()));
        assert!(shown.contains("`when` must not ask for"), "{body}: {shown}");
        let rule = rule_of(&format!("fn lane(event) {{ {body} }} fn run(event) {{ }}"));
        let failed = rule.lane(&metadata_event()).expect_err("it may not");
        assert!(
            failed.message.contains("`lane` must not ask for"),
            "{body}: {failed}"
        );
    }
    let each = |body: &str| {
        let rule = rule_of(&format!("fn each(event) {{ {body} }} fn run(event) {{ }}"));
        let moment = cuegate::engine::Moment::of_each(moment().started_at);
        rule.advance(&moment, &metadata_event(), Arc::default())
            .outcome
    };
    for looking in [
        "iconik::asset(\"a1\"); []",
        "state::get(\"k\"); []",
        "search::assets().ids()",
    ] {
        assert!(matches!(each(looking), Outcome::Effect(_)), "{looking}");
    }
    for more in [
        "sleep(\"1s\"); []",
        "state::set(\"k\", 1); []",
        "iconik::asset(\"a1\").trash(); []",
    ] {
        let outcome = match each(more) {
            Outcome::Effect(Effect::Call(_)) => continue,
            other => format!("{other:?}"),
        };
        assert!(
            outcome.contains("`each` must not ask for"),
            "{more}: {outcome}"
        );
    }
}

#[test]
fn events_of_the_clock_and_of_objects_have_their_own_keys() {
    let see = |event: &Event, body: &str| {
        let rule = rule_of(&format!("fn run(event) {{ {body} }}"));
        rule.advance(&moment(), &Arc::new(event.clone()), Arc::default())
            .outcome
    };
    let due = at("2026-03-01T06:00:00Z");
    let clock = Event::of_schedule(&RuleId::from("r"), due, at("2026-03-01T06:00:02Z"));
    let body = "if event.fired_at < event.scheduled_for { fail(\"order\"); } skip(`${event.kind} ${event.scheduled_for}`);";
    let shown = Outcome::Skipped("schedule 2026-03-01T06:00:00.000000+00:00".to_owned());
    assert_eq!(see(&clock, body), shown);

    let object = Object {
        object_type: "assets".to_owned(),
        object_id: "a9".to_owned(),
    };
    let child = Event::of_object(&metadata_event(), &object);
    assert_eq!(child.kind, EventKind::Object);
    let body = "let up = event.parent; skip(`${event.kind} ${event.object_id} ${event.asset_id} ${up.kind} ${up.asset_id} ${up.data.title}`);";
    assert_eq!(
        see(&child, body),
        Outcome::Skipped("object a9 a9 webhook a1 News".to_owned())
    );
    let body = "if event.form == () { skip(\"nobody pressed a button\"); }";
    let shown = Outcome::Skipped("nobody pressed a button".to_owned());
    assert_eq!(see(&child, body), shown);
    let Outcome::Failed(failed) = see(&child, "let x = \"t\" + event.parent.data.none;") else {
        panic!("it is missing")
    };
    assert!(
        !failed.message.contains("`event.parent` is missing"),
        "{failed}"
    );
}
