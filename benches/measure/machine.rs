//! Where the figures were made.

/// What everybody who reads the figures must know about where they were made.
pub(super) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{cores} core(s), which everything that is named here shares; data in {}",
        env!("CARGO_TARGET_TMPDIR")
    )
}
