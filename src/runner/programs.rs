//! The rules that runs were made under, read from the store once.
//!
//! A run keeps its rule set across reloads, so several sets are in use for a while after each. A set never
//! changes once it is stored; forgetting one costs a read and nothing else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{Program, RuleHeader, RuleId, RuleSet, RuleSetId};
use crate::store::{Store, StoreError};

use super::Timers;

/// The most rule sets that are kept.
const SETS_MAX: usize = 8;

/// One rule of a rule set, ready to be advanced.
#[derive(Debug)]
pub(super) struct Known {
    /// What it says about its runs.
    pub(super) header: RuleHeader,
    /// What a worker needs.
    pub(super) program: Arc<Program>,
}

type Rules = Arc<HashMap<RuleId, Arc<Known>>>;

/// The rules of the sets that runs were seen with.
#[derive(Debug)]
pub(super) struct Programs {
    store: Arc<dyn Store>,
    /// What becomes of `sleep` says whether somebody only tries a rule: then no job shows how it is getting on.
    timers: Timers,
    sets: Mutex<HashMap<RuleSetId, Rules>>,
}

impl Programs {
    pub(super) fn new(store: Arc<dyn Store>, timers: Timers) -> Self {
        Self {
            store,
            timers,
            sets: Mutex::default(),
        }
    }

    /// A rule as it stood in a rule set; none if the store does not hold it (any more).
    pub(super) async fn known(
        &self,
        set: &RuleSetId,
        rule: &RuleId,
    ) -> Result<Option<Arc<Known>>, StoreError> {
        if let Some(rules) = self.sets().get(set) {
            return Ok(rules.get(rule).cloned());
        }
        let Some(stored) = self.store.rule_set(set).await? else {
            return Ok(None);
        };
        let rules = rules_of(&stored, self.timers);
        let known = rules.get(rule).cloned();
        let mut sets = self.sets();
        if sets.len() >= SETS_MAX {
            sets.clear();
        }
        sets.insert(set.clone(), rules);
        Ok(known)
    }

    fn sets(&self) -> std::sync::MutexGuard<'_, HashMap<RuleSetId, Rules>> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn rules_of(set: &RuleSet, timers: Timers) -> Rules {
    let known = set.rules.iter().filter_map(|header| {
        let (mut header, mut program) = (header.clone(), set.program(&header.rule)?);
        if timers == Timers::Immediate {
            (header.progress, program.progress) = (None, None);
        }
        let program = Arc::new(program);
        Some((header.rule.clone(), Arc::new(Known { header, program })))
    });
    Arc::new(known.collect())
}
