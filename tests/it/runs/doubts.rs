//! Calls of which nobody knows whether they happened, over a simulated Iconik: what was to be created is looked for,
//! what would be overwritten is read, and the world ends as after one clean run.

use std::time::Duration;

use cuegate::clock::Clock as _;
use cuegate::engine::Outcome;
use cuegate::model::{Call, Effect, Method, RunId, RunState, Sleep, WaitsFor};
use cuegate::simulator::{HoldPoint, Matching, Trouble};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::samples::call;
use super::simulated::{ASSET, COLLECTION, LAG, OTHER_ASSET, SOMEBODY, Simulated, able, write};

/// What is there of a kind.
type Listing = fn(&Simulated) -> Vec<Value>;

/// Creates that carry a mark or are their own proof, each with what it has made in the world.
fn creates() -> Vec<(Call, Listing)> {
    vec![
        (asset(), assets),
        (collection(), |it| {
            titled(it.iconik.world().collections(), "New")
        }),
        (segment(), |it| it.iconik.world().segments(ASSET)),
        (job(), |it| it.iconik.world().jobs()),
        (entry(), |it| {
            let contents = it.iconik.world().contents(COLLECTION);
            contents
                .into_iter()
                .map(|(_, id)| json!({"id": id}))
                .collect()
        }),
    ]
}

fn asset() -> Call {
    write(
        Method::Post,
        "assets/v1/assets/",
        json!({"title": "New", "type": "ASSET"}),
    )
}

/// An asset that the rule itself has given an id of its own, so that it carries no mark.
fn known_asset() -> Call {
    let body = json!({"title": "New", "external_id": "cms-1"});
    write(Method::Post, "assets/v1/assets/", body)
}

fn collection() -> Call {
    write(
        Method::Post,
        "assets/v1/collections/",
        json!({"title": "New"}),
    )
}

fn segment() -> Call {
    let body = json!({"segment_type": "MARKER", "time_start_milliseconds": 0, "time_end_milliseconds": 40});
    write(
        Method::Post,
        &format!("assets/v1/assets/{ASSET}/segments/"),
        body,
    )
}

fn job() -> Call {
    let body =
        json!({"title": "New", "type": "CUSTOM", "status": "STARTED", "metadata": {"order": "7"}});
    write(Method::Post, "jobs/v1/jobs/", body)
}

fn entry() -> Call {
    let body = json!({"object_id": OTHER_ASSET, "object_type": "assets"});
    let path = format!("assets/v1/collections/{COLLECTION}/contents/");
    write(Method::Post, &path, body)
}

fn format() -> Call {
    write(
        Method::Post,
        &format!("files/v1/assets/{ASSET}/formats/"),
        json!({"name": "ORIGINAL"}),
    )
}

fn titled(all: Vec<Value>, title: &str) -> Vec<Value> {
    all.into_iter().filter(|it| it["title"] == title).collect()
}

fn assets(it: &Simulated) -> Vec<Value> {
    titled(it.iconik.world().assets(), "New")
}

/// Lets a run meet an uncertain outcome, and checks that it waits for the index.
async fn in_doubt(it: &Simulated, create: &Call, trouble: Trouble) -> RunId {
    it.trouble(create.method, &create.path, trouble);
    let run = it.world.run_for("A").await;
    it.step().await;
    let waiting = it.world.look(run).await;
    assert_eq!(waiting.state, RunState::Waiting, "{create:?}");
    assert_eq!(waiting.waits_for, Some(WaitsFor::LookUp), "{create:?}");
    run
}

async fn answer(it: &Simulated, run: RunId, step: usize) -> (u16, Value) {
    let steps = it.world.steps(run).await;
    let answer = &steps[step].answer;
    (answer.status, answer.body.clone())
}

