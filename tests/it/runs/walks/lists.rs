//! Which objects a walk finds, and what becomes of a run whose lists give trouble.

use cuegate::clock::Clock as _;
use cuegate::engine::Outcome;
use cuegate::iconik::Share;
use cuegate::model::{
    DeadClass, Failure, LaneKey, Method, Object, ParkedClass, Query, QuerySource, RunId, RunState,
    WaitsFor,
};
use cuegate::runner::Options;
use cuegate::simulator::{HoldPoint, Matching, Trouble};
use cuegate::store::{Claiming, Deciding, Retrying, WalkPage};
use serde_json::{Value, json};

use super::super::samples::call;
use super::super::world::World;
use super::{
    SEARCH, all_assets, children, iconik, iconik_with, id, ids, objects, settle, walker, walking,
};

#[tokio::test]
async fn every_object_of_a_search_gets_one_run_and_done_is_told_how_they_ended() {
    let (_simulator, outside) = iconik(320).await;
    let mut header = walker("a");
    header.has_done = true;
    let (world, parent) = walking(header, all_assets(), |event| {
        let object = event.asset_id().unwrap();
        if object == id(7) {
            Outcome::Failed(Failure::new(DeadClass::Failed, "no rights"))
        } else if object < id(100).as_str() {
            Outcome::Skipped("on hold".to_owned())
        } else {
            Outcome::Finished
        }
    })
    .await;
    settle(&world.runner_to(outside, Options::default())).await;
    let children = children(&world).await;
    assert_eq!(children.len(), 320);
    assert_eq!(objects(&children), (0..320).map(id).collect());
    let ended = world.look(parent).await;
    assert_eq!(ended.state, RunState::Skipped, "{ended:?}");
    let told: Value = serde_json::from_str(&ended.reason.unwrap()).unwrap();
    assert_eq!(
        (
            &told["objects"],
            &told["succeeded"],
            &told["skipped"],
            &told["dead"],
            &told["cancelled"]
        ),
        (&json!(320), &json!(220), &json!(99), &json!(1), &json!(0))
    );
    let failed = &told["failed"][0];
    assert_eq!(failed["object_id"], id(7));
    assert_eq!(
        (&failed["class"], &failed["message"]),
        (&json!("failed"), &json!("no rights"))
    );
}

#[tokio::test]
async fn a_walk_over_nothing_ends_at_once() {
    let mut header = walker("a");
    header.has_done = true;
    let (world, parent) = walking(header, Query::default(), |_| panic!("no object")).await;
    settle(&world.runner()).await;
    let told = world.look(parent).await.reason.unwrap();
    assert!(told.contains("\"objects\":0"), "{told}");
    assert!(children(&world).await.is_empty());
}

#[tokio::test]
async fn trouble_with_a_page_is_waited_out_like_that_of_any_read() {
    let (simulator, outside) = iconik(10).await;
    let (world, parent) = walking(walker("a"), all_assets(), |_| Outcome::Finished).await;
    let trouble = Trouble::Answer {
        status: 503,
        body: Value::Null,
        retry_after: None,
    };
    simulator.fault(Matching::path(Method::Post, SEARCH), 2, trouble);
    let runner = world.runner_to(outside, Options::default());
    for _ in 0..2 {
        runner.step().await.unwrap();
        let waiting = world.look(parent).await;
        assert_eq!(
            (waiting.state, waiting.waits_for),
            (RunState::Waiting, Some(WaitsFor::Retry))
        );
        assert!(waiting.reason.unwrap().contains("503"));
        world.pass(601);
    }
    settle(&runner).await;
    assert_eq!(world.look(parent).await.state, RunState::Succeeded);
    assert_eq!(children(&world).await.len(), 10);
}

#[tokio::test]
async fn a_page_that_is_refused_ends_the_run_before_anything_has_begun() {
    let (_simulator, outside) = iconik(10).await;
    let gone = Query {
        sources: vec![
            all_assets().sources.remove(0),
            QuerySource::Collection {
                id: id(1),
                recursive: false,
            },
        ],
    };
    let (world, parent) = walking(walker("a"), gone, |_| Outcome::Finished).await;
    settle(&world.runner_to(outside, Options::default())).await;
    let failure = world.look(parent).await.failure.unwrap();
    assert_eq!(failure.class, DeadClass::ApiError);
    assert!(
        failure.message.contains("contents/") && failure.message.contains("404"),
        "{failure}"
    );
    assert!(children(&world).await.is_empty());
}

#[tokio::test]
async fn more_objects_than_the_limit_are_a_persons_to_decide_and_nothing_has_begun() {
    let (_simulator, outside) = iconik(400).await;
    for (limit, parked) in [(400, false), (399, true)] {
        let mut header = walker("a");
        header.limits.objects = limit;
        let (world, parent) = walking(header, all_assets(), |_| Outcome::Finished).await;
        settle(&world.runner_to(outside.clone(), Options::default())).await;
        let run = world.look(parent).await;
        if parked {
            assert_eq!(
                (run.state, run.parked),
                (RunState::Parked, Some(ParkedClass::Limit))
            );
            let reason = run.reason.unwrap();
            assert!(
                reason.contains("`objects` of 399") && reason.contains("objects: 800"),
                "{reason}"
            );
            assert!(children(&world).await.is_empty());
        } else {
            assert_eq!(run.state, RunState::Succeeded);
            assert_eq!(children(&world).await.len(), 400);
        }
    }
}

