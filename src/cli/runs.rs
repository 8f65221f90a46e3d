//! `cuegate runs`: what the rules did and do, and what people decide about it.

use clap::{Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::acting::{Verb, Which, act};
use super::filter::{Filter, Page};
use super::gateway::{Failed, Gateway, GatewayAt};
use super::terminal::{Terminal, Tone};
use super::{Exit, Format, trace};
use crate::admin::views::{JournalView, RepeatsView, RunDetails, RunPage};

const RETRY: Verb = Verb {
    name: "retry",
    done: "retried",
};
const REPLAY: Verb = Verb {
    name: "replay",
    done: "replayed",
};
const CANCEL: Verb = Verb {
    name: "cancel",
    done: "cancelled",
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List runs, newest first
    List {
        /// Only in these states, separated by commas
        #[arg(long, value_name = "STATE,…")]
        state: Option<String>,
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        page: Page,
        #[command(flatten)]
        common: Common,
    },
    /// Show a run: what came of it, and its journal step by step
    Show(ShowRun),
    /// Let runs go on that failed, were stopped or are parked: from where they were, without repeating what is finished
    Retry {
        /// Only in these states, separated by commas
        #[arg(long, value_name = "STATE,…")]
        state: Option<String>,
        #[command(flatten)]
        retry: RetryRuns,
    },
    /// Begin the events of runs anew; finished writes are repeated
    Replay {
        /// Only in these states, separated by commas
        #[arg(long, value_name = "STATE,…")]
        state: Option<String>,
        #[command(flatten)]
        replay: ReplayRuns,
    },
    /// End unfinished runs
    Cancel {
        /// The runs
        #[arg(value_name = "RUN")]
        runs: Vec<i64>,
        /// Only in these states, separated by commas
        #[arg(long, value_name = "STATE,…")]
        state: Option<String>,
        #[command(flatten)]
        filter: Filter,
        /// Why, for people
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        decision: Decision,
        #[command(flatten)]
        common: Common,
    },
}

/// What every command has.
#[derive(Debug, clap::Args)]
pub(super) struct Common {
    #[command(flatten)]
    gateway: GatewayAt,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

impl Common {
    pub(super) fn open(&self) -> Result<Gateway, Failed> {
        self.gateway.open()
    }
}

/// Who decides, and whether many may be meant.
#[derive(Debug, clap::Args)]
pub(super) struct Decision {
    /// Do it to all runs that the filter means, and repeat writes where a replay does
    #[arg(long)]
    pub(super) yes: bool,
    /// Who decides it: kept with the runs
    #[arg(long, value_name = "NAME", env = "USER", hide_env = true)]
    by: Option<String>,
}

impl Decision {
    pub(super) fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        if let Some(by) = self.by.as_ref().filter(|by| !by.trim().is_empty()) {
            body.insert("by".to_owned(), json!(by));
        }
        body
    }
}

/// What is said about a call that may have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum As {
    /// It is sent again
    Again,
    /// It has happened
    Happened,
}

/// The version that a replay runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum On {
    /// That of the active rules
    #[default]
    Now,
    /// That of the run
    Then,
}

/// `show`
#[derive(Debug, clap::Args)]
pub(super) struct ShowRun {
    /// The run
    run: i64,
    /// Show requests and answers as long as they are
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    common: Common,
}

/// `retry`
#[derive(Debug, clap::Args)]
pub(super) struct RetryRuns {
    /// The runs
    #[arg(value_name = "RUN")]
    runs: Vec<i64>,
    #[command(flatten)]
    filter: Filter,
    /// What about a call that may have happened; needed where there is one
    #[arg(long = "as", value_enum, value_name = "WHICH")]
    said: Option<As>,
    #[command(flatten)]
    decision: Decision,
    #[command(flatten)]
    common: Common,
}

/// `replay`
#[derive(Debug, clap::Args)]
pub(super) struct ReplayRuns {
    /// The runs
    #[arg(value_name = "RUN")]
    runs: Vec<i64>,
    #[command(flatten)]
    filter: Filter,
    /// On which version of the rule
    #[arg(long, value_enum, default_value_t)]
    on: On,
    #[command(flatten)]
    decision: Decision,
    #[command(flatten)]
    common: Common,
}

pub(super) async fn run(arguments: Arguments, terminal: &mut Terminal) -> Exit {
    let ended = match arguments.action {
        Action::List {
            state,
            filter,
            page,
            common,
        } => list(state, &filter, &page, &common, terminal).await,
        Action::Show(show) => show.run(terminal).await,
        Action::Retry { state, retry } => retry.run(with("state", state), false, terminal).await,
        Action::Replay { state, replay } => replay.run(with("state", state), false, terminal).await,
        Action::Cancel {
            runs,
            state,
            filter,
            reason,
            decision,
            common,
        } => {
            let mut body = decision.body();
            body.extend(reason.map(|reason| ("reason".to_owned(), json!(reason))));
            let mut query = with("state", state);
            query.extend(filter.query());
            carry_out(
                CANCEL,
                (runs, query, false),
                &decision,
                &body,
                (&common, terminal),
            )
            .await
        }
    };
    terminal.ended(ended)
}

