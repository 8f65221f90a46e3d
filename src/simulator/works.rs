//! Work that takes time. What the API answers with 202 is a job that is `STARTED` at once and `FINISHED`
//! when its time is over, by the simulator's clock; what it brings about shows at its end.
//!
//! The recorded answer of such an operation names the job, `{"job_id": …, "success": …}`; that all of them
//! do is inferred, as are the types of the jobs where the documents do not name them.

use std::collections::VecDeque;
use std::sync::Weak;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::operation::{Caller, Change, Done};
use super::refusal::Refusal;
use super::table::{Document, text};
use super::world::{World, document, stamp};
use super::{Site, jobs};
use crate::clock::SharedClock;

/// How often it is looked whether work is done while nobody asks.
const LOOK: Duration = Duration::from_millis(100);

/// The most ids that one request may name, as documented for most of them.
const IDS_MAX: usize = 500;

/// What a job brings about when it ends.
pub(super) type Ending = Box<dyn FnOnce(&mut World, &Caller) -> Vec<Change> + Send>;

/// The work that is going on.
pub(super) struct Works {
    takes: Duration,
    going_on: VecDeque<Work>,
}

struct Work {
    job: String,
    due: Timestamp,
    caller: Caller,
    ending: Ending,
}

impl std::fmt::Debug for Works {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Works")
            .field("takes", &self.takes)
            .field("going_on", &self.going_on.len())
            .finish()
    }
}

impl Works {
    /// No work; each will take this long.
    pub(super) fn taking(takes: Duration) -> Self {
        Self {
            takes,
            going_on: VecDeque::new(),
        }
    }
}

/// What a job is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task<'a> {
    /// The job's type.
    pub(super) kind: &'a str,
    /// Its title.
    pub(super) title: &'a str,
    /// Type and id of the object that it works on.
    pub(super) about: Option<(&'a str, &'a str)>,
}

/// Begins work; answers the id of its job.
pub(super) fn begin(
    world: &mut World,
    caller: &Caller,
    task: Task<'_>,
    ending: Ending,
) -> Result<String, Refusal> {
    let (object_type, object_id) = task.about.unzip();
    let body = document(json!({
        "type": task.kind,
        "title": task.title,
        "status": "STARTED",
        "object_type": object_type,
        "object_id": object_id,
        "progress_processed": 0,
        "progress_total": 1,
        "started_at": stamp(caller.now),
    }));
    let job = jobs::add(world, caller, &body, None)?;
    let id = text(&job, "id").to_owned();
    let due = caller.now + world.works.takes;
    world.works.going_on.push_back(Work {
        job: id.clone(),
        due,
        caller: caller.clone(),
        ending,
    });
    Ok(id)
}

/// Begins work and answers with its job.
pub(super) fn accepted(
    world: &mut World,
    caller: &Caller,
    task: Task<'_>,
    ending: Ending,
) -> Result<Done, Refusal> {
    let job = begin(world, caller, task, ending)?;
    Ok(Done::accepted(
        json!({ "job_id": job, "success": task.title }),
    ))
}

/// An ending that brings nothing about: what the job would do is not simulated.
pub(super) fn nothing() -> Ending {
    Box::new(|_, _| Vec::new())
}

/// The ids under a key of a bulk body.
///
/// # Errors
///
/// 400 if there are more than 500, or none.
pub(super) fn ids(given: &Document, key: &str) -> Result<Vec<String>, Refusal> {
    let ids = given.get(key).and_then(Value::as_array);
    let ids: Vec<_> = ids
        .into_iter()
        .flatten()
        .filter_map(|id| id.as_str().map(str::to_owned))
        .collect();
    match ids.len() {
        1..=IDS_MAX => Ok(ids),
        _ => Err(Refusal::invalid(key, format!("Must be 1 to {IDS_MAX} ids"))),
    }
}

/// Ends what is due; answers what changed, and on whose behalf.
pub(super) fn let_time_pass(world: &mut World, now: Timestamp) -> Vec<(Caller, Vec<Change>)> {
    let mut ended = Vec::new();
    let due = |work: &Work| work.due <= now;
    let (done, rest) = std::mem::take(&mut world.works.going_on)
        .into_iter()
        .partition::<VecDeque<_>, _>(due);
    world.works.going_on = rest;
    for work in done {
        let Some(job) = world.jobs.get_mut(&work.job) else {
            continue;
        };
        match text(job, "status") {
            "STARTED" | "READY" => {}
            "PAUSED" => {
                world.works.going_on.push_back(work);
                continue;
            }
            // Aborted, or moved on by somebody: then the work is not done here.
            _ => continue,
        }
        job.insert("status".to_owned(), json!("FINISHED"));
        job.insert("progress_processed".to_owned(), json!(1));
        job.insert("progress".to_owned(), json!(100));
        job.insert("completed_at".to_owned(), json!(stamp(now)));
        job.insert("date_modified".to_owned(), json!(stamp(now)));
        let caller = Caller { now, ..work.caller };
        let changes = (work.ending)(world, &caller);
        ended.push((caller, changes));
    }
    if !ended.is_empty() {
        world.reindex(now);
    }
    ended
}

/// Looks again and again whether work is done, so that its events come without anybody asking.
pub(super) async fn look_after(
    site: Weak<Site>,
    clock: SharedClock,
    mut stop: watch::Receiver<bool>,
) {
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            _ = stop.changed() => return,
            _ = look.tick() => {}
        }
        let Some(site) = site.upgrade() else { return };
        site.let_time_pass(clock.now());
    }
}
