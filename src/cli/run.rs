//! `cuegate run`: one rule on one event, through the very parts that `serve` is made of, with every step shown.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue};
use serde::Serialize;
use serde_json::json;

use super::terminal::{Terminal, Tone};
use super::{ConfigFile, Exit, Format, rules_directory, trace};
use crate::app::{Gateway, Parts, RulesAt, RulesLoaded};
use crate::authoring;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, Verify};
use crate::ingress::{self, Request, Verifier};
use crate::model::{
    Call, Diagnostic, Effect, Event, Failure, LogLine, RULE_HEADER, RuleFile, Run, RunState,
    SourceName, Step,
};
use crate::runner::Timers;
use crate::simulator::{Seed, Simulator, SimulatorOptions};
use crate::store::{RunFilter, StoredEvent};

/// How long one rule on one event may take here before its state is shown as it is.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most runs of one event that are shown: more than `each` makes of what is tried by hand.
const RUNS_SHOWN: usize = 10_000;
/// How long a repeated event counts as one: of no consequence in a store that holds a single event.
const WINDOW: Duration = Duration::from_secs(86_400);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The rule: its file below the rules directory, without the ending
    rule: String,
    /// A JSON file with the event as Iconik sends it; without one, the rule's schedule is due
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
    /// The rules directory; the configuration's when none is named
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Work on a simulated Iconik that holds what this file says, not on the configured one
    #[arg(long, value_name = "SEED")]
    simulator: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
    /// Show every step and log line, not only the outcome
    #[arg(long)]
    trace: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(arguments: Arguments, terminal: &mut Terminal) -> Exit {
    let loaded = match arguments.simulator {
        Some(_) => arguments.config.load_for_rules(),
        None => arguments.config.load(),
    };
    let config = match loaded {
        Ok(config) => config,
        Err(error) => {
            terminal.complain(&error.to_string());
            return Exit::Configuration;
        }
    };
    match carry_out(&arguments, config).await {
        Ok(result) => result.print(&arguments, terminal),
        Err((exit, message)) => {
            terminal.complain(&message);
            exit
        }
    }
}

type Stopped = (Exit, String);

#[expect(
    clippy::needless_pass_by_value,
    reason = "so that it can be handed to map_err as it is"
)]
fn usage(message: impl ToString) -> Stopped {
    (Exit::Usage, message.to_string())
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "so that it can be handed to map_err as it is"
)]
fn findings(message: impl ToString) -> Stopped {
    (Exit::Findings, message.to_string())
}

async fn carry_out(arguments: &Arguments, mut config: Config) -> Result<Report, Stopped> {
    let directory = rules_directory(arguments.dir.as_deref(), &config);
    let files = files_of(&arguments.rule, authoring::load(directory).map_err(usage)?)?;
    let event = match &arguments.event {
        Some(path) => Some(read_event(path, &arguments.rule)?),
        None => None,
    };
    let simulator = match &arguments.simulator {
        Some(seed) => Some(simulate(seed, &mut config).await?),
        None => None,
    };
    let scratch = tempfile::tempdir().map_err(findings)?;
    config.store.path = scratch.path().join("cuegate.db");
    let parts = Parts {
        rules: RulesAt::Files(files),
        // Whoever tries a rule does not want to wait for it.
        timers: Timers::Immediate,
        ..Parts::with_rules_in(PathBuf::new())
    };
    let gateway = Gateway::start(&config, &parts)
        .await
        .map_err(|e| (Exit::Configuration, e.to_string()))?;
    let report = if let RulesLoaded::None(error) = gateway.rules_loaded() {
        Err(findings(error))
    } else {
        match event {
            Some(event) => observe(&gateway, event).await,
            None => match due(&gateway, &arguments.rule).await {
                Ok(event) => observe(&gateway, event).await,
                Err(stopped) => Err(stopped),
            },
        }
    };
    gateway.stop().await;
    if let Some(simulator) = simulator {
        simulator.stop().await;
    }
    report
}

