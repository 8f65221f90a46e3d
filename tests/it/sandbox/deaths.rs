//! Worker processes that come and go: killed from outside, given up, stopped.

use super::*;

#[tokio::test]
async fn a_run_whose_worker_is_killed_from_outside_is_advanced_again() {
    let sandbox = sandbox(config::Sandbox {
        workers: 1,
        cpu: Duration::from_secs(60),
        operations: 5_000_000,
        ..settings()
    })
    .await;
    let pid = sandbox.pids()[0];
    let idle_ticks = cpu_ticks(pid);
    let body = "let x = 0; while x < 400000 { x += 1; } skip(`counted to ${x}`);";
    let run = {
        let sandbox = Arc::clone(&sandbox);
        let program = program(body);
        tokio::spawn(async move { advance(&sandbox, &program, &[]).await })
    };
    eventually("the script is busy", || cpu_ticks(pid) > idle_ticks + 2).await;
    kill(pid);
    let outcome = run.await.unwrap().outcome;
    assert_eq!(outcome, Outcome::Skipped("counted to 400000".to_owned()));
    assert_ne!(sandbox.pids(), [pid]);
}

#[tokio::test]
async fn a_run_whose_workers_are_killed_five_times_in_a_row_is_given_up_as_a_crash() {
    let sandbox = sandbox(config::Sandbox {
        workers: 1,
        cpu: Duration::from_secs(60),
        operations: ENDLESS,
        ..settings()
    })
    .await;
    let run = {
        let sandbox = Arc::clone(&sandbox);
        tokio::spawn(async move { failure(&sandbox, LOOP).await })
    };
    let mut killed = Vec::new();
    while killed.len() < 5 {
        let mut busy = None;
        eventually("a worker is busy with the script", || {
            let fresh = |pid: &u32| !killed.contains(pid) && cpu_ticks(*pid) > BUSY_TICKS;
            busy = sandbox.pids().into_iter().find(fresh);
            busy.is_some()
        })
        .await;
        killed.extend(busy);
        kill(*killed.last().unwrap());
    }
    let failure = run.await.unwrap();
    assert_eq!(failure.class, DeadClass::Crash);
    assert!(failure.message.contains("five times in a row"), "{failure}");
    assert_eq!(outcome(&sandbox, "").await, Outcome::Finished);
}

#[tokio::test]
async fn a_worker_that_is_killed_while_idle_is_replaced_before_anything_is_asked_of_it() {
    let sandbox = sandbox(config::Sandbox {
        workers: 1,
        ..settings()
    })
    .await;
    let pid = sandbox.pids()[0];
    kill(pid);
    eventually("the report shows it", || sandbox.report().alive == 0).await;
    assert_eq!(outcome(&sandbox, "").await, Outcome::Finished);
    assert_eq!(sandbox.report().alive, 1);
}

#[tokio::test]
async fn stopping_lets_a_request_end_refuses_the_next_and_leaves_no_process() {
    let sandbox = sandbox(config::Sandbox {
        workers: 1,
        operations: 5_000_000,
        cpu: Duration::from_secs(60),
        ..settings()
    })
    .await;
    let pid = sandbox.pids()[0];
    let idle_ticks = cpu_ticks(pid);
    let run = {
        let sandbox = Arc::clone(&sandbox);
        tokio::spawn(
            async move { outcome(&sandbox, "let x = 0; while x < 200000 { x += 1; }").await },
        )
    };
    eventually("the script is busy", || cpu_ticks(pid) > idle_ticks + 2).await;
    sandbox.stop().await;
    assert!(!exists(pid));
    assert_eq!(sandbox.report().alive, 0);
    assert_eq!(run.await.unwrap(), Outcome::Finished);
    let refused = sandbox
        .advance(&program(""), RunId(2), &moment(), &event("x"), &[])
        .await;
    assert!(matches!(refused, Err(SandboxError::Stopping)));
}

#[tokio::test]
async fn workers_end_with_the_sandbox() {
    let sandbox = sandbox(settings()).await;
    let pids = sandbox.pids();
    assert!(pids.iter().all(|pid| exists(*pid)));
    drop(sandbox);
    eventually("they are gone", || !pids.iter().any(|pid| exists(*pid))).await;
}

#[tokio::test]
async fn a_program_that_is_no_worker_is_an_error_that_names_it() {
    for program in ["/nowhere/cuegate", "/bin/true"] {
        let error = Sandbox::start(&settings(), PathBuf::from(program))
            .await
            .expect_err("this is no worker");
        assert!(error.to_string().contains(program), "{error}");
    }
}