#[tokio::test]
async fn what_was_made_is_looked_for_when_the_index_must_know_it_and_taken_as_the_answer() {
    for (create, made) in creates() {
        let it = Simulated::calling(vec![create.clone()]).await;
        let run = in_doubt(&it, &create, Trouble::LoseAnswer).await;
        assert_eq!(made(&it).len(), 1, "it was carried out");
        assert_eq!(it.after(LAG - 1).await, 0, "not before");
        assert_eq!(it.after(1).await, 1);
        assert_eq!(it.state(run).await, RunState::Succeeded, "{create:?}");
        let made = made(&it);
        assert_eq!(made.len(), 1, "{create:?}");
        assert_eq!(it.requests(Method::Post, &create.path), 1, "sent once");
        let (status, body) = answer(&it, run, 0).await;
        assert_eq!(status, 201);
        assert!(body.is_null() || body["id"] == made[0]["id"], "{body}");
        assert!(it.remarks(run).await.contains("looked"));
    }
}

#[tokio::test]
async fn what_was_not_made_is_sent_again() {
    for (create, made) in creates() {
        let it = Simulated::calling(vec![create.clone()]).await;
        let run = in_doubt(&it, &create, Trouble::LoseRequest).await;
        assert_eq!(made(&it).len(), 0);
        it.after(LAG).await;
        assert_eq!(it.state(run).await, RunState::Succeeded, "{create:?}");
        assert_eq!(made(&it).len(), 1, "{create:?}");
        assert!(it.remarks(run).await.contains("nothing is there"));
    }
}

#[tokio::test]
async fn an_identical_object_of_somebody_else_is_never_taken() {
    for create in [asset(), known_asset(), collection(), segment(), job()] {
        for (trouble, sent) in [(Trouble::LoseRequest, 2), (Trouble::LoseAnswer, 1)] {
            let it = Simulated::calling(vec![create.clone()]).await;
            let theirs = it.somebody(&create).await;
            let run = in_doubt(&it, &create, trouble).await;
            it.after(LAG).await;
            assert_eq!(it.state(run).await, RunState::Succeeded, "{create:?}");
            assert_eq!(
                it.requests(Method::Post, &create.path),
                sent + 1,
                "{create:?}"
            );
            let (_, body) = answer(&it, run, 0).await;
            assert_ne!(body["id"], theirs["id"], "{create:?}");
            let maker = ["created_by_user", "created_by", "user_id"];
            let maker = maker.iter().find_map(|key| body[*key].as_str());
            assert_ne!(maker, Some(SOMEBODY), "{create:?}");
        }
    }
}

#[tokio::test]
async fn an_identical_object_of_our_own_user_that_no_step_has_made_is_told_by_the_mark() {
    for create in [asset(), collection(), segment(), job()] {
        let it = Simulated::calling(vec![create.clone()]).await;
        let by_hand = it.ourselves(&create).await;
        let run = in_doubt(&it, &create, Trouble::LoseRequest).await;
        it.after(LAG).await;
        let (_, body) = answer(&it, run, 0).await;
        assert_ne!(body["id"], by_hand["id"], "{create:?}");
    }
}

#[tokio::test]
async fn an_object_without_a_mark_that_is_too_old_is_another() {
    let create = known_asset();
    let it = Simulated::calling(vec![create.clone()]).await;
    it.ourselves(&create).await;
    it.world.pass(5 * 60 + 1);
    in_doubt(&it, &create, Trouble::LoseRequest).await;
    it.after(LAG).await;
    assert_eq!(assets(&it).len(), 2);
    let it = Simulated::calling(vec![create.clone()]).await;
    it.ourselves(&create).await;
    it.world.pass(5 * 60);
    in_doubt(&it, &create, Trouble::LoseRequest).await;
    it.after(LAG).await;
    assert_eq!(
        assets(&it).len(),
        1,
        "nobody can tell it from what was sent"
    );
}

