//! One run, and lists of them.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asked::{Asked, Told};
use super::filters::{PageAsked, RunsAsked, RunsPage, flag, run_id};
use super::telling::{self, Around};
use super::{Api, Refusal};
use crate::admin::views::{
    JournalView, Made, Problem, RepeatsView, RunDetails, RunPage, RunRow, SourceOf, Stopped,
    journal_view,
};
use crate::engine::BINDING_VERSION;
use crate::model::{RuleId, RuleSet, Run, lane_of};
use crate::store::{Cancelling, NewRun, Repeats, Replaying, RetryAs, Retrying, Version};

/// Runs, newest first.
#[utoipa::path(get, path = "/runs", tag = "runs", params(RunsAsked, PageAsked), responses(
    (status = OK, body = RunPage), (status = BAD_REQUEST, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Asked(asked): Asked<RunsPage>,
) -> Result<Json<RunPage>, Refusal> {
    let filter = asked.filter(api.now())?;
    let limit = filter.limit;
    let runs = api.store.runs(filter).await?;
    let before = (runs.len() == limit)
        .then(|| runs.last().map(|run| run.id))
        .flatten();
    Ok(Json(RunPage {
        runs: runs.into_iter().map(RunRow::from).collect(),
        before,
    }))
}

/// One run with everything that helps to decide about it.
#[utoipa::path(get, path = "/runs/{run}", tag = "runs", params(("run" = i64, Path, description = "Its number.")),
    responses((status = OK, body = RunDetails), (status = NOT_FOUND, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Path(run): Path<String>,
) -> Result<Json<RunDetails>, Refusal> {
    let run = telling::run(&api, run_id("run", &run)?).await?;
    let around = Around::now(&api).await?;
    Ok(Json(around.details(&api, &run).await?))
}

/// How much of a journal.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct JournalAsked {
    /// `true`: bodies as long as they are.
    #[param(required = false, example = "true")]
    full: Option<String>,
}

/// The way of a run: its steps with what was asked and answered, what was logged and what people decided.
#[utoipa::path(get, path = "/runs/{run}/journal", tag = "runs",
    params(("run" = i64, Path, description = "Its number."), JournalAsked),
    responses((status = OK, body = JournalView), (status = NOT_FOUND, body = Problem)))]
pub(super) async fn journal(
    State(api): State<Api>,
    Path(run): Path<String>,
    Asked(asked): Asked<JournalAsked>,
) -> Result<Json<JournalView>, Refusal> {
    let full = flag("full", asked.full.as_deref())?;
    let run = telling::run(&api, run_id("run", &run)?).await?;
    let trace = telling::trace(&api, run.id).await?;
    let set = api.store.rule_set(&run.rule_set).await?;
    let source = SourceOf::rule(set.as_ref(), &run);
    Ok(Json(journal_view(run.id, &trace, &source, full)))
}

/// The writes that a replay of the run would make a second time.
#[utoipa::path(get, path = "/runs/{run}/repeats", tag = "runs",
    params(("run" = i64, Path, description = "Its number.")),
    responses((status = OK, body = RepeatsView), (status = NOT_FOUND, body = Problem)))]
pub(super) async fn repeats(
    State(api): State<Api>,
    Path(run): Path<String>,
) -> Result<Json<RepeatsView>, Refusal> {
    let run = telling::run(&api, run_id("run", &run)?).await?;
    Ok(Json(api.store.repeats(run.id).await?.into()))
}

/// What a person says about a call that may have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum As {
    /// It is sent again.
    Again,
    /// It has happened: the script sees the status 204 and no body.
    Happened,
}

impl From<As> for RetryAs {
    fn from(said: As) -> Self {
        match said {
            As::Again => Self::Again,
            As::Happened => Self::Happened,
        }
    }
}

/// How a run is retried.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RetryTold {
    /// What about a call that may have happened; needed if there is one.
    r#as: Option<As>,
    /// Who decides it, by any name.
    by: Option<String>,
}

/// Makes a run that goes on where this one failed, was stopped or is parked.
#[utoipa::path(post, path = "/runs/{run}/retry", tag = "runs",
    params(("run" = i64, Path, description = "Its number.")), request_body = RetryTold,
    responses((status = CREATED, body = Made), (status = CONFLICT, body = Problem), (status = NOT_FOUND, body = Problem)))]
pub(super) async fn retry(
    State(api): State<Api>,
    Path(run): Path<String>,
    Told(told): Told<RetryTold>,
) -> Result<(StatusCode, Json<Made>), Refusal> {
    let from = telling::run(&api, run_id("run", &run)?).await?.id;
    let retrying = Retrying {
        how: told.r#as.map(RetryAs::from),
        deciding: api.deciding(told.by)?,
    };
    let by = retrying.deciding.to_string();
    let run = api.store.retry(from, retrying).await?;
    tracing::info!(%from, %run, by, "a run was retried");
    Ok((StatusCode::CREATED, Json(Made { from, run })))
}

/// The version that a replay runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum On {
    /// That of the active rules.
    #[default]
    Now,
    /// That of the run.
    Then,
}

/// How a run is replayed.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ReplayTold {
    /// On which version; `now` if it is left out.
    on: On,
    /// That writes may be made a second time. Needed if the run has made any.
    yes: bool,
    /// Who decides it, by any name.
    by: Option<String>,
}

