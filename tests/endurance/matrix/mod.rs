//! The crash matrix: the gateway under load, killed again and again, and afterwards nothing is lost, nothing out of
//! order, nothing stuck and nothing done twice.

mod plan;
mod round;

use std::env;
use std::path::PathBuf;

use libtest_mimic::Trial;
use sha2::{Digest as _, Sha256};

use self::round::Order;
use crate::gateway::binary;
use crate::site::Totals;

/// Kills of the short form.
const CYCLES: u64 = 200;

/// Kills in one data directory.
const CYCLES_EACH: u64 = 25;

/// Power cuts in one data directory, and directories.
const POWER_CYCLES: u32 = 25;
const POWER_ROUNDS: u32 = 2;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        crate::trial("crash_matrix", crash_matrix),
        crate::trial("power::the_matrix", power_cut_matrix),
    ]
}

/// `CUEGATE_ENDURE_CYCLES` kills instead of the short form's, with the totals kept in the file that
/// `CUEGATE_ENDURE_FILE` names; `CUEGATE_ENDURE_SEED` begins where it says.
async fn crash_matrix() {
    let number = |name: &str| {
        let text = env::var(name).ok()?;
        Some(
            text.parse::<u64>()
                .unwrap_or_else(|_| panic!("{name} is a number, not `{text}`")),
        )
    };
    let cycles = number("CUEGATE_ENDURE_CYCLES").unwrap_or(CYCLES);
    let file = env::var_os("CUEGATE_ENDURE_FILE").map(PathBuf::from);
    let build = digest_of_binary();
    let mut totals = file.as_deref().map(Totals::read).unwrap_or_default();
    let mut seed = number("CUEGATE_ENDURE_SEED").unwrap_or_else(|| fastrand::u64(..));
    while totals.cycles() < cycles {
        let cycles = CYCLES_EACH.min(cycles - totals.cycles());
        let order = Order {
            seed,
            cycles: u32::try_from(cycles).expect("few in one directory"),
            power: false,
            build: build.clone(),
        };
        totals.add(&round::play(&order).await);
        if let Some(file) = &file {
            totals.write(file);
        }
        println!(
            "{} kills, {} promises broken; seed {seed}",
            totals.cycles(),
            totals.broken.len()
        );
        seed = seed.wrapping_add(1);
    }
    conclude("crash matrix", &totals);
}

/// The same, and with every kill the power goes: what was written and not synced is lost, or torn.
async fn power_cut_matrix() {
    let mut totals = Totals::default();
    for _ in 0..POWER_ROUNDS {
        let order = Order {
            seed: fastrand::u64(..),
            cycles: POWER_CYCLES,
            power: true,
            build: digest_of_binary(),
        };
        totals.add(&round::play(&order).await);
    }
    conclude("power cuts", &totals);
}

fn conclude(title: &str, totals: &Totals) {
    println!("\n{title}: {totals}\n");
    assert!(
        totals.broken.is_empty(),
        "{} promises broken, see above",
        totals.broken.len()
    );
}

/// Totals of several builds may be in one file; it is said of how many.
fn digest_of_binary() -> String {
    let bytes = std::fs::read(binary()).expect("the binary was built");
    hex::encode(&Sha256::digest(bytes)[..8])
}