#[tokio::test]
async fn an_object_that_another_step_has_made_is_not_taken() {
    let create = known_asset();
    let it = Simulated::calling(vec![create.clone()]).await;
    let first = it.world.run_for("A").await;
    it.step().await;
    assert_eq!(it.state(first).await, RunState::Succeeded);
    let second = in_doubt(&it, &create, Trouble::LoseRequest).await;
    it.after(LAG).await;
    let (_, one) = answer(&it, first, 0).await;
    let (_, other) = answer(&it, second, 0).await;
    assert_ne!(one["id"], other["id"]);
    assert_eq!(assets(&it).len(), 2);
}

/// Makes the same call twice, a second apart.
async fn twice(create: &Call) -> Simulated {
    let it = Simulated::under(vec![able("a")]).await;
    let until = it.world.clock.now() + Duration::from_secs(1);
    let create = create.clone();
    it.world
        .rules
        .script("a", move |_, journal| match journal.len() {
            0 | 2 => Outcome::Effect(Effect::Call(create.clone())),
            1 => Outcome::Effect(Effect::Sleep(Sleep {
                until,
                position: None,
            })),
            _ => Outcome::Finished,
        });
    it
}

#[tokio::test]
async fn two_identical_creates_of_one_run_make_two_objects() {
    for create in [asset(), known_asset(), segment(), job()] {
        for trouble in [Trouble::LoseRequest, Trouble::LoseAnswer] {
            let it = twice(&create).await;
            let run = it.world.run_for("A").await;
            it.step().await;
            it.trouble(create.method, &create.path, trouble);
            it.after(1).await;
            assert_eq!(it.state(run).await, RunState::Waiting);
            it.after(LAG).await;
            assert_eq!(it.state(run).await, RunState::Succeeded, "{create:?}");
            let (_, first) = answer(&it, run, 0).await;
            let (_, second) = answer(&it, run, 2).await;
            assert_ne!(first["id"], second["id"], "{create:?}");
        }
    }
}

#[tokio::test]
async fn two_runs_in_doubt_about_the_same_request_end_with_one_object_each() {
    for troubles in [
        [Trouble::LoseAnswer, Trouble::LoseAnswer],
        [Trouble::LoseAnswer, Trouble::LoseRequest],
        [Trouble::LoseRequest, Trouble::LoseAnswer],
    ] {
        let create = known_asset();
        let it = Simulated::calling(vec![create.clone()]).await;
        let mut runs = Vec::new();
        for (object, trouble) in ["A", "B"].into_iter().zip(troubles) {
            it.trouble(create.method, &create.path, trouble);
            runs.push(it.world.run_for(object).await);
            it.step().await;
        }
        it.world.pass(LAG);
        for _ in 0..10 {
            it.after(10).await;
        }
        let mut ids = Vec::new();
        for run in runs {
            assert_eq!(it.state(run).await, RunState::Succeeded);
            ids.push(answer(&it, run, 0).await.1["id"].clone());
        }
        assert_ne!(ids[0], ids[1]);
        assert_eq!(assets(&it).len(), 2);
    }
}

#[tokio::test]
async fn a_repetition_in_doubt_is_looked_for_again_after_its_own_lag() {
    let create = job();
    let it = Simulated::calling(vec![create.clone()]).await;
    let run = in_doubt(&it, &create, Trouble::LoseRequest).await;
    it.trouble(create.method, &create.path, Trouble::LoseAnswer);
    it.after(LAG).await;
    assert_eq!(
        it.state(run).await,
        RunState::Waiting,
        "the second is lost too"
    );
    assert_eq!(it.after(LAG - 1).await, 0);
    it.after(1).await;
    assert_eq!(it.state(run).await, RunState::Succeeded);
    assert_eq!(it.iconik.world().jobs().len(), 1);
}

