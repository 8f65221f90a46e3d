//! What every implementation of `Store` promises, as tests written against the trait alone.
//!
//! A backend brings a [`Place`] that can be opened again and again, and runs the whole list with
//! `store_contract!`. Nothing here may assume a single process or know how anything is kept.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as expected"
)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cuegate::model::*;
use cuegate::store::*;
use jiff::Timestamp;
use serde_json::json;

pub(crate) mod accepting;
pub(crate) mod adopting;
pub(crate) mod cancelling;
pub(crate) mod journals;
pub(crate) mod lanes;
pub(crate) mod machine;
pub(crate) mod modes;
pub(crate) mod order;
pub(crate) mod replaying;
pub(crate) mod rerouting;
pub(crate) mod retrying;
pub(crate) mod routing;
pub(crate) mod signals;
pub(crate) mod states;
pub(crate) mod tokens;
pub(crate) mod turns;
pub(crate) mod waiting;
pub(crate) mod walks;

/// Where a store lives. Opening it again, after the store before was dropped without closing, is a restart
/// after a crash.
#[async_trait]
pub(crate) trait Place: Send + Sync {
    async fn open(&self) -> Arc<dyn Store>;
}

/// Makes one test of each promise; `$place` is evaluated anew for each.
macro_rules! store_contract {
    ($place:expr; $($group:ident: $($name:ident),+;)+) => {
        $(mod $group {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                let place = $place;
                crate::store_contract::$group::$name(&place).await;
                crate::store_contract::holds_together(&place).await;
            })+
        })+
    };
    ($place:expr) => {
        store_contract! { $place;
            accepting:
                accepted_events_come_out_in_order,
                accepted_events_survive_a_crash,
                events_accepted_at_the_same_time_are_all_there,
                a_repeated_delivery_gets_the_same_id,
                an_event_is_found_before_it_is_routed,
                the_wait_for_a_change_ends_with_an_event_that_came_after_it_began,
                the_wait_for_a_change_ends_by_itself,
                a_closed_store_says_so_and_has_kept_everything;
            routing:
                a_batch_is_routed_exactly_once,
                routing_goes_on_behind_the_cursor_after_a_crash,
                a_batch_that_was_decided_under_another_rule_set_is_stale,
                without_a_rule_set_nothing_is_routed,
                a_wrong_number_of_decisions_changes_nothing,
                a_duplicate_in_its_batch_makes_no_second_run,
                a_duplicate_in_a_later_batch_makes_no_second_run,
                a_duplicate_over_the_edge_of_the_window_is_an_alias,
                two_windows_later_it_is_a_new_event,
                what_was_decided_is_kept_with_the_event,
                a_run_that_closes_a_circle_is_parked_and_names_the_way,
                only_recent_echoes_of_the_same_rule_and_object_make_a_circle,
                behind_a_circle_runs_wait_and_are_not_parked_one_by_one,
                the_active_rule_set_survives_and_earlier_ones_are_kept;
            turns:
                a_sender_of_little_does_not_wait_behind_a_flood,
                senders_take_turns_and_each_keeps_its_order,
                what_a_sender_leaves_of_its_share_is_for_the_others,
                what_was_routed_ahead_is_not_routed_again_after_a_crash,
                a_batch_of_several_senders_is_routed_once,
                what_is_not_routed_is_counted_with_what_is_ahead,
                any_mixture_of_senders_batches_and_crashes_routes_each_event_once_in_order;
            rerouting:
                what_a_quarantine_holds_back_stands_in_line_after_its_release,
                a_rule_that_is_behind_gets_newer_events_after_the_older_ones,
                an_event_that_is_held_after_the_release_was_decided_is_not_forgotten,
                an_event_of_two_quarantines_is_held_until_both_have_decided,
                a_pause_and_a_quarantine_of_one_rule_do_not_end_each_other,
                an_event_is_routed_again_to_rules_that_have_no_run_of_it,
                an_event_is_routed_again_to_a_rule_that_has_a_run_of_it_only_if_asked,
                decisions_of_another_rule_set_leave_the_line_as_it_is,
                failures_are_counted_by_place_and_told_once,
                an_event_whose_failures_are_gone_is_routed,
                a_filter_puts_its_events_in_line_page_by_page_and_no_newer_ones;
            lanes:
                runs_of_a_lane_follow_each_other_in_order,
                lanes_do_not_wait_for_each_other,
                rules_take_turns_and_the_oldest_goes_first,
                a_settled_claim_cannot_be_used_again,
                a_crash_takes_the_claim_from_its_holder,
                a_released_run_is_not_counted,
                claims_are_counted_until_the_journal_grows,
                a_run_that_is_under_way_at_many_stops_is_never_taken_for_their_cause,
                a_run_that_is_alone_at_a_stop_is_counted_and_holds_nobody_back_once_it_waits,
                a_dead_run_lets_its_lane_go_on,
                a_parked_run_blocks_its_lane_and_no_other,
                one_lost_claim_does_not_hinder_the_others,
                a_claim_that_nobody_waits_for_is_given_back,
                runs_are_counted_and_listed_by_state;
            waiting:
                a_waiting_run_wakes_at_its_time_and_not_before,
                a_pause_does_not_outlast_its_length_when_the_clock_is_set_back,
                a_waiting_run_holds_its_lane_over_a_crash,
                waking_is_no_failed_attempt,
                timers_wake_in_the_order_in_which_they_are_due;
            journals:
                a_journal_reads_back_as_it_was_written,
                an_open_intent_is_shown_after_a_crash,
                a_withdrawn_intent_is_not_open,
                an_answered_intent_is_not_open,
                an_intent_asked_for_twice_keeps_its_first_time,
                steps_have_no_gaps_and_a_refused_batch_writes_nothing,
                a_log_line_is_kept_once,
                the_time_that_claims_took_adds_up,
                nothing_is_added_without_a_claim;
            adopting:
                an_object_that_was_found_answers_the_step_and_survives_a_crash,
                an_object_is_taken_by_one_step_only,
                an_object_is_not_taken_while_the_same_request_is_under_way,
                a_request_that_was_begun_long_ago_is_not_under_way,
                nothing_is_taken_without_a_claim;
            modes:
                the_latest_takes_the_place_of_those_that_have_not_begun,
                a_run_that_has_begun_is_never_superseded,
                a_single_run_drops_those_that_come_while_it_is_unfinished,
                a_debounced_run_begins_when_its_lane_has_been_quiet,
                a_lane_that_is_never_quiet_begins_at_the_longest_wait,
                a_debounced_run_waits_behind_one_that_has_begun,
                a_debounced_run_survives_a_crash,
                the_more_urgent_run_of_a_rule_goes_first,
                a_rule_never_has_more_claims_than_its_bound,
                our_own_writes_that_wake_a_rule_too_often_park_it;
            signals:
                an_event_wakes_the_run_that_waits_for_it_and_no_other,
                an_event_that_came_since_the_run_began_is_found,
                an_event_between_the_search_and_the_wait_is_not_missed,
                a_wait_for_an_event_survives_a_crash,
                a_wait_for_an_event_ends_at_its_time,
                a_job_wakes_all_runs_that_wait_for_it_once,
                what_is_paused_is_not_claimed_until_it_is_resumed,
                runs_held_at_a_write_go_on_when_writes_do;
            walks:
                a_walk_counts_every_object_once_and_goes_on_after_a_crash,
                children_are_made_when_the_walk_is_over_and_their_parent_wakes_after_the_last,
                a_walk_that_found_nothing_wakes_its_parent_at_once,
                no_more_than_five_hundred_children_are_unfinished,
                children_come_after_live_events_of_their_rule;
            states:
                an_addition_is_made_once_with_its_step,
                every_access_answers_what_it_found,
                an_entry_disappears_at_its_time;
            tokens:
                a_token_survives_a_crash_and_ends_when_it_expires,
                a_token_goes_with_the_last_run_of_its_event;
            retrying:
                a_dead_run_goes_on_before_the_step_that_failed,
                a_finished_write_is_never_left_out,
                a_parked_run_gives_its_place_to_the_one_that_goes_on,
                a_call_that_a_person_saw_is_not_sent_again,
                a_call_that_may_have_happened_needs_a_word_from_any_state,
                runs_that_have_not_failed_are_not_retried,
                a_run_is_retried_once,
                what_was_stopped_or_superseded_goes_on,
                a_child_that_is_retried_is_under_way_for_its_parent,
                a_walk_is_taken_over_by_the_run_that_goes_on,
                a_run_that_died_after_its_children_does_not_make_them_again,
                a_run_whose_children_are_under_way_is_not_retried,
                children_that_outlive_their_parent_are_counted_to_the_last;
            replaying:
                a_replay_begins_with_an_empty_journal_at_the_end_of_its_lane,
                a_replay_on_the_version_of_now_needs_the_active_rules,
                a_run_that_has_not_ended_is_not_replayed,
                the_writes_that_a_replay_repeats_are_known_before,
                the_writes_of_children_count_for_their_parent;
            cancelling:
                a_queued_run_is_left_out_of_its_lane,
                the_run_at_the_head_makes_way,
                whoever_drives_a_cancelled_run_is_fenced_off,
                what_has_ended_cannot_be_cancelled,
                the_children_of_a_cancelled_run_end_with_it;
            order:
                workers_never_overlap_in_a_lane_and_a_naive_claim_does;
            machine:
                any_sequence_of_commands_does_what_the_model_does;
        }
    };
}
pub(crate) use store_contract;

