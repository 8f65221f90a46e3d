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
    let answers = sandbox.when(&program, &events).await.unwrap();
    assert_eq!(answers.len(), events.len());
    for (n, answer) in answers.iter().enumerate() {
        match (titles[n % 4], answer) {
            ("yes", When::Yes) | ("no", When::No) | ("bad", When::Failed(_)) => {}
            (title, other) => panic!("{n} {title}: {other:?}"),
        }
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
    let answers = sandbox.when(&program, &events).await.unwrap();
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
