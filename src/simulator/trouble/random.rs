//! Trouble at random: each request throws dice, so that a long test meets every mixture of errors. The same
//! seed gives the same troubles to the same number of requests, in the order of their arrival.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Matching, Trouble};

/// What goes wrong with requests at random: of all that match, the share from 0 to 1 that meets each kind of
/// trouble. Shares beyond 1 in all leave nothing to those that stand last.
#[derive(Clone, Debug)]
pub struct RandomTrouble {
    /// Where the dice begin.
    pub seed: u64,
    /// Which requests throw them. Default: all.
    pub matching: Matching,
    /// 429 without `Retry-After`; nothing is carried out.
    pub too_many: f64,
    /// 429 with `Retry-After` of one second; nothing is carried out.
    pub too_many_retry_after: f64,
    /// 500, 502 or 503, alike often; nothing is carried out.
    pub server_error: f64,
    /// 500, 502 or 503, alike often, although the request was carried out.
    pub server_error_afterwards: f64,
    /// [`Trouble::LoseRequest`].
    pub lose_request: f64,
    /// [`Trouble::LoseAnswer`].
    pub lose_answer: f64,
    /// [`Trouble::HalfBody`].
    pub half_body: f64,
    /// [`Trouble::NotJson`].
    pub not_json: f64,
    /// [`Trouble::Slow`] by [`RandomTrouble::slow_by`].
    pub slow: f64,
    /// How slow. Default 1 s.
    pub slow_by: Duration,
}

impl Default for RandomTrouble {
    fn default() -> Self {
        Self::each(0, 0.0)
    }
}

impl RandomTrouble {
    /// Every kind of trouble with the same share.
    pub fn each(seed: u64, share: f64) -> Self {
        Self {
            seed,
            matching: Matching::all(),
            too_many: share,
            too_many_retry_after: share,
            server_error: share,
            server_error_afterwards: share,
            lose_request: share,
            lose_answer: share,
            half_body: share,
            not_json: share,
            slow: share,
            slow_by: Duration::from_secs(1),
        }
    }

    fn shares(&self) -> [(f64, Kind); 9] {
        [
            (self.too_many, Kind::TooMany),
            (self.too_many_retry_after, Kind::TooManyRetryAfter),
            (self.server_error, Kind::ServerError),
            (self.server_error_afterwards, Kind::ServerErrorAfterwards),
            (self.lose_request, Kind::LoseRequest),
            (self.lose_answer, Kind::LoseAnswer),
            (self.half_body, Kind::HalfBody),
            (self.not_json, Kind::NotJson),
            (self.slow, Kind::Slow),
        ]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    TooMany,
    TooManyRetryAfter,
    ServerError,
    ServerErrorAfterwards,
    LoseRequest,
    LoseAnswer,
    HalfBody,
    NotJson,
    Slow,
}

impl Kind {
    /// The name of the share.
    fn name(self) -> &'static str {
        match self {
            Self::TooMany => "too_many",
            Self::TooManyRetryAfter => "too_many_retry_after",
            Self::ServerError => "server_error",
            Self::ServerErrorAfterwards => "server_error_afterwards",
            Self::LoseRequest => "lose_request",
            Self::LoseAnswer => "lose_answer",
            Self::HalfBody => "half_body",
            Self::NotJson => "not_json",
            Self::Slow => "slow",
        }
    }
}

/// The dice.
#[derive(Debug)]
pub(super) struct Dice {
    trouble: RandomTrouble,
    random: fastrand::Rng,
    struck: BTreeMap<&'static str, u64>,
}

impl Dice {
    pub(super) fn new(trouble: RandomTrouble) -> Self {
        Self {
            random: fastrand::Rng::with_seed(trouble.seed),
            trouble,
            struck: BTreeMap::new(),
        }
    }

    pub(super) fn struck(&self) -> BTreeMap<&'static str, u64> {
        self.struck.clone()
    }

    /// What goes wrong with a request, if anything.
    pub(super) fn thrown(&mut self, method: &str, path: &str) -> Option<Trouble> {
        if !self.trouble.matching.matches(method, path) {
            return None;
        }
        let mut thrown = self.random.f64();
        let kind = self
            .trouble
            .shares()
            .into_iter()
            .find_map(|(share, kind)| {
                let hit = thrown < share;
                thrown -= share;
                hit.then_some(kind)
            })?;
        *self.struck.entry(kind.name()).or_default() += 1;
        Some(self.trouble(kind))
    }

    fn trouble(&mut self, kind: Kind) -> Trouble {
        let too_many = |retry_after| Trouble::Answer {
            status: 429,
            body: errors("Too many requests"),
            retry_after,
        };
        match kind {
            Kind::TooMany => too_many(None),
            Kind::TooManyRetryAfter => too_many(Some(Duration::from_secs(1))),
            Kind::ServerError => {
                let (status, body) = self.server_error();
                Trouble::Answer {
                    status,
                    body,
                    retry_after: None,
                }
            }
            Kind::ServerErrorAfterwards => {
                let (status, body) = self.server_error();
                Trouble::AnswerAfterwards {
                    status,
                    body,
                    retry_after: None,
                }
            }
            Kind::LoseRequest => Trouble::LoseRequest,
            Kind::LoseAnswer => Trouble::LoseAnswer,
            Kind::HalfBody => Trouble::HalfBody,
            Kind::NotJson => Trouble::NotJson,
            Kind::Slow => Trouble::Slow(self.trouble.slow_by),
        }
    }

    /// A gateway in between has no body to give.
    fn server_error(&mut self) -> (u16, Value) {
        match self.random.u8(..3) {
            0 => (500, errors("Internal server error")),
            1 => (502, Value::Null),
            _ => (503, errors("Service unavailable")),
        }
    }
}

fn errors(message: &str) -> Value {
    json!({ "errors": [message] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Method;

    fn names(trouble: RandomTrouble, throws: usize) -> Vec<String> {
        let mut dice = Dice::new(trouble);
        let thrown = (0..throws).map(|_| format!("{:?}", dice.thrown("GET", "jobs/v1/jobs/")));
        thrown.collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_troubles_and_another_others() {
        let seeded = |seed| names(RandomTrouble::each(seed, 0.05), 200);
        assert_eq!(seeded(7), seeded(7));
        assert_ne!(seeded(7), seeded(8));
    }

    #[test]
    fn each_kind_strikes_about_as_often_as_its_share_says() {
        let mut dice = Dice::new(RandomTrouble {
            half_body: 0.2,
            ..RandomTrouble::each(1, 0.05)
        });
        let none = (0..10_000).filter(|_| dice.thrown("GET", "a/").is_none());
        assert!((3600..4400).contains(&none.count()), "40 % meet no trouble");
        let struck = dice.struck();
        assert_eq!(struck.len(), 9, "{struck:?}");
        for (kind, times) in struck {
            let expected = if kind == "half_body" {
                1600..2400
            } else {
                350..650
            };
            assert!(expected.contains(&times), "{kind}: {times}");
        }
    }

    #[test]
    fn only_what_matches_throws_the_dice_and_without_shares_nothing_strikes() {
        let posts = RandomTrouble {
            matching: Matching::prefix(Method::Post, ""),
            lose_answer: 1.0,
            ..RandomTrouble::default()
        };
        let mut dice = Dice::new(posts);
        assert!(dice.thrown("GET", "a/").is_none());
        assert!(matches!(
            dice.thrown("POST", "a/"),
            Some(Trouble::LoseAnswer)
        ));
        let mut dice = Dice::new(RandomTrouble::default());
        assert!((0..1000).all(|_| dice.thrown("GET", "a/").is_none()));
    }
}