/// Whatever was done, no promise about what is stored is broken.
pub(crate) async fn holds_together(place: &dyn Place) {
    let findings = place.open().await.check().await.unwrap();
    assert_eq!(findings, []);
}

/// So many seconds after an arbitrary moment.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

/// An event of the window 7 that no other number gives.
pub(crate) fn event(number: u32) -> Event {
    event_in_window(number, 7)
}

pub(crate) fn event_in_window(number: u32, window: i64) -> Event {
    let source = SourceName::from("iconik");
    let key = EventKey::of_message(&source, &number.to_string());
    Event {
        id: key.event_id(window),
        key,
        window,
        source,
        kind: EventKind::Webhook,
        received_at: at(i64::from(number)),
        headers: [("user-agent".to_owned(), "Iconik".to_owned())].into(),
        body: json!({ "event_type": "assets", "object_id": number.to_string(), "data": { "ö": [1.5, null] } }),
    }
}

pub(crate) fn events(numbers: impl IntoIterator<Item = u32>) -> Vec<Event> {
    numbers.into_iter().map(event).collect()
}

pub(crate) fn rule_set(id: &str) -> RuleSet {
    RuleSet {
        id: RuleSetId::from(id),
        files: vec![RuleFile {
            path: "tag.rhai".to_owned(),
            source: format!("// {id}"),
        }],
        rules: Vec::new(),
        site: String::new(),
        vars: json!({ "channel": "#news" }),
    }
}

