//! Dead letters: what has died and nobody has followed up, counted by rule and class, each with its one line.

use axum::Json;
use axum::extract::State;

use super::asked::Asked;
use super::filters::{PageAsked, RunsAsked, RunsPage};
use super::telling::Around;
use super::{Api, Refusal};
use crate::admin::views::{ClassRow, DeadPage, Problem};
use crate::model::RunState;
use crate::store::RunFilter;

/// Dead runs that nobody has retried or replayed, newest first, and how many there are by rule and class.
#[utoipa::path(get, path = "/dead", tag = "dead letters", params(RunsAsked, PageAsked), responses(
    (status = OK, body = DeadPage), (status = BAD_REQUEST, body = Problem)))]
pub(super) async fn dead(
    State(api): State<Api>,
    Asked(asked): Asked<RunsPage>,
) -> Result<Json<DeadPage>, Refusal> {
    let filter = RunFilter {
        dead_letters: true,
        ..asked.filter(api.now())?
    };
    let (limit, rule) = (filter.limit, filter.rule.clone());
    let class = filter.class.clone();
    let found = api.store.runs(filter).await?;
    let around = Around::now(&api).await?;
    let mut runs = Vec::with_capacity(found.len());
    for run in &found {
        runs.push(around.details(&api, run).await?);
    }
    let groups = api.store.counts().await?.classes.into_iter();
    let groups = groups
        .filter(|group| group.state == RunState::Dead)
        .filter(|group| rule.as_ref().is_none_or(|rule| group.rule == *rule))
        .filter(|group| class.as_ref().is_none_or(|class| group.class == *class));
    Ok(Json(DeadPage {
        groups: groups.map(ClassRow::from).collect(),
        before: (found.len() == limit)
            .then(|| found.last().map(|run| run.id))
            .flatten(),
        runs,
    }))
}
