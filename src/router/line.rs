//! Routing again: what a quarantine held back, and what people asked for.
//!
//! It goes the same way as a new event, with the difference that each event says which rules it is for.

use std::sync::Arc;

use super::decide::Candidates;
use super::{RouteError, Router, Step};
use crate::model::{Event, RuleHeader};
use crate::store::LinedUp;

impl Router {
    /// Decides about one batch of the events that stand in line.
    ///
    /// # Errors
    ///
    /// When the store or the sandbox failed; the line is as it was then.
    pub async fn reroute_batch(&mut self) -> Result<Step, RouteError> {
        let Some(rules) = self.rules.borrow_and_update().clone() else {
            return Ok(Step::NoRules);
        };
        let own = self.own();
        let line = self.store.to_reroute(self.pace.events()).await?;
        if line.events.is_empty() {
            return Ok(Step::Idle);
        }
        let places = &line.events;
        let events: Vec<Arc<Event>> = places
            .iter()
            .map(|place| Arc::new(place.event.clone()))
            .collect();
        if own.cannot_place(&events) {
            return Ok(Step::NoDomain);
        }
        let mut candidates = Candidates::of(&rules, &events, &own, &line.held);
        candidates.keep(|at, header| is_for(&places[at], header));
        let decisions = self.decide(&rules, &candidates).await?;
        let routing = self.routing(&rules, line.batch, &decisions);
        let routed = self.store.reroute(routing).await?;
        Ok(self.committed(routed, &events, &decisions))
    }
}

fn is_for(place: &LinedUp, header: &RuleHeader) -> bool {
    let is_meant = place.to.as_ref().is_none_or(|rule| *rule == header.rule);
    is_meant && (place.again || !place.ran.contains(&header.rule))
}
