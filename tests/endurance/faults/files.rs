//! Files that were damaged, deleted or replaced while the gateway was away.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use cuegate::model::{Method, RunState};
use cuegate::simulator::{HoldPoint, Matching};
use cuegate::store::{RunFilter, Store as _};
use libtest_mimic::Trial;
use rusqlite::Connection;

use super::{acknowledged, add, at_work, conclude};
use crate::disk::copy_files;
use crate::gateway::eventually;
use crate::site::Site;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        crate::trial(
            "faults::an_inbox_from_an_older_copy_repeats_nothing_and_takes_new_events",
            an_inbox_from_an_older_copy_repeats_nothing_and_takes_new_events,
        ),
        crate::trial(
            "faults::a_deleted_inbox_is_made_anew",
            a_deleted_inbox_is_made_anew,
        ),
        crate::trial(
            "faults::a_damaged_page_of_events_ends_their_runs_and_no_others",
            a_damaged_page_of_events_ends_their_runs_and_no_others,
        ),
        crate::trial(
            "faults::a_damaged_page_of_the_inbox_stops_routing_with_a_reason_and_loses_nothing",
            a_damaged_page_of_the_inbox_stops_routing_with_a_reason_and_loses_nothing,
        ),
        crate::trial(
            "faults::a_gateway_does_not_start_on_a_file_that_is_no_database",
            a_gateway_does_not_start_on_a_file_that_is_no_database,
        ),
    ]
}

/// Waits until the inbox holds nothing that is not in the other file, and kills.
async fn killed_when_routed(site: &mut Site) {
    eventually("everything is routed", async || {
        let unrouted = site.gateway.metric("cuegate_unrouted_events").await;
        (unrouted == 0.0).then_some(())
    })
    .await;
    site.gateway.sigkill().await;
    site.note_what_is_left().await;
}

fn remove_inbox(data: &Path) {
    for name in ["inbox.db", "inbox.db-wal", "inbox.db-shm"] {
        match fs::remove_file(data.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{name}: {error}"),
            _ => {}
        }
    }
}

async fn an_inbox_from_an_older_copy_repeats_nothing_and_takes_new_events() {
    let mut site = at_work(false).await;
    killed_when_routed(&mut site).await;
    let (data, older) = (site.gateway.path("data"), site.gateway.path("older"));
    copy_files(&data, &older).expect("files can be copied");
    site.gateway.start().await;
    add(&mut site).await;
    assert!(site.send().load.await, "events are taken");
    killed_when_routed(&mut site).await;

    remove_inbox(&data);
    for name in ["inbox.db", "inbox.db-wal"] {
        fs::copy(older.join(name), data.join(name)).expect("a file can be copied");
    }
    site.gateway.start().await;
    site.gateway
        .until_logged(&["inbox.db is older than cuegate.db"])
        .await;
    add(&mut site).await;
    conclude("inbox.db from an older copy", site).await;
}

async fn a_deleted_inbox_is_made_anew() {
    let mut site = at_work(false).await;
    killed_when_routed(&mut site).await;
    remove_inbox(&site.gateway.path("data"));
    site.gateway.start().await;
    add(&mut site).await;
    conclude("inbox.db deleted", site).await;
}

/// A page of a file, as it was before it was overwritten.
struct Page {
    file: PathBuf,
    at: u64,
    bytes: Vec<u8>,
}

impl Page {
    /// Overwrites a page in the middle of a table, in a file that nobody has open.
    fn damage(file: PathBuf, table: &str) -> Self {
        let db = Connection::open(&file).expect("the file can be opened");
        let (size, page): (u32, u32) = db
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .and_then(|()| db.query_row("PRAGMA page_size", [], |row| row.get(0)))
            .and_then(|size| Ok((size, middle_leaf(&db, table)?)))
            .expect("the file is sound");
        db.close().expect("nothing is left to write");
        let at = u64::from(page - 1) * u64::from(size);
        let mut bytes = vec![0; size as usize];
        let open = File::options().read(true).write(true).open(&file);
        let open = open.expect("it is there");
        open.read_exact_at(&mut bytes, at).expect("it can be read");
        let garbage = vec![0xa5; bytes.len()];
        open.write_all_at(&garbage, at).expect("it can be written");
        Self { file, at, bytes }
    }

