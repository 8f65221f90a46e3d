//! Jobs: what people see of long work in Iconik.

use rhai::{Array, Dynamic, EvalAltResult, INT, Map, NativeCallContext};
use serde_json::{Value, json};

use super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::convert::to_json;
use super::super::session::{Fallible, Session, error};
use super::call::{JOB_ERROR_TAG, Request, path_id, text_at, thrown_map};
use super::ids::{id_of, ids_of, in_turns, one_of};
use super::kinds;
use super::listing::{self, Paging};
use super::record::{self, Record, doc};
use super::waiting::after;
use crate::model::{Effect, Method, WaitForJob};

type Context<'a> = NativeCallContext<'a>;
/// A job as it was when it was read or made.
pub(super) type Job = Record<kinds::Job>;

const LIST: &str = "jobs/v1/jobs/";
/// What can be done to a job (`JobsStateSchema`).
const ACTIONS: [&str; 4] = ["PAUSE", "RESUME", "ABORT", "RESTART"];

impl Job {
    fn wait(&self, context: &Context<'_>, timeout: &str) -> Fallible<Self> {
        let session = Session::of(context)?;
        let wait = WaitForJob {
            job: path_id("job", &self.id().to_owned().into())?,
            until: after(&session, timeout)?,
            position: None,
        };
        let answer = session.step(context, Effect::WaitForJob(wait))?;
        let read = Request::get(self.path());
        if !(200..300).contains(&answer.status) {
            return Err(read.refused(&answer));
        }
        let title = text_at(self.document(), "title").unwrap_or_default();
        let name = match title {
            "" => format!("job {}", self.id()),
            title => format!("job {} ({title:?})", self.id()),
        };
        if answer.body.is_null() {
            let message = format!("{name} had not ended after {timeout}");
            return Err(self.unsuccessful(&message, Dynamic::UNIT));
        }
        let ended = Self::of(LIST, answer.body)?;
        let status = text_at(ended.document(), "status").unwrap_or_default();
        if !matches!(status, "FAILED" | "ABORTED") {
            return Ok(ended);
        }
        let why = ["error_message", "message"]
            .iter()
            .find_map(|key| text_at(ended.document(), key).filter(|text| !text.is_empty()));
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
        thrown.insert("path".into(), self.path().into());
        thrown.insert("job".into(), self.id().to_owned().into());
        thrown.insert("job_status".into(), status);
        thrown_map(thrown, JOB_ERROR_TAG)
    }

    fn set_state(&self, context: &Context<'_>, action: &str) -> Fallible<()> {
        set_state(context, &[self.id().to_owned()], action)
    }
}

pub(super) fn register(registry: &mut Registry) {
    record::register::<kinds::Job>(registry);
    record::register_reload::<kinds::Job>(registry);
    registry.add(
        doc::<kinds::Job>(
            "status",
            "`READY`, `STARTED`, `FINISHED`, `FAILED` and so on (`JobSchema` of the jobs document).",
            "if job.status != \"STARTED\" { fail(\"status\"); }",
        ),
        |job: &mut Job| job.text("status"),
    );
    record::register_update::<kinds::Job>(
        registry,
        "Changes keys of the job (`PATCH`), such as `status`, `progress_processed`, `progress_total` or `message`, and \
         returns the changed Job. Needs `jobs:write`.",
        "#{ status: \"FINISHED\" }",
    );
    record::register_replace::<kinds::Job>(
        registry,
        "Sets the whole job (`PUT`): `type`, `status` and `title` are required. Needs `jobs:write`.",
        "#{ type: \"CUSTOM\", title: \"Check\", status: \"FINISHED\" }",
    );
    record::register_delete::<kinds::Job>(
        registry,
        "Deletes the job from the list; it stops nothing. Needs `jobs:delete`.",
    );
    registry.add(
        doc::<kinds::Job>(
            "wait(timeout)",
            "Goes on when the job has ended and returns it as it is then. A job that is `FAILED` or `ABORTED`, or that has not \
             ended within the timeout, is thrown as a map like that of a refused call, with `job` and `job_status` besides: \
             `\"FAILED\"`, `\"ABORTED\"`, or `()` at the timeout. Any number of runs can wait; the gateway asks for all of \
             their jobs together.",
            "job.update(#{ status: \"FINISHED\" });\nif job.wait(\"2h\").status != \"FINISHED\" { fail(\"status\"); }",
        ),
        |context: Context<'_>, job: &mut Job, timeout: &str| job.wait(&context, timeout),
    );
    register_actions(registry);
    register_family(registry);
    register_steps(registry);
    register_many(registry);
}

