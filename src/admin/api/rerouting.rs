//! Routing events once more: to rules that missed them, or to rules that are to run again.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use utoipa::ToSchema;

use super::asked::{Asked, Told, meant, understood};
use super::filters::{EventsAsked, PageLength, event_id};
use super::{Api, Refusal};
use crate::admin::views::{FailurePlace, FailurePlaces, Problem, Rerouted};
use crate::model::{EventId, RuleId};
use crate::store::{Repeats, Reroute, ReroutePage, RunFilter, WhichEvents};

/// The most events that are named one by one in a request.
const EVENTS_MAX: usize = 500;

/// The most runs of one event that are looked at before it is replayed.
const RUNS_MAX: usize = 500;

/// Which events are routed once more, and to which rules.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RerouteTold {
    /// These events; or leave it out and give a filter.
    events: Vec<String>,
    /// Which events, as in the query of `GET /events`. It may be empty only if `failed` is given.
    #[schema(value_type = EventsAsked)]
    filter: BTreeMap<String, String>,
    /// Only events on which `when` or `lane` of this rule failed.
    failed: Option<String>,
    /// To this rule only; to every active rule if it is left out. Rules that have a run of the event are left out.
    rule: Option<String>,
    /// The next page of a filter: the `next` of the last answer.
    page: Option<String>,
    /// Only says how many events are meant.
    count_only: bool,
    /// Who decides it, by any name.
    by: Option<String>,
}

/// Puts events in line to be routed once more, a page of them. Asking for the same twice changes nothing.
#[utoipa::path(post, path = "/events/reroute", tag = "events", request_body = RerouteTold, responses(
    (status = OK, body = Rerouted), (status = BAD_REQUEST, body = Problem), (status = NOT_FOUND, body = Problem)))]
pub(super) async fn reroute(
    State(api): State<Api>,
    Told(told): Told<RerouteTold>,
) -> Result<Json<Rerouted>, Refusal> {
    let to = match told.rule.as_deref() {
        Some(rule) => Some(active_rule(&api, rule).await?),
        None => None,
    };
    let deciding = api.deciding(told.by.clone())?;
    let count_only = told.count_only;
    let which = told.which(&api)?;
    let asked = Reroute {
        which,
        to,
        again: false,
        count_only,
    };
    let line = api.store.ask_reroute(asked).await?;
    if !count_only {
        tracing::info!(events = line.events, by = %deciding, "events are routed once more");
    }
    Ok(Json(line.into()))
}

impl RerouteTold {
    fn which(self, api: &Api) -> Result<WhichEvents, Refusal> {
        let page = self.page.as_deref().map(page).transpose()?;
        let filtered = !self.filter.is_empty() || self.failed.is_some();
        match (self.events.is_empty(), filtered) {
            (false, false) if self.events.len() <= EVENTS_MAX => {
                let ids: Result<Vec<EventId>, Refusal> =
                    self.events.iter().map(|id| event_id(id)).collect();
                Ok(WhichEvents::Ids(ids?))
            }
            (false, false) => Err(Refusal::bad(
                format!("events: more than {EVENTS_MAX} are named"),
                "ask for fewer at a time, or give a filter",
            )),
            (true, true) => {
                let asked: EventsAsked = understood(self.filter)?;
                Ok(WhichEvents::Matching {
                    filter: Box::new(asked.filter(api.now())?),
                    failed: self.failed.map(RuleId),
                    page,
                })
            }
            (false, true) => Err(Refusal::bad(
                "events are named one by one and by a filter",
                "give one of them",
            )),
            (true, false) => Err(Refusal::bad(
                "no event is named, which would mean every event",
                "say which events: `events`, `failed`, or a `filter` such as `since`",
            )),
        }
    }
}

fn page(text: &str) -> Result<ReroutePage, Refusal> {
    text.parse().map_err(|()| {
        Refusal::bad(
            format!("page: `{text}` is none"),
            "give the `next` of the last answer",
        )
    })
}

/// How an event is replayed.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ReplayEventTold {
    /// To this rule only.
    rule: Option<String>,
    /// To every active rule that wants it.
    all_rules: bool,
    /// That writes may be made a second time. Needed if runs of the event have made any.
    yes: bool,
    /// Who decides it, by any name.
    by: Option<String>,
}

