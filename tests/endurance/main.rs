//! What the product survives: the real binary, killed, cut off from power and given broken disks, over and over.
//!
//! These tests take minutes, print tables, and one of them runs this very program again as the process that is
//! to die. So they have a `main` of their own, and say what they measured whether they pass or not. The short
//! form is part of `./scripts/test`; `./scripts/endure` is the long one.

#![expect(
    clippy::print_stdout,
    reason = "the tables are what somebody who runs this wants to see"
)]

mod disk;
mod faults;
mod matrix;
mod points;
mod power;
mod site;

#[path = "../it/gateway/mod.rs"]
#[expect(
    dead_code,
    reason = "the stage of tests/it; not every act is played here"
)]
mod gateway;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// A test that talks to other processes.
fn trial<F: Future<Output = ()>>(name: &str, test: impl FnOnce() -> F + Send + 'static) -> Trial {
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be built");
        runtime.block_on(test());
        Ok(())
    })
}

fn main() -> ExitCode {
    if let Some(code) = power::child() {
        return code;
    }
    let arguments = Arguments::from_args();
    let mut trials = matrix::trials();
    trials.extend(points::trials());
    trials.extend(power::trials());
    trials.extend(faults::trials());
    trials.extend(site::trials());
    libtest_mimic::run(&arguments, trials).exit_code()
}
