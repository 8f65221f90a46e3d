//! Two loops that keep the store fit: one looks how it is and says so, one forgets what is old.
//!
//! They are apart because pruning a large store takes minutes, and a full disk must be seen in seconds.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use metrics::{counter, gauge};

use crate::clock::SharedClock;
use crate::config::{Config, Retention};
use crate::store::{Cut, Health, PruneMark, Pruned, Store, StoreError};
use crate::telemetry::{Part, Readiness};

/// How often the store is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often retention goes through the store.
const PRUNE_EVERY: Duration = Duration::from_secs(600);

/// The pause between two slices, so that events and runs come first.
const BETWEEN_SLICES: Duration = Duration::from_millis(20);

/// The pause while a backup is being made, and after the store has failed.
const HELD_PAUSE: Duration = Duration::from_secs(5);

/// Looks after one store.
#[derive(Clone, Debug)]
pub(super) struct Keeper {
    store: Arc<dyn Store>,
    clock: SharedClock,
    readiness: Readiness,
    retention: Retention,
    /// How long a repeated delivery may have to be known as one.
    keys: Duration,
}

impl Keeper {
    pub(super) fn new(
        store: Arc<dyn Store>,
        clock: SharedClock,
        readiness: Readiness,
        config: &Config,
    ) -> Self {
        Self {
            store,
            clock,
            readiness,
            retention: config.store.retention,
            keys: config.longest_dedup(),
        }
    }

    /// Says how the store is, until `stop`.
    pub(super) async fn watch(self, stop: impl Future<Output = ()>) {
        let mut said = None;
        let look = async {
            let mut tick = tokio::time::interval(LOOK_EVERY);
            let failed = self.store.failed();
            tokio::pin!(failed);
            loop {
                // A store that has failed does not begin again by itself: it is said at once, and stays.
                tokio::select! {
                    _ = tick.tick() => self.look(&mut said).await,
                    _ = &mut failed => break,
                }
            }
            self.look(&mut said).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = stop => {}
            () = look => {}
        }
    }

    async fn look(&self, said: &mut Option<String>) {
        self.forget_tokens().await;
        let health = match self.store.health().await {
            Ok(health) => health,
            Err(error) => Health {
                broken: Some(format!("the store does not say how it is: {error}")),
                ..Health::default()
            },
        };
        measure(&health);
        let trouble = health.broken.or(health.no_room);
        if trouble != *said {
            match &trouble {
                Some(trouble) => tracing::error!(trouble, "the store takes no events"),
                None => tracing::info!("the store takes events again"),
            }
            said.clone_from(&trouble);
        }
        match trouble {
            Some(trouble) => self.readiness.not_ready(Part::Store, trouble),
            None => self.readiness.ready(Part::Store),
        }
    }

    /// Tokens of people live no longer than they may.
    async fn forget_tokens(&self) {
        match self.store.forget_tokens(self.clock.now()).await {
            Ok(0) => {}
            Ok(tokens) => {
                tracing::debug!(tokens, "tokens of people who pressed buttons are forgotten");
            }
            Err(error) => {
                tracing::warn!(%error, "tokens that are needed no more could not be forgotten; it is tried again");
            }
        }
    }

    /// Forgets what is old, until `stop`.
    pub(super) async fn prune(self, stop: impl Future<Output = ()>) {
        let passes = async {
            let mut tick = tokio::time::interval(PRUNE_EVERY);
            loop {
                tick.tick().await;
                if let Err(error) = self.pass().await {
                    tracing::error!(%error, "what is outside retention could not be removed; it is tried again");
                }
            }
        };
        // A slice under way is committed or not, whoever waits for it.
        tokio::select! {
            () = stop => {}
            () = passes => {}
        }
    }

    async fn pass(&self) -> Result<(), StoreError> {
        let pass = Pass {
            store: &*self.store,
            cut: cut(&self.retention, self.keys, self.clock.now()),
            max_size: self.retention.max_size,
            pause: BETWEEN_SLICES,
        };
        let pruned = pass.run().await?;
        report(&pruned);
        Ok(())
    }
}

