//! `cuegate webhooks`: what Iconik sends us, compared with what the rules need, set up and looked after.

mod doctor;
mod site;

use clap::Subcommand;
use serde::Serialize;

use super::gateway::Failed;
use super::table::{Cell, Table};
use super::terminal::{Terminal, Tone};
use super::{ConfigFile, Exit, Format};
use crate::model::RuleId;
use crate::subscriptions::{Change, Impossible, Kind, Plan, Step};
use doctor::Doctoring;
use site::Site;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show what the rules need that Iconik does not have, and what it has that they do not need; exit code 1 if there is any
    Plan {
        #[command(flatten)]
        file: ConfigFile,
        /// How the plan is printed
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Carry out the plan in Iconik; what does not carry the name of this gateway is left alone
    Sync {
        #[command(flatten)]
        file: ConfigFile,
        /// Carry it out, not only say what would be done
        #[arg(long)]
        yes: bool,
        /// How it is printed
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Say which webhooks and buttons Iconik does not use any more, since when, and what was missed; exit code 1 if there is any
    Doctor(Doctoring),
}

pub(super) async fn run(arguments: Arguments, terminal: &mut Terminal) -> Exit {
    let ended = match arguments.action {
        Action::Plan { file, format } => show(&file, format, terminal).await,
        Action::Sync { file, yes, format } => sync(&file, yes, format, terminal).await,
        Action::Doctor(doctoring) => doctoring.run(terminal).await,
    };
    terminal.ended(ended)
}

async fn show(file: &ConfigFile, format: Format, terminal: &mut Terminal) -> Result<Exit, Failed> {
    let site = Site::open(file).await?;
    let (plan, impossible) = site.plan().await?;
    let report = Report::of(&site, &plan, impossible);
    terminal.report(format, &report, |terminal| report.print(terminal));
    Ok(if report.to_do > 0 || report.blocked {
        Exit::Findings
    } else {
        Exit::Fine
    })
}

async fn sync(
    file: &ConfigFile,
    yes: bool,
    format: Format,
    terminal: &mut Terminal,
) -> Result<Exit, Failed> {
    let site = Site::open(file).await?;
    let (plan, impossible) = site.plan().await?;
    let mut report = Report::of(&site, &plan, impossible);
    let possible: Vec<&Change> = plan
        .to_do()
        .filter(|change| change.step != Step::HeldBack)
        .collect();
    if report.blocked || (!yes && !possible.is_empty()) {
        terminal.report(format, &report, |terminal| report.print(terminal));
        return Err(Failed::findings(if report.blocked {
            "nothing was done: mend what cannot be had first, because what is there for it would be removed".to_owned()
        } else {
            format!(
                "{} definition(s) in Iconik would be changed; look at them, then say --yes",
                possible.len()
            )
        }));
    }
    for change in possible {
        site.carry_out(change).await?;
        report.done += 1;
    }
    terminal.report(format, &report, |terminal| report.print(terminal));
    Ok(if report.to_do > report.done {
        Exit::Findings
    } else {
        Exit::Fine
    })
}

/// What is said about a plan.
#[derive(Debug, Serialize)]
struct Report {
    /// What our definitions carry.
    mark: String,
    changes: Vec<Row>,
    impossible: Vec<Impossible>,
    /// How many are not as they should be.
    to_do: usize,
    /// How many of these were carried out just now.
    done: usize,
    /// How many belong to others.
    left_alone: usize,
    #[serde(skip)]
    blocked: bool,
}

/// One definition.
#[derive(Debug, Serialize)]
struct Row {
    step: Step,
    kind: Kind,
    subject: String,
    /// Its id in Iconik, if it is there.
    id: Option<String>,
    /// What Iconik says about it, if it is there.
    status: Option<String>,
    rules: Vec<RuleId>,
    differences: Vec<String>,
}

impl Row {
    fn of(change: &Change) -> Self {
        let found = change.found.as_ref();
        let needed = change.needed.as_ref();
        Self {
            step: change.step,
            kind: change.kind,
            subject: change.subject.clone(),
            id: found.map(|found| found.id.clone()),
            status: found.map(|found| found.status().to_owned()),
            rules: needed.map_or_else(Vec::new, |needed| needed.rules.clone()),
            differences: change.differences.clone(),
        }
    }
}

impl Report {
    fn of(site: &Site, plan: &Plan, impossible: Vec<Impossible>) -> Self {
        Self {
            mark: site.mark(),
            changes: plan.changes.iter().map(Row::of).collect(),
            to_do: plan.to_do().count(),
            done: 0,
            left_alone: plan.left_alone,
            blocked: impossible.iter().any(|impossible| impossible.blocks),
            impossible,
        }
    }

    fn print(&self, terminal: &mut Terminal) {
        let mut table = Table::new(&["step", "kind", "about", "status", "rules"]);
        for row in &self.changes {
            let tone = match row.step {
                Step::Keep => Tone::Faint,
                Step::Create | Step::Update => Tone::Good,
                Step::Remove | Step::HeldBack => Tone::Careful,
            };
            table.row(vec![
                Cell::in_tone(row.step.as_str(), Some(tone)),
                Cell::from(row.kind.as_str()),
                Cell::from(&row.subject),
                Cell::from(row.status.as_deref().unwrap_or("-")),
                Cell::from(names(&row.rules)),
            ]);
        }
        if !table.is_empty() {
            terminal.out(&table.to_string());
        }
        for row in &self.changes {
            for difference in &row.differences {
                terminal.line(&format!("{}: {difference}", row.subject));
            }
        }
        for row in self.changes.iter().filter(|row| !row.is_on()) {
            let hint = match row.step {
                Step::HeldBack => {
                    "it is left as it is, so that nobody forgets since when events are missing"
                }
                _ => "it gets nothing",
            };
            terminal.line(&Tone::Bad.paint(&format!(
                "{}: {}: {hint}: `cuegate webhooks doctor`",
                row.subject,
                row.status.as_deref().unwrap_or("-")
            )));
        }
        for impossible in &self.impossible {
            terminal.line(&Tone::Bad.paint(&format!(
                "cannot be had: {} ({}): {}",
                impossible.subject,
                names(&impossible.rules),
                impossible.why
            )));
        }
        terminal.line(&self.summary());
    }

    fn summary(&self) -> String {
        let others = match self.left_alone {
            0 => String::new(),
            others => format!("; {others} of others left alone"),
        };
        let (left, mark) = (self.to_do - self.done, &self.mark);
        match (self.done, left) {
            (0, 0) => Tone::Good.paint(&format!("nothing to do for {mark}{others}")),
            (done, 0) => Tone::Good.paint(&format!("{done} carried out for {mark}{others}")),
            (0, left) => Tone::Careful.paint(&format!("{left} to do for {mark}{others}")),
            (done, left) => Tone::Careful.paint(&format!(
                "{done} carried out, {left} left for {mark}{others}"
            )),
        }
    }
}

impl Row {
    /// Whether Iconik calls us by it, as far as it is there.
    fn is_on(&self) -> bool {
        self.status
            .as_deref()
            .is_none_or(|status| status == "ENABLED")
    }
}

fn names(rules: &[RuleId]) -> String {
    let names: Vec<&str> = rules.iter().map(RuleId::as_str).collect();
    names.join(", ")
}