#[tokio::test]
async fn a_walk_that_a_person_has_released_goes_on_without_the_limit() {
    let (simulator, outside) = iconik(400).await;
    let mut header = walker("a");
    header.limits.objects = 200;
    let (world, parent) = walking(header, all_assets(), |_| Outcome::Finished).await;
    let runner = world.runner_to(outside, Options::default());
    settle(&runner).await;
    let parked = world.look(parent).await;
    assert_eq!(parked.parked, Some(ParkedClass::Limit));
    assert!(
        parked
            .reason
            .unwrap()
            .contains(&format!("`cuegate runs retry {parent}`"))
    );
    let pages = simulator.requests().len();
    let released = release(&world, parent).await;
    settle(&runner).await;
    assert_eq!(world.look(released).await.state, RunState::Succeeded);
    assert_eq!(objects(&children(&world).await), (0..400).map(id).collect());
    let first = &simulator.requests()[pages].body;
    assert_eq!(
        first["search_after"],
        json!([id(299)]),
        "it went on where it had been stopped"
    );

    let again = world.run_for("A").await;
    settle(&runner).await;
    let parked = world.look(again).await.parked;
    assert_eq!(
        parked,
        Some(ParkedClass::Limit),
        "the next one is not released"
    );
}

#[tokio::test]
async fn a_gateway_that_dies_over_too_many_objects_does_not_let_them_begin() {
    let mut header = walker("a");
    header.limits.objects = 2;
    let query = ids(&["A1", "A2", "A3"]);
    let (mut world, parent) = walking(header, query, |_| Outcome::Finished).await;
    let claims = world
        .store
        .claim(Claiming::up_to(1), world.clock.now())
        .await
        .unwrap();
    let object = |id: &str| Object {
        object_type: "assets".to_owned(),
        object_id: id.to_owned(),
    };
    let page = WalkPage {
        lease: claims[0].lease,
        objects: ["A1", "A2", "A3"]
            .map(|id| (object(id), LaneKey(format!("each {id}"))))
            .into(),
        place: json!({"source": 1, "at": "beginning"}),
        last: true,
        priority: -1,
        at: world.clock.now(),
    };
    assert_eq!(world.store.extend_walk(page).await.unwrap(), Some(3));
    world.restart().await;
    settle(&world.runner()).await;
    assert_eq!(
        world.look(parent).await.parked,
        Some(ParkedClass::Limit),
        "the walk was over and nobody had been asked"
    );
    assert!(children(&world).await.is_empty());

    let released = release(&world, parent).await;
    settle(&world.runner()).await;
    assert_eq!(world.look(released).await.state, RunState::Succeeded);
    assert_eq!(children(&world).await.len(), 3);
}

/// What `cuegate runs retry` does.
async fn release(world: &World, run: RunId) -> RunId {
    let retrying = Retrying {
        how: None,
        deciding: Deciding {
            by: None,
            at: world.clock.now(),
        },
    };
    world.store.retry(run, retrying).await.unwrap()
}

#[tokio::test]
async fn collections_and_several_sources_give_each_object_one_run() {
    let (_simulator, outside) = iconik(80).await;
    let query = Query {
        sources: vec![
            QuerySource::Collection {
                id: id(90_000),
                recursive: true,
            },
            all_assets().sources.remove(0),
            ids(&["extra"]).sources.remove(0),
        ],
    };
    let (world, _) = walking(walker("a"), query, |_| Outcome::Finished).await;
    settle(&world.runner_to(outside, Options::default())).await;
    let children = children(&world).await;
    assert_eq!(
        children.len(),
        81,
        "the 70 that are in the collection too are there once"
    );
}

#[tokio::test]
async fn a_collection_that_iconik_does_not_list_to_its_end_says_what_to_do_instead() {
    const LISTED: usize = 10_000;
    let collection = id(90_000);
    let walk = || Query {
        sources: vec![QuerySource::Collection {
            id: id(90_000),
            recursive: true,
        }],
    };
    let mut header = walker("a");
    header.limits.objects = 100_000;
    let (_simulator, outside) = iconik_with(LISTED + 1, LISTED + 1).await;
    let (world, parent) = walking(header, walk(), |_| Outcome::Finished).await;
    settle(&world.runner_to(outside, Options::default())).await;
    let failure = world.look(parent).await.failure.unwrap();
    assert_eq!(failure.class, DeadClass::ApiError);
    for words in [
        "only the first 10000 objects".to_owned(),
        format!("`search::assets().field(\"in_collections\").equals(\"{collection}\")`"),
    ] {
        assert!(failure.message.contains(&words), "{failure}");
    }
    assert!(children(&world).await.is_empty());
}

#[tokio::test]
async fn a_collection_that_loses_what_was_read_loses_nothing_that_was_not() {
    let (simulator, outside) = iconik(80).await;
    let query = Query {
        sources: vec![QuerySource::Collection {
            id: id(90_000),
            recursive: false,
        }],
    };
    let (world, _) = walking(walker("a"), query, |_| Outcome::Finished).await;
    let contents = format!("assets/v1/collections/{}/contents/", id(90_000));
    let pages = || Matching::path(Method::Get, &contents);
    let mut first = simulator.hold(pages(), HoldPoint::After);
    let runner = world.runner_to(outside.clone(), Options::default());
    let taking_out = async {
        first.held().await;
        // The first page holds 50 of the 70, and is on its way.
        for number in 0..30 {
            let entry = format!("{contents}assets/{}/", id(number));
            let permit = outside.admit(&Share::gateway()).await;
            let taken_out = outside.send(permit, &call(Method::Delete, &entry)).await;
            taken_out.unwrap();
        }
        first.release();
    };
    let (stepped, ()) = tokio::join!(runner.step(), taking_out);
    stepped.unwrap();
    settle(&runner).await;
    assert_eq!(objects(&children(&world).await), (0..70).map(id).collect());
}
