//! `cuegate rules`: what is active in a running gateway, and what rules can use.

use clap::Subcommand;

use super::Exit;
use super::gateway::Failed;
use super::pause::sentence;
use super::reference;
use super::runs::Common;
use super::table::{Cell, Table};
use super::terminal::{Terminal, Tone};
use crate::admin::views::{PauseList, RuleList, RuleView};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the active rules with their versions, what is stopped, and what waits for a person
    List {
        #[command(flatten)]
        common: Common,
    },
    /// List the scopes that `allow` may name, and what each allows
    Scopes(reference::Scopes),
    /// Print the reference of the functions that rules can use
    Docs(reference::Docs),
    /// Write definition files (`.d.rhai`) for editors that know Rhai
    Definitions(reference::Definitions),
}

pub(super) async fn run(arguments: Arguments, terminal: &mut Terminal) -> Exit {
    match arguments.action {
        Action::List { common } => {
            let ended = list(&common, terminal).await;
            terminal.ended(ended)
        }
        Action::Scopes(arguments) => reference::scopes(&arguments, terminal),
        Action::Docs(arguments) => reference::docs(&arguments, terminal),
        Action::Definitions(arguments) => reference::definitions(&arguments, terminal),
    }
}

async fn list(common: &Common, terminal: &mut Terminal) -> Result<Exit, Failed> {
    let gateway = common.open()?;
    let found: RuleList = gateway.get("/rules", &Vec::new()).await?;
    let stopped: PauseList = gateway.get("/pauses", &Vec::new()).await?;
    terminal.report(common.format, &found, |terminal| {
        match &found.rule_set {
            Some(set) => terminal.line(&Tone::Faint.paint(&format!("rule set {set}"))),
            None => {
                terminal.line(&Tone::Bad.paint("no rule set is active: events are kept and wait"));
            }
        }
        let mut table = Table::new(&[
            "rule",
            "version",
            "wakes on",
            "state",
            "waiting",
            "parked",
            "dead letters",
        ]);
        for rule in &found.rules {
            table.row(row(rule));
        }
        if !table.is_empty() {
            terminal.out(&table.to_string());
        }
        for pause in &stopped.pauses {
            terminal.line(&Tone::Careful.paint(&sentence(pause)));
        }
    });
    Ok(Exit::Fine)
}

fn row(rule: &RuleView) -> Vec<Cell> {
    let mut wakes = rule.on.clone();
    wakes.extend(
        rule.button
            .as_ref()
            .map(|title| format!("button {title:?}")),
    );
    wakes.extend(rule.schedule.clone());
    let state = match &rule.stopped {
        None => Cell::in_tone("active", Some(Tone::Good)),
        Some(pause) if pause.quarantine => Cell::in_tone("quarantine", Some(Tone::Bad)),
        Some(_) => Cell::in_tone("paused", Some(Tone::Careful)),
    };
    let number = |state: &str| rule.runs.get(state).copied().unwrap_or(0);
    let needs_a_person = |number: u64| {
        let tone = (number > 0).then_some(Tone::Bad);
        Cell::in_tone(number.to_string(), tone)
    };
    vec![
        Cell::from(&rule.rule),
        Cell::from(rule.version.as_str().chars().take(12).collect::<String>()),
        Cell::from(wakes.join(", ")),
        state,
        Cell::from(number("waiting")),
        needs_a_person(number("parked")),
        needs_a_person(number("dead")),
    ]
}
