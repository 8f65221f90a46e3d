//! Scripts that want too much: each ends as a failure that says so, and nothing else does.

use super::*;

#[tokio::test]
async fn an_endless_loop_is_ended_by_the_operation_limit_without_losing_a_worker() {
    let sandbox = sandbox(settings()).await;
    let pids = sandbox.pids();
    assert_eq!(failure(&sandbox, LOOP).await.class, DeadClass::Limit);
    assert_eq!(sandbox.pids(), pids);
}

#[tokio::test]
async fn a_script_that_uses_up_its_processor_time_ends_with_its_worker_and_says_the_limit() {
    let sandbox = sandbox(config::Sandbox {
        cpu: Duration::from_millis(300),
        operations: ENDLESS,
        ..settings()
    })
    .await;
    let begun = Instant::now();
    let failure = failure(&sandbox, LOOP).await;
    assert_eq!(failure.class, DeadClass::Limit);
    assert!(failure.message.contains("the limit is 300ms"), "{failure}");
    assert!(begun.elapsed() < PATIENCE);
    assert_eq!(outcome(&sandbox, "").await, Outcome::Finished);
    eventually("both workers are there again", || {
        sandbox.report().alive == 2
    })
    .await;
}

#[tokio::test]
async fn a_script_that_does_not_end_in_wall_time_ends_as_limit() {
    let sandbox = sandbox(config::Sandbox {
        workers: 1,
        cpu: Duration::from_secs(3600),
        wall: Duration::from_millis(700),
        operations: ENDLESS,
        ..settings()
    })
    .await;
    let failure = failure(&sandbox, LOOP).await;
    assert_eq!(failure.class, DeadClass::Limit);
    assert!(failure.message.contains("700ms of wall time"), "{failure}");
}

#[tokio::test]
async fn scripts_that_amplify_memory_end_below_the_cap_while_other_runs_go_on() {
    let sandbox = sandbox(config::Sandbox {
        string_bytes: 1 << 20,
        elements: 100_000,
        operations: 1_000_000,
        ..settings()
    })
    .await;
    let peak = {
        let sandbox = Arc::clone(&sandbox);
        let mut peak = 0;
        tokio::spawn(async move {
            loop {
                for pid in sandbox.pids() {
                    peak = status_bytes(pid, "VmHWM").max(peak);
                    assert!(peak < 300 * MIB, "a worker took {peak} bytes");
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        })
    };
    let bombs = [
        r#"let s = "a"; s.pad(60000, "x"); let t = s; s.replace("x", t); s.replace("x", t);"#,
        r#"let s = "a"; s.pad(900000, "x"); let f = Fn("run"); let i = 0; loop { f = f.curry(s + i); i += 1; }"#,
        r#"let s = "a"; s.pad(900000, "x"); let a = []; a.pad(9000, 0); for i in 0..9000 { a[i] = s + i; }"#,
        r#"let s = "a"; s.pad(900000, "x"); let a = []; a.pad(9000, s); let b = `${a}`;"#,
    ];
    for bomb in bombs {
        let (failure, other) =
            tokio::join!(failure(&sandbox, bomb), outcome(&sandbox, "let x = 1;"));
        assert!(
            matches!(
                failure.class,
                DeadClass::Limit | DeadClass::Crash | DeadClass::ScriptError
            ),
            "{failure}"
        );
        assert_eq!(other, Outcome::Finished);
    }
    assert!(!peak.is_finished(), "{:?}", peak.await);
    peak.abort();
}

#[tokio::test]
async fn a_script_that_runs_out_of_memory_says_so() {
    let sandbox = sandbox(config::Sandbox {
        workers: 1,
        memory_bytes: 32 * MIB,
        string_bytes: 1 << 20,
        elements: 100_000,
        ..settings()
    })
    .await;
    let bomb = r#"let s = "a"; s.pad(900000, "x"); let a = []; a.pad(900, 0); for i in 0..900 { a[i] = s + i; }"#;
    let failure = failure(&sandbox, bomb).await;
    assert_eq!(failure.class, DeadClass::Limit, "{failure}");
    assert!(failure.message.contains("more memory"), "{failure}");
}

#[tokio::test]
async fn a_deep_chain_of_closures_harms_no_worker() {
    let sandbox = sandbox(config::Sandbox {
        operations: 1_000_000,
        ..settings()
    })
    .await;
    let pids = sandbox.pids();
    let chain = "let f = || 0; for i in 0..50000 { let g = f; f = || g; }";
    let ended = outcome(&sandbox, chain).await;
    let harmless = match &ended {
        Outcome::Finished => true,
        Outcome::Failed(failure) => failure.class == DeadClass::Limit,
        _ => false,
    };
    assert!(harmless, "{ended:?}");
    assert_eq!(sandbox.pids(), pids);
}

#[tokio::test]
async fn a_worker_that_keeps_memory_after_a_request_is_replaced() {
    let sandbox = sandbox(config::Sandbox {
        workers: 1,
        memory_bytes: 64 * MIB,
        string_bytes: 64 << 10,
        ..settings()
    })
    .await;
    let pid = sandbox.pids()[0];
    // A closure that captures the variable that holds it is never freed.
    let cycles = r#"let long = ""; long.pad(60000, "x");
    for i in 0..700 {
        let text = long + i;
        let held = ();
        let holder = || { held; text };
        held = holder;
    }"#;
    assert_eq!(outcome(&sandbox, cycles).await, Outcome::Finished);
    eventually("another process has its place", || {
        let pids = sandbox.pids();
        pids.len() == 1 && pids[0] != pid
    })
    .await;
    assert_eq!(outcome(&sandbox, "").await, Outcome::Finished);
}
