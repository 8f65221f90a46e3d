//! One decision about several runs: named by their numbers one by one, or by a filter in batches after a count.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::filter::fixed;
use super::gateway::{Failed, Gateway, Query};
use super::terminal::{Terminal, Tone};
use super::{Exit, Format};
use crate::admin::views::{Batch, Count, OneRefused};
use crate::clock::{Clock as _, SystemClock};
use crate::model::RunId;

/// The most refusals that are printed one by one.
const REFUSED_SHOWN: usize = 10;

/// What is done: `retry`, `replay` or `cancel`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verb {
    /// As the API names it.
    pub(super) name: &'static str,
    /// As a sentence says that it was done.
    pub(super) done: &'static str,
}

/// Which runs.
#[derive(Clone, Debug)]
pub(super) enum Which {
    /// These.
    Named(Vec<i64>),
    /// All that a filter means; not carried out without a yes.
    Filtered { query: Query, yes: bool },
}

impl Which {
    /// From what was typed. `everything` stands for a filter that says nothing.
    pub(super) fn of(
        runs: Vec<i64>,
        query: Query,
        everything: bool,
        yes: bool,
    ) -> Result<Self, Failed> {
        match (runs.is_empty(), query.is_empty() && !everything) {
            (false, true) => Ok(Self::Named(runs)),
            (true, false) => Ok(Self::Filtered { query, yes }),
            (false, false) => Err(Failed::usage(
                "name runs by their numbers or by a filter, not both",
            )),
            (true, true) => Err(Failed::usage(
                "say which runs: by their numbers, or by a filter such as --rule, --class or --since",
            )),
        }
    }
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
struct Outcome {
    done: Vec<Value>,
    refused: Vec<OneRefused>,
}

/// Carries it out and says what came of it.
pub(super) async fn act(
    gateway: &Gateway,
    verb: Verb,
    which: &Which,
    body: &Map<String, Value>,
    (format, terminal): (Format, &mut Terminal),
) -> Result<Exit, Failed> {
    let outcome = match which {
        Which::Named(runs) => named(gateway, verb, runs, body).await?,
        Which::Filtered { query, yes } => {
            let count: Count = gateway.get("/runs/count", query).await?;
            let more = if count.more { "more than " } else { "" };
            let meant = format!("{more}{} run(s)", count.number);
            let Some(newest) = count.newest else {
                terminal.report(format, &Outcome::default(), |terminal| {
                    terminal.line("no run is meant: nothing was done");
                });
                return Ok(Exit::Fine);
            };
            if !yes {
                return Err(Failed::findings(format!(
                    "{meant} would be {}; look at them with `list`, then say --yes",
                    verb.done
                )));
            }
            let part = Part {
                filter: fixed(query, SystemClock.now()),
                newest,
                total: count.number,
            };
            filtered(gateway, verb, &part, body, terminal).await?
        }
    };
    print(&outcome, verb, format, terminal);
    Ok(if outcome.refused.is_empty() {
        Exit::Fine
    } else {
        Exit::Findings
    })
}

async fn named(
    gateway: &Gateway,
    verb: Verb,
    runs: &[i64],
    body: &Map<String, Value>,
) -> Result<Outcome, Failed> {
    let mut outcome = Outcome::default();
    for run in runs {
        let path = format!("/runs/{run}/{}", verb.name);
        match gateway.post::<Value>(&path, body).await {
            Ok(mut made) => {
                made["from"] = Value::from(*run);
                outcome.done.push(made);
            }
            // One run: its own words and exit code.
            Err(failed) if runs.len() == 1 => return Err(failed),
            Err(failed) => outcome.refused.push(OneRefused {
                run: RunId(*run),
                error: failed.message,
            }),
        }
    }
    Ok(outcome)
}

/// What all batches have in common.
struct Part {
    filter: Map<String, Value>,
    newest: RunId,
    total: u64,
}

async fn filtered(
    gateway: &Gateway,
    verb: Verb,
    part: &Part,
    body: &Map<String, Value>,
    terminal: &mut Terminal,
) -> Result<Outcome, Failed> {
    let mut outcome = Outcome::default();
    let mut after = RunId(0);
    loop {
        let mut body = body.clone();
        body.insert(
            "part".to_owned(),
            json!({ "filter": part.filter, "after": after, "up_to": part.newest }),
        );
        let batch: Batch = gateway.post(&format!("/runs/{}", verb.name), &body).await?;
        let done = batch.done.into_iter();
        outcome.done.extend(done.map(|run| json!({ "from": run })));
        outcome.refused.extend(batch.refused);
        let Some(next) = batch.after else {
            return Ok(outcome);
        };
        after = next;
        let seen = outcome.done.len() + outcome.refused.len();
        terminal.progress(&format!("{seen} of {} runs", part.total));
    }
}

fn print(outcome: &Outcome, verb: Verb, format: Format, terminal: &mut Terminal) {
    terminal.report(format, outcome, |terminal| {
        match outcome.done.as_slice() {
            [] => {}
            [one] => terminal.line(&Tone::Good.paint(&sentence(one, verb))),
            several if several.iter().all(|one| one.get("run").is_some()) => {
                for one in several {
                    terminal.line(&Tone::Good.paint(&sentence(one, verb)));
                }
            }
            several => {
                let text = format!("{} runs were {}", several.len(), verb.done);
                terminal.line(&Tone::Good.paint(&text));
            }
        }
        for refused in outcome.refused.iter().take(REFUSED_SHOWN) {
            let text = format!("run {} was left as it is: {}", refused.run, refused.error);
            terminal.line(&Tone::Careful.paint(&text));
        }
        let hidden = outcome.refused.len().saturating_sub(REFUSED_SHOWN);
        if hidden > 0 {
            terminal.line(&format!(
                "and {hidden} more that were left as they are; --format json lists all"
            ));
        }
    });
}

fn sentence(one: &Value, verb: Verb) -> String {
    let from = &one["from"];
    match (one["run"].as_i64(), one["cancelled"].as_u64()) {
        (Some(run), _) => format!("run {from} was {} as run {run}", verb.done),
        (None, Some(cancelled)) if cancelled > 1 => {
            format!(
                "run {from} was {}, with {} of its objects",
                verb.done,
                cancelled - 1
            )
        }
        _ => format!("run {from} was {}", verb.done),
    }
}
