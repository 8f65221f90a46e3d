//! `cuegate events reroute`, `replay` and `failures`: routing once more what was routed without a rule, or before it
//! was mended.

use serde_json::{Value, json};

use super::Exit;
use super::events::{EventFilter, whole};
use super::filter::fixed;
use super::gateway::{Failed, Gateway};
use super::runs::{Common, Decision};
use super::table::{Cell, Table};
use super::terminal::{Terminal, Tone};
use crate::admin::views::{FailurePlaces, Rerouted};
use crate::clock::{Clock as _, SystemClock};

/// `reroute`
#[derive(Debug, clap::Args)]
pub(super) struct RerouteEvents {
    /// The events
    #[arg(value_name = "EVENT")]
    events: Vec<String>,
    #[command(flatten)]
    filter: EventFilter,
    /// Only events on which `when` or `lane` of this rule failed
    #[arg(long, value_name = "RULE")]
    failed: Option<String>,
    /// Only to this rule
    #[arg(long)]
    rule: Option<String>,
    #[command(flatten)]
    decision: Decision,
    #[command(flatten)]
    common: Common,
}

impl RerouteEvents {
    pub(super) async fn run(self, terminal: &mut Terminal) -> Result<Exit, Failed> {
        let filter = self.filter.query();
        let filtered = !filter.is_empty() || self.failed.is_some();
        if self.events.is_empty() != filtered {
            return Err(Failed::usage(
                "say which events: by their ids, or by --failed or a filter such as --since",
            ));
        }
        let gateway = self.common.open()?;
        let mut body = self.decision.body();
        body.extend(self.rule.map(|rule| ("rule".to_owned(), json!(rule))));
        if filtered {
            let filter = Value::Object(fixed(&filter, SystemClock.now()));
            body.insert("filter".to_owned(), filter);
            body.extend(self.failed.map(|rule| ("failed".to_owned(), json!(rule))));
            let mut only = body.clone();
            only.insert("count_only".to_owned(), json!(true));
            if !self.decision.yes {
                let meant = pages(&gateway, only, terminal).await?;
                return match meant.events {
                    0 => {
                        terminal.report(self.common.format, &meant, |terminal| {
                            terminal.line("no event is meant: nothing was done");
                        });
                        Ok(Exit::Fine)
                    }
                    events => Err(Failed::findings(format!(
                        "{events} event(s) would be routed once more, to rules that have no run of them; say --yes"
                    ))),
                };
            }
        } else {
            let mut ids = Vec::new();
            for event in &self.events {
                ids.push(whole(&gateway, event).await?);
            }
            body.insert("events".to_owned(), json!(ids));
        }
        let line = pages(&gateway, body, terminal).await?;
        Ok(said(&line, &self.common, terminal))
    }
}

/// Puts page after page in line.
async fn pages(
    gateway: &Gateway,
    mut body: serde_json::Map<String, Value>,
    terminal: &mut Terminal,
) -> Result<Rerouted, Failed> {
    let mut all = Rerouted::default();
    loop {
        let page: Rerouted = gateway.post("/events/reroute", &body).await?;
        all.events += page.events;
        all.pruned += page.pruned;
        all.unknown.extend(page.unknown);
        let Some(next) = page.next else {
            return Ok(all);
        };
        terminal.progress(&format!("{} events", all.events));
        body.insert("page".to_owned(), json!(next));
    }
}

fn said(line: &Rerouted, common: &Common, terminal: &mut Terminal) -> Exit {
    terminal.report(common.format, line, |terminal| {
        terminal.line(&format!("{} event(s) are routed once more", line.events));
        for id in &line.unknown {
            let text = format!("{id} is unknown, or not routed yet and will be anyway");
            terminal.line(&Tone::Careful.paint(&text));
        }
        if line.pruned > 0 {
            let text = format!("{} have payloads outside retention: left out", line.pruned);
            terminal.line(&Tone::Careful.paint(&text));
        }
    });
    if line.unknown.is_empty() {
        Exit::Fine
    } else {
        Exit::Findings
    }
}

/// `replay`
#[derive(Debug, clap::Args)]
pub(super) struct ReplayEvents {
    /// The events
    #[arg(value_name = "EVENT", required = true)]
    events: Vec<String>,
    #[command(flatten)]
    to: Rules,
    #[command(flatten)]
    decision: Decision,
    #[command(flatten)]
    common: Common,
}

/// Which rules a replay is for.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Rules {
    /// Only to this rule
    #[arg(long)]
    rule: Option<String>,
    /// To every active rule that wants them
    #[arg(long)]
    all_rules: bool,
}

impl ReplayEvents {
    pub(super) async fn run(self, terminal: &mut Terminal) -> Result<Exit, Failed> {
        let gateway = self.common.open()?;
        let mut body = self.decision.body();
        body.extend(self.to.rule.map(|rule| ("rule".to_owned(), json!(rule))));
        body.insert("all_rules".to_owned(), json!(self.to.all_rules));
        body.insert("yes".to_owned(), json!(self.decision.yes));
        let mut all = Rerouted::default();
        for event in &self.events {
            let id = whole(&gateway, event).await?;
            let line: Rerouted = gateway.post(&format!("/events/{id}/replay"), &body).await?;
            all.events += line.events;
        }
        Ok(said(&all, &self.common, terminal))
    }
}

/// `failures`
#[derive(Debug, clap::Args)]
pub(super) struct ListFailures {
    /// At most this many places
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    #[command(flatten)]
    common: Common,
}

impl ListFailures {
    pub(super) async fn run(self, terminal: &mut Terminal) -> Result<Exit, Failed> {
        let query = vec![("limit", self.limit.to_string())];
        let found: FailurePlaces = self.common.open()?.get("/events/failures", &query).await?;
        terminal.report(self.common.format, &found, |terminal| {
            terminal.out(&table(&found));
        });
        Ok(Exit::Fine)
    }
}

fn table(found: &FailurePlaces) -> String {
    let mut table = Table::new(&["rule", "line", "events", "first", "last", "what"]);
    for place in &found.places {
        let line = place.failure.line;
        table.row(vec![
            Cell::from(format!("{}@{}", place.rule, place.version)),
            Cell::from(line.map_or_else(|| "-".to_owned(), |line| line.to_string())),
            Cell::from(place.events),
            Cell::from(place.first),
            Cell::from(place.last),
            Cell::from(place.failure.message.as_str()),
        ]);
    }
    if table.is_empty() {
        return "`when` and `lane` have failed on no event that is kept\n".to_owned();
    }
    table.to_string()
}
