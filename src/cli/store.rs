//! `cuegate store`: the files themselves. `stats` and `backup` work beside a gateway; the others need the files to be
//! free and say who holds them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use jiff::Timestamp;
use serde_json::json;

use super::terminal::{Terminal, Tone};
use super::{ConfigFile, Exit, Format};
use crate::app::{prune, retention_cut};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, ConfigError, Retention};
use crate::model::format_duration;
use crate::store::{
    Finding, Manifest, Pruned, Restored, SqliteOptions, SqliteStore, Stats, Store as _, StoreError,
    size,
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Look for broken promises between the tables, and repair them on request
    Check {
        #[command(flatten)]
        file: ConfigFile,
        /// Repair what can be repaired; nothing is thrown away
        #[arg(long)]
        repair: bool,
        /// How the findings are printed
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Say what is stored, how much room it takes and how it grows
    Stats {
        #[command(flatten)]
        file: ConfigFile,
        /// How the figures are printed
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Remove what is outside retention now; a running gateway does this by itself
    Prune {
        #[command(flatten)]
        file: ConfigFile,
        /// How the counts are printed
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Copy the store into a new directory, while the gateway works
    Backup {
        /// A directory that is empty or not there
        to: PathBuf,
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Put a backup in the place of the store; writes are paused and unfinished runs parked
    Restore {
        /// The directory of the backup
        from: PathBuf,
        #[command(flatten)]
        file: ConfigFile,
    },
}

pub(super) async fn run(arguments: Arguments, terminal: &mut Terminal) -> Exit {
    let done = match arguments.action {
        Action::Check {
            file,
            repair,
            format,
        } => check(&file, repair, format, terminal).await,
        Action::Stats { file, format } => stats(&file, format, terminal).await,
        Action::Prune { file, format } => prune_now(&file, format, terminal).await,
        Action::Backup { to, file } => backup(&file, &to, terminal).await,
        Action::Restore { from, file } => restore(&file, &from, terminal).await,
    };
    match done {
        Ok(exit) => exit,
        Err(Trouble::Config(error)) => {
            terminal.complain(&error.to_string());
            Exit::Configuration
        }
        Err(Trouble::Store(error)) => {
            terminal.complain(&error.to_string());
            match error {
                StoreError::Locked(_) => Exit::Locked,
                StoreError::Unsuitable(_) => Exit::Configuration,
                _ => Exit::Findings,
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The files of a configuration. Nobody waits here for a gateway that holds them.
fn options(config: &Config) -> SqliteOptions {
    SqliteOptions {
        lock_wait: Duration::ZERO,
        allow_network_fs: config.store.allow_network_fs,
        ..SqliteOptions::at(config.store.path.clone())
    }
}

async fn check(
    file: &ConfigFile,
    repair: bool,
    format: Format,
    terminal: &mut Terminal,
) -> Result<Exit, Trouble> {
    let config = file.load_for_store()?;
    let findings = SqliteStore::check_files(&options(&config), repair, SystemClock.now()).await?;
    let left = findings.iter().filter(|finding| !finding.repaired).count();
    let report = json!({ "findings": findings, "left": left });
    terminal.report(format, &report, |terminal| {
        for finding in &findings {
            terminal.line(&about(finding));
        }
        let repaired = findings.len() - left;
        let summary = match (findings.len(), left) {
            (0, _) => Tone::Good.paint("no findings"),
            (_, 0) => Tone::Good.paint(&format!("{repaired} finding(s), all repaired")),
            (_, left) if repair => Tone::Bad.paint(&format!("{repaired} repaired, {left} left")),
            (all, _) => Tone::Bad.paint(&format!(
                "{all} finding(s); `cuegate store check --repair` does what the arrows say"
            )),
        };
        terminal.line(&summary);
    });
    Ok(if left == 0 {
        Exit::Fine
    } else {
        Exit::Findings
    })
}

fn about(finding: &Finding) -> String {
    let kind = Tone::Strong.paint(finding.kind);
    let mark = if finding.repaired { "repaired" } else { "→" };
    format!(
        "{kind}: {}: {}\n  {mark}: {}",
        finding.place, finding.text, finding.remedy
    )
}

async fn stats(
    file: &ConfigFile,
    format: Format,
    terminal: &mut Terminal,
) -> Result<Exit, Trouble> {
    let config = file.load_for_store()?;
    let now = SystemClock.now();
    let cut = retention_cut(&config, now);
    let stats = SqliteStore::stats(&options(&config), cut).await?;
    let outlook = outlook(&stats, &config.store.retention);
    let report = json!({ "store": stats, "outlook": outlook });
    terminal.report(format, &report, |terminal| {
        for line in lines(&stats, now) {
            terminal.line(&line);
        }
        terminal.line(&Tone::Strong.paint("outlook"));
        for sentence in &outlook {
            terminal.line(&format!("  {sentence}"));
        }
    });
    Ok(Exit::Fine)
}

fn lines(stats: &Stats, now: Timestamp) -> Vec<String> {
    let ago = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| age(at, now));
    let mut lines = vec![Tone::Strong.paint("files")];
    for file in &stats.files {
        lines.push(format!(
            "  {:<12} {:>10}, of which {} empty; write-ahead log {}",
            file.name,
            size(file.bytes),
            size(file.empty_bytes),
            size(file.log_bytes)
        ));
    }
    lines.push(Tone::Strong.paint("tables"));
    for table in stats.tables.iter().filter(|table| table.rows > 0) {
        lines.push(format!(
            "  {:<16} {:>12} rows {:>10}",
            table.name,
            table.rows,
            size(table.bytes)
        ));
    }
    lines.push(Tone::Strong.paint("events and runs"));
    lines.push(format!(
        "  {} events, the oldest {} old; {} a day",
        stats.events,
        ago(stats.oldest_event),
        stats.events_per_day
    ));
    lines.push(format!(
        "  {} accepted and not routed, the first {} old",
        stats.unrouted,
        ago(stats.oldest_unrouted)
    ));
    for (state, runs) in &stats.runs {
        lines.push(format!("  {runs} runs are {state}"));
    }
    lines.push(format!(
        "  the oldest unfinished run is {} old",
        ago(stats.oldest_unfinished)
    ));
    if stats.set_aside > 0 {
        lines.push(Tone::Careful.paint(&format!(
            "  {} rows could not be read and are set aside",
            stats.set_aside
        )));
    }
    lines
}

fn age(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs().max(0);
    format_duration(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// What is to be expected, in sentences.
fn outlook(stats: &Stats, retention: &Retention) -> Vec<String> {
    let mut said = vec![format!(
        "{} events and {} journals are outside retention and go with the next pass, if nothing unfinished needs them",
        stats.events_due, stats.journals_due
    )];
    if let Some(bytes) = stats.bytes_per_event {
        let a_day = bytes.saturating_mul(stats.events_per_day);
        let days = retention.events.as_secs() / 86_400;
        said.push(format!(
            "an event with its runs takes {}, which is {} a day and {} over retention; max_size is {}",
            size(bytes),
            size(a_day),
            size(a_day.saturating_mul(days)),
            size(retention.max_size)
        ));
        let room = stats.free_bytes.saturating_sub(retention.min_free);
        if let Some(days) = room.checked_div(a_day) {
            said.push(format!(
                "{} are free on the disk: room for {days} days at this rate, before min_free ({}) is reached",
                size(stats.free_bytes),
                size(retention.min_free)
            ));
        }
    }
    said
}

async fn prune_now(
    file: &ConfigFile,
    format: Format,
    terminal: &mut Terminal,
) -> Result<Exit, Trouble> {
    // How long keys are kept is the affair of the sources, so all of the configuration is needed.
    let config = file.load()?;
    let options = options(&config);
    if !options.path.exists() {
        let missing = format!("there is no {}", options.path.display());
        return Err(StoreError::Failed(missing).into());
    }
    let clock = Arc::new(SystemClock);
    let store = SqliteStore::open(options, clock).await?;
    let pruned = prune(&store, &config, SystemClock.now()).await;
    store.close().await?;
    let pruned = pruned?;
    terminal.report(format, &pruned, |terminal| terminal.line(&removed(&pruned)));
    Ok(Exit::Fine)
}

fn removed(pruned: &Pruned) -> String {
    if pruned.is_nothing() {
        return "nothing is outside retention".to_owned();
    }
    format!(
        "removed: {} events, {} journals, {} runs, {} idle lanes, {} entries of rules, {} rule sets; the files keep \
         their size, and what is empty in them is used again",
        pruned.events,
        pruned.journals,
        pruned.runs,
        pruned.lanes,
        pruned.state_entries,
        pruned.rule_sets
    )
}

async fn backup(file: &ConfigFile, to: &Path, terminal: &mut Terminal) -> Result<Exit, Trouble> {
    let config = file.load_for_store()?;
    let manifest = SqliteStore::backup(&options(&config), to, SystemClock.now()).await?;
    terminal.line(&format!(
        "the backup in {} is whole: {}; everything that was acknowledged until {} is in it",
        to.display(),
        files(&manifest),
        manifest.made_at
    ));
    Ok(Exit::Fine)
}

fn files(manifest: &Manifest) -> String {
    let files = manifest
        .files
        .iter()
        .map(|file| format!("{} ({})", file.name, size(file.bytes)));
    files.collect::<Vec<_>>().join(", ")
}

async fn restore(file: &ConfigFile, from: &Path, terminal: &mut Terminal) -> Result<Exit, Trouble> {
    let config = file.load_for_store()?;
    let restored = SqliteStore::restore(&options(&config), from, SystemClock.now()).await?;
    for line in next_steps(&restored, &config.store.path) {
        terminal.line(&line);
    }
    Ok(Exit::Fine)
}

fn next_steps(restored: &Restored, path: &Path) -> Vec<String> {
    let made_at = restored.manifest.made_at;
    let mut lines = vec![Tone::Good.paint(&format!(
        "{} is the backup of {made_at} now",
        path.display()
    ))];
    if let Some(replaced) = &restored.replaced {
        lines.push(format!(
            "The files that were there are in {}; remove them when they are not needed any more.",
            replaced.display()
        ));
    }
    lines.push("What to do next:".to_owned());
    lines.push(format!(
        "  1. Start the gateway. Writes are paused: runs read and then wait before their first write. {} events of \
         the backup are yet to be routed.",
        restored.unrouted
    ));
    lines.push(format!(
        "  2. {} runs were unfinished and are parked. What they did after {made_at} is not known: look at each, \
         `cuegate runs list --state parked`, and retry or cancel it.",
        restored.parked
    ));
    lines.push(
        "  3. Events that arrived after the backup are not in it: look in Iconik what has changed since.".to_owned(),
    );
    lines.push("  4. `cuegate resume --writes`.".to_owned());
    lines
}
