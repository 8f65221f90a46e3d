//! An Iconik that is unwell: refusals, errors, answers that come late, half, spoiled or never, and nobody there.

use std::time::Duration;

use cuegate::simulator::{Matching, RandomTrouble, Trouble};
use libtest_mimic::Trial;
use serde_json::json;
use tokio::time::sleep;

use super::{add, conclude};
use crate::site::{CASES, Site, Spoiled};

/// `iconik.timeout` of these tests, and an answer that is later.
const TIMEOUT: &str = "timeout = \"1s\"";
const TOO_LATE: Duration = Duration::from_millis(1_500);

/// How likely each kind of trouble is when dice are thrown.
const SHARE: f64 = 0.04;

/// A name, what goes wrong, and whose answers it spoils.
type Once = (&'static str, fn() -> Trouble, Spoiled);

/// What goes wrong once with the call of every effect, and whether it leaves a doubt.
const ONCE: &[Once] = &[
    ("429", || answer(429, None), Spoiled::Nobody),
    (
        "429 that says when",
        || answer(429, Some(Duration::from_secs(1))),
        Spoiled::Nobody,
    ),
    ("500", || answer(500, None), Spoiled::First),
    ("503 after it was carried out", late_error, Spoiled::First),
    ("time-out", || Trouble::Slow(TOO_LATE), Spoiled::First),
    ("reset before", || Trouble::LoseRequest, Spoiled::First),
    ("reset after", || Trouble::LoseAnswer, Spoiled::First),
    ("half a body", || Trouble::HalfBody, Spoiled::First),
    ("no JSON", || Trouble::NotJson, Spoiled::First),
];

fn answer(status: u16, retry_after: Option<Duration>) -> Trouble {
    Trouble::Answer {
        status,
        body: json!({ "errors": ["trouble on purpose"] }),
        retry_after,
    }
}

fn late_error() -> Trouble {
    Trouble::AnswerAfterwards {
        status: 503,
        body: json!({ "errors": ["trouble on purpose"] }),
        retry_after: None,
    }
}

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        crate::trial("faults::iconik::all_at_once_by_dice", all_at_once_by_dice),
        crate::trial("faults::iconik::nobody_there", nobody_there),
    ];
    for (name, trouble, spoiled) in ONCE {
        let test = format!("faults::iconik::{}", name.replace(' ', "_"));
        trials.push(crate::trial(&test, || once(name, trouble(), *spoiled)));
    }
    trials
}

async fn started() -> Site {
    let mut site = Site::new(false).await;
    site.gateway
        .replace("auth_token = ", &format!("{TIMEOUT}\nauth_token = "));
    site.gateway.start().await;
    site
}

/// The first call of the first event of every effect meets the trouble; nobody else does.
async fn once(name: &str, trouble: Trouble, spoiled: Spoiled) {
    let mut site = started().await;
    let mut random = fastrand::Rng::new();
    let first = |_, number, _: &mut fastrand::Rng| usize::from(number == 0);
    site.add_events(&mut random, first).await;
    for case in CASES {
        let (method, path) = case.calls[0];
        site.simulator
            .fault(Matching::path(method, path), 1, trouble.clone());
    }
    assert!(site.send().load.await, "events are taken");
    site.spoiled = spoiled;
    conclude(name, site).await;
}

async fn all_at_once_by_dice() {
    let mut site = started().await;
    add(&mut site).await;
    let seed = fastrand::u64(..);
    site.simulator.trouble_at_random(RandomTrouble {
        slow_by: TOO_LATE,
        ..RandomTrouble::each(seed, SHARE)
    });
    assert!(site.send().load.await, "events are taken");
    site.until_still().await;
    println!("struck: {:?}", site.simulator.struck_at_random());
    site.simulator.end_random_trouble();
    site.spoiled = Spoiled::ByDice;
    conclude("everything by dice", site).await;
}

async fn nobody_there() {
    let mut site = started().await;
    add(&mut site).await;
    site.simulator
        .refuse_connections()
        .await
        .expect("it listens");
    assert!(site.send().load.await, "events are taken all the same");
    sleep(super::WHILE).await;
    site.simulator
        .accept_connections()
        .await
        .expect("the port is free");
    add(&mut site).await;
    conclude("nobody there", site).await;
}