/// Routes an event once more, also to rules that have a run of it: they begin anew.
#[utoipa::path(post, path = "/events/{event}/replay", tag = "events",
    params(("event" = String, Path, description = "Its id, or an alias of it.")), request_body = ReplayEventTold,
    responses((status = OK, body = Rerouted), (status = BAD_REQUEST, body = Problem),
        (status = CONFLICT, body = Problem), (status = NOT_FOUND, body = Problem)))]
pub(super) async fn replay(
    State(api): State<Api>,
    Path(event): Path<String>,
    Told(told): Told<ReplayEventTold>,
) -> Result<Json<Rerouted>, Refusal> {
    let id = event_id(&event)?;
    let to = match (told.rule.as_deref(), told.all_rules) {
        (Some(rule), false) => Some(active_rule(&api, rule).await?),
        (None, true) => None,
        _ => {
            return Err(Refusal::bad(
                "say which rules the event is for",
                "give either `rule` or `\"all_rules\": true` (`--rule R` or `--all-rules`)",
            ));
        }
    };
    let deciding = api.deciding(told.by)?;
    if !told.yes {
        expect_no_repeats(&api, id, to.as_ref()).await?;
    }
    let asked = Reroute {
        which: WhichEvents::Ids(vec![id]),
        to,
        again: true,
        count_only: false,
    };
    let line = api.store.ask_reroute(asked).await?;
    if !line.unknown.is_empty() {
        return Err(Refusal::missing(
            format!("there is no routed event {id}"),
            "`cuegate events list` shows those that are there; one that is `stored` will be routed anyway",
        ));
    }
    if line.pruned > 0 {
        return Err(Refusal::conflict(
            format!(
                "the payload of event {id} is outside retention, so no rule can be asked about it"
            ),
            "[store] retention says how long payloads are kept",
        ));
    }
    tracing::info!(event = %id, by = %deciding, "an event is replayed");
    Ok(Json(line.into()))
}

/// Refuses a replay that would make writes a second time. The newest run of a rule has the writes of those that it
/// goes on from.
async fn expect_no_repeats(api: &Api, event: EventId, to: Option<&RuleId>) -> Result<(), Refusal> {
    let filter = RunFilter {
        event: Some(event),
        rule: to.cloned(),
        limit: RUNS_MAX,
        ..RunFilter::default()
    };
    let mut seen = BTreeSet::new();
    let mut found = Repeats::default();
    for run in api.store.runs(filter).await? {
        if run.parent.is_none() && seen.insert(run.rule.clone()) {
            let repeats = api.store.repeats(run.id).await?;
            found.made += repeats.made;
            found.uncertain += repeats.uncertain;
        }
    }
    if found.made + found.uncertain == 0 {
        return Ok(());
    }
    Err(Refusal::conflict(
        format!(
            "a replay of event {event} would repeat {} write(s) that were made and {} that may have been",
            found.made, found.uncertain
        ),
        format!(
            "look at its runs with `cuegate events show {event}`, then say --yes (`\"yes\": true`)"
        ),
    ))
}

async fn active_rule(api: &Api, rule: &str) -> Result<RuleId, Refusal> {
    let set = api.store.active_rule_set().await?;
    let mut names = set
        .iter()
        .flat_map(|set| &set.rules)
        .map(|header| &header.rule);
    if let Some(known) = names.clone().find(|name| name.as_str() == rule) {
        return Ok(known.clone());
    }
    Err(Refusal::missing(
        format!("there is no active rule `{rule}`"),
        meant(rule, names.by_ref().map(RuleId::as_str)),
    ))
}

/// Where `when` or `lane` of rules failed: by rule, version and line, those with the most events first.
#[utoipa::path(get, path = "/events/failures", tag = "events", params(PageLength), responses(
    (status = OK, body = FailurePlaces), (status = BAD_REQUEST, body = Problem)))]
pub(super) async fn failures(
    State(api): State<Api>,
    Asked(asked): Asked<PageLength>,
) -> Result<Json<FailurePlaces>, Refusal> {
    let places = api.store.when_failures(asked.limit()?).await?;
    Ok(Json(FailurePlaces {
        places: places.into_iter().map(FailurePlace::from).collect(),
    }))
}
