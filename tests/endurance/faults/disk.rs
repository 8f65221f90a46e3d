//! A disk that is full, read-only, or fails.

use libtest_mimic::Trial;
use tokio::time::{Instant, sleep};

use super::{AT_WORK, WHILE, acknowledged, add, at_work, conclude, probe};
use crate::disk::{Disk, Unsynced};
use crate::gateway::eventually;
use crate::site::{Sending, Site};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        crate::trial(
            "faults::a_full_disk_is_waited_out",
            a_full_disk_is_waited_out,
        ),
        crate::trial(
            "faults::nothing_is_acknowledged_after_a_failed_write_until_a_restart",
            nothing_is_acknowledged_after_a_failed_write_until_a_restart,
        ),
        crate::trial(
            "faults::nothing_is_acknowledged_on_a_volume_that_became_read_only_until_a_restart",
            nothing_is_acknowledged_on_a_volume_that_became_read_only_until_a_restart,
        ),
        crate::trial(
            "faults::nothing_is_acknowledged_after_a_failed_sync_until_a_restart",
            nothing_is_acknowledged_after_a_failed_sync_until_a_restart,
        ),
        crate::trial(
            "faults::a_gateway_does_not_start_on_a_disk_that_it_cannot_write",
            a_gateway_does_not_start_on_a_disk_that_it_cannot_write,
        ),
    ]
}

fn disk(site: &Site) -> &Disk {
    site.disk.as_ref().expect("the site has a disk")
}

/// Lets the fault begin while events arrive and runs are on their way.
async fn begin(site: &mut Site, fault: impl FnOnce(&Disk)) {
    let Sending { load, disk, .. } = site.send();
    let fault = async {
        sleep(AT_WORK).await;
        fault(disk.expect("the site has a disk"));
    };
    tokio::join!(load, fault);
}

/// Senders are told 503 while there is no room, and 200 afterwards, without anybody doing anything.
async fn a_full_disk_is_waited_out() {
    let mut site = at_work(true).await;
    add(&mut site).await;
    begin(&mut site, |disk| disk.room(Some(0))).await;
    let (mut refused, until) = (0, Instant::now() + WHILE);
    while Instant::now() < until {
        // The first ones may find room in what the log has already.
        let (status, answer) = probe(&site.gateway).await;
        assert!(status == 200 || status == 503, "{status}: {answer}");
        refused = if status == 503 { refused + 1 } else { 0 };
        sleep(WHILE / 100).await;
    }
    assert!(refused > 10, "only the last {refused} were refused");
    assert!(
        !site.send().load.await,
        "the events of rules are refused as well"
    );
    disk(&site).room(None);
    eventually("events are taken again", async || {
        acknowledged(&site.gateway).await
    })
    .await;
    conclude("disk full", site).await;
}

async fn nothing_is_acknowledged_after_a_failed_sync_until_a_restart() {
    stops_until_a_restart("I/O error from fsync", Disk::fail_to_sync).await;
}

async fn nothing_is_acknowledged_after_a_failed_write_until_a_restart() {
    stops_until_a_restart("I/O error from write", Disk::fail_to_write).await;
}

async fn nothing_is_acknowledged_on_a_volume_that_became_read_only_until_a_restart() {
    stops_until_a_restart("read-only volume", Disk::read_only).await;
}

/// What a disk that failed has lost is unknown, and that it works again says nothing about it: after a failed sync
/// Linux forgets what was to be written, and the next sync succeeds.
async fn stops_until_a_restart(title: &str, fails: impl Fn(&Disk, bool)) {
    let mut site = at_work(true).await;
    let before = acknowledged(&site.gateway).await.expect("it is healthy");
    add(&mut site).await;
    begin(&mut site, |disk| fails(disk, true)).await;
    assert_eq!(probe(&site.gateway).await.0, 503);
    fails(disk(&site), false);
    let until = Instant::now() + WHILE;
    while Instant::now() < until {
        let (status, answer) = probe(&site.gateway).await;
        assert_eq!(status, 503, "nobody has looked at the disk: {answer}");
        sleep(WHILE / 100).await;
    }
    let (status, report) = site.gateway.readyz().await.expect("it answers");
    assert_eq!(status, 503, "{report}");
    let store = report["parts"]["store"].as_str();
    let store = store.expect("the store is a part");
    assert!(store.contains("start Cuegate again"), "{report}");

    site.gateway.sigkill().await;
    disk(&site).cut(Unsynced::Lost);
    site.note_what_is_left().await;
    site.gateway.start().await;
    assert!(site.send().load.await, "events are taken after the restart");
    site.gateway.stop().await;
    let (event, _) = site.gateway.stored(before).await;
    assert_eq!(event.event.id, before);
    site.gateway.start().await;
    conclude(title, site).await;
}

async fn a_gateway_does_not_start_on_a_disk_that_it_cannot_write() {
    let site = Site::new(true).await;
    for (fault, words) in [
        (
            Disk::room as fn(&Disk, Option<u32>),
            "No space left on device",
        ),
        (|disk, _| disk.read_only(true), "Read-only file system"),
    ] {
        fault(disk(&site), Some(0));
        let ended = site
            .gateway
            .command(&["serve"])
            .output()
            .await
            .expect("it can be started");
        let said = [ended.stdout, ended.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!ended.status.success(), "{said}");
        assert!(said.contains(words), "{said}");
        disk(&site).room(None);
        disk(&site).read_only(false);
    }
}
