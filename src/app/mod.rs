//! The composition root: everything is built here, once, and runs until it is told to stop.
//!
//! [`Gateway`] is what works on events: store, sandbox, router, runner. [`App`] is a gateway with its two
//! listeners. Whoever calls owns the signals, so that tests and the demo start the very thing that
//! production starts, on port 0, and stop it at will.

mod account;
mod adapters;
mod foyer;
mod gateway;
mod keeping;
mod loops;
mod routing;
mod rules;
mod secret_files;
mod serve;
mod watching;

pub use adapters::ScriptWorkers;
pub use gateway::{Gateway, Observer};
pub use keeping::{prune, retention_cut};
pub use rules::{RulesAt, RulesError, RulesLoaded};
pub use serve::App;

use std::path::PathBuf;
use std::sync::Arc;

use crate::clock::{SharedClock, SystemClock};
use crate::config::ConfigError;
use crate::iconik::SetupError;
use crate::ingress::SourceError;
use crate::runner::Timers;
use crate::sandbox::{SandboxError, own_program};
use crate::store::StoreError;

/// What is not in the configuration: the parts that tests and the demo replace.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The program that sandbox workers are made from.
    pub program: PathBuf,
    /// Where the time comes from.
    pub clock: SharedClock,
    /// Where the rules come from.
    pub rules: RulesAt,
    /// Who is told what happens.
    pub observer: Arc<dyn Observer>,
    /// What becomes of `sleep` and `wait_for`.
    pub timers: Timers,
}

impl Parts {
    /// What production uses, with rules from a directory.
    pub fn with_rules_in(directory: PathBuf) -> Self {
        Self {
            program: own_program(),
            clock: Arc::new(SystemClock),
            rules: RulesAt::Directory(directory),
            observer: Arc::new(()),
            timers: Timers::Real,
        }
    }
}

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration lacks something.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// A source's verifier cannot be made.
    #[error("{0}")]
    Source(#[from] SourceError),
    /// The store cannot be opened.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The sandbox cannot be started.
    #[error("{0}")]
    Sandbox(#[from] SandboxError),
    /// The client cannot be made.
    #[error("{0}")]
    Client(#[from] SetupError),
    /// A target of `[egress]` is of no use.
    #[error("{0}")]
    Egress(#[from] crate::egress::SetupError),
    /// The key to seal tokens with is none.
    #[error("`server.seal_key` {0}")]
    SealKey(&'static str),
    /// A listener cannot be opened.
    #[error("cannot listen on {address}: {reason}; set `{key}` to a free address")]
    Listen {
        /// The configuration key.
        key: &'static str,
        /// What was asked for.
        address: std::net::SocketAddr,
        /// What the system said.
        reason: String,
    },
}
