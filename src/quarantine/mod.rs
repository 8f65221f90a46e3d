//! Rules that break the workers they run in.
//!
//! A rule with a recent strike never has all workers, and one with too many is put in quarantine, so that one broken
//! rule costs the others neither their workers nor their time. It is one count for a rule, whether its `when` or its
//! `run` did it; so router and runner share this.

mod strikes;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use self::strikes::{RECENT, STRIKES_MAX, Strikes};
use crate::clock::SharedClock;
use crate::model::{RuleId, RuleVersion, format_duration};
use crate::store::{Pause, PauseScope, Store, StoreError};

/// Workers that a rule has lost.
#[derive(Clone, Copy, Debug)]
pub struct Strike<'a> {
    /// The rule.
    pub rule: &'a RuleId,
    /// The version of it.
    pub version: &'a RuleVersion,
    /// How many.
    pub workers: u32,
    /// Where, to follow on "lastly": `in run 17`.
    pub place: &'a str,
    /// What happened.
    pub what: &'a str,
}

/// Counts strikes and stops rules that have too many.
#[derive(Debug)]
pub struct Quarantine {
    store: Arc<dyn Store>,
    clock: SharedClock,
    strikes: Mutex<Strikes>,
}

impl Quarantine {
    /// Without any strikes yet.
    pub fn new(store: Arc<dyn Store>, clock: SharedClock) -> Self {
        Self {
            store,
            clock,
            strikes: Mutex::default(),
        }
    }

    /// Takes note of a strike; whether the rule is in quarantine from now on.
    ///
    /// # Errors
    ///
    /// When the quarantine cannot be stored; the rule's next strikes ask for it again.
    pub async fn struck(&self, strike: Strike<'_>) -> Result<bool, StoreError> {
        if strike.workers == 0 {
            return Ok(false);
        }
        let is_out = self
            .strikes()
            .record(strike.rule, strike.workers, Instant::now());
        if !is_out {
            return Ok(false);
        }
        let reason = format!(
            "rule `{rule}` (version {}) crashed or exhausted its workers {STRIKES_MAX} times within {}, lastly {}: {}. Its \
             events and runs are kept. Mend the rule, then `cuegate resume --rule {rule}`",
            strike.version,
            format_duration(RECENT),
            strike.place,
            strike.what,
            rule = strike.rule,
        );
        tracing::error!(rule = %strike.rule, reason, "a rule is in quarantine");
        let pause = Pause {
            scope: PauseScope::Rule(strike.rule.clone()),
            quarantine: true,
            reason,
            since: self.clock.now(),
        };
        self.store.pause(pause).await?;
        Ok(true)
    }

    /// How many more workers a rule may lose before it is in quarantine.
    pub fn strikes_left(&self, rule: &RuleId) -> u32 {
        self.strikes().left(rule, Instant::now())
    }

    /// How many runs of each rule with a recent strike may be claimed, so that together they leave a worker to others.
    /// `claimed` says how many are at the moment.
    pub fn bounds(
        &self,
        workers: usize,
        claimed: impl Fn(&RuleId) -> usize,
    ) -> Vec<(RuleId, usize)> {
        self.strikes().bounds(workers, claimed, Instant::now())
    }

    fn strikes(&self) -> MutexGuard<'_, Strikes> {
        // Strikes are counted, and one count too few does no harm.
        self.strikes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