/// The rule's own file and every library.
fn files_of(rule: &str, files: Vec<RuleFile>) -> Result<Vec<RuleFile>, Stopped> {
    let wanted = format!("{}.rhai", rule.trim_end_matches(".rhai"));
    if !files.iter().any(|file| file.path == wanted) {
        let known = files
            .iter()
            .map(|file| file.path.trim_end_matches(".rhai"))
            .collect::<Vec<_>>()
            .join(", ");
        return Err(usage(format!(
            "there is no rule `{rule}`; there are {known}"
        )));
    }
    Ok(files
        .into_iter()
        .filter(|file| file.path == wanted || file.path.starts_with("lib/"))
        .collect())
}

fn read_event(path: &Path, rule: &str) -> Result<Event, Stopped> {
    let bytes = std::fs::read(path)
        .map_err(|e| usage(format!("{} cannot be read: {e}", path.display())))?;
    let mut headers = HeaderMap::new();
    if let Ok(rule) = HeaderValue::from_str(rule.trim_end_matches(".rhai")) {
        headers.insert(RULE_HEADER, rule);
    }
    let request = Request::new(headers, Bytes::from(bytes), SystemClock.now());
    let anybody = Verifier::new(&Verify::None).map_err(findings)?;
    let request = anybody.verify(request).map_err(findings)?;
    ingress::parse(&request, &SourceName::from("iconik"), WINDOW, None)
        .map_err(|e| usage(format!("{}: {e}", path.display())))
}

async fn simulate(seed: &Path, config: &mut Config) -> Result<Simulator, Stopped> {
    let seed = Seed::read(seed).map_err(usage)?;
    let options = SimulatorOptions {
        seed: Some(seed),
        ..SimulatorOptions::default()
    };
    let credential = crate::simulator::Credential::demo();
    let options = SimulatorOptions {
        credentials: vec![credential.clone()],
        ..options
    };
    let simulator = Simulator::start(options, Arc::new(SystemClock))
        .await
        .map_err(findings)?;
    config.iconik.base_url = simulator.base_url();
    config.iconik.app_id = credential.app_id;
    config.iconik.auth_token = credential.auth_token;
    config.iconik.domain = None;
    Ok(simulator)
}

/// The event of the rule's schedule, as if its time had come now.
async fn due(gateway: &Gateway, rule: &str) -> Result<Event, Stopped> {
    let rules = gateway.store().active_rule_set().await.map_err(findings)?;
    let headers = rules.map(|set| set.rules).unwrap_or_default();
    let scheduled = headers.iter().find(|header| header.schedule.is_some());
    let now = SystemClock.now();
    scheduled
        .map(|header| Event::of_schedule(&header.rule, now, now))
        .ok_or_else(|| {
            usage(format!(
                "`{rule}` has no `schedule`: say with --event what it is to run on"
            ))
        })
}

async fn observe(gateway: &Gateway, event: Event) -> Result<Report, Stopped> {
    let store = gateway.store();
    let id = event.id;
    store.accept(vec![event]).await.map_err(findings)?;
    gateway.settled_within(PATIENCE).await.map_err(findings)?;
    let event = store.event(id).await.map_err(findings)?;
    let filter = RunFilter {
        event: Some(id),
        limit: RUNS_SHOWN,
        ..RunFilter::default()
    };
    // Newest first: the last is the one that the event has made, the others are those of `each`.
    let runs = store.runs(filter).await.map_err(findings)?;
    let mut told = Vec::new();
    for run in runs.into_iter().rev() {
        let (journal, _) = store.journal(run.id).await.map_err(findings)?;
        let logs = store.logs(run.id).await.map_err(findings)?;
        told.push(Told { run, journal, logs });
    }
    let mut told = told.into_iter();
    Ok(Report {
        event,
        run: told.next(),
        children: told.collect(),
    })
}

/// What became of the event.
struct Report {
    event: Option<StoredEvent>,
    /// The run that it has made.
    run: Option<Told>,
    /// The runs that `each` has made.
    children: Vec<Told>,
}

/// A run and what it did.
#[derive(Serialize)]
struct Told {
    run: Run,
    journal: Vec<Step>,
    logs: Vec<LogLine>,
}

