//! A run for a reader: what came of it, then each step with its line of the script, what was asked and what came back.

use jiff::Timestamp;

use super::moment;
use super::table::{Cell, Table};
use super::terminal::{Terminal, Tone};
use crate::admin::views::{
    BodyView, JournalView, LogView, RemarkView, RunDetails, RunRow, StepView,
};
use crate::model::RunState;

/// Runs below each other.
pub(super) fn table(runs: &[RunRow]) -> String {
    let mut table = Table::new(&["run", "state", "rule", "object", "made", "why"]);
    for run in runs {
        let state = run.class.as_ref().map_or_else(
            || run.state.as_str().to_owned(),
            |class| format!("{} ({class})", run.state.as_str()),
        );
        let failure = run.failure.as_ref().map(|failure| failure.message.clone());
        table.row(vec![
            Cell::from(run.id),
            Cell::in_tone(state, tone(run.state)),
            Cell::from(&run.rule),
            Cell::from(run.object.as_deref().unwrap_or("-")),
            Cell::from(moment(run.created_at)),
            Cell::from(failure.or_else(|| run.reason.clone()).unwrap_or_default()),
        ]);
    }
    if table.is_empty() {
        return "no runs\n".to_owned();
    }
    table.to_string()
}

/// How a state looks.
pub(super) fn tone(state: RunState) -> Option<Tone> {
    match state {
        RunState::Succeeded | RunState::Skipped => Some(Tone::Good),
        RunState::Dead | RunState::Parked => Some(Tone::Bad),
        RunState::Waiting => Some(Tone::Careful),
        RunState::Cancelled | RunState::Superseded => Some(Tone::Faint),
        RunState::Queued | RunState::Running => None,
    }
}

/// What came of a run.
pub(super) fn details(details: &RunDetails, terminal: &mut Terminal) {
    let run = &details.run;
    let line = match tone(run.state) {
        Some(tone) => tone.paint(&details.line),
        None => details.line.clone(),
    };
    terminal.line(&line);
    let mut facts = vec![
        ("event", run.event.to_string()),
        ("lane", run.lane.clone()),
        ("made", moment(run.created_at)),
    ];
    facts.extend(run.started_at.map(|at| ("begun", moment(at))));
    facts.extend(run.ended_at.map(|at| ("ended", moment(at))));
    facts.extend(details.standing.clone().map(|words| ("now", words)));
    facts.extend(
        details
            .children
            .clone()
            .map(|tally| ("objects", tally.line)),
    );
    for (name, run) in [
        ("child of", run.parent),
        ("retry of", run.retry_of),
        ("replay of", run.replay_of),
        ("went on as", run.followed_by),
    ] {
        facts.extend(run.map(|run| (name, format!("run {run}"))));
    }
    for (name, value) in facts {
        terminal.line(&format!(
            "{}{value}",
            Tone::Faint.paint(&format!("{name:<12}"))
        ));
    }
    if let Some(failure) = &run.failure {
        terminal.line(&format!("\n{}", failure.diagnostic(&run.rule)));
    }
}

/// Its way.
pub(super) fn journal(journal: &JournalView, terminal: &mut Terminal) {
    if journal.steps.is_empty() && journal.open.is_none() {
        terminal.line("\nno step has been answered");
    } else {
        terminal.line("");
    }
    for step in &journal.steps {
        logs(&step.logs, terminal);
        one_step(step, journal, terminal);
        remarks(&step.remarks, terminal);
    }
    logs(&journal.logs, terminal);
    if let Some(open) = &journal.open {
        let text = format!(
            "{:>3}  {} was to be sent at {} and was not answered: it may have happened",
            open.number,
            bare(&open.asks),
            moment(open.at)
        );
        terminal.line(&Tone::Bad.paint(&text));
        script(
            open.file.as_ref().or(journal.file.as_ref()),
            open.line,
            open.excerpt.as_deref(),
            terminal,
        );
        body("request", open.request.as_ref(), terminal);
    }
    remarks(&journal.remarks, terminal);
}

/// What was asked for, without the quotation marks that it has in a sentence.
pub(super) fn bare(asks: &str) -> &str {
    let inner = asks
        .strip_prefix('`')
        .and_then(|asks| asks.strip_suffix('`'));
    inner.unwrap_or(asks)
}

fn one_step(step: &StepView, journal: &JournalView, terminal: &mut Terminal) {
    let query: Vec<String> = step
        .query
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{}", query.join("&"))
    };
    let status = step.status.to_string();
    let status = match step.status {
        400.. => Tone::Bad.paint(&status),
        _ => status,
    };
    let sent = step
        .sent_at
        .map_or_else(String::new, |at| format!("sent {}, answered ", exactly(at)));
    terminal.line(&format!(
        "{:>3}  {}{query} -> {status}  {}",
        step.number,
        bare(&step.asks),
        Tone::Faint.paint(&format!("{sent}{}", exactly(step.at)))
    ));
    script(
        step.file.as_ref().or(journal.file.as_ref()),
        step.line,
        step.excerpt.as_deref(),
        terminal,
    );
    if step.withdrawn > 0 {
        let text = format!(
            "     tried {} time(s) before, which proved not to have happened",
            step.withdrawn
        );
        terminal.line(&Tone::Careful.paint(&text));
    }
    body("request", step.request.as_ref(), terminal);
    body("answer", Some(&step.answer), terminal);
}

/// To the millisecond: steps of a run are close together.
fn exactly(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S%.3fZ").to_string()
}

fn script(
    file: Option<&String>,
    line: Option<u32>,
    excerpt: Option<&str>,
    terminal: &mut Terminal,
) {
    let Some(line) = line else {
        return;
    };
    let text = match (file, excerpt) {
        (Some(file), Some(excerpt)) => format!("     {file}:{line}  {excerpt}"),
        (_, excerpt) => format!("     line {line}  {}", excerpt.unwrap_or_default()),
    };
    terminal.line(text.trim_end());
}

fn body(name: &str, body: Option<&BodyView>, terminal: &mut Terminal) {
    if let Some(body) = body.filter(|body| body.json.as_ref().is_none_or(|json| !json.is_null())) {
        terminal.line(&Tone::Faint.paint(&format!("     {name} {}", body.line())));
    }
}

fn logs(lines: &[LogView], terminal: &mut Terminal) {
    for line in lines {
        let text = format!("     log ({}): {}", line.level, line.text);
        let text = match line.level.as_str() {
            "error" => Tone::Bad.paint(&text),
            "warn" => Tone::Careful.paint(&text),
            _ => text,
        };
        terminal.line(&text);
    }
}

fn remarks(remarks: &[RemarkView], terminal: &mut Terminal) {
    for remark in remarks {
        let text = format!("     {}: {}", moment(remark.at), remark.text);
        terminal.line(&Tone::Careful.paint(&text));
    }
}
