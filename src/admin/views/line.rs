//! One run in words: what it came to, what it waits for, and the one command to run next.

use serde_json::Value;

use super::{ObjectView, RunDetails, RunRow};
use crate::model::{DeadClass, Effect, Event, Method, Run, RunState, WaitsFor};
use crate::store::{Pause, PauseScope, Standing, Trace};

/// What is told about a run, and what it is told from. Without a trace the journal cannot be read.
pub(in crate::admin) struct Teller<'a> {
    pub(in crate::admin) run: &'a Run,
    pub(in crate::admin) event: Option<&'a Event>,
    pub(in crate::admin) trace: Option<&'a Trace>,
    pub(in crate::admin) standing: &'a Standing,
    pub(in crate::admin) pauses: &'a [Pause],
    /// The web address of Iconik: `https://app.iconik.io`.
    pub(in crate::admin) site: &'a str,
    /// Whether Iconik as a whole cannot be used.
    pub(in crate::admin) iconik_away: bool,
}

impl Teller<'_> {
    /// Everything that helps to decide.
    pub(in crate::admin) fn details(&self) -> RunDetails {
        RunDetails {
            run: RunRow::from(self.run.clone()),
            object: self.object(),
            steps: self.steps(),
            line: self.line(),
            standing: self.standing_in_words(),
            next: self.next(),
            children: self.standing.children.clone().map(Into::into),
        }
    }

    fn steps(&self) -> u32 {
        let steps = self.trace.map_or(0, |trace| trace.steps.len());
        u32::try_from(steps).unwrap_or(u32::MAX)
    }

    fn object(&self) -> Option<ObjectView> {
        let id = self.run.object.as_deref()?;
        let is_asset = self.event.is_some_and(|event| event.asset_id() == Some(id))
            || self.answer_about("assets/v1/assets/", id).is_some();
        Some(ObjectView {
            id: id.to_owned(),
            title: self.title(id),
            link: is_asset.then(|| format!("{}/asset/{id}", self.site)),
        })
    }

    /// The title as the journal tells it last, else as the event told it.
    fn title(&self, id: &str) -> Option<String> {
        let told = ["assets/v1/assets/", "assets/v1/collections/"]
            .into_iter()
            .find_map(|path| self.answer_about(path, id)?.get("title")?.as_str());
        let in_event = || {
            let data = self.event?.body.get("data")?;
            let about_it = ["id", "asset_id", "collection_id", "object_id"]
                .iter()
                .any(|key| data.get(key).and_then(Value::as_str) == Some(id));
            data.get("title")?.as_str().filter(|_| about_it)
        };
        told.or_else(in_event)
            .filter(|title| !title.is_empty())
            .map(str::to_owned)
    }

    /// The last good answer to a request for the object itself.
    fn answer_about(&self, below: &str, id: &str) -> Option<&Value> {
        let steps = &self.trace?.steps;
        let about = steps.iter().rev().find(|step| match &step.effect {
            Effect::Call(call) => {
                let path = call
                    .path
                    .strip_prefix(below)
                    .map(|rest| rest.trim_end_matches('/'));
                call.method == Method::Get && path == Some(id) && step.answer.status < 300
            }
            _ => false,
        });
        about.map(|step| &step.answer.body)
    }

    fn line(&self) -> String {
        let run = self.run;
        let row = RunRow::from(run.clone());
        let state = run.state.as_str();
        let outcome = row
            .class
            .as_ref()
            .map_or_else(|| state.to_owned(), |class| format!("{state} ({class})"));
        let version: String = run.version.as_str().chars().take(12).collect();
        let mut parts = vec![outcome, format!("{}@{version}", run.rule)];
        parts.extend(self.object().map(|object| words(&object)));
        match &run.failure {
            Some(failure) => {
                parts.extend(self.place());
                parts.push(failure.message.clone());
            }
            None => parts.extend(run.reason.clone()),
        }
        if run.failure.is_some() || run.state == RunState::Parked {
            parts.push(format!("step {}", self.failing_step()));
        }
        parts.extend(self.next().map(|next| format!("next: {next}")));
        parts.join(" · ")
    }

    /// ``tag.rhai:12 `asset.trash();` ``
    fn place(&self) -> Option<String> {
        let failure = self.run.failure.as_ref()?;
        let file = failure.file.as_ref()?;
        let line = failure
            .position
            .map_or_else(String::new, |at| format!(":{}", at.line));
        let excerpt = failure
            .excerpt
            .as_ref()
            .map_or_else(String::new, |text| format!(" `{}`", text.trim()));
        Some(format!("{file}{line}{excerpt}"))
    }

    /// The step that it died at: the last one if that was refused, else the one that it was on its way to.
    fn failing_step(&self) -> u32 {
        let steps = self.steps();
        let refused = self
            .trace
            .and_then(|trace| trace.steps.last())
            .is_some_and(|step| step.answer.status >= 400);
        let of_an_answer = self
            .run
            .failure
            .as_ref()
            .is_some_and(|failure| failure.class == DeadClass::ApiError);
        if refused && of_an_answer {
            steps - 1
        } else {
            steps
        }
    }

    /// The command that helps, if one does.
    fn next(&self) -> Option<String> {
        let id = self.run.id;
        if self.run.followed_by.is_some() {
            return self
                .run
                .followed_by
                .map(|follower| format!("cuegate runs show {follower}"));
        }
        let uncertain = self.trace.is_some_and(|trace| trace.open.is_some());
        match self.run.state {
            RunState::Dead | RunState::Parked if uncertain => Some(format!(
                "cuegate runs retry {id} --as happened (or --as again)"
            )),
            RunState::Parked => Some(format!("cuegate runs retry {id}")),
            RunState::Dead => {
                let class = self.run.failure.as_ref().map(|failure| failure.class);
                Some(match class {
                    // It may be otherwise next time; everything else would do the same again.
                    Some(DeadClass::ApiError | DeadClass::Crash) => {
                        format!("cuegate runs retry {id}")
                    }
                    _ => format!("cuegate runs replay {id}"),
                })
            }
            RunState::Queued
            | RunState::Running
            | RunState::Waiting
            | RunState::Succeeded
            | RunState::Skipped
            | RunState::Cancelled
            | RunState::Superseded => None,
        }
    }

    /// What an unfinished run stands behind and waits for.
    fn standing_in_words(&self) -> Option<String> {
        let run = self.run;
        let words = match run.state {
            RunState::Queued => match &self.standing.head {
                Some(head) => self.behind(head),
                None => match run.due_at {
                    Some(due) => format!("begins when its lane has been quiet, at {due}"),
                    None if self.iconik_away => {
                        "is next in its lane, and begins when Iconik can be used again: the log says why it cannot".to_owned()
                    }
                    None => "is claimed next in its lane".to_owned(),
                },
            },
            RunState::Waiting => self.waits(run, self.standing),
            RunState::Running => "is being worked on".to_owned(),
            RunState::Parked => "waits for a decision, and its lane with it".to_owned(),
            _ => return None,
        };
        Some(match self.paused() {
            Some(paused) => format!("{words}; {paused}"),
            None => words,
        })
    }

    /// `behind run 7, asleep until 2026-03-01T12:00:00Z`
    fn behind(&self, head: &Run) -> String {
        let state = match head.state {
            RunState::Waiting => {
                let alone = Standing::default();
                self.waits(head, &alone)
            }
            RunState::Running => "which is being worked on".to_owned(),
            RunState::Parked => "which is parked and waits for a decision".to_owned(),
            _ => "which is claimed next".to_owned(),
        };
        let others = match self.standing.before {
            0 | 1 => String::new(),
            before => format!(", {before} runs of its lane come first"),
        };
        format!("behind run {}, {state}{others}", head.id)
    }

    /// `asleep until …`, `waits for job … until …`
    fn waits(&self, run: &Run, standing: &Standing) -> String {
        let until = run
            .due_at
            .map_or_else(String::new, |due| format!(" until {due}"));
        let what = match run.waits_for {
            Some(WaitsFor::Time) => "asleep".to_owned(),
            Some(WaitsFor::Event) => standing.event.as_ref().map_or_else(
                || "waits for an event".to_owned(),
                |wait| {
                    let fields = wait.fields.iter();
                    let fields: Vec<String> = fields
                        .map(|(key, value)| format!("{key} = {value}"))
                        .collect();
                    if fields.is_empty() {
                        format!("waits for `{}`", wait.pattern)
                    } else {
                        format!("waits for `{}` with {}", wait.pattern, fields.join(", "))
                    }
                },
            ),
            Some(WaitsFor::Job) => standing.job.as_ref().map_or_else(
                || "waits for a job".to_owned(),
                |job| format!("waits for job {job}"),
            ),
            Some(WaitsFor::Children) => standing.children.as_ref().map_or_else(
                || "waits for the runs of its objects".to_owned(),
                |tally| format!("waits for the runs of its objects: {tally}"),
            ),
            Some(WaitsFor::Writes) => {
                return "is held at a write until writes are resumed".to_owned();
            }
            Some(WaitsFor::Retry) => "waits for the next try".to_owned(),
            Some(WaitsFor::LookUp) => "waits to look whether its call happened".to_owned(),
            Some(WaitsFor::Gateway) => "waits for the gateway".to_owned(),
            None => "waits".to_owned(),
        };
        format!("{what}{until}")
    }

    fn paused(&self) -> Option<String> {
        let own = PauseScope::Rule(self.run.rule.clone());
        let pause = self
            .pauses
            .iter()
            .find(|pause| pause.scope == PauseScope::All || pause.scope == own)?;
        let (what, command) = match (&pause.scope, pause.quarantine) {
            (PauseScope::All, _) => ("every run is paused", "cuegate resume".to_owned()),
            (_, true) => (
                "its rule is in quarantine",
                format!("cuegate resume --rule {}", self.run.rule),
            ),
            (_, false) => (
                "its rule is paused",
                format!("cuegate resume --rule {}", self.run.rule),
            ),
        };
        Some(format!(
            "{what} ({}): `{command}` lets it go on",
            pause.reason
        ))
    }
}

fn words(object: &ObjectView) -> String {
    let name = object
        .title
        .as_ref()
        .map_or_else(|| object.id.clone(), |title| format!("{title:?}"));
    match &object.link {
        Some(link) => format!("{name} {link}"),
        None if object.title.is_some() => format!("{name} {}", object.id),
        None => name,
    }
}

#[cfg(test)]
mod tests;
