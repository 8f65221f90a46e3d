//! Analysing, transcribing and transcoding: each makes a job that ends by itself.

use axum::http::StatusCode;

use serde_json::{Value, json};

use super::operation::{Ask, Caller, Change, Done};
use super::refusal::Refusal;
use super::resource::Verb::{Create, Edit, List, Read, Remove, Replace};
use super::resource::{Listing, Resource};
use super::routes::{Operation, Routes, operations, verbs};
use super::shape::{Begin, Extent, Key, Kind, checked, key, made};
use super::table::text;
use super::transfers::assets_of;
use super::works::{self, Task, nothing};
use super::world::World;
use super::{assets, media};
use crate::model::Method;
use crate::model::Method::Post;

/// The keys of `EdgeTranscodeWorkerSchema`.
const WORKER_KEYS: [Key; 3] = [
    made("id", Begin::NewId),
    key("status", Kind::OneOf(&["ACTIVE", "INACTIVE"])).required(),
    key("storage_id", Kind::Id).required(),
];

static WORKER: Resource = Resource::new("Edge worker", "worker_id", &WORKER_KEYS)
    .listed(Listing::Whole)
    .changed(StatusCode::CREATED);

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/transcode/v1/edge_transcode/workers/",
            verbs(&WORKER, [List, Create]),
        )
        .route(
            "/transcode/v1/edge_transcode/workers/{worker_id}/",
            verbs(&WORKER, [Read, Edit, Replace, Remove]),
        )
        .merge(jobs_of(
            "/transcode/v1/analyze/assets/{asset_id}/",
            (Post, analyze),
        ))
        .merge(jobs_of(
            "/transcode/v1/analyze/assets/{asset_id}/profiles/{profile_id}/",
            (Post, analyze),
        ))
        .also(
            Post,
            "/transcode/v1/analyze/assets/{asset_id}/profiles/default/",
        )
        .merge(jobs_of(
            "/transcode/v1/analyze/assets/{asset_id}/profiles/default/{media_type}/",
            (Post, analyze),
        ))
        .merge(jobs_of("/transcode/v1/analyze/bulk/", (Post, analyze_many)))
        .merge(jobs_of(
            "/transcode/v1/transcribe/assets/{asset_id}/profiles/default/",
            (Post, transcribe),
        ))
        .merge(jobs_of(
            "/transcode/v1/transcribe/bulk/",
            (Post, transcribe_many),
        ))
        .merge(jobs_of(
            "/transcode/v1/keyframes/collections/{collection_id}/",
            (Post, draw_collection),
        ))
        .merge(jobs_of(
            "/files/v1/assets/{asset_id}/files/{file_id}/keyframes/",
            (Post, transcode_file),
        ))
        .merge(jobs_of(
            "/files/v1/assets/{asset_id}/files/{file_id}/mediainfo/",
            (Post, inspect_file),
        ))
        .merge(jobs_of(
            "/files/v1/assets/{asset_id}/proxies/{proxy_id}/keyframes/",
            (Post, draw_proxy),
        ))
        .merge(jobs_of(
            "/files/v1/assets/bulk/keyframes/",
            (Post, transcode_many),
        ))
}

/// The keys of `BulkAnalyzeSchema`, `BulkTranscribeSchema` and `BulkTranscodeSchema` that name the objects.
const BULK_KEYS: [Key; 2] = [
    key("object_ids", Kind::TextList).required(),
    key(
        "object_type",
        Kind::OneOf(&["assets", "collections", "saved_searches"]),
    )
    .required(),
];

/// The keys of `AnalyzeSchema` and `TranscribeSchema`.
const WORK_KEYS: [Key; 6] = [
    key("engine", Kind::Text).nullable(),
    key("force", Kind::Flag),
    key("force_type", Kind::OneOf(&["APPEND", "OVERWRITE"])).nullable(),
    key("language", Kind::Text).nullable(),
    key("service_name", Kind::Text),
    key("speakers", Kind::Whole).nullable(),
];

fn jobs_of(path: &str, operation: (Method, Operation)) -> Routes {
    Routes::new().route(path, operations([operation]))
}

/// Work on assets whose state shows under a key: of the asset for analyses, of its current version for
/// transcriptions.
#[derive(Clone, Copy)]
struct Labour {
    kind: &'static str,
    title: &'static str,
    key: &'static str,
    is_of_version: bool,
}

const ANALYSIS: Labour = Labour {
    kind: "ANALYZE",
    title: "Analyzing",
    key: "analyze_status",
    is_of_version: false,
};

const TRANSCRIPTION: Labour = Labour {
    kind: "TRANSCRIPTION",
    title: "Transcribing",
    key: "transcribe_status",
    is_of_version: true,
};