#[tokio::test]
async fn a_crash_between_intent_and_answer_leads_to_the_same_world() {
    for (create, made) in creates() {
        for point in [HoldPoint::Before, HoldPoint::After] {
            let mut it = Simulated::calling(vec![create.clone()]).await;
            let run = it.world.run_for("A").await;
            let mut hold = it
                .iconik
                .hold(Matching::path(create.method, &create.path), point);
            let runner = it.another_runner();
            tokio::select! {
                _ = runner.step() => panic!("the call is held"),
                _ = hold.held() => {}
            }
            drop(runner);
            it.restart().await;
            hold.cut();
            let before = made(&it).len();
            assert_eq!(before, usize::from(point == HoldPoint::After), "{create:?}");
            it.step().await;
            assert_eq!(it.state(run).await, RunState::Waiting, "the index may lag");
            it.after(LAG).await;
            assert_eq!(it.state(run).await, RunState::Succeeded, "{create:?}");
            assert_eq!(made(&it).len(), 1, "{create:?} {point:?}");
        }
    }
}

#[tokio::test]
async fn an_entry_is_the_same_whoever_has_made_it() {
    let create = entry();
    let it = Simulated::calling(vec![create.clone()]).await;
    let run = in_doubt(&it, &create, Trouble::LoseRequest).await;
    it.somebody(&create).await;
    it.after(LAG).await;
    assert_eq!(it.state(run).await, RunState::Succeeded);
    assert_eq!(
        it.requests(Method::Post, &create.path),
        2,
        "ours and theirs"
    );
}

#[tokio::test]
async fn where_iconik_does_not_show_who_made_it_a_person_judges_what_is_there() {
    let create = format();
    let it = Simulated::calling(vec![create.clone()]).await;
    let run = in_doubt(&it, &create, Trouble::LoseAnswer).await;
    it.after(LAG).await;
    let parked = it.world.look(run).await;
    assert_eq!(parked.state, RunState::Parked);
    let reason = parked.reason.unwrap();
    assert!(reason.contains("does not show who made it"), "{reason}");
    let it = Simulated::calling(vec![create.clone()]).await;
    let run = in_doubt(&it, &create, Trouble::LoseRequest).await;
    it.after(LAG).await;
    assert_eq!(
        it.state(run).await,
        RunState::Succeeded,
        "nothing was there"
    );
    assert_eq!(it.requests(Method::Post, &create.path), 2);
}

#[tokio::test]
async fn a_look_that_fails_for_the_time_being_is_made_later_and_one_that_is_refused_is_told() {
    let trouble = |status| Trouble::Answer {
        status,
        body: Value::Null,
        retry_after: None,
    };
    let create = asset();
    let it = Simulated::calling(vec![create.clone()]).await;
    let run = in_doubt(&it, &create, Trouble::LoseAnswer).await;
    it.trouble(Method::Post, "search/v1/search/", trouble(503));
    it.after(LAG).await;
    let waiting = it.world.look(run).await;
    assert_eq!(waiting.waits_for, Some(WaitsFor::LookUp));
    it.after(600).await;
    assert_eq!(it.state(run).await, RunState::Succeeded);
    assert_eq!(assets(&it).len(), 1);

    let it = Simulated::calling(vec![create.clone()]).await;
    let run = in_doubt(&it, &create, Trouble::LoseAnswer).await;
    it.trouble(Method::Post, "search/v1/search/", trouble(403));
    it.after(LAG).await;
    let parked = it.world.look(run).await;
    assert_eq!(parked.state, RunState::Parked);
    let reason = parked.reason.unwrap();
    assert!(
        reason.contains("cannot be looked for") && reason.contains("403"),
        "{reason}"
    );
}

/// The request that looks for what a create has made.
fn listing_of(create: &Call) -> (Method, &str) {
    if create.path.starts_with("jobs/")
        || ["segments/", "contents/"]
            .iter()
            .any(|it| create.path.ends_with(it))
    {
        (Method::Get, &create.path)
    } else {
        (Method::Post, "search/v1/search/")
    }
}