impl Report {
    fn print(&self, arguments: &Arguments, terminal: &mut Terminal) -> Exit {
        let state = self.event.as_ref().map(|event| event.state);
        let failures: Vec<_> = self
            .event
            .iter()
            .flat_map(|event| &event.failures)
            .map(|(_, _, failure)| failure)
            .collect();
        let (run, journal, logs) = match &self.run {
            Some(told) => (Some(&told.run), &told.journal[..], &told.logs[..]),
            None => (None, &[][..], &[][..]),
        };
        let report = json!({
            "event": { "state": state, "failures": failures }, "run": run, "journal": journal, "logs": logs,
            "children": self.children,
        });
        terminal.report(arguments.format, &report, |terminal| {
            for child in &self.children {
                child.print(arguments, terminal);
            }
            match &self.run {
                Some(told) => told.print(arguments, terminal),
                None if failures.is_empty() => {
                    let state = state.map_or_else(
                        || "not routed: Iconik did not tell its domain".to_owned(),
                        |state| format!("{state:?}"),
                    );
                    terminal.line(&Tone::Careful.paint(&format!(
                        "no run: the rule does not want this event ({state})"
                    )));
                }
                None => {}
            }
            for failure in &failures {
                terminal.line(
                    &Tone::Bad.paint(&format!("`when` failed: {}", class_and_function(failure))),
                );
                terminal.line(&diagnostic(failure, &arguments.rule).to_string());
            }
        });
        let well = |told: &Told| matches!(told.run.state, RunState::Succeeded | RunState::Skipped);
        let good = self.run.as_ref().is_some_and(well) && self.children.iter().all(well);
        if good { Exit::Fine } else { Exit::Findings }
    }
}

impl Told {
    fn print(&self, arguments: &Arguments, terminal: &mut Terminal) {
        if arguments.trace {
            self.print_steps(terminal);
        }
        terminal.line(&outcome_line(&self.run));
        if let Some(failure) = &self.run.failure {
            terminal.line(&diagnostic(failure, &arguments.rule).to_string());
        }
    }

    fn print_steps(&self, terminal: &mut Terminal) {
        for step in &self.journal {
            self.print_logs(step.number, terminal);
            let place = step
                .effect
                .position()
                .map_or_else(String::new, |at| match &at.file {
                    Some(file) => format!("  {file}:{}", at.at.line),
                    None => format!("  line {}", at.at.line),
                });
            let effect = step.effect.to_string();
            terminal.line(&format!(
                "{:>3}  {} -> {}{place}",
                step.number,
                trace::bare(&effect),
                step.answer.status
            ));
            if let Effect::Call(Call {
                body: Some(body), ..
            }) = &step.effect
            {
                terminal.line(&Tone::Faint.paint(&format!("     {body}")));
            }
        }
        self.print_logs(
            u32::try_from(self.journal.len()).unwrap_or(u32::MAX),
            terminal,
        );
    }

    fn print_logs(&self, step: u32, terminal: &mut Terminal) {
        for line in self.logs.iter().filter(|line| line.step == step) {
            terminal.line(&Tone::Faint.paint(&format!("     log: {}", line.text)));
        }
    }
}

/// A failure as `check` shows its findings: with the line and a mark below it.
fn diagnostic(failure: &Failure, rule: &str) -> Diagnostic {
    Diagnostic {
        file: failure.file.clone().unwrap_or_else(|| rule.to_owned()),
        position: failure.position,
        message: failure.message.clone(),
        hint: failure.hint.clone(),
        excerpt: failure.excerpt.clone(),
    }
}

fn class_and_function(failure: &Failure) -> String {
    let class = failure.class.as_str();
    match &failure.function {
        Some(function) => format!("{class} in fn {function}"),
        None => class.to_owned(),
    }
}

fn outcome_line(run: &Run) -> String {
    let state = run.state.as_str();
    let rule = match &run.object {
        Some(object) if run.parent.is_some() => format!("{} on {object}", run.rule),
        _ => run.rule.to_string(),
    };
    let why = run
        .failure
        .as_ref()
        .map(class_and_function)
        .or_else(|| run.reason.clone());
    let text = why.map_or_else(
        || format!("{rule}: {state}"),
        |why| format!("{rule}: {state}: {why}"),
    );
    match run.state {
        RunState::Succeeded | RunState::Skipped => Tone::Good.paint(&text),
        RunState::Dead | RunState::Parked => Tone::Bad.paint(&text),
        RunState::Queued
        | RunState::Running
        | RunState::Waiting
        | RunState::Cancelled
        | RunState::Superseded => Tone::Careful.paint(&text),
    }
}
