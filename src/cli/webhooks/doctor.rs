//! `cuegate webhooks doctor`: which of our webhooks and buttons Iconik does not use any more, since when, what was missed
//! meanwhile, and putting that right.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::gateway::{Failed, Gateway};
use super::super::runs::Common;
use super::super::terminal::{Terminal, Tone};
use super::super::{ConfigFile, Exit};
use super::site::{Site, refused};
use crate::admin::views::{Reconciled, Status};
use crate::clock::{Clock as _, SystemClock};
use crate::model::{MOMENTS, format_duration, parse_moment};
use crate::subscriptions::{Change, Found, Gap, Kind, Missing, Needed, Step};

/// The most bytes of changes in one request to the gateway.
const BATCH_BYTES: usize = 32 << 10;

/// The most changes in one request to the gateway.
const BATCH: usize = 100;

/// What was typed.
#[derive(Debug, clap::Args)]
pub(super) struct Doctoring {
    #[command(flatten)]
    file: ConfigFile,
    /// Switch on what is off, and make up for what was missed
    #[arg(long)]
    repair: bool,
    /// Look for what was missed by any webhook since then, such as after a restore: a time, a day (UTC), or how long ago (`24h`)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Who decides it
    #[arg(long, value_name = "NAME", env = "USER", hide_env = true)]
    by: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// What was found out and done.
#[derive(Debug, Default, Serialize)]
struct Report {
    mark: String,
    /// How many work.
    well: usize,
    unwell: Vec<Patient>,
    missed: Vec<Missed>,
    /// What cannot be told, in sentences.
    unknown: Vec<String>,
}

/// A definition that Iconik does not use.
#[derive(Debug, Serialize)]
struct Patient {
    kind: Kind,
    subject: String,
    id: String,
    status: String,
    since: Option<String>,
    last_error: Option<String>,
    repaired: bool,
    /// What to do, if it was not repaired.
    advice: &'static str,
}

/// What a webhook has missed.
#[derive(Debug, Serialize)]
struct Missed {
    subject: String,
    since: Timestamp,
    /// Changes that no event has told of.
    missed: usize,
    /// Changes that had arrived.
    known: usize,
    /// Whether events were made of what was missed.
    reconciled: bool,
}

impl Doctoring {
    pub(super) async fn run(&self, terminal: &mut Terminal) -> Result<Exit, Failed> {
        let since = self.since.as_deref().map(moment).transpose()?;
        let site = Site::open(&self.file).await?;
        let (plan, _) = site.plan().await?;
        let mut report = Report {
            mark: site.mark(),
            ..Report::default()
        };
        let there: Vec<(&Change, &Found)> = plan
            .changes
            .iter()
            .filter_map(|change| Some((change, change.found.as_ref()?)))
            .collect();
        report.well = there.iter().filter(|(_, found)| found.is_on()).count();
        let gaps = gaps(&there, since, &mut report.unknown);
        let gateway = self.common.open()?;
        if self.repair && !there.iter().all(|(_, found)| found.is_on()) {
            // Switched on without anybody who answers, it would fail at once again.
            gateway.get::<Status>("/status", &Vec::new()).await?;
        }
        for (change, found) in there.iter().filter(|(_, found)| !found.is_on()) {
            let patient = self.treat(&site, change, found).await?;
            report.unwell.push(patient);
        }
        if self.repair && !gaps.is_empty() {
            // What happened just before is found only when the index knows of it.
            let lag = site.index_lag();
            terminal.progress(&format!(
                "waiting {} until Iconik's index knows of everything",
                format_duration(lag)
            ));
            tokio::time::sleep(lag).await;
        }
        for gap in gaps {
            match self.look(&site, &gateway, &gap).await {
                Ok(missed) => report.missed.push(missed),
                Err(failed) if self.repair => return Err(failed),
                Err(failed) => report.unknown.push(format!(
                    "what {} has missed is not told: {}",
                    gap.subject, failed.message
                )),
            }
            report.unknown.extend(gap.blind);
        }
        terminal.report(self.common.format, &report, |terminal| {
            report.print(terminal);
        });
        Ok(report.exit())
    }

    /// Switches on what is needed and off, if that is asked for.
    async fn treat(&self, site: &Site, change: &Change, found: &Found) -> Result<Patient, Failed> {
        let mut patient = Patient::of(found);
        let needed = match (&change.needed, change.step) {
            (Some(needed), _) if patient.can_be_switched_on() => needed,
            (_, Step::Remove) => {
                patient.advice = "no rule needs it: `cuegate webhooks sync` removes it";
                return Ok(patient);
            }
            _ => {
                patient.advice = "it recovers with the next press that is answered";
                return Ok(patient);
            }
        };
        if self.repair {
            switch_on(site, needed, found).await?;
            patient.repaired = true;
        }
        Ok(patient)
    }