#[tokio::test]
async fn an_answer_that_is_no_list_is_no_proof_that_nothing_is_there() {
    for body in [
        Value::Null,
        json!({ "total": 0 }),
        json!({ "objects": {} }),
        json!({ "objects": [{ "title": "New" }] }),
        json!("<html>back soon</html>"),
    ] {
        for (create, made) in creates() {
            let it = Simulated::calling(vec![create.clone()]).await;
            let run = in_doubt(&it, &create, Trouble::LoseAnswer).await;
            let odd = Trouble::Answer {
                status: 200,
                body: body.clone(),
                retry_after: None,
            };
            let (method, path) = listing_of(&create);
            it.trouble(method, path, odd);
            it.after(LAG).await;
            let waiting = it.world.look(run).await;
            assert_eq!(
                waiting.waits_for,
                Some(WaitsFor::LookUp),
                "{create:?} {body}"
            );
            it.after(600).await;
            assert_eq!(
                it.state(run).await,
                RunState::Succeeded,
                "{create:?} {body}"
            );
            assert_eq!(made(&it).len(), 1, "{create:?} {body}");
        }
    }
}

#[tokio::test]
async fn a_listed_object_that_is_not_shown_is_judged_by_a_person() {
    let create = asset();
    let it = Simulated::calling(vec![create.clone()]).await;
    let run = in_doubt(&it, &create, Trouble::LoseAnswer).await;
    let id = assets(&it)[0]["id"].as_str().unwrap().to_owned();
    let nothing = Trouble::Answer {
        status: 200,
        body: Value::Null,
        retry_after: None,
    };
    it.trouble(Method::Get, &format!("assets/v1/assets/{id}/"), nothing);
    it.after(LAG).await;
    let parked = it.world.look(run).await;
    assert_eq!(parked.state, RunState::Parked);
    assert!(parked.reason.unwrap().contains(&id));
}

#[tokio::test]
async fn a_text_that_more_objects_have_than_a_search_shows_is_judged_by_a_person() {
    let create = known_asset();
    let it = Simulated::calling(vec![create.clone()]).await;
    for _ in 0..100 {
        it.somebody(&create).await;
    }
    it.world.pass(LAG);
    let run = in_doubt(&it, &create, Trouble::LoseAnswer).await;
    it.after(LAG).await;
    let parked = it.world.look(run).await;
    assert_eq!(parked.state, RunState::Parked);
    let reason = parked.reason.unwrap();
    assert!(reason.contains("more pages"), "{reason}");
}

#[tokio::test]
async fn our_own_mark_is_never_taken_for_absence_however_far_iconiks_clock_is_behind() {
    for (create, made) in creates() {
        let behind = Duration::from_secs(1_800);
        let it = Simulated::behind(behind, vec![create.clone()]).await;
        let run = in_doubt(&it, &create, Trouble::LoseAnswer).await;
        it.after(LAG).await;
        let state = it.state(run).await;
        assert_ne!(state, RunState::Waiting, "{create:?}");
        assert_eq!(made(&it).len(), 1, "{create:?}: not made twice");
    }
}

#[tokio::test]
async fn a_clock_that_was_set_back_delays_a_look_by_the_lag_and_no_longer() {
    let create = asset();
    let it = Simulated::calling(vec![create.clone()]).await;
    let run = in_doubt(&it, &create, Trouble::LoseRequest).await;
    let day_before = it.world.clock.now() - SignedDuration::from_hours(24);
    it.world.clock.set(day_before);
    it.step().await;
    let waiting = it.world.look(run).await;
    assert_eq!(waiting.waits_for, Some(WaitsFor::LookUp));
    assert_eq!(it.after(LAG - 1).await, 0, "the index may not know yet");
    assert_eq!(it.requests(Method::Post, "search/v1/search/"), 0);
    it.after(1).await;
    assert_eq!(it.state(run).await, RunState::Succeeded);
    assert_eq!(assets(&it).len(), 1);
    assert!(it.remarks(run).await.contains("the clock was set back"));
}

/// A rule that reads the asset and changes its title.
async fn renaming() -> (Simulated, Call) {
    let path = format!("assets/v1/assets/{ASSET}/");
    let rename = write(Method::Patch, &path, json!({"title": "Renamed"}));
    let it = Simulated::calling(vec![call(Method::Get, &path), rename.clone()]).await;
    (it, rename)
}

