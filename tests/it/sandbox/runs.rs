//! What workers answer: compiled sets, decisions of `when`, the next effect of a run.

use super::*;

#[tokio::test]
async fn a_run_is_advanced_call_by_call_in_a_worker() {
    let sandbox = sandbox(settings()).await;
    let program = program(
        r#"log::info("begun");
           let first = iconik::get("assets/v1/assets/a1/");
           let second = iconik::get("assets/v1/assets/" + first.next + "/");
           skip("seen " + second.title);"#,
    );
    let first = advance(&sandbox, &program, &[]).await;
    assert_eq!(first.logs[0].text, "begun");
    let mut journal = vec![answered(0, &first.outcome, json!({ "next": "a2" }))];
    let second = advance(&sandbox, &program, &journal).await.outcome;
    journal.push(answered(1, &second, json!({ "title": "it" })));
    let third = advance(&sandbox, &program, &journal).await.outcome;
    assert_eq!(third, Outcome::Skipped("seen it".to_owned()));
    // Whatever the workers remember by now, the same question has the same answer.
    assert_eq!(
        advance(&sandbox, &program, &journal[..1]).await.outcome,
        second
    );
    assert_eq!(advance(&sandbox, &program, &[]).await, first);
    let mut other = journal.clone();
    other[0].answer.body = json!({ "next": "a3" });
    other[0].answer.at = "2026-03-01T12:00:03Z".parse().unwrap();
    let elsewhere = advance(&sandbox, &program, &other[..1]).await.outcome;
    assert_ne!(elsewhere, second);
}

#[tokio::test]
async fn a_set_is_compiled_and_its_program_runs() {
    let sandbox = sandbox(settings()).await;
    let files = vec![
        file(
            "r.rhai",
            format!(
                "import \"lib/x\" as x;\n{}",
                source("fn run(event) { skip(x::why()); }")
            ),
        ),
        file("lib/x.rhai", "fn why() { \"because\" }"),
    ];
    let compiled = sandbox.compile(files.clone(), json!({})).await.unwrap();
    assert_eq!(compiled.diagnostics, []);
    let set = RuleSet {
        id: RuleSetId::from("s"),
        files,
        rules: compiled.rules,
        site: "https://iconik.test".to_owned(),
        vars: json!({}),
    };
    let program = Arc::new(set.program(&set.rules[0].rule).unwrap());
    let advance = advance(&sandbox, &program, &[]).await;
    assert_eq!(advance.outcome, Outcome::Skipped("because".to_owned()));
}

#[tokio::test]
async fn a_rule_that_does_not_compile_fails_its_runs_and_no_worker() {
    let sandbox = sandbox(settings()).await;
    let pids = sandbox.pids();
    let failure = failure(&sandbox, "let = ;").await;
    assert_eq!(failure.class, DeadClass::ScriptError);
    assert_eq!(sandbox.pids(), pids);
}

