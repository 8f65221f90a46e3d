//! `cuegate dead`: what has died and nobody has followed up.

use clap::Subcommand;

use super::filter::{Filter, Page};
use super::gateway::{Failed, Query};
use super::runs::{Common, ReplayRuns, RetryRuns, ShowRun};
use super::table::{Cell, Table};
use super::terminal::{Terminal, Tone};
use super::{Exit, moment};
use crate::admin::views::DeadPage;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Count dead letters by rule and class, and tell the newest in a line each
    List {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        page: Page,
        #[command(flatten)]
        common: Common,
    },
    /// Show a dead run: what came of it, and its journal step by step
    Show(ShowRun),
    /// Let dead runs go on from where they failed, without repeating what is finished
    Retry {
        /// All dead letters
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        retry: RetryRuns,
    },
    /// Begin the events of dead runs anew; finished writes are repeated
    Replay {
        /// All dead letters
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        replay: ReplayRuns,
    },
}

pub(super) async fn run(arguments: Arguments, terminal: &mut Terminal) -> Exit {
    let ended = match arguments.action {
        Action::List {
            filter,
            page,
            common,
        } => list(&filter, &page, &common, terminal).await,
        Action::Show(show) => show.run(terminal).await,
        Action::Retry { all, retry } => {
            match letters(all, retry.names_nothing(), retry.names_runs()) {
                Ok(query) => retry.run(query, all, terminal).await,
                Err(failed) => Err(failed),
            }
        }
        Action::Replay { all, replay } => {
            match letters(all, replay.names_nothing(), replay.names_runs()) {
                Ok(query) => replay.run(query, all, terminal).await,
                Err(failed) => Err(failed),
            }
        }
    };
    terminal.ended(ended)
}

/// The filter that means dead letters, where runs are not named by their numbers.
fn letters(all: bool, nothing: bool, runs: bool) -> Result<Query, Failed> {
    match (all, nothing) {
        (true, false) => Err(Failed::usage(
            "--all means every dead letter: leave it out beside runs or a filter",
        )),
        (false, true) => Err(Failed::usage(
            "say which dead letters: by their numbers, by a filter such as --rule, --class or --since, or --all",
        )),
        _ if runs => Ok(Vec::new()),
        _ => Ok(vec![("dead_letters", "true".to_owned())]),
    }
}

async fn list(
    filter: &Filter,
    page: &Page,
    common: &Common,
    terminal: &mut Terminal,
) -> Result<Exit, Failed> {
    let mut query = filter.query();
    page.add_to(&mut query);
    let found: DeadPage = common.open()?.get("/dead", &query).await?;
    terminal.report(common.format, &found, |terminal| {
        if found.groups.is_empty() && found.runs.is_empty() {
            terminal.line(&Tone::Good.paint("no dead letters"));
            return;
        }
        let mut table = Table::new(&["rule", "class", "dead letters"]);
        for group in &found.groups {
            table.row(vec![
                Cell::from(&group.rule),
                Cell::in_tone(group.class.clone(), Some(Tone::Bad)),
                Cell::from(group.number),
            ]);
        }
        terminal.out(&table.to_string());
        for dead in &found.runs {
            let ended = dead.run.ended_at.map(moment).unwrap_or_default();
            let heading = format!("\nrun {}  {ended}", dead.run.id);
            terminal.line(&Tone::Strong.paint(&heading));
            terminal.line(&dead.line);
        }
        terminal.more(found.before.map(|before| before.0));
    });
    Ok(Exit::Fine)
}
