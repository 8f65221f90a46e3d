//! The effects that the matrix kills: one entry each. A new effect or repeat class is a new entry.

use cuegate::model::Method::{self, Delete, Get, Patch, Post, Put};
use cuegate::operations::RepeatClass::{self, Acting, Creating, Idempotent, Safe};
use cuegate::simulator::WorldReader;
use serde_json::{Value, json};

use crate::gateway::GATEWAY_USER;

/// What is posted, and where to, to make something.
type Making = fn(&Subject) -> (String, Value);

/// An effect, the rule that has it, and how it is found in the world.
pub(crate) struct Case {
    /// Names the rule and the events that it wants.
    pub(crate) name: &'static str,
    /// Of the call that the case is about.
    pub(crate) class: RepeatClass,
    /// The rule's `allow`.
    pub(crate) allow: &'static str,
    /// What the rule does after it has read `asset`. Every call names `event.data.mark` or `event.data.thing`.
    pub(crate) body: &'static str,
    /// These calls in the order of the rule.
    pub(crate) calls: &'static [(Method, &'static str)],
    /// What a person makes before each event: `event.data.thing`.
    pub(crate) thing: Option<Making>,
    /// The very thing that the rule will make, made by a person before some of the events.
    pub(crate) twin: Option<Making>,
    /// How often the gateway's effect is in the world.
    pub(crate) made: fn(WorldReader<'_>, &Subject) -> usize,
    /// How often it is there after a run that has succeeded.
    pub(crate) wanted: usize,
}

/// What one event is about.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// In every call and in everything that is made for this event, and in no other.
    pub(crate) mark: String,
    /// The lane's.
    pub(crate) asset: String,
    /// The lane's.
    pub(crate) collection: String,
    /// What the person made, or nothing.
    pub(crate) thing: String,
}

impl Case {
    /// The rule.
    pub(crate) fn rule(&self) -> String {
        let Self {
            name, allow, body, ..
        } = self;
        let allow = match *allow {
            "" => String::new(),
            scope => format!("\"{scope}\""),
        };
        format!(
            "rule(#{{\n    on: [\"assets/{name}/happened\"],\n    allow: [{allow}],\n    \
             retry: #{{ min: \"50ms\", max: \"500ms\" }},\n}});\n\n\
             fn run(event) {{\n    let asset = iconik::asset(event.asset_id);\n    {body}\n}}\n"
        )
    }

    /// Whether a person may be asked when nobody knows whether its call happened. What was created is looked for, but
    /// a format does not say who made it, so one that is found may be anybody's.
    pub(crate) fn may_park(&self) -> bool {
        self.class == Acting || self.name == "format"
    }

    /// Which of its calls a request is.
    pub(crate) fn call(&self, method: &str, path: &str) -> Option<usize> {
        self.calls.iter().position(|(wanted, pattern)| {
            let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
            wanted.as_str() == method
                && pattern
                    .by_ref()
                    .all(|part| path.next().is_some_and(|it| part == "*" || part == it))
                && path.next().is_none()
        })
    }
}

const ASSETS: &str = "assets/v1/assets/";
const JOBS: &str = "jobs/v1/jobs/";

fn an_asset(subject: &Subject) -> (String, Value) {
    let title = format!("untouched by {}", subject.mark);
    (ASSETS.to_owned(), json!({ "title": title }))
}

fn a_job(subject: &Subject) -> (String, Value) {
    let title = format!("untouched by {}", subject.mark);
    (
        JOBS.to_owned(),
        json!({ "type": "CUSTOM", "status": "STARTED", "title": title }),
    )
}

fn the_job(subject: &Subject) -> (String, Value) {
    (
        JOBS.to_owned(),
        json!({ "type": "CUSTOM", "status": "STARTED", "title": subject.mark }),
    )
}

fn the_segment(subject: &Subject) -> (String, Value) {
    (
        format!("assets/v1/assets/{}/segments/", subject.asset),
        json!({
            "segment_type": "MARKER", "segment_text": subject.mark,
            "time_start_milliseconds": 0, "time_end_milliseconds": 1000,
        }),
    )
}

fn the_asset(subject: &Subject) -> (String, Value) {
    (ASSETS.to_owned(), json!({ "title": subject.mark }))
}

fn count(objects: &[Value], key: &str, value: &str, maker: &str) -> usize {
    let ours = |it: &&Value| it[key] == value && it[maker] == GATEWAY_USER;
    objects.iter().filter(ours).count()
}