    /// Goes through what has changed since, and has the gateway make up for it, or only count it.
    async fn look(&self, site: &Site, gateway: &Gateway, gap: &Gap) -> Result<Missed, Failed> {
        let mut told = Missed {
            subject: gap.subject.clone(),
            since: gap.since,
            missed: 0,
            known: 0,
            reconciled: self.repair,
        };
        let mut after: Option<Value> = None;
        loop {
            let page = site.registry().missed(gap, after.as_ref()).await;
            let (missing, next) = page.map_err(refused)?;
            for batch in batches(&missing) {
                let body = json!({ "changes": batch, "count_only": !self.repair, "by": self.by });
                let answer: Reconciled = gateway.post("/events/reconcile", &body).await?;
                told.missed += answer.missed;
                told.known += answer.known;
            }
            after = next;
            if after.is_none() {
                return Ok(told);
            }
        }
    }
}

/// Where events are missing: the webhooks that do not work, or all of them since a time that was given. What no rule needs has
/// missed nothing.
fn gaps(
    there: &[(&Change, &Found)],
    since: Option<Timestamp>,
    unknown: &mut Vec<String>,
) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for (change, found) in there {
        if found.kind != Kind::Webhook || change.needed.is_none() {
            continue;
        }
        let off = (!found.is_on()).then(|| found.off_since()).flatten();
        let off = off.and_then(|text| text.parse::<Timestamp>().ok());
        let from = match (since, off) {
            (Some(since), Some(off)) => since.min(off),
            (Some(at), None) | (None, Some(at)) => at,
            (None, None) if found.is_on() => continue,
            (None, None) => {
                unknown.push(format!(
                    "Iconik does not say since when {} has not worked: say it with --since",
                    found.subject
                ));
                continue;
            }
        };
        match Gap::of(found, from) {
            Ok(gap) => gaps.push(gap),
            Err(why) => unknown.push(why),
        }
    }
    gaps
}

async fn switch_on(site: &Site, needed: &Needed, found: &Found) -> Result<(), Failed> {
    let switched = site.registry().switch_on(needed, found).await;
    switched.map_err(refused)
}

/// As many as one request may hold.
fn batches(missing: &[Missing]) -> Vec<Vec<&Missing>> {
    let mut batches = Vec::new();
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for change in missing {
        let size = serde_json::to_vec(change).map_or(0, |json| json.len());
        if !batch.is_empty() && (batch.len() >= BATCH || bytes + size > BATCH_BYTES) {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        batch.push(change);
        bytes += size;
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

/// When somebody means.
fn moment(text: &str) -> Result<Timestamp, Failed> {
    parse_moment(text, SystemClock.now())
        .ok_or_else(|| Failed::usage(format!("`{text}` is no time; write {MOMENTS}")))
}

impl Patient {
    fn of(found: &Found) -> Self {
        Self {
            kind: found.kind,
            subject: found.subject.clone(),
            id: found.id.clone(),
            status: found.status().to_owned(),
            since: found.off_since().map(ToOwned::to_owned),
            last_error: found.text("last_error").map(ToOwned::to_owned),
            repaired: false,
            advice: "`cuegate webhooks doctor --repair` switches it on",
        }
    }

    /// Iconik itself keeps the state of a button that failed.
    fn can_be_switched_on(&self) -> bool {
        self.kind == Kind::Webhook || self.status == "DISABLED"
    }
}

impl Report {
    fn exit(&self) -> Exit {
        let left = self.unwell.iter().any(|patient| !patient.repaired);
        let missed = self
            .missed
            .iter()
            .any(|gap| gap.missed > 0 && !gap.reconciled);
        if left || missed {
            Exit::Findings
        } else {
            Exit::Fine
        }
    }

    fn print(&self, terminal: &mut Terminal) {
        for patient in &self.unwell {
            let since = patient.since.as_deref().unwrap_or("-");
            let error = patient
                .last_error
                .as_deref()
                .unwrap_or("Iconik gives no reason");
            terminal.line(&Tone::Bad.paint(&format!(
                "{} {}: {} since {since}: {error}",
                patient.kind.as_str(),
                patient.subject,
                patient.status
            )));
            let done = if patient.repaired {
                "switched on again"
            } else {
                patient.advice
            };
            terminal.line(&format!("  {done}"));
        }
        for gap in &self.missed {
            let what = format!(
                "{}: {} change(s) since {} were missed, {} had arrived",
                gap.subject, gap.missed, gap.since, gap.known
            );
            terminal.line(&match (gap.missed, gap.reconciled) {
                (0, _) => Tone::Good.paint(&what),
                (_, true) => Tone::Good.paint(&format!(
                    "{what}; events were made of them, marked as reconciled"
                )),
                (_, false) => Tone::Bad.paint(&format!("{what}; --repair makes up for them")),
            });
        }
        for sentence in &self.unknown {
            terminal.line(&Tone::Careful.paint(sentence));
        }
        let (well, mark) = (self.well, &self.mark);
        let unwell = self.unwell.len();
        terminal.line(&format!("{mark}: {well} work, {unwell} did not"));
    }
}