impl Labour {
    /// `IN_PROGRESS` at once, `DONE` at the end. Nothing is found out about the asset.
    fn begin(self, world: &mut World, ask: &Ask, ids: Vec<String>) -> Result<Done, Refusal> {
        let mut changes = Vec::new();
        let mut job = None;
        for id in ids {
            world.asset(&id)?;
            changes.extend(self.mark(world, &id, "IN_PROGRESS"));
            let task = Task {
                kind: self.kind,
                title: self.title,
                about: Some(("assets", &id)),
            };
            let asset = id.clone();
            let ending = Box::new(move |world: &mut World, _: &Caller| {
                self.mark(world, &asset, "DONE").into_iter().collect()
            });
            job = Some(works::begin(world, &ask.caller, task, ending)?);
        }
        Ok(Done::created(json!({ "job_id": job })).with(changes))
    }

    fn mark(self, world: &mut World, asset: &str, state: &str) -> Option<Change> {
        let marked = assets::edited(world, asset, |asset| {
            if !self.is_of_version {
                asset.insert(self.key.to_owned(), json!(state));
            }
            let versions = asset.get_mut("versions").and_then(Value::as_array_mut);
            if let Some(Value::Object(version)) = versions.and_then(|them| them.first_mut()) {
                version.insert(self.key.to_owned(), json!(state));
            }
        });
        marked.ok().map(|asset| assets::changed("update", &asset))
    }
}

fn analyze(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("asset_id");
    world.asset(id)?;
    match ask.param("profile_id") {
        "" | "default" => {}
        profile => world.check_exists("profile_id", profile, ask)?,
    }
    checked(&ask.given()?, &WORK_KEYS, Extent::Part)?;
    ANALYSIS.begin(world, ask, vec![id.to_owned()])
}

fn transcribe(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("asset_id");
    world.asset(id)?;
    checked(&ask.given()?, &WORK_KEYS, Extent::Part)?;
    TRANSCRIPTION.begin(world, ask, vec![id.to_owned()])
}

fn analyze_many(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let given = checked(&ask.body()?, &BULK_KEYS, Extent::Whole)?;
    let assets = assets_of(world, &given)?;
    ANALYSIS.begin(world, ask, assets)
}

fn transcribe_many(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let given = checked(&ask.body()?, &BULK_KEYS, Extent::Whole)?;
    let assets = assets_of(world, &given)?;
    TRANSCRIPTION.begin(world, ask, assets)
}

/// A job about an asset that brings nothing about, answered like `TranscodeResponseSchema`.
fn plain(world: &mut World, ask: &Ask, task: Task<'_>) -> Result<Done, Refusal> {
    let job = works::begin(world, &ask.caller, task, nothing())?;
    Ok(Done::ok(json!({ "job_id": job })))
}

fn of_file<'a>(
    world: &World,
    ask: &'a Ask,
    kind: &'a str,
    title: &'a str,
) -> Result<Task<'a>, Refusal> {
    let (asset, id) = (ask.param("asset_id"), ask.param("file_id"));
    world.asset(asset)?;
    let file = world.files.get(id);
    match file.filter(|file| text(file, "asset_id") == asset) {
        Some(_) => Ok(Task {
            kind,
            title,
            about: Some(("assets", asset)),
        }),
        None => Err(Refusal::not_found("File", id)),
    }
}

/// Starts the making of a proxy and of keyframes, as a recorded client uses it: a proxy is there at the end.
fn transcode_file(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let task = of_file(world, ask, "TRANSCODE", "Transcoding")?;
    let asked = ask.clone();
    let ending = Box::new(move |world: &mut World, caller: &Caller| {
        media::drawn(world, &asked, caller).into_iter().collect()
    });
    let job = works::begin(world, &ask.caller, task, ending)?;
    Ok(Done::ok(json!({ "job_id": job })))
}

fn inspect_file(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let task = of_file(world, ask, "MEDIAINFO", "Reading media information")?;
    plain(world, ask, task)
}

fn draw_proxy(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let (asset, proxy) = (ask.param("asset_id"), ask.param("proxy_id"));
    world.asset(asset)?;
    world.check_exists("proxy_id", proxy, ask)?;
    let task = Task {
        kind: "KEYFRAMES",
        title: "Making keyframes",
        about: Some(("assets", asset)),
    };
    plain(world, ask, task)
}

fn draw_collection(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let id = ask.param("collection_id");
    world.collection(id)?;
    let task = Task {
        kind: "KEYFRAMES",
        title: "Making keyframes",
        about: Some(("collections", id)),
    };
    plain(world, ask, task).map(Done::with_201)
}

fn transcode_many(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let given = checked(&ask.body()?, &BULK_KEYS, Extent::Whole)?;
    assets_of(world, &given)?;
    let task = Task {
        kind: "TRANSCODE",
        title: "Transcoding",
        about: None,
    };
    plain(world, ask, task)
}
