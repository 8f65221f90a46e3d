//! What people type. One command, one file; each says what it did by its exit code.

mod acting;
mod check;
mod config;
mod dead;
mod demo;
mod events;
mod filter;
mod gateway;
mod health;
mod pause;
mod reference;
mod rerouting;
mod rules;
mod run;
mod runs;
mod serve;
mod simulate;
mod store;
mod table;
mod terminal;
mod trace;
mod webhooks;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
use tokio::signal::unix::{Signal, SignalKind, signal};

use jiff::Timestamp;

use crate::config::{Config, ConfigError};
use terminal::Terminal;

/// The hidden first argument that makes this process a sandbox worker.
const WORKER: &str = "sandbox-worker";

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything is fine.
    Fine,
    /// There are findings, or a test failed.
    Findings,
    /// It was called wrongly.
    Usage,
    /// Another process holds the store: try again later (`EX_TEMPFAIL` of sysexits).
    Locked,
    /// The configuration is wrong (`EX_CONFIG`).
    Configuration,
    /// It was asked a second time to stop, and stopped at once.
    Cut(StopSignal),
}

/// How a process is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopSignal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Fine => 0,
            Exit::Findings => 1,
            Exit::Usage => 2,
            Exit::Locked => 75,
            Exit::Configuration => 78,
            // What a shell shows for a process that a signal has ended.
            Exit::Cut(StopSignal::Interrupt) => 130,
            Exit::Cut(StopSignal::Terminate) => 143,
        })
    }
}

/// Runs small scripts on Iconik's events, durably.
#[derive(Debug, Parser)]
#[command(name = "cuegate", version, about, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play a working day: simulator, gateway and rules in one process, nothing to set up
    Demo(demo::Arguments),
    /// Run the gateway
    Serve(serve::Arguments),
    /// Run the Iconik simulator alone
    Simulate(simulate::Arguments),
    /// Compile and check rules; no gateway is needed
    Check(check::Arguments),
    /// Run one rule on one event and show every step
    Run(run::Arguments),
    /// List and show events
    Events(events::Arguments),
    /// List, show, retry, replay and cancel runs
    Runs(runs::Arguments),
    /// List, show, retry and replay dead runs that nobody has followed up
    Dead(dead::Arguments),
    /// List the active rules, the scopes that rules can have, and the functions that they can use
    Rules(rules::Arguments),
    /// Compare, set up and look after what Iconik sends: webhooks and buttons
    Webhooks(webhooks::Arguments),
    /// Stop all runs, all writes, or one rule
    Pause(pause::Pausing),
    /// Let go on what was paused or is in quarantine
    Resume(pause::Resuming),
    /// Check or show the configuration
    Config(config::Arguments),
    /// Check, measure, prune, back up or restore the files of the store
    Store(store::Arguments),
    /// Ask a gateway whether it is ready
    Health(health::Arguments),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// How lists and reports are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// For scripts
    Json,
}

/// Where the configuration is.
#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration file; `cuegate.toml` of this directory if it is there
    #[arg(long = "config", value_name = "FILE", env = "CUEGATE_CONFIG")]
    path: Option<PathBuf>,
}

impl ConfigFile {
    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(self.path.as_deref(), &environment())
    }

    /// Only where the store is.
    fn load_for_store(&self) -> Result<Config, ConfigError> {
        Config::load_for_store(self.path.as_deref(), &environment())
    }

    /// Only what rules depend on.
    fn load_for_rules(&self) -> Result<Config, ConfigError> {
        Config::load_for_rules(self.path.as_deref(), &environment())
    }
}

fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        })
        .collect()
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == WORKER)
    {
        return crate::sandbox::run_worker();
    }
    let mut terminal = Terminal::new();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let asked = !error.use_stderr();
            // Nothing is left to say it to when the terminal is gone.
            let _ = error.print();
            return if asked { Exit::Fine } else { Exit::Usage }.into();
        }
    };
    dispatch(arguments.command, &mut terminal).into()
}

fn dispatch(command: Command, terminal: &mut Terminal) -> Exit {
    match command {
        Command::Demo(arguments) => wait_for(demo::run(arguments, terminal)),
        Command::Serve(arguments) => serve::run(&arguments, terminal),
        Command::Simulate(arguments) => wait_for(simulate::run(arguments, terminal)),
        Command::Check(arguments) => wait_for(check::run(arguments, terminal)),
        Command::Run(arguments) => wait_for(run::run(arguments, terminal)),
        Command::Events(arguments) => wait_for(events::run(arguments, terminal)),
        Command::Runs(arguments) => wait_for(runs::run(arguments, terminal)),
        Command::Dead(arguments) => wait_for(dead::run(arguments, terminal)),
        Command::Rules(arguments) => wait_for(rules::run(arguments, terminal)),
        Command::Webhooks(arguments) => wait_for(webhooks::run(arguments, terminal)),
        Command::Pause(arguments) => wait_for(pause::pause(arguments, terminal)),
        Command::Resume(arguments) => wait_for(pause::resume(arguments, terminal)),
        Command::Config(arguments) => config::run(&arguments, terminal),
        Command::Store(arguments) => wait_for(store::run(arguments, terminal)),
        Command::Health(arguments) => wait_for(health::run(arguments, terminal)),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "cuegate", &mut script);
            terminal.out(&String::from_utf8_lossy(&script));
            Exit::Fine
        }
    }
}

fn wait_for<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("threads and timers can be had at the start of a process");
    let done = runtime.block_on(work);
    // What still blocks a thread, such as a disk that does not answer, must not keep the process.
    runtime.shutdown_background();
    done
}

/// A time for people: to the second, in UTC.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Completes when the process is asked to stop: Ctrl-C or SIGTERM.
async fn stop_asked() {
    StopSignals::listen().next().await;
}

/// The signals that ask the process to stop. From the first call on they do not end it by themselves.
#[derive(Debug)]
struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    fn listen() -> Self {
        Self {
            interrupt: signal(SignalKind::interrupt())
                .expect("SIGINT may be caught, and a runtime is there"),
            terminate: signal(SignalKind::terminate())
                .expect("SIGTERM may be caught, and a runtime is there"),
        }
    }

    /// The next of them.
    async fn next(&mut self) -> StopSignal {
        tokio::select! {
            _ = self.interrupt.recv() => StopSignal::Interrupt,
            _ = self.terminate.recv() => StopSignal::Terminate,
        }
    }
}

/// The `rules` directory that a command works on: what is named, else the configuration's.
fn rules_directory<'a>(named: Option<&'a Path>, config: &'a Config) -> &'a Path {
    named.unwrap_or(&config.rules.dir)
}
