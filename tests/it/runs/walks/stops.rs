//! What is left of a walk after the gateway was stopped or killed between two pages.

use cuegate::engine::Outcome;
use cuegate::model::{Method, RunState};
use cuegate::runner::Options;
use cuegate::simulator::{HoldPoint, Matching};
use serde_json::{Value, json};

use super::{SEARCH, all_assets, children, iconik, id, objects, settle, walker, walking};

#[tokio::test]
async fn a_gateway_that_dies_between_two_pages_goes_on_at_the_page_that_was_missing() {
    let (simulator, outside) = iconik(400).await;
    let (mut world, parent) = walking(walker("a"), all_assets(), |_| Outcome::Finished).await;
    let searches = || Matching::path(Method::Post, SEARCH);
    let mut first = simulator.hold(searches(), HoldPoint::Before);
    {
        let runner = world.runner_to(outside.clone(), Options::default());
        tokio::select! {
            stepped = runner.step() => panic!("the second page is held: {stepped:?}"),
            () = async {
                first.held().await;
                let mut second = simulator.hold(searches(), HoldPoint::Before);
                first.release();
                second.held().await;
                second.cut();
            } => {}
        }
    }
    world.restart().await;
    let before = simulator.requests().len();
    assert!(
        children(&world).await.is_empty(),
        "nothing begins before the walk is over"
    );
    settle(&world.runner_to(outside, Options::default())).await;
    let pages: Vec<Value> = simulator.requests()[before..]
        .iter()
        .map(|request| request.body.clone())
        .collect();
    assert_eq!(
        pages[0]["search_after"],
        json!([id(149)]),
        "the first page was not read again"
    );
    assert_eq!(pages.len(), 3, "150, 100 and none");
    assert_eq!(objects(&children(&world).await), (0..400).map(id).collect());
    assert_eq!(world.look(parent).await.state, RunState::Succeeded);
}

#[tokio::test]
async fn a_gateway_that_stops_between_two_pages_gives_the_run_back_uncounted() {
    let (simulator, outside) = iconik(400).await;
    let (world, parent) = walking(walker("a"), all_assets(), |_| Outcome::Finished).await;
    let mut hold = simulator.hold(Matching::path(Method::Post, SEARCH), HoldPoint::Before);
    let runner = world.runner_to(outside.clone(), Options::default());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = runner.run(async { drop(stopped.await) });
    let stopping = async {
        hold.held().await;
        stop.send(()).unwrap();
        // The loop takes nothing more once it has heard of the stop.
        tokio::task::yield_now().await;
        hold.release();
    };
    tokio::join!(running, stopping);
    let run = world.look(parent).await;
    assert_eq!((run.state, run.attempt), (RunState::Queued, 0));
    let pages = simulator.requests().len();
    assert!(pages < 4, "it did not walk to the end: {pages}");
    settle(&world.runner_to(outside, Options::default())).await;
    assert_eq!(children(&world).await.len(), 400);
}