fn title(it: &Simulated) -> Value {
    it.iconik.world().asset(ASSET).unwrap()["title"].clone()
}

/// Lets a write meet an uncertain outcome and grow old.
async fn grown_old(it: &Simulated, write: &Call, trouble: Trouble) -> RunId {
    it.trouble(write.method, &write.path, trouble);
    let run = it.world.run_for("A").await;
    it.step().await;
    assert_eq!(it.state(run).await, RunState::Waiting);
    it.world.pass(61);
    run
}

#[tokio::test]
async fn an_old_change_that_has_happened_is_not_made_again() {
    let (it, rename) = renaming().await;
    let run = grown_old(&it, &rename, Trouble::LoseAnswer).await;
    it.step().await;
    assert_eq!(it.state(run).await, RunState::Succeeded);
    assert_eq!(it.requests(Method::Patch, &rename.path), 1);
    let (status, body) = answer(&it, run, 1).await;
    assert_eq!((status, &body["title"]), (200, &json!("Renamed")));
    assert!(it.remarks(run).await.contains("shows that it did"));
}

#[tokio::test]
async fn an_old_change_is_made_again_while_nobody_has_touched_its_target() {
    let (it, rename) = renaming().await;
    let run = grown_old(&it, &rename, Trouble::LoseRequest).await;
    it.step().await;
    assert_eq!(it.state(run).await, RunState::Succeeded);
    assert_eq!(title(&it), "Renamed");
    assert!(it.remarks(run).await.contains("as the run saw it before"));
}

#[tokio::test]
async fn an_old_change_never_overwrites_what_somebody_has_written_since() {
    let (it, rename) = renaming().await;
    let run = grown_old(&it, &rename, Trouble::LoseRequest).await;
    let theirs = write(Method::Patch, &rename.path, json!({"title": "Theirs"}));
    it.somebody(&theirs).await;
    it.step().await;
    let parked = it.world.look(run).await;
    assert_eq!(parked.state, RunState::Parked);
    let reason = parked.reason.unwrap();
    assert!(
        reason.contains("would overwrite what was changed since"),
        "{reason}"
    );
    assert_eq!(title(&it), "Theirs");
}

#[tokio::test]
async fn an_old_change_of_what_the_run_has_not_seen_is_a_persons_to_judge() {
    let (_, rename) = renaming().await;
    let it = Simulated::calling(vec![rename.clone()]).await;
    let run = grown_old(&it, &rename, Trouble::LoseRequest).await;
    it.step().await;
    assert_eq!(it.state(run).await, RunState::Parked);
    assert_eq!(it.requests(Method::Patch, &rename.path), 1);
}

#[tokio::test]
async fn an_old_delete_is_done_when_its_target_is_in_the_trash() {
    let trash = call(Method::Delete, &format!("assets/v1/assets/{ASSET}/"));
    let it = Simulated::calling(vec![trash.clone()]).await;
    let run = grown_old(&it, &trash, Trouble::LoseAnswer).await;
    it.step().await;
    assert_eq!(it.state(run).await, RunState::Succeeded);
    assert_eq!(answer(&it, run, 0).await, (204, Value::Null));
    assert_eq!(it.requests(Method::Delete, &trash.path), 1);
}

#[tokio::test]
async fn a_mark_is_no_part_of_what_the_script_asked_for() {
    let create = job();
    let it = Simulated::calling(vec![create.clone()]).await;
    let run = it.world.run_for("A").await;
    it.step().await;
    let steps = it.world.steps(run).await;
    let asked = Effect::Call(create);
    assert_eq!(steps[0].effect, asked);
    assert_eq!(steps[0].digest, asked.digest());
    let made = it.iconik.world().jobs();
    let metadata = &made[0]["metadata"];
    assert_eq!(metadata["order"], "7", "what the rule wrote is kept");
    let mark = metadata["cuegate"].as_str().unwrap();
    assert!(mark.starts_with(&format!("cuegate:{run}:0:")), "{mark}");
}
