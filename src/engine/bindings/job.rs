//! Jobs: what people see of long work in Iconik.

use std::sync::Arc;

use rhai::{Dynamic, EvalAltResult, FuncRegistration, ImmutableString, Map, NativeCallContext};
use serde_json::Value;

use super::super::catalog::{FunctionDoc, Place, Registry, or_unit};
use super::super::convert::{to_dynamic, to_json};
use super::super::session::{Fallible, Session, error};
use super::call::{JOB_ERROR_TAG, Request, path_id, text_at, thrown_map};
use super::waiting::after;
use crate::model::{Effect, Method, WaitForJob};

type Context<'a> = NativeCallContext<'a>;
const JOB: Place = Place::Type("Job");

/// A job as it was when it was read or made.
#[derive(Clone, Debug)]
pub(in super::super) struct Job {
    id: String,
    document: Arc<Value>,
}

impl Job {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn of(document: Value) -> Fallible<Self> {
        let id = text_at(&document, "id")
            .ok_or_else(|| error("Iconik answered a job without an id"))?
            .to_owned();
        Ok(Self {
            id,
            document: Arc::new(document),
        })
    }
}

impl Job {
    fn wait(&self, context: &Context<'_>, timeout: &str) -> Fallible<Self> {
        let session = Session::of(context)?;
        let wait = WaitForJob {
            job: path_id("job", &self.id.clone().into())?,
            until: after(&session, timeout)?,
            position: None,
        };
        let answer = session.step(context, Effect::WaitForJob(wait))?;
        let read = Request::get(format!("jobs/v1/jobs/{}/", self.id));
        if !(200..300).contains(&answer.status) {
            return Err(read.refused(&answer));
        }
        let title = text_at(&self.document, "title").unwrap_or_default();
        let name = format!("job {} ({title:?})", self.id);
        if answer.body.is_null() {
            let message = format!("{name} had not ended after {timeout}");
            return Err(self.unsuccessful(&message, Dynamic::UNIT));
        }
        let ended = Self::of(answer.body)?;
        let status = text_at(&ended.document, "status").unwrap_or_default();
        if !matches!(status, "FAILED" | "ABORTED") {
            return Ok(ended);
        }
        let why = ["error_message", "message"]
            .iter()
            .find_map(|key| text_at(&ended.document, key).filter(|text| !text.is_empty()));
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        let message = format!("{name} is {status}{why}");
        Err(self.unsuccessful(&message, status.to_owned().into()))
    }

    /// What a script catches about a job that did not end well.
    fn unsuccessful(&self, message: &str, status: Dynamic) -> Box<EvalAltResult> {
        let mut thrown = Map::new();
        thrown.insert("status".into(), Dynamic::UNIT);
        thrown.insert("message".into(), message.into());
        thrown.insert("errors".into(), Dynamic::UNIT);
        thrown.insert("method".into(), Method::Get.as_str().into());
        thrown.insert("path".into(), format!("jobs/v1/jobs/{}/", self.id).into());
        thrown.insert("job".into(), self.id.clone().into());
        thrown.insert("job_status".into(), status);
        thrown_map(thrown, JOB_ERROR_TAG)
    }
}

pub(super) fn register(registry: &mut Registry) {
    let module = registry.global();
    module.set_custom_type::<Job>("Job");
    FuncRegistration::new_index_getter().set_into_module(
        module,
        |job: &mut Job, key: ImmutableString| -> Dynamic {
            job.document
                .get(key.as_str())
                .map_or(Dynamic::UNIT, to_dynamic)
        },
    );
    let doc = |signature, about, example| FunctionDoc {
        place: JOB,
        signature,
        about,
        example,
    };
    registry.add(
        doc(
            "id",
            "The job's id.",
            "let job = iconik::create_job(#{ type: \"CUSTOM\", title: \"Check\", status: \"STARTED\" });\nlog::info(job.id);",
        ),
        |job: &mut Job| job.id.clone(),
    );
    registry.add(
        doc(
            "status",
            "`READY`, `STARTED`, `FINISHED`, `FAILED` and so on (`JobSchema` of the jobs document).",
            "let job = iconik::create_job(#{ type: \"CUSTOM\", title: \"Check\", status: \"STARTED\" });\n\
             if job.status != \"STARTED\" { fail(\"status\"); }",
        ),
        |job: &mut Job| or_unit(text_at(&job.document, "status").map(ToOwned::to_owned)),
    );
    registry.add(
        doc(
            "update(values)",
            "Changes keys of the job (`PATCH`), such as `status`, `progress_processed`, `progress_total` or `message`, and \
             returns the changed Job. Needs `jobs:write`.",
            "let job = iconik::create_job(#{ type: \"CUSTOM\", title: \"Check\", status: \"STARTED\" });\n\
             job.update(#{ status: \"FINISHED\" });",
        ),
        |context: Context<'_>, job: &mut Job, values: Map| -> Fallible<Job> {
            let body = to_json(&Dynamic::from_map(values))?;
            Job::of(Request::new(Method::Patch, format!("jobs/v1/jobs/{}/", job.id)).body(body).send(&context)?)
        },
    );
    registry.add(
        doc(
            "wait(timeout)",
            "Goes on when the job has ended and returns it as it is then. A job that is `FAILED` or `ABORTED`, or that has not \
             ended within the timeout, is thrown as a map like that of a refused call, with `job` and `job_status` besides: \
             `\"FAILED\"`, `\"ABORTED\"`, or `()` at the timeout. Any number of runs can wait; the gateway asks for all of \
             their jobs together.",
            "let job = iconik::create_job(#{ type: \"CUSTOM\", title: \"Check\", status: \"STARTED\" });\n\
             job.update(#{ status: \"FINISHED\" });\n\
             if job.wait(\"2h\").status != \"FINISHED\" { fail(\"status\"); }",
        ),
        |context: Context<'_>, job: &mut Job, timeout: &str| job.wait(&context, timeout),
    );
}

/// Reads one job.
pub(super) fn fetch(context: &Context<'_>, id: &Dynamic) -> Fallible<Job> {
    let id = path_id("job", id)?;
    Job::of(Request::get(format!("jobs/v1/jobs/{id}/")).send(context)?)
}

/// Makes a job.
pub(super) fn create(context: &Context<'_>, values: Map) -> Fallible<Job> {
    let body = to_json(&Dynamic::from_map(values))?;
    for key in ["type", "status", "title"] {
        if body.get(key).is_none() {
            return Err(error(format!("create_job needs `{key}`")));
        }
    }
    Job::of(
        Request::new(Method::Post, "jobs/v1/jobs/")
            .body(body)
            .send(context)?,
    )
}