/// The matrix.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "read",
        class: Safe,
        allow: "",
        body: "iconik::get(\"jobs/v1/jobs/\", #{ object_id: event.data.mark });
    iconik::post(\"search/v1/search/\", #{ doc_types: [\"assets\"], query: event.data.mark });",
        calls: &[(Get, "jobs/v1/jobs/"), (Post, "search/v1/search/")],
        thing: None,
        twin: None,
        made: |_, _| 0,
        wanted: 0,
    },
    Case {
        name: "put",
        class: Idempotent,
        allow: "assets:write",
        body: "iconik::put(`assets/v1/assets/${event.data.thing}/`, #{ title: event.data.mark });",
        calls: &[(Put, "assets/v1/assets/*/")],
        thing: Some(an_asset),
        twin: None,
        made: |world, it| {
            let asset = world.asset(&it.thing);
            usize::from(asset.is_some_and(|asset| asset["title"] == it.mark.as_str()))
        },
        wanted: 1,
    },
    Case {
        name: "patch",
        class: Idempotent,
        allow: "jobs:write",
        body: "iconik::patch(`jobs/v1/jobs/${event.data.thing}/`, #{ message: event.data.mark });",
        calls: &[(Patch, "jobs/v1/jobs/*/")],
        thing: Some(a_job),
        twin: None,
        made: |world, it| {
            let job = world.job(&it.thing);
            usize::from(job.is_some_and(|job| job["message"] == it.mark.as_str()))
        },
        wanted: 1,
    },
    Case {
        name: "delete",
        class: Idempotent,
        allow: "segments:delete",
        body: "iconik::delete(`assets/v1/assets/${event.asset_id}/segments/${event.data.thing}/`);",
        calls: &[(Delete, "assets/v1/assets/*/segments/*/")],
        thing: Some(the_segment),
        twin: None,
        made: |world, it| {
            let segments = world.segments(&it.asset);
            usize::from(!segments.iter().any(|its| its["id"] == it.thing.as_str()))
        },
        wanted: 1,
    },
    Case {
        name: "job",
        class: Creating,
        allow: "jobs:write",
        body: "let job = iconik::create_job(#{ \"type\": \"CUSTOM\", status: \"STARTED\", title: event.data.mark });
    job.update(#{ status: \"FINISHED\", message: event.data.mark });",
        calls: &[(Post, "jobs/v1/jobs/"), (Patch, "jobs/v1/jobs/*/")],
        thing: None,
        twin: Some(the_job),
        made: |world, it| count(&world.jobs(), "title", &it.mark, "created_by"),
        wanted: 1,
    },
    Case {
        name: "segment",
        class: Creating,
        allow: "segments:write",
        body: "asset.create_segment(#{
        segment_type: \"MARKER\", segment_text: event.data.mark,
        time_start_milliseconds: 0, time_end_milliseconds: 1000,
    });",
        calls: &[(Post, "assets/v1/assets/*/segments/")],
        thing: None,
        twin: Some(the_segment),
        made: |world, it| count(&world.segments(&it.asset), "segment_text", &it.mark, "user_id"),
        wanted: 1,
    },
    Case {
        name: "asset",
        class: Creating,
        allow: "assets:write",
        body: "iconik::post(\"assets/v1/assets/\", #{ title: event.data.mark });",
        calls: &[(Post, "assets/v1/assets/")],
        thing: None,
        twin: Some(the_asset),
        made: |world, it| count(&world.assets(), "title", &it.mark, "created_by_user"),
        wanted: 1,
    },
    Case {
        name: "entry",
        class: Creating,
        allow: "collections:write",
        body: "iconik::post(`assets/v1/collections/${event.data.collection}/contents/`, #{
        object_type: \"assets\", object_id: event.data.thing,
    });",
        calls: &[(Post, "assets/v1/collections/*/contents/")],
        thing: Some(an_asset),
        twin: Some(|it| {
            (
                format!("assets/v1/collections/{}/contents/", it.collection),
                json!({ "object_type": "assets", "object_id": it.thing }),
            )
        }),
        made: |world, it| {
            let contents = world.contents(&it.collection);
            contents.iter().filter(|(_, id)| *id == it.thing).count()
        },
        wanted: 1,
    },
    Case {
        name: "format",
        class: Creating,
        allow: "files:write",
        body: "iconik::post(`files/v1/assets/${event.asset_id}/formats/`, #{ name: event.data.mark });",
        calls: &[(Post, "files/v1/assets/*/formats/")],
        thing: None,
        twin: None,
        made: |world, it| {
            let formats = world.formats(&it.asset);
            formats.iter().filter(|format| format["name"] == it.mark.as_str()).count()
        },
        wanted: 1,
    },
    Case {
        name: "append",
        class: Acting,
        allow: "metadata:write",
        body: "asset.append_metadata(\"Operations\", #{ keywords: [event.data.mark] });",
        calls: &[(Put, "metadata/v1/assets/*/views/*/")],
        thing: None,
        twin: None,
        made: |world, it| {
            let metadata = world.metadata("assets", &it.asset);
            let keywords = metadata.get("keywords").into_iter().flatten();
            keywords.filter(|word| **word == it.mark.as_str()).count()
        },
        wanted: 1,
    },
    Case {
        name: "state",
        class: Acting,
        allow: "jobs:write",
        body: "iconik::put(\"jobs/v1/jobs/state/\", #{ action: \"PAUSE\", job_ids: [event.data.thing] });",
        calls: &[(Put, "jobs/v1/jobs/state/")],
        thing: Some(a_job),
        twin: None,
        made: |world, it| {
            let job = world.job(&it.thing);
            usize::from(job.is_some_and(|job| job["status"] == "PAUSED"))
        },
        wanted: 1,
    },
];
