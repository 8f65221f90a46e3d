//! `cuegate demo`: a working day on the terminal, and what came of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::terminal::{Terminal, Tone};
use super::{Exit, stop_asked};
use crate::authoring;
use crate::clock::{Clock as _, SystemClock};
use crate::demo::{Demo, DemoError, Happening, Setting, Summary, shipped_rules};
use crate::model::{EventState, RuleFile, RunState};
use crate::sandbox::own_program;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Play the day once and exit: 0 only if every expected effect happened
    #[arg(long)]
    once: bool,
    /// The rules; `./rules` when it is there, else those that the program carries
    #[arg(long, value_name = "RULES")]
    dir: Option<PathBuf>,
}

pub(super) async fn run(arguments: Arguments, terminal: &mut Terminal) -> Exit {
    let rules = match rules(arguments.dir.as_deref(), terminal) {
        Ok(rules) => rules,
        Err(message) => {
            terminal.complain(&message);
            return Exit::Usage;
        }
    };
    match play(&arguments, rules, terminal).await {
        Ok(exit) => exit,
        Err(error) => {
            terminal.complain(&error.to_string());
            Exit::Findings
        }
    }
}

fn rules(named: Option<&Path>, terminal: &mut Terminal) -> Result<Vec<RuleFile>, String> {
    let beside = Path::new("rules");
    let directory = named.or_else(|| beside.is_dir().then_some(beside));
    let Some(directory) = directory else {
        terminal.line("rules: those that the program carries");
        return Ok(shipped_rules());
    };
    terminal.line(&format!("rules: {}", directory.display()));
    authoring::load(directory).map_err(|e| e.to_string())
}

async fn play(
    arguments: &Arguments,
    rules: Vec<RuleFile>,
    terminal: &mut Terminal,
) -> Result<Exit, DemoError> {
    let setting = Setting {
        program: own_program(),
        rules,
        clock: Arc::new(SystemClock),
    };
    let (demo, mut told) = Demo::start(setting).await?;
    let (hooks, admin, iconik) = demo.addresses();
    terminal.line(&format!("simulated Iconik  {iconik}\ngateway           http://{hooks}/hooks/iconik   admin http://{admin}/metrics\n"));
    let played = {
        let playing = demo.play();
        tokio::pin!(playing);
        loop {
            tokio::select! {
                biased;
                Some(happening) = told.recv() => tell(&happening, terminal),
                played = &mut playing => break played,
            }
        }
    };
    tell_the_rest(&mut told, terminal);
    let summary = match played {
        Ok(summary) => summary,
        Err(error) => {
            demo.stop().await;
            return Err(error);
        }
    };
    print(&summary, terminal);
    let exit = if summary.is_complete() {
        Exit::Fine
    } else {
        Exit::Findings
    };
    if !arguments.once {
        terminal
            .line("\nBoth go on until Ctrl-C: change something in the simulated Iconik and watch.");
        tokio::select! {
            () = stop_asked() => {}
            () = async { while let Some(happening) = told.recv().await { tell(&happening, terminal); } } => {}
        }
    }
    demo.stop().await;
    Ok(exit)
}

fn tell_the_rest(told: &mut mpsc::Receiver<Happening>, terminal: &mut Terminal) {
    while let Ok(happening) = told.try_recv() {
        tell(&happening, terminal);
    }
}

fn tell(happening: &Happening, terminal: &mut Terminal) {
    let now = SystemClock.now().strftime("%H:%M:%S%.3f").to_string();
    let line = match happening {
        Happening::Event {
            subject,
            object,
            state: EventState::Routed,
            runs,
        } => {
            format!("event    {subject:<28} {object}  -> {runs} run(s)")
        }
        Happening::Event {
            subject,
            object,
            state,
            ..
        } => Tone::Careful.paint(&format!("event    {subject:<28} {object}  -> {state:?}")),
        Happening::Started { run, rule } => {
            Tone::Faint.paint(&format!("run      {rule} ({run}) begins"))
        }
        Happening::Effect {
            run,
            call,
            write,
            status,
            took,
        } => {
            let mark = if *write { "write " } else { "read  " };
            let text = format!(
                "{mark}   {call} -> {status}  {} ms  (run {run})",
                took.as_millis()
            );
            if *write {
                text
            } else {
                Tone::Faint.paint(&text)
            }
        }
        Happening::Forward { to, rule } => Tone::Strong.paint(&format!(
            "clock    put forward to {}, when `{rule}` is due",
            to.strftime("%Y-%m-%d %H:%M UTC")
        )),
        Happening::Settled {
            run,
            rule,
            state,
            why,
        } => {
            let why = why
                .as_ref()
                .map_or_else(String::new, |why| format!(": {why}"));
            let text = format!("outcome  {rule} ({run}) {}{why}", state.as_str());
            match state {
                RunState::Succeeded => Tone::Good.paint(&text),
                RunState::Dead | RunState::Parked => Tone::Bad.paint(&text),
                _ => text,
            }
        }
    };
    terminal.line(&format!("{now}  {line}"));
}

fn print(summary: &Summary, terminal: &mut Terminal) {
    terminal.line(&format!(
        "\n{}",
        Tone::Strong.paint("What the rules should have done, as seen in the simulated Iconik")
    ));
    for expectation in &summary.expectations {
        let (mark, tone) = if expectation.seen {
            ("seen   ", Tone::Good)
        } else {
            ("MISSING", Tone::Bad)
        };
        terminal.line(&format!(
            "  {}  {:<26} {}",
            tone.paint(mark),
            expectation.rule,
            expectation.effect
        ));
    }
    let events: u64 = summary.counts.events.iter().map(|(_, count)| count).sum();
    terminal.line(&format!("\n{}", Tone::Strong.paint("The day in figures")));
    terminal.line(&format!("  events routed     {events:>6}"));
    for state in RunState::ALL {
        let count = summary.runs(state);
        if count > 0 {
            terminal.line(&format!("  runs {:<12} {count:>6}", state.as_str()));
        }
    }
    terminal.line(&format!(
        "  reads of Iconik   {:>6}\n  writes to Iconik  {:>6}",
        summary.requests.0, summary.requests.1
    ));
    let missing = summary
        .expectations
        .iter()
        .filter(|expectation| !expectation.seen)
        .count();
    let verdict = match missing {
        0 => Tone::Good.paint("\nEvery expected effect happened."),
        1 => Tone::Bad.paint("\n1 expected effect is missing: see MISSING above."),
        several => Tone::Bad.paint(&format!(
            "\n{several} expected effects are missing: see MISSING above."
        )),
    };
    terminal.line(&verdict);
}
