//! Gathers what is told about a run: its event, its journal, what it stands behind.

use super::{Api, Refusal};
use crate::admin::views::{RunDetails, Teller};
use crate::model::{Event, Run, RunId};
use crate::store::{Pause, StoreError, Trace};

/// A run that must be there.
pub(super) async fn run(api: &Api, id: RunId) -> Result<Run, Refusal> {
    api.store.run(id).await?.ok_or_else(|| {
        Refusal::missing(
            format!("there is no run {id}"),
            "`cuegate runs list` shows those that are there",
        )
    })
}

/// What one page of runs has in common.
#[derive(Debug, Default)]
pub(super) struct Around {
    pauses: Vec<Pause>,
    site: String,
}

impl Around {
    pub(super) async fn now(api: &Api) -> Result<Self, StoreError> {
        let set = api.store.active_rule_set().await?;
        Ok(Self {
            pauses: api.store.pauses().await?,
            site: set.map(|set| set.site).unwrap_or_default(),
        })
    }

    /// Everything that helps to decide about a run. What cannot be read of it is left out, so that the rest is shown.
    pub(super) async fn details(&self, api: &Api, run: &Run) -> Result<RunDetails, StoreError> {
        let trace = readable(api.store.trace(run.id).await)?;
        let event = readable(api.store.event(run.event).await)?.flatten();
        let event = event.map(|stored| about(run, stored.event));
        let standing = api.store.standing(run.id).await?;
        let teller = Teller {
            run,
            event: event.as_ref(),
            trace: trace.as_ref(),
            standing: &standing,
            pauses: &self.pauses,
            site: &self.site,
            iconik_away: api.readiness.is_iconik_away(),
        };
        Ok(teller.details())
    }
}

fn readable<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(StoreError::Corrupt(why)) => {
            tracing::error!(error = %why, "what is stored of a run cannot be read");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// A trace that must be readable.
pub(super) async fn trace(api: &Api, id: RunId) -> Result<Trace, Refusal> {
    Ok(api.store.trace(id).await?)
}

/// The event as the run sees it as far as its object goes: a child's event is about the parent's.
fn about(run: &Run, event: Event) -> Event {
    if run.parent.is_none() {
        return event;
    }
    Event {
        body: serde_json::Value::Null,
        ..event
    }
}