fn register_actions(registry: &mut Registry) {
    const ABOUT: [(&str, &str, &str); 4] = [
        (
            "pause()",
            "PAUSE",
            "Pauses the job, if it can be paused. Needs `jobs:write`.",
        ),
        (
            "resume()",
            "RESUME",
            "Lets a paused job go on. Needs `jobs:write`.",
        ),
        (
            "abort()",
            "ABORT",
            "Aborts the job. A custom job is told by its `action_context`. Needs `jobs:write`.",
        ),
        (
            "restart()",
            "RESTART",
            "Starts the job again. Needs `jobs:write`.",
        ),
    ];
    for (signature, action, about) in ABOUT {
        registry.add(
            doc::<kinds::Job>(signature, about, &format!("job.{signature};")),
            move |context: Context<'_>, job: &mut Job| job.set_state(&context, action),
        );
    }
    registry.add(
        doc::<kinds::Job>(
            "set_priority(priority)",
            "Sets the priority, from 1 to 10. Needs `jobs:write`.",
            "job.set_priority(7);",
        ),
        |context: Context<'_>, job: &mut Job, priority: INT| {
            set_priority(&context, &[job.id().to_owned()], priority)
        },
    );
}

fn register_family(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Job>(
            "children()",
            "The jobs whose `parent_id` is this job, as a list of Jobs; the list may lag.",
            "log::info(job.children().len());",
        ),
        |context: Context<'_>, job: &mut Job| -> Fallible<Array> {
            let request = Request::get(LIST).query("parent_id", job.id());
            Job::all(
                LIST,
                listing::all(&context, "children of a job", Paging::Page, &request)?,
            )
        },
    );
    registry.add(
        doc::<kinds::Job>(
            "parent()",
            "The job that this one is a part of, or `()`.",
            "if job.parent() != () { fail(\"it has none\"); }",
        ),
        |context: Context<'_>, job: &mut Job| -> Fallible<Dynamic> {
            match text_at(job.document(), "parent_id") {
                Some(id) => Ok(Dynamic::from(Job::read(&context, LIST, id)?)),
                None => Ok(Dynamic::UNIT),
            }
        },
    );
    registry.add(
        doc::<kinds::Job>(
            "create_child(values)",
            "Makes a job below this one, as `iconik::create_job`. Needs `jobs:write`.",
            "let part = job.create_child(#{ type: \"CUSTOM\", title: \"Part\", status: \"STARTED\" });\n\
             if part.parent_id != job.id { fail(\"parent\"); }",
        ),
        |context: Context<'_>, job: &mut Job, mut values: Map| {
            values.insert("parent_id".into(), job.id().to_owned().into());
            create(&context, &values)
        },
    );
}

fn register_steps(registry: &mut Registry) {
    registry.add(
        doc::<kinds::Job>(
            "set_steps(steps)",
            "Sets the steps that people see of the job: maps with `label` and `status` (`WAITING`, `IN_PROGRESS`, `DONE`, `FAILED`, \
             `SKIPPED`), and `message` if there is something to say. Returns the changed Job. Needs `jobs:write`.",
            "job = job.set_steps([#{ label: \"Copy\", status: \"DONE\" }, #{ label: \"Check\", status: \"WAITING\" }]);",
        ),
        |context: Context<'_>, job: &mut Job, steps: Array| -> Fallible<Job> {
            let body = json!({ "steps": to_json(&steps.into())? });
            Ok(job.renewed(Request::put(job.below("steps/")).body(body).send(&context)?))
        },
    );
    registry.add(
        doc::<kinds::Job>(
            "update_step(step, values)",
            "Changes one step, given by its id or as a map with `id`. Returns the changed Job. Needs `jobs:write`.",
            "job = job.set_steps([#{ label: \"Copy\", status: \"WAITING\" }]);\n\
             job = job.update_step(job.steps[0], #{ status: \"DONE\" });",
        ),
        |context: Context<'_>, job: &mut Job, step: Dynamic, values: Map| -> Fallible<Job> {
            let path = job.below(&format!("steps/{}/", id_of("step", &step)?));
            Ok(job.renewed(Request::new(Method::Patch, path).values(&values)?.send(&context)?))
        },
    );
}

