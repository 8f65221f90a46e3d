//! Many runs by a filter: counted first, then worked through in batches that the asker calls for one by one.
//!
//! A batch begins behind the number where the last one ended and never goes beyond the newest run that was counted, so
//! runs that the work itself makes are not worked on again.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use futures_util::future::join_all;
use serde::Deserialize;
use utoipa::ToSchema;

use super::asked::{Asked, Told, understood};
use super::filters::RunsAsked;
use super::runs::{As, On, cancelling, expect_no_repeats, version};
use super::{Api, Refusal};
use crate::admin::views::{Batch, Count, OneRefused, Problem};
use crate::model::{RunId, RunState};
use crate::store::{Deciding, Replaying, RetryAs, Retrying, RunFilter};

/// The most runs of one batch.
const BATCH_MAX: usize = 200;

/// How many runs of a batch are worked on at a time: what is written together is synced together. So few are begun one
/// after the other by `join_all`, and the store takes commands in that order, which lanes go by.
const TOGETHER: usize = 30;

/// How many runs a filter means.
#[utoipa::path(get, path = "/runs/count", tag = "many runs", params(RunsAsked), responses(
    (status = OK, body = Count), (status = BAD_REQUEST, body = Problem)))]
pub(super) async fn count(
    State(api): State<Api>,
    Asked(asked): Asked<RunsAsked>,
) -> Result<Json<Count>, Refusal> {
    let filter = asked.filter(api.now())?;
    Ok(Json(api.store.matching(filter).await?.into()))
}

/// Which runs, and which part of them.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    /// Which runs, as in the query of `GET /runs`. It may not be empty.
    #[schema(value_type = RunsAsked)]
    filter: BTreeMap<String, String>,
    /// Only runs with larger numbers: the `after` of the last batch.
    #[serde(default)]
    after: i64,
    /// Only runs up to this one: the `newest` of the count.
    up_to: i64,
}

impl Part {
    /// The next runs, with the place where they end.
    async fn runs(&self, api: &Api) -> Result<(Vec<RunId>, Option<RunId>), Refusal> {
        let asked: RunsAsked = understood(self.filter.clone())?;
        if asked.is_empty() {
            return Err(Refusal::bad(
                "filter: it is empty, which would mean every run",
                "say which runs: `state`, `rule`, `class`, `since` and so on",
            ));
        }
        let filter = RunFilter {
            limit: BATCH_MAX,
            ..asked.filter(api.now())?
        };
        let runs = api
            .store
            .oldest(filter, RunId(self.after), RunId(self.up_to))
            .await?;
        let after = (runs.len() == BATCH_MAX)
            .then(|| runs.last().copied())
            .flatten();
        Ok((runs, after))
    }
}

/// Works on the runs, a bounded number at a time: reads what each needs, then writes in order.
async fn each<Needed, Prepared, Written>(
    (runs, after): (Vec<RunId>, Option<RunId>),
    prepare: impl Fn(RunId) -> Prepared,
    write: impl Fn(RunId, Needed) -> Written,
) -> Batch
where
    Prepared: Future<Output = Result<Needed, Refusal>>,
    Written: Future<Output = Result<(), Refusal>>,
{
    let mut batch = Batch {
        after,
        ..Batch::default()
    };
    for together in runs.chunks(TOGETHER) {
        let prepared = join_all(together.iter().map(|run| prepare(*run))).await;
        let written = together
            .iter()
            .zip(prepared)
            .map(async |(run, needed)| write(*run, needed?).await);
        let ended = join_all(written).await;
        for (run, ended) in together.iter().zip(ended) {
            match ended {
                Ok(()) => batch.done.push(*run),
                Err(refusal) => batch.refused.push(OneRefused {
                    run: *run,
                    error: refusal.into_error(),
                }),
            }
        }
    }
    batch
}

/// What needs nothing to be read before.
async fn nothing(_: RunId) -> Result<(), Refusal> {
    Ok(())
}

fn tell(batch: &Batch, by: &Deciding, what: &'static str) {
    let (done, refused) = (batch.done.len(), batch.refused.len());
    tracing::info!(done, refused, by = %by, "runs were {what}");
}

