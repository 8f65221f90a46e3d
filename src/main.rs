//! `cuegate`: one binary, one command each.

use std::process::ExitCode;

fn main() -> ExitCode {
    cuegate::cli::main()
}
