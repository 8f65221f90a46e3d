//! `cuegate events`: what arrived, and what became of it.

use clap::Subcommand;

use super::filter::Page;
use super::gateway::{Failed, Gateway, Query};
use super::rerouting::{ListFailures, ReplayEvents, RerouteEvents};
use super::runs::Common;
use super::table::{Cell, Table};
use super::terminal::{Terminal, Tone};
use super::{Exit, moment, trace};
use crate::admin::views::{EventDetails, EventPage, EventRow};
use crate::model::EventState;

/// The length of a whole id.
const ID: usize = 32;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List events, newest first
    List {
        #[command(flatten)]
        filter: EventFilter,
        #[command(flatten)]
        page: Page,
        #[command(flatten)]
        common: Common,
    },
    /// Show an event: what it says, its runs, and rules whose `when` failed on it
    Show {
        /// Its id, an alias of it, or the first digits
        event: String,
        #[command(flatten)]
        common: Common,
    },
    /// Route events once more, to rules that have no run of them
    Reroute(RerouteEvents),
    /// Route events once more, also to rules that have a run of them: they begin anew
    Replay(ReplayEvents),
    /// List where `when` and `lane` of rules failed, and on how many events
    Failures(ListFailures),
}

/// What events have in common.
#[derive(Debug, clap::Args)]
pub(super) struct EventFilter {
    /// Only in these states, separated by commas
    #[arg(long, value_name = "STATE,…")]
    state: Option<String>,
    /// Only of this sender
    #[arg(long)]
    source: Option<String>,
    /// Only with this subject, such as `assets/entity/create`
    #[arg(long)]
    subject: Option<String>,
    /// Only about this object of Iconik
    #[arg(long, value_name = "ID")]
    object: Option<String>,
    /// Only received since then: a time, a day (UTC), or how long ago (`24h`)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only received before then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only with an id that begins so
    #[arg(long, value_name = "DIGITS")]
    id: Option<String>,
}

impl EventFilter {
    pub(super) fn query(self) -> Query {
        let parts = [
            ("state", self.state),
            ("source", self.source),
            ("subject", self.subject),
            ("object", self.object),
            ("since", self.since),
            ("until", self.until),
            ("id", self.id),
        ];
        let given = parts.into_iter();
        given
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}

pub(super) async fn run(arguments: Arguments, terminal: &mut Terminal) -> Exit {
    let ended = match arguments.action {
        Action::List {
            filter,
            page,
            common,
        } => list(filter, &page, &common, terminal).await,
        Action::Show { event, common } => show(&event, &common, terminal).await,
        Action::Reroute(reroute) => reroute.run(terminal).await,
        Action::Replay(replay) => replay.run(terminal).await,
        Action::Failures(failures) => failures.run(terminal).await,
    };
    terminal.ended(ended)
}

async fn list(
    filter: EventFilter,
    page: &Page,
    common: &Common,
    terminal: &mut Terminal,
) -> Result<Exit, Failed> {
    let mut query = filter.query();
    page.add_to(&mut query);
    let found: EventPage = common.open()?.get("/events", &query).await?;
    terminal.report(common.format, &found, |terminal| {
        terminal.out(&table(&found.events));
        terminal.more(found.before);
    });
    Ok(Exit::Fine)
}

fn table(events: &[EventRow]) -> String {
    let mut table = Table::new(&[
        "event", "state", "source", "subject", "object", "received", "runs",
    ]);
    for event in events {
        let subject = event.subject.as_deref().unwrap_or("-");
        let echo = if event.echo { " (echo)" } else { "" };
        table.row(vec![
            Cell::from(event.id),
            Cell::in_tone(event.state.as_str(), tone(event.state)),
            Cell::from(&event.source),
            Cell::from(format!("{subject}{echo}")),
            Cell::from(event.object.as_deref().unwrap_or("-")),
            Cell::from(moment(event.received_at)),
            Cell::from(event.runs),
        ]);
    }
    if table.is_empty() {
        return "no events\n".to_owned();
    }
    table.to_string()
}

fn tone(state: EventState) -> Option<Tone> {
    match state {
        EventState::WhenFailed => Some(Tone::Bad),
        EventState::WrongDomain | EventState::Held => Some(Tone::Careful),
        EventState::Stored | EventState::Routed => None,
    }
}

async fn show(event: &str, common: &Common, terminal: &mut Terminal) -> Result<Exit, Failed> {
    let gateway = common.open()?;
    let id = whole(&gateway, event).await?;
    let found: EventDetails = gateway.get(&format!("/events/{id}"), &Vec::new()).await?;
    terminal.report(common.format, &found, |terminal| {
        details(&found, &id, terminal);
    });
    Ok(Exit::Fine)
}

/// The whole id that begins with these digits.
pub(super) async fn whole(gateway: &Gateway, text: &str) -> Result<String, Failed> {
    if text.len() >= ID || text.contains('/') {
        // The gateway says what is wrong with a longer one.
        return Ok(text.replace('/', ""));
    }
    let query = vec![("id", text.to_owned()), ("limit", "3".to_owned())];
    let page: EventPage = gateway.get("/events", &query).await?;
    match page.events.as_slice() {
        [one] => Ok(one.id.to_string()),
        [] => Err(Failed::findings(format!(
            "there is no event whose id begins with `{text}`; `cuegate events list` shows those that are there"
        ))),
        several => Err(Failed::usage(format!(
            "several events begin with `{text}`, such as {} and {}: give more digits",
            several[0].id, several[1].id
        ))),
    }
}

fn details(found: &EventDetails, asked: &str, terminal: &mut Terminal) {
    let event = &found.event;
    let mut facts = vec![
        ("event", event.id.to_string()),
        ("state", event.state.as_str().to_owned()),
        ("source", event.source.clone()),
        ("subject", event.subject.clone().unwrap_or_default()),
        ("received", moment(event.received_at)),
    ];
    facts.extend(event.object.clone().map(|object| ("object", object)));
    facts.extend(found.rule_set.clone().map(|set| ("rule set", set)));
    if event.echo {
        facts.push(("echo", "one of our own writes caused it".to_owned()));
    }
    if asked != event.id.to_string() {
        facts.push((
            "asked as",
            format!("{asked}: a repeated delivery of it was answered so"),
        ));
    }
    let aliases: Vec<String> = found.aliases.iter().map(ToString::to_string).collect();
    if !aliases.is_empty() {
        facts.push(("aliases", aliases.join(" ")));
    }
    for rule in &found.held_for {
        let words = format!(
            "for {rule}, which is in quarantine: `cuegate resume --rule {rule}` lets it go on"
        );
        facts.push(("held", words));
    }
    for (name, value) in facts {
        terminal.line(&format!(
            "{}{value}",
            Tone::Faint.paint(&format!("{name:<12}"))
        ));
    }
    let body = serde_json::to_string_pretty(&found.body).expect("JSON always has a text form");
    terminal.line(&format!("\n{body}"));
    for failed in &found.failures {
        let heading = format!("\n`when` of {}@{} failed", failed.rule, failed.version);
        terminal.line(&Tone::Bad.paint(&heading));
        terminal.line(&failed.failure.diagnostic(&failed.rule).to_string());
    }
    if found.runs.is_empty() {
        terminal.line("\nno rule made a run of it");
    } else {
        terminal.out(&format!("\n{}", trace::table(&found.runs)));
    }
}