fn register_many(registry: &mut Registry) {
    const MADE: &str = "let job = iconik::create_job(#{ type: \"CUSTOM\", title: \"Check\", status: \"STARTED\" });\n";
    let doc = |signature, about, example: &str| FunctionDoc {
        place: Place::Module("iconik"),
        signature,
        about,
        example: format!("{MADE}{example}").leak(),
    };
    registry.add(
        doc(
            "job(id)",
            "Reads a job.",
            "log::info(iconik::job(job.id).status);",
        ),
        |context: Context<'_>, id: Dynamic| -> Fallible<Job> {
            Job::read(&context, LIST, &id_of("job", &id)?)
        },
    );
    registry.add(
        FunctionDoc {
            place: Place::Module("iconik"),
            signature: "create_job(values)",
            about: "Makes a job that people see in Iconik; `type`, `status` and `title` are required (`JobCreateSchema`). Needs \
                    `jobs:write`.",
            example: "iconik::create_job(#{ type: \"CUSTOM\", title: \"Check\", status: \"STARTED\", object_id: event.asset_id, object_type: \"assets\" });",
        },
        |context: Context<'_>, values: Map| create(&context, &values),
    );
    registry.add(
        doc(
            "set_job_state(jobs, action)",
            "Does `PAUSE`, `RESUME`, `ABORT` or `RESTART` to many jobs, 500 in a request. Needs `jobs:write`.",
            "iconik::set_job_state([job], \"ABORT\");",
        ),
        |context: Context<'_>, jobs: Array, action: &str| {
            set_state(&context, &ids_of("job", &jobs)?, action)
        },
    );
    registry.add(
        doc(
            "set_job_priority(jobs, priority)",
            "Sets the priority of many jobs, from 1 to 10, 500 in a request. Needs `jobs:write`.",
            "iconik::set_job_priority([job], 3);",
        ),
        |context: Context<'_>, jobs: Array, priority: INT| {
            set_priority(&context, &ids_of("job", &jobs)?, priority)
        },
    );
    registry.add(
        doc(
            "delete_jobs(jobs)",
            "Deletes many jobs from the list, 500 in a request. Needs `jobs:delete`.",
            "iconik::delete_jobs([job]);",
        ),
        |context: Context<'_>, jobs: Array| -> Fallible<()> {
            in_turns(&context, &ids_of("job", &jobs)?, |ids| {
                Ok(Request::delete(LIST).body(json!({ "job_ids": ids })))
            })
            .map(drop)
        },
    );
}

fn set_state(context: &Context<'_>, jobs: &[String], action: &str) -> Fallible<()> {
    let action = one_of("action on jobs", action, &ACTIONS)?;
    in_turns(context, jobs, |ids| {
        Ok(Request::put("jobs/v1/jobs/state/").body(json!({ "job_ids": ids, "action": action })))
    })
    .map(drop)
}

fn set_priority(context: &Context<'_>, jobs: &[String], priority: INT) -> Fallible<()> {
    if !(1..=10).contains(&priority) {
        return Err(error(format!(
            "a priority is a whole number from 1 to 10, not {priority}"
        )));
    }
    in_turns(context, jobs, |ids| {
        Ok(Request::put("jobs/v1/jobs/priority/")
            .body(json!({ "job_ids": ids, "priority": priority })))
    })
    .map(drop)
}

fn create(context: &Context<'_>, values: &Map) -> Fallible<Job> {
    for key in ["type", "status", "title"] {
        if !values.contains_key(key) {
            return Err(error(format!("create_job needs `{key}`")));
        }
    }
    Job::create(context, LIST, values)
}

/// A job as a list shows it.
pub(super) fn of(document: Value) -> Fallible<Job> {
    Job::of(LIST, document)
}

/// The job that an answer names: most say `job_id`, some are the job itself; `()` where it names none.
pub(super) fn named(answer: &Value) -> Fallible<Dynamic> {
    match text_at(answer, "job_id") {
        Some(id) => Ok(Dynamic::from(of(json!({ "id": id }))?)),
        None if answer.get("id").is_some() => Ok(Dynamic::from(of(answer.clone())?)),
        None => Ok(Dynamic::UNIT),
    }
}