fn with(name: &'static str, value: Option<String>) -> super::gateway::Query {
    value.map(|value| (name, value)).into_iter().collect()
}

async fn list(
    state: Option<String>,
    filter: &Filter,
    page: &Page,
    common: &Common,
    terminal: &mut Terminal,
) -> Result<Exit, Failed> {
    let mut query = with("state", state);
    query.extend(filter.query());
    page.add_to(&mut query);
    let found: RunPage = common.open()?.get("/runs", &query).await?;
    terminal.report(common.format, &found, |terminal| {
        terminal.out(&trace::table(&found.runs));
        terminal.more(found.before.map(|before| before.0));
    });
    Ok(Exit::Fine)
}

impl ShowRun {
    pub(super) async fn run(self, terminal: &mut Terminal) -> Result<Exit, Failed> {
        let gateway = self.common.open()?;
        let path = format!("/runs/{}", self.run);
        let details: RunDetails = gateway.get(&path, &Vec::new()).await?;
        let full = self.full.then(|| "true".to_owned());
        let journal: Result<JournalView, Failed> = gateway
            .get(&format!("{path}/journal"), &with("full", full))
            .await;
        let readable = journal.as_ref().ok();
        let mut report = serde_json::to_value(&details).expect("details always have a JSON form");
        report["journal"] = json!(readable);
        terminal.report(self.common.format, &report, |terminal| {
            trace::details(&details, terminal);
            if let Some(journal) = readable {
                trace::journal(journal, terminal);
            }
        });
        // What can be read is shown before what cannot is said.
        journal.map(|_| Exit::Fine)
    }
}

impl RetryRuns {
    /// `dead` has a filter of its own that means every dead letter.
    pub(super) async fn run(
        self,
        mut query: super::gateway::Query,
        everything: bool,
        terminal: &mut Terminal,
    ) -> Result<Exit, Failed> {
        query.extend(self.filter.query());
        let mut body = self.decision.body();
        body.extend(self.said.map(|said| {
            let said = match said {
                As::Again => "again",
                As::Happened => "happened",
            };
            ("as".to_owned(), json!(said))
        }));
        let which = (self.runs, query, everything);
        carry_out(
            RETRY,
            which,
            &self.decision,
            &body,
            (&self.common, terminal),
        )
        .await
    }

    pub(super) fn names_nothing(&self) -> bool {
        !self.names_runs() && self.filter.query().is_empty()
    }

    pub(super) fn names_runs(&self) -> bool {
        !self.runs.is_empty()
    }
}

impl ReplayRuns {
    /// `dead` has a filter of its own that means every dead letter.
    pub(super) async fn run(
        self,
        mut query: super::gateway::Query,
        everything: bool,
        terminal: &mut Terminal,
    ) -> Result<Exit, Failed> {
        query.extend(self.filter.query());
        let mut body = self.decision.body();
        let on = match self.on {
            On::Now => "now",
            On::Then => "then",
        };
        body.insert("on".to_owned(), json!(on));
        body.insert("yes".to_owned(), json!(self.decision.yes));
        if !self.decision.yes && self.common.format == Format::Text {
            let gateway = self.common.open()?;
            for run in &self.runs {
                warn_of_repeats(&gateway, *run, terminal).await?;
            }
        }
        let which = (self.runs, query, everything);
        carry_out(
            REPLAY,
            which,
            &self.decision,
            &body,
            (&self.common, terminal),
        )
        .await
    }

    pub(super) fn names_nothing(&self) -> bool {
        !self.names_runs() && self.filter.query().is_empty()
    }

    pub(super) fn names_runs(&self) -> bool {
        !self.runs.is_empty()
    }
}

/// Names the writes that a replay would make a second time.
async fn warn_of_repeats(
    gateway: &Gateway,
    run: i64,
    terminal: &mut Terminal,
) -> Result<(), Failed> {
    let path = format!("/runs/{run}/repeats");
    let repeats: RepeatsView = gateway.get(&path, &Vec::new()).await?;
    for write in &repeats.first {
        let how = write.status.map_or_else(
            || "may have happened".to_owned(),
            |status| format!("was answered {status}"),
        );
        let text = format!(
            "run {} step {}: {} {how}",
            write.run,
            write.step,
            trace::bare(&write.asks)
        );
        terminal.line(&Tone::Careful.paint(&text));
    }
    Ok(())
}

async fn carry_out(
    verb: Verb,
    (runs, query, everything): (Vec<i64>, super::gateway::Query, bool),
    decision: &Decision,
    body: &Map<String, Value>,
    (common, terminal): (&Common, &mut Terminal),
) -> Result<Exit, Failed> {
    let which = Which::of(runs, query, everything, decision.yes)?;
    let gateway = common.open()?;
    act(&gateway, verb, &which, body, (common.format, terminal)).await
}
