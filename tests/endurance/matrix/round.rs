//! One data directory: load, kills and restarts, then rest and the judgement.

use std::time::Duration;

use cuegate::simulator::{Hold, Matching, Trouble};
use tokio::time::{sleep, timeout};

use super::plan::{HeldCall, Kill};
use crate::disk::Unsynced;
use crate::site::{CASES, Sending, Site, Totals};

/// A held call comes within this time, or the kill is one at a random moment.
const HELD_WITHIN: Duration = Duration::from_secs(2);

/// What one round needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) seed: u64,
    pub(crate) cycles: u32,
    /// Whether the power goes with every kill.
    pub(crate) power: bool,
    /// The digest of the binary.
    pub(crate) build: String,
}

struct Round {
    random: fastrand::Rng,
    site: Site,
}

/// Plays a round; answers what was counted. What was broken is in the totals, and its directory is kept.
pub(crate) async fn play(order: &Order) -> Totals {
    let mut round = Round {
        random: fastrand::Rng::with_seed(order.seed),
        site: Site::new(order.power).await,
    };
    let mut totals = Totals {
        rounds: 1,
        ..Totals::default()
    };
    for _ in 0..order.cycles {
        let how = round.cycle().await;
        totals.killed(&order.build, how);
    }
    round.site.gateway.start().await;
    round.site.rest().await;
    round.cut_power();
    round.site.judge(order.seed, &mut totals).await;
    totals
}

impl Round {
    /// One start and one kill; says which kind it was.
    async fn cycle(&mut self) -> &'static str {
        let kill = Kill::choose(&mut self.random);
        let needs = kill.needs();
        self.site
            .add_events(&mut self.random, |case, _, random| {
                if needs == Some(case) {
                    1
                } else {
                    random.usize(0..4)
                }
            })
            .await;
        self.site.gateway.launch();
        let how = match kill {
            Kill::Starting(after) => {
                sleep(after).await;
                self.site.gateway.sigkill().await;
                "while starting"
            }
            Kill::Working(after) => {
                self.site.gateway.until_listening().await;
                self.load_and_kill(None, after).await;
                "at a random moment"
            }
            Kill::Held(call) => {
                self.site.gateway.until_listening().await;
                let (method, path) = CASES[call.case].calls[call.call];
                let hold = self
                    .site
                    .simulator
                    .hold(Matching::path(method, path), call.point);
                self.load_and_kill(Some((hold, call)), HELD_WITHIN).await
            }
            Kill::Unheard { case, call, then } => {
                self.site.gateway.until_listening().await;
                let (method, path) = CASES[case].calls[call];
                let matching = Matching::path(method, path);
                self.site.simulator.fault(matching, 1, Trouble::LoseAnswer);
                self.load_and_kill(None, then).await;
                "at a random moment, after a lost answer"
            }
        };
        self.cut_power();
        self.site.note_what_is_left().await;
        how
    }

    /// Sends what there is and kills after the time, or as soon as a call is held. A call that is let go is so
    /// at once: Iconik would not carry it out long after its sender has given up either.
    async fn load_and_kill(
        &mut self,
        held: Option<(Hold, HeldCall)>,
        after: Duration,
    ) -> &'static str {
        let Sending { load, gateway, .. } = self.site.send();
        let kill = async move {
            let Some((mut hold, call)) = held else {
                sleep(after).await;
                gateway.sigkill().await;
                return "at a random moment";
            };
            let came = timeout(after, hold.held()).await.is_ok();
            if came {
                sleep(call.held).await;
            }
            gateway.sigkill().await;
            if call.passes {
                hold.release();
            } else {
                hold.cut();
            }
            if came {
                call.words()
            } else {
                "at a random moment"
            }
        };
        let (_, how) = tokio::join!(load, kill);
        how
    }

    /// What was written and not synced is gone, all of it or some.
    fn cut_power(&mut self) {
        if let Some(disk) = &self.site.disk {
            disk.cut(if self.random.bool() {
                Unsynced::Lost
            } else {
                Unsynced::Torn(self.random.u64(..))
            });
        }
    }
}
