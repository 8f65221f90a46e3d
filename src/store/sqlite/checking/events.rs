//! Promises about events, their payloads and keys, and the rule sets that decided about them.

use super::removal::{placeholder_rule_set, take_out};
use super::{Promise, Search, values};
use crate::store::StoreError;

pub(super) const PROMISES: &[Promise] = &[
    Promise {
        kind: "rule_set_unreadable",
        search: Search::Rows(values::rule_sets),
        remedy: "its row is set aside and an empty set of the same id stands in; runs of it end when they are claimed",
        repair: Some(values::replace_rule_set),
    },
    Promise {
        kind: "active_rule_set",
        search: Search::Sql(
            "SELECT 'the active rule set', 'it is number ' || rule_set || ', which is missing', rule_set, 0
             FROM active_rule_set WHERE rule_set NOT IN (SELECT number FROM rule_set)",
        ),
        remedy: "none is active until the next start loads the rules; events wait meanwhile",
        repair: Some(|repair, _| Ok(repair.db.execute_batch("DELETE FROM active_rule_set")?)),
    },
    Promise {
        kind: "rule_set_missing",
        search: Search::Sql(
            "SELECT 'rule set number ' || rule_set, 'it is missing, and events or runs name it', rule_set, 0
             FROM (SELECT rule_set FROM event UNION SELECT rule_set FROM run)
             WHERE rule_set NOT IN (SELECT number FROM rule_set)",
        ),
        remedy: "an empty set stands in; runs of it end when they are claimed",
        repair: Some(|repair, found| placeholder_rule_set(repair, found.key)),
    },
    Promise {
        kind: "event_state",
        search: Search::Sql(
            "SELECT 'event number ' || number, '`' || state || '` is no state of an event', number, 0 FROM event
             WHERE state NOT IN ('stored', 'routed', 'when_failed', 'wrong_domain', 'held')",
        ),
        remedy: "its row is set aside as it was, and it counts as routed",
        repair: Some(|repair, found| {
            repair.copy("event", "number = ?1", found)?;
            repair.change(
                "UPDATE event SET state = 'routed' WHERE number = ?1",
                found.key,
            )
        }),
    },
    Promise {
        kind: "event_unreadable",
        search: Search::Rows(values::events),
        remedy: "what is left of it is set aside, and its unfinished runs end with the reason",
        repair: Some(values::empty_event),
    },
    Promise {
        kind: "event_key",
        search: Search::Sql(
            "SELECT 'event number ' || event.number, 'it has no key, so a repeated delivery would run once more',
                    event.number, 0
             FROM event LEFT JOIN event_key ON event_key.event = event.number WHERE event_key.event IS NULL",
        ),
        remedy: "the key is taken from its payload",
        repair: Some(values::restore_key),
    },
    Promise {
        kind: "stray_payload",
        search: Search::Sql(
            "SELECT 'event number ' || event, 'it is missing, but its payload is there', event, 0 FROM event_body
             WHERE event NOT IN (SELECT number FROM event)",
        ),
        remedy: "the payload is set aside",
        repair: Some(|repair, found| take_out(repair, "event_body", "event = ?1", found)),
    },
    Promise {
        kind: "stray_key",
        search: Search::Sql(
            "SELECT 'event number ' || event, 'it is missing, but its key is there', event, 0 FROM event_key
             WHERE event NOT IN (SELECT number FROM event)",
        ),
        remedy: "the key is set aside",
        repair: Some(|repair, found| take_out(repair, "event_key", "event = ?1", found)),
    },
    Promise {
        kind: "stray_alias",
        search: Search::Sql(
            "SELECT 'event number ' || event, 'it is missing, but another id stands for it', event, 0 FROM alias
             WHERE event NOT IN (SELECT number FROM event)",
        ),
        remedy: "the alias is set aside",
        repair: Some(|repair, found| take_out(repair, "alias", "event = ?1", found)),
    },
    Promise {
        kind: "stray_hold",
        search: Search::Sql(
            "SELECT 'event number ' || event, 'it is missing, but held for rule ' || rule, event, 0 FROM held
             WHERE event NOT IN (SELECT number FROM event)",
        ),
        remedy: "the hold is set aside",
        repair: Some(|repair, found| take_out(repair, "held", "event = ?1", found)),
    },
    Promise {
        kind: "stray_reroute",
        search: Search::Sql(
            "SELECT 'event number ' || event, 'it is missing, but to be routed again', event, 0 FROM reroute
             WHERE event NOT IN (SELECT number FROM event)",
        ),
        remedy: "the request is set aside",
        repair: Some(|repair, found| take_out(repair, "reroute", "event = ?1", found)),
    },
    Promise {
        kind: "stray_failure",
        search: Search::Sql(
            "SELECT 'event number ' || event, 'it is missing, but noted as one on which rule ' || rule || ' failed', event, 0
             FROM when_failed WHERE event NOT IN (SELECT number FROM event)",
        ),
        remedy: "the note is set aside",
        repair: Some(|repair, found| take_out(repair, "when_failed", "event = ?1", found)),
    },
    Promise {
        kind: "held_for_nobody",
        search: Search::Sql(
            "SELECT 'event number ' || number, 'it is held, but for no rule, so nobody would release it', number, 0
             FROM event WHERE state = 'held' AND number NOT IN (SELECT event FROM held)",
        ),
        remedy: "it is routed once more, to all rules that have no run of it",
        repair: Some(|repair, found| -> Result<(), StoreError> {
            repair.change(
                "INSERT INTO reroute (event, rule, again) VALUES (?1, '', 0) ON CONFLICT (rule, event) DO NOTHING",
                found.key,
            )?;
            repair.change(
                "UPDATE event SET state = 'routed' WHERE number = ?1",
                found.key,
            )
        }),
    },
    Promise {
        kind: "state_entry_unreadable",
        search: Search::Rows(values::state_entries),
        remedy: "the entry is set aside; the rule finds nothing under its key",
        repair: Some(values::take_out_state_entry),
    },
    Promise {
        kind: "pause_unreadable",
        search: Search::Rows(values::pauses),
        remedy: "it is set aside, and everything is paused until a person resumes it",
        repair: Some(values::take_out_pause),
    },
    Promise {
        kind: "accepted_unreadable",
        search: Search::Rows(values::accepted),
        remedy: "the row is set aside; it is not routed",
        repair: Some(values::take_out_accepted),
    },
];