/// A run of `rule` in the lane `key`.
pub(crate) fn new_run(rule: &str, key: &str) -> NewRun {
    NewRun::new(
        RuleId::from(rule),
        RuleVersion::from("v1"),
        3,
        LaneKey::from(key),
    )
}

pub(crate) fn routed(runs: Vec<NewRun>) -> Decision {
    Decision {
        state: EventState::Routed,
        runs,
        ..Decision::default()
    }
}

/// An open store under the rule set `one`.
pub(crate) async fn open(place: &dyn Place) -> Arc<dyn Store> {
    let store = place.open().await;
    store.activate_rule_set(rule_set("one")).await.unwrap();
    store
}

/// Accepts one event for each entry, and routes it to the runs that the entry names as (rule, lane).
pub(crate) async fn enqueue(store: &dyn Store, first: u32, runs: &[(&str, &str)]) -> Vec<RunId> {
    let numbers = first..first + u32::try_from(runs.len()).unwrap();
    store.accept(events(numbers)).await.unwrap();
    let mut runs = runs.iter();
    let mut made = Vec::new();
    loop {
        let batch = store.unrouted(100).await.unwrap();
        if batch.events.is_empty() {
            return made;
        }
        let decisions = batch.events.iter().map(|_| {
            let (rule, lane) = runs.next().unwrap();
            routed(vec![new_run(rule, lane)])
        });
        let routing = routing(batch.batch.clone(), decisions.collect());
        match store.route(routing).await.unwrap() {
            Routed::Committed { runs, .. } => made.extend(runs),
            Routed::Stale => panic!("nobody else routes"),
        }
    }
}

pub(crate) fn routing(batch: BatchToken, decisions: Vec<Decision>) -> Routing {
    Routing {
        batch,
        rule_set: RuleSetId::from("one"),
        decisions,
        breaker: None,
        at: at(0),
    }
}

/// The only claim that there is to be had.
pub(crate) async fn claim_one(store: &dyn Store) -> Claim {
    let mut claims = store.claim(Claiming::up_to(100), at(10)).await.unwrap();
    assert_eq!(claims.len(), 1, "{claims:?}");
    claims.remove(0)
}

pub(crate) async fn nothing_to_claim(store: &dyn Store) {
    let claims = store.claim(Claiming::up_to(100), at(10)).await.unwrap();
    assert!(claims.is_empty(), "{claims:?}");
}

pub(crate) fn settlement(lease: Lease, settlement: Settlement) -> Settle {
    Settle {
        lease,
        settlement,
        spent: Duration::ZERO,
        logs: Vec::new(),
        at: at(20),
    }
}

pub(crate) async fn settle(store: &dyn Store, lease: Lease, how: Settlement) -> Fenced {
    store.settle(vec![settlement(lease, how)]).await.unwrap()[0]
}

pub(crate) async fn append(store: &dyn Store, lease: Lease, entry: JournalEntry) -> Fenced {
    let entry = Append {
        lease,
        entry,
        logs: Vec::new(),
    };
    store.append(vec![entry]).await.unwrap()[0]
}

pub(crate) fn effect(method: Method, path: &str) -> Effect {
    Effect::Call(Call {
        method,
        path: path.to_owned(),
        query: [("page".to_owned(), "2".to_owned())].into(),
        body: (method != Method::Get).then(|| json!({ "title": "Tor in der 90. Minute" })),
        cacheable: false,
        position: Some(Position { line: 4, column: 9 }.into()),
    })
}

pub(crate) fn intent(number: u32) -> Intent {
    let effect = effect(Method::Post, &format!("assets/v1/assets/{number}/"));
    Intent {
        number,
        digest: effect.digest(),
        effect,
        at: at(i64::from(number)),
    }
}

/// The answer to [`intent`] with this number.
pub(crate) fn answer(number: u32) -> Step {
    let Intent { digest, effect, .. } = intent(number);
    Step {
        number,
        digest,
        effect,
        answer: Answer {
            status: 201,
            body: json!({ "id": number }),
            at: at(30 + i64::from(number)),
        },
    }
}

/// A read and its answer.
pub(crate) fn read(number: u32) -> Step {
    let effect = effect(Method::Get, "assets/v1/assets/1/");
    Step {
        digest: effect.digest(),
        effect,
        ..answer(number)
    }
}
