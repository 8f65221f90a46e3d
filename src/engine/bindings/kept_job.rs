//! The job that a run with `progress` shows itself as. It is the run's first write, made before the script begins, so that
//! it is looked up, resumed and shown in the trace like any other; what becomes of it is the runner's affair.

use serde_json::json;
use uuid::Uuid;

use super::super::session::{Fallible, Phase, SharedSession};
use super::call::Request;
use crate::model::{Effect, Event, EventKind, Method, Step};

const JOBS: &str = "jobs/v1/jobs/";

/// Makes the job, if the rule wants one. Children of `each` show themselves in that of their parent.
///
/// # Errors
///
/// What ends the advance: the question to Iconik, or its refusal.
pub(in super::super) fn begin_job(session: &SharedSession, event: &Event) -> Fallible<()> {
    let begins = matches!(session.phase(), Phase::Run | Phase::Each);
    let Some(title) = session.program().progress.as_ref().filter(|_| begins) else {
        return Ok(());
    };
    if event.kind == EventKind::Object {
        return Ok(());
    }
    let mut job = json!({ "type": "CUSTOM", "status": "STARTED", "title": title });
    let asset = event.asset_id().map(|id| ("assets", id));
    let collection = event.collection_id().map(|id| ("collections", id));
    // The id of a foreign message may be none of Iconik's.
    let object = asset
        .or(collection)
        .filter(|(_, id)| Uuid::parse_str(id).is_ok());
    if let Some((object_type, id)) = object {
        job["object_type"] = object_type.into();
        job["object_id"] = id.into();
    }
    Request::post(JOBS)
        .body(job)
        .send_before_script(session)
        .map(drop)
}

/// The job that a run of a rule with `progress` shows itself as, once the answer that names it is in the journal. It is
/// the first that the run has made, because the script begins after that.
pub fn kept_job(event: &Event, journal: &[Step]) -> Option<String> {
    if event.kind == EventKind::Object {
        return None;
    }
    let made = journal.iter().find(|step| match &step.effect {
        Effect::Call(call) => call.method == Method::Post && call.path == JOBS,
        _ => false,
    });
    let id = made?.answer.body.get("id")?;
    id.as_str().map(str::to_owned)
}