/// Makes a run that begins this one's event anew.
#[utoipa::path(post, path = "/runs/{run}/replay", tag = "runs",
    params(("run" = i64, Path, description = "Its number.")), request_body = ReplayTold,
    responses((status = CREATED, body = Made), (status = CONFLICT, body = Problem), (status = NOT_FOUND, body = Problem)))]
pub(super) async fn replay(
    State(api): State<Api>,
    Path(run): Path<String>,
    Told(told): Told<ReplayTold>,
) -> Result<(StatusCode, Json<Made>), Refusal> {
    let original = telling::run(&api, run_id("run", &run)?).await?;
    let deciding = api.deciding(told.by)?;
    if !told.yes {
        expect_no_repeats(&api, &original).await?;
    }
    let replaying = Replaying {
        version: version(&api, &original, told.on).await?,
        deciding,
    };
    let (from, by) = (original.id, replaying.deciding.to_string());
    let run = api.store.replay(from, replaying).await?;
    tracing::info!(%from, %run, by, "a run was replayed");
    Ok((StatusCode::CREATED, Json(Made { from, run })))
}

/// Refuses a replay that would make writes a second time.
pub(super) async fn expect_no_repeats(api: &Api, run: &Run) -> Result<(), Refusal> {
    let repeats = api.store.repeats(run.id).await?;
    if repeats.made + repeats.uncertain == 0 {
        return Ok(());
    }
    Err(would_repeat(run, &repeats))
}

fn would_repeat(run: &Run, repeats: &Repeats) -> Refusal {
    let mut writes = Vec::new();
    if repeats.made > 0 {
        writes.push(format!("{} write(s) that were made", repeats.made));
    }
    if repeats.uncertain > 0 {
        writes.push(format!("{} that may have been", repeats.uncertain));
    }
    Refusal::conflict(
        format!(
            "a replay of run {} would repeat {}",
            run.id,
            writes.join(" and ")
        ),
        format!(
            "look at them with `cuegate runs show {}`, then say --yes (`\"yes\": true`)",
            run.id
        ),
    )
}

/// The version to replay a run on.
pub(super) async fn version(api: &Api, run: &Run, on: On) -> Result<Version, Refusal> {
    let binding = BINDING_VERSION;
    if on == On::Then {
        return Ok(Version::Then { binding });
    }
    let set = api.store.active_rule_set().await?.ok_or_else(|| {
        Refusal::conflict(
            "no rule set is active",
            "mend the rules, or replay on the version of then",
        )
    })?;
    let header = set
        .header(&run.rule)
        .ok_or_else(|| no_longer(&run.rule, &set))?;
    // Children have the place that their parent gave them; what `fn lane` says is known to workers only.
    let keeps = run.parent.is_some() || header.has_lane;
    let event = if keeps {
        None
    } else {
        api.store.event(run.event).await?
    };
    let lane = event.map_or_else(|| run.lane.clone(), |stored| lane_of(header, &stored.event));
    let priority = run.parent.map_or(header.priority, |_| run.priority);
    Ok(Version::Now {
        rule_set: set.id.clone(),
        run: NewRun {
            priority,
            ..NewRun::new(run.rule.clone(), header.version.clone(), binding, lane)
        },
    })
}

fn no_longer(rule: &RuleId, set: &RuleSet) -> Refusal {
    let names: Vec<&str> = set
        .rules
        .iter()
        .map(|header| header.rule.as_str())
        .collect();
    Refusal::conflict(
        format!(
            "the rule `{rule}` is not among the active ones ({})",
            names.join(", ")
        ),
        "replay on the version of then, or bring the rule back",
    )
}

/// Why a run is ended.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CancelTold {
    /// Why, for people.
    reason: Option<String>,
    /// Who decides it, by any name.
    by: Option<String>,
}

/// Ends an unfinished run, with the open runs that its `each` made.
#[utoipa::path(post, path = "/runs/{run}/cancel", tag = "runs",
    params(("run" = i64, Path, description = "Its number.")), request_body = CancelTold,
    responses((status = OK, body = Stopped), (status = CONFLICT, body = Problem), (status = NOT_FOUND, body = Problem)))]
pub(super) async fn cancel(
    State(api): State<Api>,
    Path(run): Path<String>,
    Told(told): Told<CancelTold>,
) -> Result<Json<Stopped>, Refusal> {
    let run = telling::run(&api, run_id("run", &run)?).await?.id;
    let cancelling = cancelling(&api, told.reason, told.by)?;
    let by = cancelling.deciding.to_string();
    let cancelled = api.store.cancel(run, cancelling).await?;
    tracing::info!(%run, cancelled, by, "a run was cancelled");
    Ok(Json(Stopped { cancelled }))
}

/// The longest reason that is kept.
const REASON_MAX: usize = 1_000;

/// Why and by whom runs are ended.
pub(super) fn cancelling(
    api: &Api,
    reason: Option<String>,
    by: Option<String>,
) -> Result<Cancelling, Refusal> {
    let reason = reason.unwrap_or_else(|| "cancelled by a person".to_owned());
    if reason.trim().is_empty() || reason.chars().count() > REASON_MAX {
        return Err(Refusal::bad(
            format!("reason: it must have 1 to {REASON_MAX} characters"),
            "",
        ));
    }
    Ok(Cancelling {
        reason,
        deciding: api.deciding(by)?,
    })
}
