//! Faults, one at a time, under load: of the disk, of single files, of the machine, and of Iconik. After each of them
//! everything comes to rest by itself or says what a person must do, and the judgement is the same as after a kill.

mod disk;
mod files;
mod iconik;
mod machine;

use std::time::Duration;

use cuegate::model::EventId;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::gateway::{Gateway, event_id, webhook};
use crate::site::{Site, Totals};

/// How long a fault lasts. Long enough for every loop of the gateway to have met it.
const WHILE: Duration = Duration::from_secs(2);

/// A fault begins so long after the senders have: some events are acknowledged, some runs are in the middle.
const AT_WORK: Duration = Duration::from_millis(40);

pub(crate) fn trials() -> Vec<Trial> {
    [
        disk::trials(),
        files::trials(),
        iconik::trials(),
        machine::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A site whose gateway runs and has had some events.
async fn at_work(with_disk: bool) -> Site {
    let mut site = Site::new(with_disk).await;
    site.gateway.start().await;
    add(&mut site).await;
    assert!(site.send().load.await, "a healthy gateway takes events");
    site
}

/// Two more events for every lane that has room.
async fn add(site: &mut Site) {
    site.add_events(&mut fastrand::Rng::new(), |_, _, _| 2)
        .await;
}

/// Comes to rest and is judged; given up is no run, because nobody was killed.
async fn conclude(title: &str, mut site: Site) {
    site.rest().await;
    let mut totals = Totals {
        rounds: 1,
        ..Totals::default()
    };
    site.judge(fastrand::u64(..), &mut totals).await;
    println!("fault: {title}: {}", totals.in_one_line());
    assert!(totals.broken.is_empty(), "{title}: promises are broken");
    let given_up = totals.cases.values().map(|row| row.given_up);
    assert_eq!(given_up.sum::<u64>(), 0, "{title}");
}

/// What the gateway says to an event that no rule wants.
async fn probe(gateway: &Gateway) -> (u16, Value) {
    let asset = "2c5bfe1a-f149-11eb-a843-0a580a3db916";
    let body = webhook("probe", "happened", asset, &json!({ "asset_id": asset }));
    gateway.post(&body, &[]).await
}

/// The event's id if it was acknowledged.
async fn acknowledged(gateway: &Gateway) -> Option<EventId> {
    let (status, answer) = probe(gateway).await;
    (status == 200).then(|| event_id(&answer))
}
