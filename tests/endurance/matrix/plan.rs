//! How one process of a round will die. The seed decides it, so a round can be made again, as far as two machines
//! are alike.

use std::time::Duration;

use cuegate::operations::RepeatClass;
use cuegate::simulator::HoldPoint;

use crate::site::CASES;

/// Somewhere in the first second of work.
const AT_WORK: Duration = Duration::from_millis(900);

/// Others go on for so long at most while one call is held. Well below the index lag.
const WHILE_HELD: Duration = Duration::from_millis(300);

/// A start takes about this long.
const AT_START: Duration = Duration::from_millis(250);

/// How one process dies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kill {
    /// So long after it was launched, ready or not.
    Starting(Duration),
    /// So long after it was ready, under load.
    Working(Duration),
    /// While a call of its is held.
    Held(HeldCall),
    /// Under load, after an answer to one of its writes was lost.
    Unheard {
        case: usize,
        call: usize,
        then: Duration,
    },
}

/// A call that is held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldCall {
    pub(crate) case: usize,
    pub(crate) call: usize,
    pub(crate) point: HoldPoint,
    /// How long it is held before the kill.
    pub(crate) held: Duration,
    /// Whether it goes on after the process is gone, or is cut off.
    pub(crate) passes: bool,
}

impl Kill {
    pub(crate) fn choose(random: &mut fastrand::Rng) -> Self {
        let within = |random: &mut fastrand::Rng, most: Duration| most.mul_f64(random.f64());
        match random.u32(0..10) {
            0 => Self::Starting(within(random, AT_START)),
            1..=3 => Self::Working(within(random, AT_WORK)),
            4..=8 => {
                let case = random.usize(0..CASES.len());
                Self::Held(HeldCall {
                    case,
                    call: random.usize(0..CASES[case].calls.len()),
                    point: if random.bool() {
                        HoldPoint::Before
                    } else {
                        HoldPoint::After
                    },
                    held: within(random, WHILE_HELD),
                    passes: random.bool(),
                })
            }
            _ => {
                let writes = CASES.iter().enumerate();
                let mut writes = writes.filter(|(_, case)| case.class != RepeatClass::Safe);
                let at = random.usize(0..writes.clone().count());
                let (case, _) = writes.nth(at).expect("it was counted");
                Self::Unheard {
                    case,
                    call: random.usize(0..CASES[case].calls.len()),
                    then: within(random, AT_WORK),
                }
            }
        }
    }

    /// The case that must have work for it.
    pub(crate) fn needs(self) -> Option<usize> {
        match self {
            Self::Starting(_) | Self::Working(_) => None,
            Self::Held(HeldCall { case, .. }) | Self::Unheard { case, .. } => Some(case),
        }
    }
}

impl HeldCall {
    /// A line of the table.
    pub(crate) fn words(self) -> &'static str {
        match (self.point, self.passes) {
            (HoldPoint::Before, false) => "at a call that never arrived",
            (HoldPoint::Before, true) => "at a call that was carried out after the kill",
            (HoldPoint::After, _) => "at a call that was carried out unheard",
        }
    }
}
