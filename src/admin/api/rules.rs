//! The active rules: versions, what wakes them, what is stopped, what waits for a person.

use axum::Json;
use axum::extract::State;

use super::{Api, Refusal};
use crate::admin::views::{PauseView, RuleList, RuleView};
use crate::store::PauseScope;

/// The active rule set.
#[utoipa::path(get, path = "/rules", tag = "rules", responses((status = OK, body = RuleList)))]
pub(super) async fn rules(State(api): State<Api>) -> Result<Json<RuleList>, Refusal> {
    let Some(set) = api.store.active_rule_set().await? else {
        return Ok(Json(RuleList {
            rule_set: None,
            rules: Vec::new(),
        }));
    };
    let counts = api.store.counts().await?;
    let rules = set.rules.iter().map(|header| {
        let mut view = RuleView::of(header);
        let own = PauseScope::Rule(header.rule.clone());
        let stopped = counts.stopped.iter().find(|pause| pause.scope == own);
        view.stopped = stopped.cloned().map(PauseView::from);
        for count in counts
            .classes
            .iter()
            .filter(|count| count.rule == header.rule)
        {
            *view
                .runs
                .entry(count.state.as_str().to_owned())
                .or_default() += count.number;
        }
        view
    });
    Ok(Json(RuleList {
        rules: rules.collect(),
        rule_set: Some(set.id.0.clone()),
    }))
}
