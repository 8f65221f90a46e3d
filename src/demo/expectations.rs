//! What the rules should have done by the end of the day, and whether the simulator shows it.

use serde_json::{Value, json};

use super::person::{Person, PersonError};
use super::story::{Day, OPERATIONS};

/// An effect that a shipped rule should have had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// The rule.
    pub rule: &'static str,
    /// What should be seen in Iconik.
    pub effect: &'static str,
    /// Whether it is.
    pub seen: bool,
}

type Looked = Result<Vec<(&'static str, bool)>, PersonError>;

/// Asks the simulator for every expected effect.
pub(super) async fn look(person: &Person, day: &Day) -> Result<Vec<Expectation>, PersonError> {
    let looked = [
        ("tag_on_arrival", tagged(person, day).await?),
        ("subclip_from_marker", clipped(person, day).await?),
        ("campaign_from_collection", campaigned(person, day).await?),
        ("expired_to_trash", trashed(person, day).await?),
        ("release_button", released(person, day).await?),
    ];
    let each = |(rule, effects): (&'static str, Vec<(&'static str, bool)>)| {
        effects
            .into_iter()
            .map(move |(effect, seen)| Expectation { rule, effect, seen })
    };
    Ok(looked.into_iter().flat_map(each).collect())
}

async fn tagged(person: &Person, day: &Day) -> Looked {
    let desk = field(person, &day.match_recording, "desk").await?;
    let keywords = field(person, &day.evening_news, "keywords").await?;
    let arrived = field(person, &day.old_interview, "arrived").await?;
    Ok(vec![
        (
            "the match recording is tagged for the desk \"sport\"",
            desk == [json!("sport")],
        ),
        (
            "the evening news carries the keyword \"news\"",
            keywords == [json!("news")],
        ),
        (
            "the old interview carries the day of its arrival",
            arrived.len() == 1,
        ),
    ])
}

async fn clipped(person: &Person, day: &Day) -> Looked {
    let subclip = subclip_of(person, &day.match_recording).await?;
    let job = job_titled(person, "Finish subclip: Winning goal").await?;
    let about = job.as_ref().and_then(|job| job["object_id"].as_str());
    Ok(vec![
        (
            "the match has the subclip \"Winning goal\"",
            subclip.is_some(),
        ),
        (
            "a job asks the desk to finish it",
            subclip.is_some() && about == subclip.as_deref(),
        ),
    ])
}

async fn campaigned(person: &Person, day: &Day) -> Looked {
    let campaign = field(person, &day.trailer, "campaign").await?;
    Ok(vec![(
        "the trailer takes over the campaign \"Summer 2026\"",
        campaign == [json!("Summer 2026")],
    )])
}

async fn trashed(person: &Person, day: &Day) -> Looked {
    let old = status(person, &day.old_interview).await?;
    let held = status(person, &day.held_interview).await?;
    let news = status(person, &day.evening_news).await?;
    Ok(vec![
        ("the old interview is in the trash", old == "DELETED"),
        ("the interview on hold is not", held == "ACTIVE"),
        (
            "the evening news, good until 2999, is not",
            news == "ACTIVE",
        ),
    ])
}

async fn released(person: &Person, day: &Day) -> Looked {
    let news = field(person, &day.evening_news, "released").await?;
    let held = field(person, &day.held_interview, "released").await?;
    let job = job_titled(person, "Released 1 of 2").await?;
    Ok(vec![
        (
            "the evening news is released for air",
            news == [json!(true)],
        ),
        ("the interview on hold is not released", held.is_empty()),
        ("a job says \"Released 1 of 2\"", job.is_some()),
    ])
}

async fn field(person: &Person, asset: &str, name: &str) -> Result<Vec<Value>, PersonError> {
    person
        .values(&format!("assets/{asset}"), OPERATIONS, name)
        .await
}

async fn status(person: &Person, asset: &str) -> Result<String, PersonError> {
    let asset = person.get(&format!("assets/v1/assets/{asset}/")).await?;
    Ok(asset["status"].as_str().unwrap_or_default().to_owned())
}

async fn subclip_of(person: &Person, asset: &str) -> Result<Option<String>, PersonError> {
    let assets = person.get("assets/v1/assets/?per_page=100").await?;
    let is_it = |found: &&Value| {
        found["type"] == "SUBCLIP"
            && found["original_asset_id"] == asset
            && found["title"] == "Winning goal"
    };
    let found = assets["objects"]
        .as_array()
        .into_iter()
        .flatten()
        .find(is_it);
    Ok(found
        .and_then(|found| found["id"].as_str())
        .map(ToOwned::to_owned))
}

async fn job_titled(person: &Person, title: &str) -> Result<Option<Value>, PersonError> {
    let jobs = person.get("jobs/v1/jobs/?per_page=100").await?;
    Ok(jobs["objects"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|job| job["title"] == title)
        .cloned())
}
