//! What happens to the machine: workers that are killed, a clock that is set.

use std::fs;
use std::time::Duration;

use cuegate::simulator::{Matching, RandomTrouble};
use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::{WHILE, add, conclude};
use crate::gateway::eventually;
use crate::site::Site;

/// An hour, in seconds.
const HOUR: i64 = 3_600;

/// The pause between two killed workers.
const BETWEEN: Duration = Duration::from_millis(100);

pub(super) fn trials() -> Vec<Trial> {
    vec![
        crate::trial("faults::workers_killed_at_random", workers_killed_at_random),
        crate::trial("faults::the_clock_an_hour_forward", || {
            clock_set("clock an hour forward", HOUR)
        }),
        crate::trial("faults::the_clock_an_hour_back", || {
            clock_set("clock an hour back", -HOUR)
        }),
    ]
}

/// The children of a process.
fn children(of: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{of}/task")).expect("it runs");
    let mut children = Vec::new();
    for task in tasks {
        let path = task.expect("it can be read").path().join("children");
        // A thread may have ended meanwhile.
        let text = fs::read_to_string(path).unwrap_or_default();
        children.extend(
            text.split_whitespace()
                .filter_map(|id| id.parse::<u32>().ok()),
        );
    }
    children
}

async fn workers_killed_at_random() {
    let mut site = Site::new(false).await;
    site.gateway.replace("workers = 1", "workers = 2");
    site.gateway.start().await;
    let gateway = site.gateway.process_id();
    let until = Instant::now() + 2 * WHILE;
    let work = async {
        while Instant::now() < until {
            add(&mut site).await;
            assert!(
                site.send().load.await,
                "events are taken whatever happens to workers"
            );
        }
    };
    let kill = async {
        let mut killed = 0;
        while Instant::now() < until {
            sleep(BETWEEN.mul_f64(fastrand::f64())).await;
            let workers = children(gateway);
            let victim = fastrand::choice(&workers).and_then(|id| i32::try_from(*id).ok());
            // It may have gone by itself.
            let hit = victim
                .and_then(Pid::from_raw)
                .map(|it| kill_process(it, Signal::KILL));
            killed += u32::from(hit.is_some_and(|hit| hit.is_ok()));
        }
        killed
    };
    let ((), killed) = tokio::join!(work, kill);
    assert!(killed > 10, "only {killed} workers were there to be killed");
    println!("killed {killed} workers");
    conclude("workers killed at random", site).await;
}

/// The clock jumps while runs are on their way and some of them wait to try again, and later jumps back.
async fn clock_set(title: &str, seconds: i64) {
    let mut site = Site::new(true).await;
    site.gateway.start().await;
    for clock in [seconds, 0] {
        add(&mut site).await;
        site.simulator.trouble_at_random(RandomTrouble {
            matching: Matching::all(),
            too_many: 0.8,
            ..RandomTrouble::default()
        });
        assert!(
            site.send().load.await,
            "events are taken whatever the clock says"
        );
        // Some have met the trouble and wait by now.
        eventually("runs wait to try again", async || {
            let waiting = site.gateway.metric("cuegate_runs{state=\"waiting\"}").await;
            (waiting > 3.0).then_some(())
        })
        .await;
        site.disk
            .as_ref()
            .expect("the site has a disk and a clock")
            .clock(clock);
        site.simulator.end_random_trouble();
        site.until_still().await;
    }
    add(&mut site).await;
    conclude(title, site).await;
}
