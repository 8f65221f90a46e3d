//! Jobs: what people see of long work in Iconik.

use std::sync::Arc;

use rhai::{Dynamic, FuncRegistration, ImmutableString, Map, NativeCallContext};
use serde_json::Value;

use super::super::catalog::{FunctionDoc, Place, Registry, or_unit};
use super::super::convert::{to_dynamic, to_json};
use super::super::session::{Fallible, error};
use super::call::{Request, path_id, text_at};
use crate::model::Method;

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

    fn of(document: Value) -> Fallible<Self> {
        let id = text_at(&document, "id")
            .ok_or_else(|| error("Iconik answered a job without an id"))?
            .to_owned();
        Ok(Self {
            id,
            document: Arc::new(document),
        })
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
