//! The working day, scene by scene. After each the gateway is given time to do its part.

use serde_json::json;

use super::{Demo, DemoError};

/// The view "Operations" of the demo's seed.
pub(super) const OPERATIONS: &str = "22222222-bbbb-4bbb-8bbb-000000000001";
/// The view "Rights" of the demo's seed.
pub(super) const RIGHTS: &str = "22222222-bbbb-4bbb-8bbb-000000000002";
/// The text of the shipped button.
const BUTTON: &str = "Release for air";

/// What the person brought in.
#[derive(Debug)]
pub(super) struct Day {
    pub(super) match_recording: String,
    pub(super) evening_news: String,
    pub(super) trailer: String,
    pub(super) old_interview: String,
    pub(super) held_interview: String,
}

/// Plays the day.
pub(super) async fn play(demo: &Demo) -> Result<Day, DemoError> {
    let day = morning(demo).await?;
    noon(demo, &day).await?;
    evening(demo, &day).await?;
    demo.pass_the_night().await?;
    Ok(day)
}

/// Assets arrive.
async fn morning(demo: &Demo) -> Result<Day, DemoError> {
    let person = &demo.person;
    let arrive = |title: &'static str| {
        person.make(
            "assets/v1/assets/",
            json!({ "title": title, "type": "ASSET" }),
        )
    };
    let day = Day {
        match_recording: arrive("SPORT_Cup_Final").await?,
        evening_news: arrive("NEWS_Evening_Edition").await?,
        trailer: arrive("PROMO_Summer_Trailer").await?,
        old_interview: arrive("Interview 2019").await?,
        held_interview: arrive("Interview 2020").await?,
    };
    demo.settle("the assets arrived").await?;
    Ok(day)
}

/// A marker is set, a collection with a campaign gets entries.
async fn noon(demo: &Demo, day: &Day) -> Result<(), DemoError> {
    let person = &demo.person;
    let marker = json!({
        "segment_type": "MARKER", "segment_text": "CLIP Winning goal",
        "time_start_milliseconds": 5_401_000, "time_end_milliseconds": 5_423_000,
    });
    person
        .post(
            &format!("assets/v1/assets/{}/segments/", day.match_recording),
            marker,
        )
        .await?;
    let note = json!({
        "segment_type": "MARKER", "segment_text": "check colours",
        "time_start_milliseconds": 1_000, "time_end_milliseconds": 2_000,
    });
    person
        .post(
            &format!("assets/v1/assets/{}/segments/", day.evening_news),
            note,
        )
        .await?;
    demo.settle("the markers were set").await?;

    let folder = person
        .make(
            "assets/v1/collections/",
            json!({ "title": "Summer campaign" }),
        )
        .await?;
    person
        .describe(
            &format!("collections/{folder}"),
            OPERATIONS,
            &[("campaign", json!("Summer 2026"))],
        )
        .await?;
    let entry = json!({ "object_id": day.trailer, "object_type": "assets" });
    person
        .post(&format!("assets/v1/collections/{folder}/contents/"), entry)
        .await?;
    demo.settle("the collection got an entry").await
}

/// Rights end, one asset is on hold, the editor releases the rest for air.
async fn evening(demo: &Demo, day: &Day) -> Result<(), DemoError> {
    let person = &demo.person;
    let ended = json!("2020-12-31");
    let held = [("expires", ended.clone()), ("hold", json!(true))];
    person
        .describe(&format!("assets/{}", day.held_interview), RIGHTS, &held)
        .await?;
    person
        .describe(
            &format!("assets/{}", day.old_interview),
            RIGHTS,
            &[("expires", ended)],
        )
        .await?;
    person
        .describe(
            &format!("assets/{}", day.evening_news),
            RIGHTS,
            &[("expires", json!("2999-12-31"))],
        )
        .await?;
    demo.settle("the rights ended").await?;

    person
        .press(BUTTON, "BULK", &[&day.evening_news, &day.held_interview])
        .await?;
    demo.settle("the button was pressed").await
}