    /// Undoes it, as somebody with a backup would.
    fn repair(self) {
        let open = File::options().write(true).open(&self.file);
        open.and_then(|open| open.write_all_at(&self.bytes, self.at))
            .expect("it can be written");
    }
}

fn middle_leaf(db: &Connection, table: &str) -> rusqlite::Result<u32> {
    let mut leaves = db
        .prepare("SELECT pageno FROM dbstat WHERE name = ?1 AND pagetype = 'leaf' ORDER BY path")?;
    let leaves: Vec<u32> = leaves
        .query_map([table], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    assert!(leaves.len() > 2, "every page of {table} is at an end of it");
    Ok(leaves[leaves.len() / 2])
}

async fn a_damaged_page_of_events_ends_their_runs_and_no_others() {
    let mut site = Site::new(false).await;
    site.gateway.start().await;
    let reads = Matching::path(Method::Get, "assets/v1/assets/*/");
    let hold = site.simulator.hold(reads, HoldPoint::Before);
    add(&mut site).await;
    assert!(site.send().load.await, "events are taken");
    killed_when_routed(&mut site).await;
    hold.cut();
    Page::damage(site.gateway.path("data/cuegate.db"), "event_body");
    site.gateway.start().await;
    let later = acknowledged(&site.gateway).await.expect("it takes events");
    site.gateway.until_quiet().await;
    site.gateway.stop().await;

    let store = site.gateway.store().await;
    assert!(store.event(later).await.expect("it can be read").is_some());
    let all = RunFilter {
        limit: 1_000,
        ..RunFilter::default()
    };
    let runs = store.runs(all).await.expect("they can be listed");
    store.close().await.expect("nothing is left to write");
    let (dead, others): (Vec<_>, Vec<_>) = runs
        .into_iter()
        .partition(|run| run.state == RunState::Dead);
    assert!(
        (1..runs_of_a_page()).contains(&dead.len()),
        "{}",
        dead.len()
    );
    for run in &dead {
        let failure = run
            .failure
            .as_ref()
            .expect("a dead run says why")
            .to_string();
        assert!(
            failure.contains("what is stored of this run cannot be read"),
            "{failure}"
        );
        assert!(failure.contains("compare with a backup"), "{failure}");
    }
    for run in &others {
        assert_eq!(run.state, RunState::Succeeded, "{run:?}");
    }
    println!(
        "fault: damaged page of event_body: {} runs dead with the reason, {} succeeded",
        dead.len(),
        others.len()
    );
}

/// An event of the site takes at least 300 bytes of a page of 8 KiB.
fn runs_of_a_page() -> usize {
    8_192 / 300
}

async fn a_damaged_page_of_the_inbox_stops_routing_with_a_reason_and_loses_nothing() {
    let mut site = Site::new(false).await;
    site.gateway.write("rules/broken.rhai", "no rule");
    site.gateway.start_unready().await;
    add(&mut site).await;
    assert!(site.send().load.await, "events are taken without rules");
    site.gateway.sigkill().await;
    fs::remove_file(site.gateway.path("rules/broken.rhai")).expect("it was written");
    let page = Page::damage(site.gateway.path("data/inbox.db"), "accepted");
    site.gateway.start().await;
    let words = ["routing failed", "is damaged", "restore it from a backup"];
    site.gateway.until_logged(&words).await;
    assert!(
        acknowledged(&site.gateway).await.is_some(),
        "events are kept"
    );
    add(&mut site).await;
    assert!(site.send().load.await, "those of rules as well");
    site.gateway.stop().await;
    page.repair();
    site.gateway.start().await;
    conclude("damaged page of the inbox, restored", site).await;
}

async fn a_gateway_does_not_start_on_a_file_that_is_no_database() {
    for name in ["cuegate.db", "inbox.db"] {
        let mut site = at_work(false).await;
        site.gateway.stop().await;
        let file = site.gateway.path("data").join(name);
        let length = fs::metadata(&file).expect("it is there").len();
        fs::write(
            &file,
            vec![0xa5; usize::try_from(length).expect("it is small")],
        )
        .expect("it can be written");
        let ended = site.gateway.command(&["serve"]).output().await;
        let ended = ended.expect("it can be started");
        let said = [ended.stdout, ended.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!ended.status.success(), "{said}");
        assert!(
            said.contains(&format!("data/{name}: the database file is damaged")),
            "{said}"
        );
        assert!(said.contains("restore it from a backup"), "{said}");
    }
}
