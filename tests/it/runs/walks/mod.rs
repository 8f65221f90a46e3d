//! `each` and `done`: walks over what a simulated Iconik holds, their children, and what is left of both after a stop.

mod children;
mod lists;
mod stops;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cuegate::clock::SystemClock;
use cuegate::config;
use cuegate::engine::{Outcome, Part};
use cuegate::iconik::IconikClient;
use cuegate::model::{Event, Query, QuerySource, RuleHeader, Run, RunId};
use cuegate::runner::{Outside, Runner};
use cuegate::simulator::{Credential, Seed, Simulator, SimulatorOptions};
use cuegate::store::RunFilter;
use serde_json::json;

use super::samples::rule;
use super::world::World;

const SEARCH: &str = "search/v1/search/";

/// A simulated Iconik with so many assets, the first few of them in collection `C0`.
async fn iconik(assets: usize) -> (Simulator, Arc<dyn Outside>) {
    iconik_with(assets, 70).await
}

/// The same with so many of the assets in the collection.
async fn iconik_with(assets: usize, inside_first: usize) -> (Simulator, Arc<dyn Outside>) {
    let ids: Vec<String> = (0..assets).map(id).collect();
    let asset = |id: &String| json!({"id": id, "title": id});
    let inside = |id: &String| json!({"object_type": "assets", "object_id": id});
    let seed = json!({
        "assets": ids.iter().map(asset).collect::<Vec<_>>(),
        "collections": [{"id": id(90_000), "title": "C0", "contents": ids.iter().take(inside_first).map(inside).collect::<Vec<_>>()}],
    });
    let credential = Credential::demo();
    let options = SimulatorOptions {
        credentials: vec![credential.clone()],
        index_lag: Duration::ZERO,
        rate_limit: None,
        seed: Some(serde_json::from_value::<Seed>(seed).unwrap()),
        ..SimulatorOptions::default()
    };
    let simulator = Simulator::start(options, Arc::new(SystemClock))
        .await
        .unwrap();
    let config = config::Iconik {
        base_url: simulator.base_url(),
        app_id: credential.app_id,
        auth_token: credential.auth_token,
        rate: config::Rate {
            per_second: 10_000,
            per_20s: 200_000,
        },
        ..config::Iconik::default()
    };
    let client = IconikClient::new(&config, Arc::new(SystemClock)).unwrap();
    (simulator, Arc::new(client))
}

fn id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn all_assets() -> Query {
    Query {
        sources: vec![QuerySource::Search {
            body: json!({"doc_types": ["assets"]}),
        }],
    }
}

fn ids(object_ids: &[&str]) -> Query {
    Query {
        sources: vec![QuerySource::Ids {
            object_type: "assets".to_owned(),
            ids: object_ids.iter().map(ToString::to_string).collect(),
        }],
    }
}

fn walker(id: &str) -> RuleHeader {
    RuleHeader {
        has_each: true,
        ..rule(id)
    }
}

/// A world with one run of a rule that walks over the query; a child does what `run` says, and `done` skips with what
/// it was told.
async fn walking(
    header: RuleHeader,
    query: Query,
    run: impl Fn(&Event) -> Outcome + Send + Sync + 'static,
) -> (World, RunId) {
    let world = World::under(vec![header]).await;
    script(&world, query, run);
    let parent = world.run_for("A").await;
    (world, parent)
}

fn script(world: &World, query: Query, run: impl Fn(&Event) -> Outcome + Send + Sync + 'static) {
    world
        .rules
        .parts("a", move |part, event, journal| match part {
            Part::Each => Outcome::Found(query.clone()),
            Part::Run => run(event),
            Part::Done(result) => {
                assert!(journal.is_empty(), "what came before the walk is not shown");
                Outcome::Skipped(result.to_string())
            }
        });
}

async fn children(world: &World) -> Vec<Run> {
    let filter = RunFilter {
        limit: 100_000,
        ..RunFilter::default()
    };
    let runs = world.store.runs(filter).await.unwrap();
    runs.into_iter()
        .filter(|run| run.parent.is_some())
        .collect()
}

/// Steps until nothing is left to claim; how many claims there were.
async fn settle(runner: &Runner) -> usize {
    let mut claims = 0;
    loop {
        match runner.step().await.unwrap() {
            0 => return claims,
            more => claims += more,
        }
    }
}

fn objects(runs: &[Run]) -> BTreeSet<String> {
    runs.iter().map(|run| run.object.clone().unwrap()).collect()
}
