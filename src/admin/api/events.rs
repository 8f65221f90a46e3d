//! Events and what became of them.

use axum::Json;
use axum::extract::{Path, State};

use super::asked::Asked;
use super::filters::{EventsAsked, EventsPage, PAGE_MAX, PageAsked, event_id};
use super::{Api, Refusal};
use crate::admin::views::{EventDetails, EventPage, EventRow, Problem, RunRow, WhenFailure};
use crate::model::EventId;
use crate::store::{EventSummary, RunFilter, StoreError};

/// Events, newest first: those that are not routed yet, then the others.
#[utoipa::path(get, path = "/events", tag = "events", params(EventsAsked, PageAsked), responses(
    (status = OK, body = EventPage), (status = BAD_REQUEST, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Asked(asked): Asked<EventsPage>,
) -> Result<Json<EventPage>, Refusal> {
    let filter = asked.filter(api.now())?;
    let limit = filter.limit;
    let events = match api.store.events(filter).await {
        Err(StoreError::Refused(why)) => {
            return Err(Refusal::bad(
                format!("before: {why}"),
                "give the `before` of the last answer",
            ));
        }
        events => events?,
    };
    let before = (events.len() == limit)
        .then(|| events.last().map(|event| event.id))
        .flatten();
    Ok(Json(EventPage {
        events: events.into_iter().map(EventRow::from).collect(),
        before,
    }))
}

/// Of an id that is not there nobody can tell whether it was never received or is forgotten.
async fn unknown(api: &Api, id: EventId) -> Result<Refusal, Refusal> {
    let there = "`cuegate events list` shows those that are there";
    Ok(match api.store.forgotten_until().await? {
        None => Refusal::missing(
            format!("there is no event {id}, and none was ever removed: it was never received"),
            there,
        ),
        Some(until) => Refusal::missing(
            format!(
                "there is no event {id}: it was never received, or it is outside retention, which has removed events \
                 that were received up to {until}"
            ),
            there,
        ),
    })
}

/// One event with its runs, by its id or by an alias of it.
#[utoipa::path(get, path = "/events/{event}", tag = "events",
    params(("event" = String, Path, description = "Its id, or an alias of it.")),
    responses((status = OK, body = EventDetails), (status = NOT_FOUND, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Path(event): Path<String>,
) -> Result<Json<EventDetails>, Refusal> {
    let id = event_id(&event)?;
    let Some(stored) = api.store.event(id).await? else {
        return Err(unknown(&api, id).await?);
    };
    let about = api.store.about_event(id).await?;
    let runs = RunFilter {
        event: Some(id),
        limit: PAGE_MAX,
        ..RunFilter::default()
    };
    let number = api.store.matching(runs.clone()).await?.number;
    let runs = api.store.runs(runs).await?;
    let event = stored.event;
    let summary = EventSummary {
        id: event.id,
        received_at: event.received_at,
        state: stored.state,
        subject: Some(event.subject()),
        object: event.object().map(str::to_owned),
        echo: about.echo,
        runs: number,
        source: event.source,
    };
    let failures = stored.failures.into_iter();
    Ok(Json(EventDetails {
        event: summary.into(),
        kind: event.kind.as_str().to_owned(),
        headers: event.headers,
        body: event.body,
        rule_set: stored.rule_set.map(|set| set.0),
        aliases: about.aliases,
        held_for: about.held_for,
        failures: failures
            .map(|(rule, version, failure)| WhenFailure {
                rule,
                version,
                failure: failure.into(),
            })
            .collect(),
        runs: runs.into_iter().map(RunRow::from).collect(),
    }))
}