/// What is outside retention at a moment.
pub fn retention_cut(config: &Config, now: Timestamp) -> Cut {
    cut(&config.store.retention, config.longest_dedup(), now)
}

/// Removes everything that is outside retention, without a pause for anybody else.
///
/// # Errors
///
/// When the store fails.
pub async fn prune(
    store: &dyn Store,
    config: &Config,
    now: Timestamp,
) -> Result<Pruned, StoreError> {
    let pass = Pass {
        store,
        cut: retention_cut(config, now),
        max_size: config.store.retention.max_size,
        pause: Duration::ZERO,
    };
    pass.run().await
}

fn cut(retention: &Retention, keys: Duration, now: Timestamp) -> Cut {
    let before = |age: Duration| now.checked_sub(age).unwrap_or(Timestamp::MIN);
    Cut {
        journals_before: before(retention.journals),
        events_before: before(retention.events),
        keys_before: before(keys),
        now,
    }
}

/// Once through the store.
struct Pass<'a> {
    store: &'a dyn Store,
    cut: Cut,
    max_size: u64,
    pause: Duration,
}

impl Pass<'_> {
    async fn run(&self) -> Result<Pruned, StoreError> {
        let most = self.max_size;
        let mut pruned = self.slices(&self.cut, |_| true).await?;
        if self.used().await? <= most {
            return Ok(pruned);
        }
        // Everything that has ended is old enough now; the oldest come first, and it ends when it is enough.
        let everything = Cut {
            journals_before: self.cut.now,
            events_before: self.cut.now,
            ..self.cut
        };
        pruned += self.slices(&everything, |used| used > most).await?;
        let used = self.used().await?;
        tracing::warn!(
            used,
            max_size = most,
            "more than the largest size was in use: the oldest events went early"
        );
        if used > most {
            tracing::error!(
                used,
                max_size = most,
                "more than the largest size is in use, and what is left is needed: raise [store] retention.max_size"
            );
        }
        Ok(pruned)
    }

    async fn used(&self) -> Result<u64, StoreError> {
        Ok(self.store.health().await?.used_bytes)
    }

    /// Slice by slice, as long as it is wanted with so many bytes in use.
    async fn slices(&self, cut: &Cut, wanted: impl Fn(u64) -> bool) -> Result<Pruned, StoreError> {
        let mut all = Pruned::default();
        let mut mark = PruneMark::default();
        while wanted(self.used().await?) {
            let slice = match self.store.prune(cut, mark).await {
                Err(StoreError::Overloaded) => Pruned {
                    held: true,
                    next: Some(mark),
                    ..Pruned::default()
                },
                slice => slice?,
            };
            all += slice;
            let Some(next) = slice.next else {
                break;
            };
            mark = next;
            tokio::time::sleep(if slice.held { HELD_PAUSE } else { self.pause }).await;
        }
        Ok(all)
    }
}

fn report(pruned: &Pruned) {
    if pruned.is_nothing() {
        return;
    }
    for (kind, count) in [
        ("event", pruned.events),
        ("journal", pruned.journals),
        ("run", pruned.runs),
        ("lane", pruned.lanes),
        ("state_entry", pruned.state_entries),
        ("rule_set", pruned.rule_sets),
    ] {
        counter!("cuegate_store_pruned_total", "kind" => kind).increment(count);
    }
    tracing::info!(
        events = pruned.events,
        journals = pruned.journals,
        runs = pruned.runs,
        lanes = pruned.lanes,
        state_entries = pruned.state_entries,
        rule_sets = pruned.rule_sets,
        "what is outside retention was removed"
    );
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float; nobody has a disk of 2^53 bytes"
)]
fn measure(health: &Health) {
    gauge!("cuegate_store_used_bytes").set(health.used_bytes as f64);
    gauge!("cuegate_store_file_bytes").set(health.file_bytes as f64);
    gauge!("cuegate_disk_free_bytes").set(health.free_bytes as f64);
    let refuses = health.no_room.is_some();
    gauge!("cuegate_store_no_room").set(if refuses { 1.0 } else { 0.0 });
}
