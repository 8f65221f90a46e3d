//! Loads the rules again when their directory has changed and is quiet again, so that a copy under way is never taken
//! for a rule set.
//!
//! The directory is looked at instead of being told of: notifications of the kernel do not reach a directory on a
//! network or bind mount reliably, and a mounted volume of Kubernetes changes by one link that is swapped above the
//! files. Names, sizes and times of a few hundred files cost less than a millisecond.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::rules::{RuleLoader, RulesError};
use crate::authoring::Fingerprint;

/// How often the directory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long it must stay as it is before a change counts.
const QUIET: Duration = Duration::from_secs(2);

/// Looks at the directory until `shutdown` completes. `loaded` is what it was like before the last load.
pub(super) async fn watch(
    directory: PathBuf,
    rules: Arc<RuleLoader>,
    loaded: Fingerprint,
    shutdown: impl Future<Output = ()>,
) {
    tokio::pin!(shutdown);
    let mut quiet = Quiet::since(loaded, Instant::now());
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let look = AssertUnwindSafe(look(&directory, &rules, &mut quiet)).catch_unwind();
        tokio::select! {
            biased;
            () = &mut shutdown => return,
            looked = look => if looked.is_err() {
                tracing::error!("loading the rules panicked: this is an error in cuegate; the active set stays");
                quiet.settle();
            },
        }
    }
}

async fn look(directory: &Path, rules: &RuleLoader, quiet: &mut Quiet) {
    let path = directory.to_owned();
    let Ok(print) = tokio::task::spawn_blocking(move || Fingerprint::of(&path)).await else {
        return;
    };
    if !quiet.is_due(print, Instant::now()) {
        return;
    }
    match rules.load().await {
        Ok(_) => quiet.settle(),
        Err(error) => {
            tracing::error!(%error, "the rules were not reloaded: the active set stays");
            // What is wrong with the files stays wrong until they change; what is wrong with us may pass.
            match error {
                RulesError::Directory(_) | RulesError::Findings { .. } => quiet.settle(),
                RulesError::Sandbox(_) | RulesError::Store(_) => quiet.again(Instant::now()),
            }
        }
    }
}

/// Whether a directory has changed and is quiet again.
#[derive(Debug)]
struct Quiet {
    loaded: Fingerprint,
    seen: Fingerprint,
    since: Instant,
}

impl Quiet {
    fn since(loaded: Fingerprint, since: Instant) -> Self {
        Self {
            loaded,
            seen: loaded,
            since,
        }
    }

    /// Takes note of what the directory is like; answers whether it is to be loaded.
    fn is_due(&mut self, print: Fingerprint, now: Instant) -> bool {
        if print != self.seen {
            (self.seen, self.since) = (print, now);
        }
        self.seen != self.loaded && now.duration_since(self.since) >= QUIET
    }

    /// What was seen last is loaded, or never will be as it is.
    fn settle(&mut self) {
        self.loaded = self.seen;
    }

    /// What was seen last is to be tried once more, after the same time.
    fn again(&mut self, now: Instant) {
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(500);

    /// Fingerprints of a directory that changes at each call.
    fn states(count: usize) -> Vec<Fingerprint> {
        let directory = tempfile::tempdir().unwrap();
        let state = |number| {
            std::fs::write(directory.path().join(format!("{number}.rhai")), "").unwrap();
            Fingerprint::of(directory.path())
        };
        (0..count).map(state).collect()
    }

    #[test]
    fn a_change_counts_once_when_nothing_has_changed_for_two_seconds() {
        let [old, new, newer] = states(3)[..] else {
            panic!("there are three")
        };
        let begin = Instant::now();
        let mut quiet = Quiet::since(old, begin);
        assert!(!quiet.is_due(old, begin + QUIET * 2), "nothing has changed");
        let changed = begin + QUIET * 3;
        assert!(!quiet.is_due(new, changed));
        assert!(!quiet.is_due(newer, changed + STEP), "it goes on changing");
        assert!(!quiet.is_due(newer, changed + QUIET));
        assert!(quiet.is_due(newer, changed + STEP + QUIET));
        quiet.settle();
        assert!(!quiet.is_due(newer, changed + QUIET * 9));
    }

    #[test]
    fn what_is_as_it_was_before_is_not_loaded_and_what_failed_for_a_moment_is_tried_again() {
        let [old, new] = states(2)[..] else {
            panic!("there are two")
        };
        let begin = Instant::now();
        let mut quiet = Quiet::since(old, begin);
        assert!(!quiet.is_due(new, begin));
        assert!(!quiet.is_due(old, begin + STEP));
        assert!(!quiet.is_due(old, begin + QUIET * 2));

        assert!(!quiet.is_due(new, begin + QUIET * 3));
        assert!(quiet.is_due(new, begin + QUIET * 4));
        quiet.again(begin + QUIET * 4);
        assert!(!quiet.is_due(new, begin + QUIET * 4 + STEP));
        assert!(quiet.is_due(new, begin + QUIET * 5));
    }
}
