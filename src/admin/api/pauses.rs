//! The stop handle: everything, all writes, or one rule.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::asked::{Asked, Told, meant};
use super::{Api, Refusal};
use crate::admin::views::{PauseList, PauseView, Problem, Resumed};
use crate::model::RuleId;
use crate::store::{Pause, PauseScope, RunFilter};

/// Everything that is stopped: by people, and rules in quarantine.
#[utoipa::path(get, path = "/pauses", tag = "pauses", responses((status = OK, body = PauseList)))]
pub(super) async fn list(State(api): State<Api>) -> Result<Json<PauseList>, Refusal> {
    let pauses = api.store.pauses().await?;
    Ok(Json(PauseList {
        pauses: pauses.into_iter().map(PauseView::from).collect(),
    }))
}

/// What is to be stopped.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PauseTold {
    /// `all`, `writes`, or `rule:` and the rule's name.
    #[schema(example = "rule:news/tag")]
    scope: String,
    /// Why, for people.
    #[serde(default)]
    reason: Option<String>,
    /// Who decides it, by any name.
    #[serde(default)]
    by: Option<String>,
}

/// Stops everything, all writes, or one rule. What is stopped already stays as it is.
#[utoipa::path(put, path = "/pauses", tag = "pauses", request_body = PauseTold, responses(
    (status = OK, body = PauseList), (status = BAD_REQUEST, body = Problem), (status = NOT_FOUND, body = Problem)))]
pub(super) async fn pause(
    State(api): State<Api>,
    Told(told): Told<PauseTold>,
) -> Result<Json<PauseList>, Refusal> {
    let scope = scope(&told.scope)?;
    if let PauseScope::Rule(rule) = &scope {
        expect_rule(&api, rule).await?;
    }
    let deciding = api.deciding(told.by)?;
    let reason = told.reason.filter(|reason| !reason.trim().is_empty());
    let reason = match (reason, &deciding.by) {
        (Some(reason), Some(by)) => format!("{reason} ({by})"),
        (Some(reason), None) => reason,
        (None, _) => format!("paused by {deciding}"),
    };
    let pause = Pause {
        scope: scope.clone(),
        quarantine: false,
        reason,
        since: deciding.at,
    };
    api.store.pause(pause).await?;
    tracing::warn!(%scope, by = %deciding, "paused");
    list(State(api)).await
}

/// What is to go on.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct ResumeAsked {
    /// `all`, `writes`, or `rule:` and the rule's name.
    scope: Option<String>,
}

/// Lets something go on. Runs that were held at a write are ready again, events that were held back are routed.
#[utoipa::path(delete, path = "/pauses", tag = "pauses", params(ResumeAsked), responses(
    (status = OK, body = Resumed), (status = BAD_REQUEST, body = Problem)))]
pub(super) async fn resume(
    State(api): State<Api>,
    Asked(asked): Asked<ResumeAsked>,
) -> Result<Json<Resumed>, Refusal> {
    let scope = scope(asked.scope.as_deref().unwrap_or_default())?;
    let resumed = api.store.resume(scope.clone()).await?;
    if resumed {
        tracing::warn!(%scope, "resumed");
    }
    Ok(Json(Resumed { resumed }))
}

fn scope(text: &str) -> Result<PauseScope, Refusal> {
    PauseScope::parse(text)
        .filter(|scope| *scope != PauseScope::Rule(RuleId::from("")))
        .ok_or_else(|| {
            Refusal::bad(
                format!("scope: `{text}` is nothing that can be stopped"),
                "write `all`, `writes`, or `rule:` and the name of a rule",
            )
        })
}

/// A rule that is active, or has runs from before.
async fn expect_rule(api: &Api, rule: &RuleId) -> Result<(), Refusal> {
    let set = api.store.active_rule_set().await?;
    let headers = set.iter().flat_map(|set| &set.rules);
    if headers.clone().any(|header| header.rule == *rule) {
        return Ok(());
    }
    let runs = RunFilter {
        rule: Some(rule.clone()),
        limit: 1,
        ..RunFilter::default()
    };
    if !api.store.runs(runs).await?.is_empty() {
        return Ok(());
    }
    let names = headers.map(|header| header.rule.as_str());
    Err(Refusal::missing(
        format!("there is no rule `{rule}`"),
        meant(rule.as_str(), names),
    ))
}
