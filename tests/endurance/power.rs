//! What an acknowledgement is worth when the power goes, and that the cut which we make is one: with a lower
//! `synchronous` for the inbox, which no configuration can set, the same load and the same cut lose events.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;

use cuegate::clock::{Clock as _, SystemClock};
use cuegate::model::{Event, EventId, EventKey, EventKind, SourceName};
use cuegate::store::{Accepts as _, SqliteOptions, SqliteStore, Store as _, Synchronous};
use libtest_mimic::Trial;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::disk::{Disk, Unsynced};
use crate::gateway::within;

/// The first argument that makes this program the process that dies.
const CHILD: &str = "accept-until-killed";

/// Senders at a time.
const SENDERS: usize = 16;

/// Events that are acknowledged before the power goes, more or less.
const ACKNOWLEDGED: std::ops::Range<usize> = 50..1_500;

/// Power cuts of each kind.
const CUTS: usize = 8;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        crate::trial(
            "power::what_the_inbox_acknowledged_survives_a_power_cut",
            what_the_inbox_acknowledged_survives_a_power_cut,
        ),
        crate::trial(
            "power::an_inbox_that_does_not_wait_for_the_disk_loses_what_it_acknowledged",
            an_inbox_that_does_not_wait_for_the_disk_loses_what_it_acknowledged,
        ),
    ]
}

async fn what_the_inbox_acknowledged_survives_a_power_cut() {
    let mut total = Loss::default();
    for _ in 0..CUTS {
        total.add(&cut_while_accepting(Synchronous::Full).await);
    }
    println!("\npower cuts, synchronous=FULL: {total}\n");
    assert_eq!(total.lost, 0);
}

async fn an_inbox_that_does_not_wait_for_the_disk_loses_what_it_acknowledged() {
    let mut total = Loss::default();
    for _ in 0..CUTS {
        total.add(&cut_while_accepting(Synchronous::Normal).await);
    }
    println!("\npower cuts, synchronous=NORMAL (must lose): {total}\n");
    assert!(total.lost > 0, "the cut that we make takes nothing away");
}

#[derive(Debug, Default)]
struct Loss {
    cuts: usize,
    acknowledged: usize,
    lost: usize,
}

impl Loss {
    fn add(&mut self, other: &Self) {
        self.cuts += other.cuts;
        self.acknowledged += other.acknowledged;
        self.lost += other.lost;
    }
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            cuts,
            acknowledged,
            lost,
        } = self;
        write!(
            f,
            "{cuts} cuts, {acknowledged} events acknowledged, {lost} lost"
        )
    }
}

/// Lets a child accept events, kills it, cuts the power, and counts what is missing.
async fn cut_while_accepting(level: Synchronous) -> Loss {
    let data = tempfile::tempdir().expect("a temporary directory can be made");
    let disk = Disk::below(data.path());
    let program = std::env::current_exe().expect("this program has a path");
    let mut child = Command::new(program)
        .args([CHILD, name(level)])
        .arg(data.path())
        .envs(disk.environment())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("this program can be started");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut acknowledged = BTreeSet::new();
    let mut note = |line: &str| {
        // The last line of a killed process may be half a line.
        acknowledged.extend(line.parse::<EventId>().ok());
    };
    for _ in 0..fastrand::usize(ACKNOWLEDGED) {
        let line = within("the child accepts", lines.next_line()).await;
        note(
            &line
                .expect("it can be read")
                .expect("it goes on until it is killed"),
        );
    }
    child.kill().await.expect("it is ours");
    while let Ok(Some(line)) = lines.next_line().await {
        note(&line);
    }
    let seed = fastrand::u64(..);
    disk.cut(if seed.is_multiple_of(2) {
        Unsynced::Lost
    } else {
        Unsynced::Torn(seed)
    });
    Loss {
        cuts: 1,
        acknowledged: acknowledged.len(),
        lost: missing(data.path(), &acknowledged).await,
    }
}

async fn missing(data: &Path, acknowledged: &BTreeSet<EventId>) -> usize {
    let store = opened(data, Synchronous::Full).await;
    let unrouted = store.unrouted(usize::MAX).await.expect("it can be read");
    let kept: BTreeSet<EventId> = unrouted.events.iter().map(|event| event.id).collect();
    store.close().await.expect("it can be closed");
    acknowledged.difference(&kept).count()
}

async fn opened(data: &Path, inbox: Synchronous) -> SqliteStore {
    let options = SqliteOptions {
        inbox_synchronous: inbox,
        ..SqliteOptions::at(data.join("cuegate.db"))
    };
    let store = SqliteStore::open(options, Arc::new(SystemClock)).await;
    store.expect("the files can be opened")
}

fn name(level: Synchronous) -> &'static str {
    match level {
        Synchronous::Off => "off",
        Synchronous::Normal => "normal",
        Synchronous::Full => "full",
    }
}

/// If this process was started as the one that dies: accepts events and says their ids until it is killed.
pub(crate) fn child() -> Option<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [first, level, data] = arguments.as_slice() else {
        return None;
    };
    if first != CHILD {
        return None;
    }
    let levels = [Synchronous::Off, Synchronous::Normal, Synchronous::Full];
    let level = levels.into_iter().find(|it| name(*it) == level)?;
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be built");
    runtime.block_on(accept_for_ever(PathBuf::from(data), level));
    Some(ExitCode::FAILURE)
}

async fn accept_for_ever(data: PathBuf, level: Synchronous) {
    let store = Arc::new(opened(&data, level).await);
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..SENDERS {
        let store = Arc::clone(&store);
        senders.spawn(async move {
            for number in 0_u64.. {
                let event = event(&format!("{sender}-{number}"));
                let id = event.id;
                store.accept(vec![event]).await.expect("the store accepts");
                let mut out = std::io::stdout().lock();
                writeln!(out, "{id}")
                    .and_then(|()| out.flush())
                    .expect("somebody reads");
            }
        });
    }
    // None of them ends by itself.
    senders.join_next().await;
}

fn event(message: &str) -> Event {
    let source = SourceName::from("power");
    let key = EventKey::of_message(&source, message);
    let window = 0;
    Event {
        id: key.event_id(window),
        key,
        window,
        source,
        kind: EventKind::Other,
        received_at: SystemClock.now(),
        headers: std::collections::BTreeMap::new(),
        body: json!({ "message": message, "text": "x".repeat(1_000) }),
    }
}
