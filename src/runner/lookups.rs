//! Answers to look-ups of settings, kept for a moment for all runs.
//!
//! Every run that writes metadata looks up the same views by name. Such a read may be a minute old, says the
//! binding that asks for it; each run still journals the answer as its own step.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Answer, Digest};

/// How old a kept answer may be.
const FRESH: Duration = Duration::from_secs(60);

/// The most answers that are kept.
const KEPT_MAX: usize = 256;

/// The kept answers by what was asked.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    answers: Mutex<HashMap<Digest, (Instant, Arc<Answer>)>>,
}

impl Lookups {
    /// The answer to the same question, if it is fresh.
    pub(super) fn fresh(&self, question: Digest) -> Option<Arc<Answer>> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let (kept_at, answer) = answers.get(&question)?;
        (kept_at.elapsed() < FRESH).then(|| Arc::clone(answer))
    }

    /// Keeps a successful answer.
    pub(super) fn keep(&self, question: Digest, answer: &Answer) {
        if !(200..300).contains(&answer.status) {
            return;
        }
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= KEPT_MAX {
            answers.retain(|_, (kept_at, _)| kept_at.elapsed() < FRESH);
        }
        if answers.len() < KEPT_MAX {
            answers.insert(question, (Instant::now(), Arc::new(answer.clone())));
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    fn answer(status: u16) -> Answer {
        Answer {
            status,
            body: json!({"id": "view"}),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_kept_for_a_minute_and_not_longer() {
        let lookups = Lookups::default();
        let question = Digest([1; 16]);
        assert!(lookups.fresh(question).is_none());
        lookups.keep(question, &answer(200));
        tokio::time::advance(FRESH - Duration::from_secs(1)).await;
        assert_eq!(lookups.fresh(question).as_deref(), Some(&answer(200)));
        assert!(lookups.fresh(Digest([2; 16])).is_none());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(lookups.fresh(question).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_are_not_kept_and_the_old_make_room_for_the_new() {
        let lookups = Lookups::default();
        lookups.keep(Digest([0; 16]), &answer(404));
        assert!(lookups.fresh(Digest([0; 16])).is_none());
        let key = |n: usize| {
            let mut digest = [0; 16];
            digest[..8].copy_from_slice(&n.to_be_bytes());
            Digest(digest)
        };
        for n in 0..=KEPT_MAX {
            lookups.keep(key(n), &answer(200));
        }
        assert!(lookups.fresh(key(KEPT_MAX)).is_none(), "there is a bound");
        tokio::time::advance(FRESH).await;
        lookups.keep(key(KEPT_MAX), &answer(200));
        assert!(lookups.fresh(key(KEPT_MAX)).is_some());
    }
}
