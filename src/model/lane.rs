//! Which runs of a rule must not overlap.
//!
//! A key is the bare id, whatever said it: an event that names an object as its asset and one that names the
//! same id only as `object_id` are about the same thing, so they belong in one lane. An event that names
//! nothing of the kind has nothing to be ordered against and gets a lane of its own.

use super::{Concurrency, Event, EventKind, Lane, LaneKey, RuleHeader};

/// The key of a rule's only lane.
const WHOLE_RULE: &str = "rule";

/// The key of the only lane of a rule's children: their parent holds its own lane until the last of them has ended.
const ALL_CHILDREN: &str = "each";

/// The lane of the run that `rule` makes for `event`.
pub fn lane_of(rule: &RuleHeader, event: &Event) -> LaneKey {
    if rule.has_each && event.kind == EventKind::Schedule {
        // Whatever the header says about the children, a fire must see whether the one before is still walking.
        return LaneKey::from(WHOLE_RULE);
    }
    if rule.concurrency == Concurrency::Parallel {
        return own_lane(event);
    }
    let id = match rule.lane {
        Lane::Rule if event.kind == EventKind::Object => Some(ALL_CHILDREN),
        Lane::Rule => Some(WHOLE_RULE),
        Lane::None => None,
        Lane::Default if event.kind == EventKind::Button => None,
        Lane::Default if event.kind == EventKind::Schedule => Some(WHOLE_RULE),
        Lane::Default => asset(event)
            .or_else(|| collection(event))
            .or_else(|| object(event)),
        Lane::Asset => asset(event),
        Lane::Collection => collection(event),
        Lane::Object => object(event),
    };
    id.map_or_else(|| own_lane(event), LaneKey::from)
}

fn own_lane(event: &Event) -> LaneKey {
    match event
        .text("object_id")
        .filter(|_| event.kind == EventKind::Object)
    {
        Some(object) => LaneKey(format!("{} {object}", event.id)),
        None => LaneKey(event.id.to_string()),
    }
}

fn asset(event: &Event) -> Option<&str> {
    event.asset_id().filter(|id| !id.is_empty())
}

fn collection(event: &Event) -> Option<&str> {
    event.collection_id().filter(|id| !id.is_empty())
}

fn object(event: &Event) -> Option<&str> {
    event.text("object_id").filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use jiff::Timestamp;

    use super::*;
    use crate::model::{EventKey, RuleId, RuleVersion, SourceName};

    fn event(kind: EventKind, body: Value) -> Event {
        let source = SourceName::from("iconik");
        let key = EventKey::of_bytes(&source, body.to_string().as_bytes());
        Event {
            id: key.event_id(0),
            key,
            window: 0,
            source,
            kind,
            received_at: Timestamp::UNIX_EPOCH,
            headers: std::collections::BTreeMap::new(),
            body,
        }
    }

    fn rule(id: &str) -> RuleHeader {
        RuleHeader::new(
            RuleId::from(id),
            RuleVersion::from("1"),
            format!("{id}.rhai"),
        )
    }

    fn check(lane: Lane, kind: EventKind, body: &Value, expect: &str) {
        let mut rule = rule("tag");
        rule.lane = lane;
        let event = event(kind, body.clone());
        let key = lane_of(&rule, &event);
        let expect = if expect == "own" {
            event.id.to_string()
        } else {
            expect.to_owned()
        };
        assert_eq!(key.as_str(), expect, "{lane:?} {kind:?} {body}");
    }

    #[test]
    fn every_lane_takes_the_id_that_it_names_and_otherwise_the_event_is_alone() {
        let webhook = EventKind::Webhook;
        let asset = json!({"event_type": "assets", "realm": "entity", "object_id": "A"});
        let entry = json!({"event_type": "collections", "realm": "contents", "object_id": "E",
            "data": {"asset_id": "A", "collection_id": "C"}});
        let share = json!({"event_type": "assets", "realm": "shares", "object_id": "S"});
        let collection = json!({"event_type": "collections", "realm": "entity", "object_id": "C"});
        let empty = json!({"event_type": "assets", "realm": "entity", "object_id": ""});
        for (lane, body, expect) in [
            (Lane::Default, &asset, "A"),
            (Lane::Default, &entry, "A"),
            (Lane::Default, &share, "S"),
            (Lane::Default, &collection, "C"),
            (Lane::Default, &empty, "own"),
            (Lane::Asset, &entry, "A"),
            (Lane::Asset, &share, "own"),
            (Lane::Asset, &collection, "own"),
            (Lane::Collection, &entry, "C"),
            (Lane::Collection, &asset, "own"),
            (Lane::Object, &entry, "E"),
            (Lane::Object, &share, "S"),
            (Lane::Object, &empty, "own"),
            (Lane::Rule, &asset, "rule"),
            (Lane::Rule, &empty, "rule"),
            (Lane::None, &asset, "own"),
        ] {
            check(lane, webhook, body, expect);
        }
    }

    #[test]
    fn a_button_is_alone_unless_the_rule_orders_by_the_one_object_it_was_pressed_on() {
        let one = json!({"context": "ASSET", "asset_ids": ["A"]});
        let two = json!({"context": "BULK", "asset_ids": ["A", "B"]});
        check(Lane::Default, EventKind::Button, &one, "own");
        check(Lane::Asset, EventKind::Button, &one, "A");
        check(Lane::Asset, EventKind::Button, &two, "own");
        check(Lane::Rule, EventKind::Button, &two, "rule");
    }

    #[test]
    fn fires_of_a_rule_with_each_share_a_lane_whatever_lane_their_children_have() {
        let mut rule = rule("sweep");
        (rule.lane, rule.concurrency) = (Lane::None, Concurrency::Parallel);
        let fire = event(EventKind::Schedule, json!({"rule": "sweep"}));
        assert_eq!(lane_of(&rule, &fire).as_str(), fire.id.to_string());
        rule.has_each = true;
        assert_eq!(lane_of(&rule, &fire).as_str(), "rule");
    }

    #[test]
    fn parallel_runs_are_never_ordered_whatever_lane_the_rule_names() {
        let mut rule = rule("tag");
        rule.concurrency = Concurrency::Parallel;
        rule.lane = Lane::Rule;
        let event = event(EventKind::Webhook, json!({"object_id": "A"}));
        assert_eq!(lane_of(&rule, &event).as_str(), event.id.to_string());
    }
}