#[tokio::test]
async fn when_decides_about_every_event_in_order() {
    let sandbox = sandbox(settings()).await;
    let program = program_of(
        r#"fn when(event) { if event.data.title == "bad" { throw "no"; } event.data.title == "yes" }
           fn run(event) { }"#,
    );
    let titles = ["yes", "no", "bad", "yes"];
    let events: Vec<_> = (0..300).map(|n| event(titles[n % 4])).collect();
    let answers = when(&sandbox, &program, &events).await;
    assert_eq!(answers.len(), events.len());
    for (n, answer) in answers.iter().enumerate() {
        match (titles[n % 4], answer) {
            ("yes", When::Yes) | ("no", When::No) | ("bad", When::Failed(_)) => {}
            (title, other) => panic!("{n} {title}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn the_parts_of_a_rule_with_each_are_advanced_one_by_one_on_one_event() {
    let sandbox = sandbox(config::Sandbox {
        workers: 1,
        ..settings()
    })
    .await;
    let program = program_of(
        r#"fn each(event) {
               log::info("looking");
               [iconik::get("assets/v1/assets/a1/").next, "a3"]
           }
           fn run(event) { skip("run"); }
           fn done(event, result) {
               log::info(`${result.succeeded} of ${result.objects}`);
               iconik::get("assets/v1/assets/a1/");
               skip(event.data.title + " " + result.failed[0].object_id);
           }"#,
    );
    let event = event("News");
    let go = async |moment: &Moment, journal: &[Step]| {
        let advance = sandbox.advance(&program, RunId(1), moment, &event, journal);
        advance.await.expect("the sandbox is not stopping").advance
    };
    let looking = Moment::of_each(time("2026-03-01T12:00:01Z"));
    let look = go(&looking, &[]).await;
    let journal = [answered(0, &look.outcome, json!({ "next": "a2" }))];
    let Outcome::Found(query) = go(&looking, &journal).await.outcome else {
        panic!("`each` gives a query")
    };
    let ids = ["a2", "a3"].map(ToOwned::to_owned).to_vec();
    let object_type = "assets".to_owned();
    assert_eq!(query.sources, [QuerySource::Ids { object_type, ids }]);

    let result = json!({ "objects": 2, "succeeded": 1, "failed": [{ "object_id": "a3" }] });
    let last = Moment::of_done(time("2026-03-01T12:00:05Z"), Arc::new(result), 1);
    let asks = go(&last, &[]).await;
    let line = asks
        .logs
        .first()
        .map(|line| (line.step, line.text.as_str()));
    assert_eq!(line, Some((1, "1 of 2")), "a line of `each` has step 0");
    let journal = [answered(1, &asks.outcome, json!({}))];
    let ended = go(&last, &journal).await.outcome;
    assert_eq!(ended, Outcome::Skipped("News a3".to_owned()));
    // The journal of one part is never taken for that of another.
    let run = go(&Moment::of_run(looking.started_at), &[]).await.outcome;
    assert_eq!(run, Outcome::Skipped("run".to_owned()));
}

#[tokio::test]
async fn each_only_looks_and_returns_objects() {
    let sandbox = sandbox(settings()).await;
    for (body, wanted) in [
        (
            "iconik::post(\"jobs/v1/jobs/\", #{ \"type\": \"CUSTOM\", status: \"READY\", title: \"t\" }); []",
            "`each` must not ask for `POST jobs/v1/jobs/`",
        ),
        ("7", "and not a number"),
        ("[\"a/b\"]", "cannot be the id of the asset"),
    ] {
        let source = format!("fn each(event) {{ {body} }} fn run(event) {{ }}");
        let mut program = Program::clone(&program_of(&source));
        program.allow = vec!["jobs:write".to_owned()];
        let (program, event) = (Arc::new(program), event("x"));
        let moment = Moment::of_each(time("2026-03-01T12:00:01Z"));
        let advance = sandbox.advance(&program, RunId(1), &moment, &event, &[]);
        let Outcome::Failed(failure) = advance.await.unwrap().advance.outcome else {
            panic!("{body} is not refused")
        };
        assert!(failure.message.contains(wanted), "{failure}");
        let placed = failure.position.is_some() || failure.function.as_deref() == Some("each");
        assert!(placed, "{failure}");
    }
}

#[tokio::test]
async fn lane_gives_every_event_a_key_and_a_bad_one_costs_only_its_own_event() {
    let sandbox = sandbox(config::Sandbox {
        workers: 1,
        operations: ENDLESS,
        ..settings()
    })
    .await;
    let program = program_of(
        r#"fn lane(event) {
               let title = event.data.title;
               if title == "loop" { loop { } }
               if title == "call" { iconik::asset("a1"); }
               if title == "number" { return 7; }
               if title == "long" { title.pad(201, "x"); }
               if title == "none" { return ""; }
               if title == "skip" { skip("no"); }
               if time::now() != event.received_at { throw "another time"; }
               title
           }
           fn run(event) { }"#,
    );
    let titles = ["a", "loop", "call", "number", "long", "none", "skip", "b"];
    let events = titles.map(event);
    let keys = sandbox.lane(&program, &events, u32::MAX).await.unwrap();
    let keys = keys.answers;
    let told: Vec<String> = keys
        .into_iter()
        .map(|key| key.unwrap_or_else(|failure| failure.message))
        .collect();
    let wanted = [
        "a",
        "the limit is 50ms",
        "`lane` must not ask for `GET assets/v1/assets/a1/`",
        "returned a number",
        "201 bytes",
        "an empty text",
        "ended the run instead",
        "b",
    ];
    assert_eq!(told.len(), wanted.len());
    for (told, wanted) in told.iter().zip(wanted) {
        assert!(told.contains(wanted), "{told} is not {wanted}");
    }
}

#[tokio::test]
async fn only_the_event_on_which_when_uses_up_its_time_fails() {
    let sandbox = sandbox(config::Sandbox {
        workers: 1,
        operations: ENDLESS,
        ..settings()
    })
    .await;
    let program = program_of(
        r#"fn when(event) { if event.data.title == "bad" { loop { } } true }
           fn run(event) { }"#,
    );
    let events: Vec<_> = ["a", "b", "bad", "c", "bad"].map(event).into();
    let answers = when(&sandbox, &program, &events).await;
    let failed: Vec<bool> = answers
        .iter()
        .map(|a| matches!(a, When::Failed(_)))
        .collect();
    assert_eq!(failed, [false, false, true, false, true]);
    let When::Failed(failure) = &answers[2] else {
        unreachable!()
    };
    assert_eq!(failure.class, DeadClass::Limit);
    assert!(failure.message.contains("the limit is 50ms"), "{failure}");
}

#[tokio::test]
async fn a_file_that_the_compiler_hangs_on_is_named_and_no_other() {
    let sandbox = sandbox(config::Sandbox {
        source_bytes: 4 << 20,
        compile: Duration::from_millis(700),
        ..settings()
    })
    .await;
    let parameters: Vec<String> = (0..100_000).map(|n| format!("p{n}")).collect();
    let bomb = format!("fn f({}) {{ 1 }}\n", parameters.join(","));
    let files = vec![
        file("good.rhai", source("fn run(event) { }")),
        file("bomb.rhai", source(&format!("{bomb} fn run(event) {{ }}"))),
        file("lib/fine.rhai", "fn one() { 1 }"),
    ];
    let compiled = sandbox.compile(files, json!({})).await.unwrap();
    let named: Vec<&str> = compiled
        .diagnostics
        .iter()
        .map(|d| d.file.as_str())
        .collect();
    assert_eq!(named, ["bomb.rhai"]);
    let message = &compiled.diagnostics[0].message;
    assert!(message.starts_with("compiling this file took"), "{message}");
    assert!(compiled.rules.is_empty());
    assert_eq!(outcome(&sandbox, "").await, Outcome::Finished);
}

#[tokio::test]
async fn a_request_that_is_given_up_takes_its_worker_along_and_the_next_one_finds_a_fresh_one() {
    let sandbox = sandbox(config::Sandbox {
        workers: 1,
        cpu: Duration::from_secs(60),
        operations: ENDLESS,
        ..settings()
    })
    .await;
    let pid = sandbox.pids()[0];
    let idle_ticks = cpu_ticks(pid);
    let run = {
        let sandbox = Arc::clone(&sandbox);
        tokio::spawn(async move { outcome(&sandbox, LOOP).await })
    };
    eventually("the script is busy", || cpu_ticks(pid) > idle_ticks + 2).await;
    run.abort();
    assert_eq!(
        outcome(&sandbox, "skip(\"next\");").await,
        Outcome::Skipped("next".to_owned())
    );
    eventually("the process is gone", || !exists(pid)).await;
}

#[tokio::test]
async fn a_rule_that_breaks_worker_after_worker_over_events_is_not_asked_about_the_rest() {
    let sandbox = sandbox(config::Sandbox {
        workers: 1,
        operations: ENDLESS,
        ..settings()
    })
    .await;
    let program = program_of(
        r#"fn when(event) { if event.data.title == "bad" { loop { } } true }
           fn run(event) { }"#,
    );
    let events: Vec<_> = ["bad", "a", "bad", "b", "bad", "c"].map(event).into();
    let asked = sandbox.when(&program, &events, 2).await.unwrap();
    assert_eq!((asked.answers.len(), asked.workers_lost), (3, 2));
    let asked = sandbox.when(&program, &events, 9).await.unwrap();
    assert_eq!((asked.answers.len(), asked.workers_lost), (6, 3));
    let healthy: Vec<_> = ["a", "b"].map(event).into();
    let asked = sandbox.when(&program, &healthy, 1).await.unwrap();
    assert_eq!((asked.answers.len(), asked.workers_lost), (2, 0));
}

async fn when(sandbox: &Sandbox, program: &Arc<Program>, events: &[Arc<Event>]) -> Vec<When> {
    let asked = sandbox.when(program, events, u32::MAX).await;
    let asked = asked.expect("the sandbox is not stopping");
    assert!(asked.answers.len() <= events.len());
    asked.answers
}
