//! What an author does with rules before the gateway runs them: load a directory, check it.

mod directory;

pub use directory::{DirectoryError, Fingerprint, load, rule_set};
