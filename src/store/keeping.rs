//! What keeps a store fit over years: how well it is, what it may forget, and whether it holds together.

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;

use super::StoreError;

/// What is old enough to be forgotten. An event is the unit: nothing of it goes while one of its runs is unfinished,
/// while a person has yet to decide about it, or while a run waits with it in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Steps, intents and log lines of runs that ended before this go, if the last run of their event did.
    pub journals_before: Timestamp,
    /// Events received before this go, with their runs, once all their journals have.
    pub events_before: Timestamp,
    /// Until then an event that goes leaves its id and its key behind, so that a repeated delivery is still known.
    pub keys_before: Timestamp,
    /// What rules keep goes if it expired before this.
    pub now: Timestamp,
}

/// How far a pass of pruning is. Only the store that made it can read it; the default is the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PruneMark {
    pub(super) stage: u8,
    pub(super) after: i64,
}

/// What one slice of pruning did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Events whose payload has gone, those that went altogether among them.
    pub events: u64,
    /// Runs whose journal has gone.
    pub journals: u64,
    /// Runs that went altogether.
    pub runs: u64,
    /// Idle lanes without runs.
    pub lanes: u64,
    /// Entries of rules that had expired.
    pub state_entries: u64,
    /// Rule sets that nothing refers to.
    pub rule_sets: u64,
    /// Whether nothing was done because a backup is being made.
    pub held: bool,
    /// Where the next slice begins; none after the last one.
    #[serde(skip)]
    pub next: Option<PruneMark>,
}

impl std::ops::AddAssign for Pruned {
    /// Adds the counts; where the next slice begins is the later one's word.
    fn add_assign(&mut self, later: Self) {
        self.events += later.events;
        self.journals += later.journals;
        self.runs += later.runs;
        self.lanes += later.lanes;
        self.state_entries += later.state_entries;
        self.rule_sets += later.rule_sets;
        self.held = later.held;
        self.next = later.next;
    }
}

impl Pruned {
    /// Whether nothing has gone.
    pub fn is_nothing(&self) -> bool {
        let gone = self.events + self.journals + self.runs + self.lanes;
        gone + self.state_entries + self.rule_sets == 0
    }
}

/// How well the store is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Why nothing can be written until the gateway is started again, if that is so.
    pub broken: Option<String>,
    /// Why no event is taken at the moment, if that is so; it ends by itself.
    pub no_room: Option<String>,
    /// Bytes in use: pages that hold something. Write-ahead logs keep their size, so nothing that is removed makes them
    /// smaller.
    pub used_bytes: u64,
    /// Bytes of the files and their write-ahead logs, with room that is used again.
    pub file_bytes: u64,
    /// Bytes that are free for the store on its disk.
    pub free_bytes: u64,
}

/// A promise about what is stored that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The kind, a word for scripts.
    pub kind: &'static str,
    /// What it is about, such as `run 17`.
    pub place: String,
    /// What is wrong there.
    pub text: String,
    /// What a repair does about it, or what a person has to do.
    pub remedy: &'static str,
    /// Whether it has been repaired.
    pub repaired: bool,
}

/// The part of the store that is kept in order.
#[async_trait]
pub trait Keeps: Send + Sync + Debug {
    /// Forgets a slice of what is older than the cut: so little that no write waits long behind it.
    async fn prune(&self, cut: &Cut, from: PruneMark) -> Result<Pruned, StoreError>;

    /// How well it is; never waits for a write.
    async fn health(&self) -> Result<Health, StoreError>;

    /// Every promise about what is stored that does not hold, as of one moment; reads everything.
    async fn check(&self) -> Result<Vec<Finding>, StoreError>;

    /// Up to when events may have gone without a trace: an id that is unknown was never received, or before this.
    async fn forgotten_until(&self) -> Result<Option<Timestamp>, StoreError>;
}