/// How many runs are retried.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryMany {
    /// Which runs.
    part: Part,
    /// What about calls that may have happened. Runs with such a call are refused without it.
    #[serde(default)]
    r#as: Option<As>,
    /// Who decides it, by any name.
    #[serde(default)]
    by: Option<String>,
}

/// Retries the next batch of runs, oldest first. Those that cannot be retried are told and left as they are.
#[utoipa::path(post, path = "/runs/retry", tag = "many runs", request_body = RetryMany, responses(
    (status = OK, body = Batch), (status = BAD_REQUEST, body = Problem)))]
pub(super) async fn retry(
    State(api): State<Api>,
    Told(told): Told<RetryMany>,
) -> Result<Json<Batch>, Refusal> {
    let deciding = api.deciding(told.by)?;
    let runs = told.part.runs(&api).await?;
    let retrying = Retrying {
        how: told.r#as.map(RetryAs::from),
        deciding,
    };
    let batch = each(runs, nothing, async |run, ()| {
        api.store.retry(run, retrying.clone()).await?;
        Ok(())
    })
    .await;
    tell(&batch, &retrying.deciding, "retried");
    Ok(Json(batch))
}

/// How many runs are replayed.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayMany {
    /// Which runs.
    part: Part,
    /// On which version; `now` if it is left out.
    #[serde(default)]
    on: On,
    /// That the writes of these runs may be made a second time. Runs that have made any are refused without it.
    #[serde(default)]
    yes: bool,
    /// Who decides it, by any name.
    #[serde(default)]
    by: Option<String>,
}

/// Replays the next batch of runs, oldest first. Those that cannot be replayed are told and left as they are.
#[utoipa::path(post, path = "/runs/replay", tag = "many runs", request_body = ReplayMany, responses(
    (status = OK, body = Batch), (status = BAD_REQUEST, body = Problem)))]
pub(super) async fn replay(
    State(api): State<Api>,
    Told(told): Told<ReplayMany>,
) -> Result<Json<Batch>, Refusal> {
    let deciding = api.deciding(told.by)?;
    let runs = told.part.runs(&api).await?;
    let prepare = async |run| replaying(&api, run, told.on, told.yes, &deciding).await;
    let batch = each(runs, prepare, async |run, replaying| {
        api.store.replay(run, replaying).await?;
        Ok(())
    })
    .await;
    tell(&batch, &deciding, "replayed");
    Ok(Json(batch))
}

async fn replaying(
    api: &Api,
    run: RunId,
    on: On,
    yes: bool,
    deciding: &Deciding,
) -> Result<Replaying, Refusal> {
    let original = super::telling::run(api, run).await?;
    if !yes {
        expect_no_repeats(api, &original).await?;
    }
    Ok(Replaying {
        version: version(api, &original, on).await?,
        deciding: deciding.clone(),
    })
}

/// How many runs are ended.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CancelMany {
    /// Which runs. Those that have ended are left out.
    part: Part,
    /// Why, for people.
    #[serde(default)]
    reason: Option<String>,
    /// Who decides it, by any name.
    #[serde(default)]
    by: Option<String>,
}

/// Ends the next batch of unfinished runs, oldest first.
#[utoipa::path(post, path = "/runs/cancel", tag = "many runs", request_body = CancelMany, responses(
    (status = OK, body = Batch), (status = BAD_REQUEST, body = Problem)))]
pub(super) async fn cancel(
    State(api): State<Api>,
    Told(mut told): Told<CancelMany>,
) -> Result<Json<Batch>, Refusal> {
    let cancelling = cancelling(&api, told.reason, told.by)?;
    told.part
        .filter
        .entry("state".to_owned())
        .or_insert_with(|| {
            let open = RunState::ALL.into_iter().filter(|state| !state.is_final());
            open.map(RunState::as_str).collect::<Vec<_>>().join(",")
        });
    let runs = told.part.runs(&api).await?;
    let batch = each(runs, nothing, async |run, ()| {
        api.store.cancel(run, cancelling.clone()).await?;
        Ok(())
    })
    .await;
    tell(&batch, &cancelling.deciding, "cancelled");
    Ok(Json(batch))
}
