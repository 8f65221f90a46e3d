//! `cuegate pause` and `resume`: the stop handle.

use serde_json::json;

use super::Exit;
use super::gateway::Failed;
use super::runs::Common;
use super::terminal::{Terminal, Tone};
use crate::admin::views::{PauseList, PauseView, Resumed};

/// What is meant: everything, unless something else is named.
#[derive(Debug, clap::Args)]
struct Scope {
    /// Only writes: runs go on until they come to one
    #[arg(long, conflicts_with = "rule")]
    writes: bool,
    /// Only the runs of this rule
    #[arg(long)]
    rule: Option<String>,
}

impl Scope {
    fn as_text(&self) -> String {
        match (&self.rule, self.writes) {
            (Some(rule), _) => format!("rule:{rule}"),
            (None, true) => "writes".to_owned(),
            (None, false) => "all".to_owned(),
        }
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Pausing {
    #[command(flatten)]
    scope: Scope,
    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Who decides it
    #[arg(long, value_name = "NAME", env = "USER", hide_env = true)]
    by: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
pub(super) struct Resuming {
    #[command(flatten)]
    scope: Scope,
    #[command(flatten)]
    common: Common,
}

pub(super) async fn pause(arguments: Pausing, terminal: &mut Terminal) -> Exit {
    let ended = arguments.run(terminal).await;
    terminal.ended(ended)
}

pub(super) async fn resume(arguments: Resuming, terminal: &mut Terminal) -> Exit {
    let ended = arguments.run(terminal).await;
    terminal.ended(ended)
}

impl Pausing {
    async fn run(&self, terminal: &mut Terminal) -> Result<Exit, Failed> {
        let body = json!({ "scope": self.scope.as_text(), "reason": self.reason, "by": self.by });
        let list: PauseList = self.common.open()?.put("/pauses", &body).await?;
        terminal.report(self.common.format, &list, |terminal| print(&list, terminal));
        Ok(Exit::Fine)
    }
}

impl Resuming {
    async fn run(&self, terminal: &mut Terminal) -> Result<Exit, Failed> {
        let gateway = self.common.open()?;
        let scope = self.scope.as_text();
        let query = vec![("scope", scope.clone())];
        let resumed: Resumed = gateway.delete("/pauses", &query).await?;
        let list: PauseList = gateway.get("/pauses", &Vec::new()).await?;
        let report = json!({ "resumed": resumed.resumed, "pauses": list.pauses });
        terminal.report(self.common.format, &report, |terminal| {
            let what = words(&scope);
            if resumed.resumed {
                terminal.line(&Tone::Good.paint(&format!("{what} go on")));
            } else {
                terminal.line(&format!("{what} were not paused"));
            }
            print(&list, terminal);
        });
        Ok(Exit::Fine)
    }
}

fn print(list: &PauseList, terminal: &mut Terminal) {
    for pause in &list.pauses {
        terminal.line(&Tone::Careful.paint(&sentence(pause)));
    }
}

/// A pause, and the command that ends it.
pub(super) fn sentence(pause: &PauseView) -> String {
    let how = if pause.quarantine {
        "are in quarantine"
    } else {
        "are paused"
    };
    let command = match pause.scope.strip_prefix("rule:") {
        Some(rule) => format!("cuegate resume --rule {rule}"),
        None if pause.scope == "writes" => "cuegate resume --writes".to_owned(),
        None => "cuegate resume".to_owned(),
    };
    format!(
        "{} {how} since {}: {}; `{command}` lets them go on",
        words(&pause.scope),
        super::moment(pause.since),
        pause.reason
    )
}

fn words(scope: &str) -> String {
    match scope.strip_prefix("rule:") {
        Some(rule) => format!("runs of {rule}"),
        None if scope == "writes" => "writes".to_owned(),
        None => "all runs".to_owned(),
    }
}
