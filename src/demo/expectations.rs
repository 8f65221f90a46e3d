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

/// Asks the simulator for every expected effect.
pub(super) async fn look(person: &Person, day: &Day) -> Result<Vec<Expectation>, PersonError> {
    let mut found = Vec::new();
    let mut expect = |rule, effect, seen| found.push(Expectation { rule, effect, seen });
    let field = async |asset: &str, name: &str| {
        person
            .values(&format!("assets/{asset}"), OPERATIONS, name)
            .await
    };

    let rule = "tag_on_arrival";
    let desk = field(&day.match_recording, "desk").await?;
    expect(
        rule,
        "the match recording is tagged for the desk \"sport\"",
        desk == [json!("sport")],
    );
    let keywords = field(&day.evening_news, "keywords").await?;
    expect(
        rule,
        "the evening news carries the keyword \"news\"",
        keywords == [json!("news")],
    );
    let arrived = field(&day.old_interview, "arrived").await?;
    expect(
        rule,
        "the old interview carries the day of its arrival",
        arrived.len() == 1,
    );

    let rule = "subclip_from_marker";
    let subclip = subclip_of(person, &day.match_recording).await?;
    expect(
        rule,
        "the match has the subclip \"Winning goal\"",
        subclip.is_some(),
    );
    let job = job_titled(person, "Finish subclip: Winning goal").await?;
    let about = job.as_ref().and_then(|job| job["object_id"].as_str());
    expect(
        rule,
        "a job asks the desk to finish it",
        subclip.is_some() && about == subclip.as_deref(),
    );

    let rule = "campaign_from_collection";
    let campaign = field(&day.trailer, "campaign").await?;
    expect(
        rule,
        "the trailer takes over the campaign \"Summer 2026\"",
        campaign == [json!("Summer 2026")],
    );

    let rule = "expired_to_trash";
    expect(
        rule,
        "the old interview is in the trash",
        status(person, &day.old_interview).await? == "DELETED",
    );
    expect(
        rule,
        "the interview on hold is not",
        status(person, &day.held_interview).await? == "ACTIVE",
    );
    expect(
        rule,
        "the evening news, good until 2999, is not",
        status(person, &day.evening_news).await? == "ACTIVE",
    );

    let rule = "release_button";
    let released = field(&day.evening_news, "released").await?;
    expect(
        rule,
        "the evening news is released for air",
        released == [json!(true)],
    );
    let held = field(&day.held_interview, "released").await?;
    expect(
        rule,
        "the interview on hold is not released",
        held.is_empty(),
    );
    let job = job_titled(person, "Released 1 of 2").await?;
    expect(rule, "a job says \"Released 1 of 2\"", job.is_some());
    Ok(found)
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
