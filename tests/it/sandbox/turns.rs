//! Rules take turns for the workers.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Many runs of a slow rule want the only worker before a quick one does.
#[tokio::test]
async fn a_rule_with_many_slow_runs_does_not_keep_the_workers_from_another() {
    let sandbox = sandbox(config::Sandbox {
        workers: 1,
        operations: ENDLESS,
        cpu: Duration::from_secs(60),
        ..settings()
    })
    .await;
    let slow = program_of(
        "fn run(event) { let n = 0; while n < 300_000 { n += 1; } }
         fn when(event) { true }",
    );
    let ended = Arc::new(AtomicUsize::new(0));
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (sandbox, slow) = (Arc::clone(&sandbox), Arc::clone(&slow));
        let ended = Arc::clone(&ended);
        running.spawn(async move {
            let outcome = advance(&sandbox, &slow, &[]).await.outcome;
            ended.fetch_add(1, Ordering::SeqCst);
            outcome
        });
    }
    let pid = sandbox.pids()[0];
    let busy = cpu_ticks(pid);
    eventually("the worker is busy with them", || cpu_ticks(pid) > busy + 1).await;
    let before = ended.load(Ordering::SeqCst);
    let quick = program_of("fn run(event) { skip(\"quick\"); }");
    let outcome = advance(&sandbox, &quick, &[]).await.outcome;
    assert_eq!(outcome, Outcome::Skipped("quick".to_owned()));
    let asked = sandbox.when(&slow, &[event("a")], 1).await.unwrap();
    assert_eq!(asked.answers, [When::Yes]);
    // One was under way and one stood in line, each time.
    let first = ended.load(Ordering::SeqCst) - before;
    assert!(first <= 6, "{first} slow runs were served first");
    while let Some(outcome) = running.join_next().await {
        assert_eq!(outcome.unwrap(), Outcome::Finished);
    }
}
