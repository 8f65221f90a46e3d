//! Every class meets every outcome.

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use super::super::samples;
use super::RepeatClass::{Acting, Creating, Idempotent, Safe};
use super::*;

/// Every class; a create with and without a way to look for what it made.
const DOUBTS: [Doubt; 5] = [
    doubt(Safe, false),
    doubt(Idempotent, false),
    doubt(Creating, true),
    doubt(Creating, false),
    doubt(Acting, false),
];

const LINES: [LineState; 3] = [LineState::Sound, LineState::Unproven, LineState::Open];

const fn doubt(class: RepeatClass, can_be_looked_up: bool) -> Doubt {
    Doubt {
        class,
        can_be_looked_up,
    }
}

/// A decision without its figures.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Answer(u16),
    /// The intent is taken back.
    Withdraw,
    /// The intent stays open.
    Keep,
    Release {
        nothing_happened: bool,
    },
    LookUp,
    Park,
    GiveUp,
    TooLarge,
    Malformed,
}

fn kind(decision: &Decision) -> Kind {
    match decision {
        Decision::Answer { status, .. } => Kind::Answer(*status),
        Decision::Again(again) if again.nothing_happened => Kind::Withdraw,
        Decision::Again(_) => Kind::Keep,
        Decision::Release { nothing_happened } => Kind::Release {
            nothing_happened: *nothing_happened,
        },
        Decision::LookUp => Kind::LookUp,
        Decision::Park => Kind::Park,
        Decision::GiveUp { .. } => Kind::GiveUp,
        Decision::TooLarge => Kind::TooLarge,
        Decision::Malformed => Kind::Malformed,
    }
}

fn sent(doubt: Doubt, repeated: bool, retry: &Retry) -> Sent<'_> {
    Sent {
        method: Method::Put,
        doubt,
        repeated,
        failing_for: Duration::ZERO,
        retry,
        line: LineState::Sound,
    }
}

fn repeating() -> Retry {
    Retry {
        uncertain: Uncertain::Repeat,
        ..Retry::default()
    }
}

fn refused(status: u16) -> Result<Reply, CallError> {
    Err(samples::refused(status))
}

fn ok() -> Result<Reply, CallError> {
    Ok(Reply {
        status: 200,
        body: json!({}),
        at: Timestamp::UNIX_EPOCH,
    })
}

#[test]
fn what_is_final_ends_the_step_whatever_the_class_and_however_often_it_was_sent() {
    let retry = Retry::default();
    for doubt in DOUBTS {
        for (repeated, line) in [false, true]
            .into_iter()
            .flat_map(|it| LINES.map(|line| (it, line)))
        {
            let sent = Sent {
                line,
                ..sent(doubt, repeated, &retry)
            };
            let decide = |outcome| kind(&decide_after(outcome, sent));
            assert_eq!(decide(ok()), Kind::Answer(200), "{sent:?}");
            assert_eq!(decide(refused(422)), Kind::Answer(422), "{sent:?}");
            let too_large = Err(samples::too_large());
            assert_eq!(decide(too_large), Kind::TooLarge, "{sent:?}");
            let malformed = Err(samples::malformed());
            assert_eq!(decide(malformed), Kind::Malformed, "{sent:?}");
        }
    }
}

#[test]
fn what_proves_that_nothing_happened_takes_the_first_intent_back() {
    let retry = Retry {
        statuses: vec![404],
        ..Retry::default()
    };
    for doubt in DOUBTS {
        for outcome in [
            Err(samples::not_sent()),
            Err(samples::throttled(None)),
            Err(samples::unauthorized()),
            refused(404),
        ] {
            let decision = decide_after(outcome.clone(), sent(doubt, false, &retry));
            assert_eq!(kind(&decision), Kind::Withdraw, "{doubt:?} {outcome:?}");
        }
    }
}

#[test]
fn what_proves_nothing_is_decided_by_class() {
    let (park, repeat) = (Retry::default(), repeating());
    for (doubt, retry, expect) in [
        (doubt(Safe, false), &park, Kind::Keep),
        (doubt(Idempotent, false), &park, Kind::Keep),
        (doubt(Creating, true), &park, Kind::LookUp),
        (doubt(Creating, true), &repeat, Kind::LookUp),
        (doubt(Creating, false), &park, Kind::Park),
        (doubt(Creating, false), &repeat, Kind::Keep),
        (doubt(Acting, false), &park, Kind::Park),
        (doubt(Acting, false), &repeat, Kind::Keep),
    ] {
        for repeated in [false, true] {
            for status in [None, Some(408), Some(500), Some(503)] {
                let outcome = Err(samples::uncertain(status));
                let decision = decide_after(outcome, sent(doubt, repeated, retry));
                assert_eq!(kind(&decision), expect, "{doubt:?} {repeated} {status:?}");
            }
        }
    }
}

#[test]
fn proof_about_a_repetition_never_takes_back_what_was_sent_before() {
    let (park, repeat) = (Retry::default(), repeating());
    for outcome in [
        Err(samples::not_sent()),
        Err(samples::throttled(None)),
        Err(samples::unauthorized()),
    ] {
        for (doubt, retry, expect) in [
            (doubt(Idempotent, false), &park, Kind::Keep),
            (doubt(Creating, true), &park, Kind::LookUp),
            (doubt(Creating, false), &repeat, Kind::Keep),
            (doubt(Acting, false), &repeat, Kind::Keep),
            (doubt(Acting, false), &park, Kind::Park),
        ] {
            let decision = decide_after(outcome.clone(), sent(doubt, true, retry));
            assert_eq!(kind(&decision), expect, "{doubt:?} {outcome:?}");
        }
    }
}

#[test]
fn an_open_intent_is_repeated_only_while_that_can_do_no_harm() {
    let (park, repeat) = (Retry::default(), repeating());
    for (doubt, retry, age, expect) in [
        (doubt(Safe, false), &park, 9_999, Reopen::Repeat),
        (doubt(Idempotent, false), &park, 0, Reopen::Repeat),
        (doubt(Idempotent, false), &park, 59, Reopen::Repeat),
        (doubt(Idempotent, false), &park, 60, Reopen::Examine),
        (doubt(Idempotent, false), &repeat, 60, Reopen::Examine),
        (doubt(Creating, true), &park, 0, Reopen::LookUp),
        (doubt(Creating, true), &repeat, 9_999, Reopen::LookUp),
        (doubt(Creating, false), &park, 0, Reopen::Park),
        (doubt(Creating, false), &repeat, 9_999, Reopen::Repeat),
        (doubt(Acting, false), &park, 0, Reopen::Park),
        (doubt(Acting, false), &repeat, 9_999, Reopen::Repeat),
    ] {
        let age = Duration::from_secs(age);
        let decision = decide_before(doubt, age, retry);
        assert_eq!(decision, expect, "{doubt:?} {age:?}");
    }
}

#[test]
fn a_repeated_delete_that_finds_nothing_is_done_and_a_first_one_is_told() {
    let retry = Retry {
        statuses: vec![404],
        ..Retry::default()
    };
    let mut delete = sent(doubt(Idempotent, false), true, &retry);
    delete.method = Method::Delete;
    assert_eq!(kind(&decide_after(refused(404), delete)), Kind::Answer(204));
    let plain = Retry::default();
    let mut first = sent(doubt(Idempotent, false), false, &plain);
    first.method = Method::Delete;
    assert_eq!(kind(&decide_after(refused(404), first)), Kind::Answer(404));
    let put = sent(doubt(Idempotent, false), true, &plain);
    assert_eq!(kind(&decide_after(refused(404), put)), Kind::Answer(404));
}

#[test]
fn a_call_is_given_up_at_its_age_but_never_for_the_credentials_nor_in_an_outage() {
    let retry = Retry::default();
    let mut old = sent(doubt(Safe, false), false, &retry);
    old.failing_for = retry.max_age;
    let troubles = [
        samples::not_sent(),
        samples::throttled(None),
        samples::uncertain(None),
    ];
    for trouble in troubles {
        assert_eq!(kind(&decide_after(Err(trouble.clone()), old)), Kind::GiveUp);
        for line in [LineState::Unproven, LineState::Open] {
            let decision = decide_after(Err(trouble.clone()), Sent { line, ..old });
            assert_ne!(kind(&decision), Kind::GiveUp, "{line:?} {trouble}");
        }
    }
    let decision = decide_after(Err(samples::unauthorized()), old);
    assert_eq!(kind(&decision), Kind::Withdraw);
    old.failing_for = retry.max_age - Duration::from_secs(1);
    let decision = decide_after(Err(samples::not_sent()), old);
    assert_eq!(kind(&decision), Kind::Withdraw);
}

#[test]
fn while_the_circuit_is_open_a_run_is_given_back_unless_it_is_in_doubt() {
    let retry = Retry::default();
    for (doubt, outcome, repeated, expect) in [
        (
            doubt(Safe, false),
            samples::uncertain(None),
            false,
            Some(false),
        ),
        (
            doubt(Idempotent, false),
            samples::uncertain(None),
            false,
            Some(false),
        ),
        (
            doubt(Idempotent, false),
            samples::not_sent(),
            true,
            Some(false),
        ),
        (
            doubt(Creating, true),
            samples::not_sent(),
            false,
            Some(true),
        ),
        (
            doubt(Acting, false),
            samples::unauthorized(),
            false,
            Some(true),
        ),
        (doubt(Creating, true), samples::uncertain(None), false, None),
        (doubt(Acting, false), samples::uncertain(None), false, None),
    ] {
        let sent = Sent {
            line: LineState::Open,
            ..sent(doubt, repeated, &retry)
        };
        let decision = kind(&decide_after(Err(outcome.clone()), sent));
        match expect {
            Some(nothing_happened) => {
                assert_eq!(
                    decision,
                    Kind::Release { nothing_happened },
                    "{sent:?} {outcome}"
                );
            }
            None => assert!(
                matches!(decision, Kind::LookUp | Kind::Park),
                "{sent:?} {outcome}"
            ),
        }
    }
}

#[test]
fn the_other_side_decides_how_long_to_wait_at_least() {
    let retry = Retry::default();
    let asked = Duration::from_secs(17);
    let outcome = Err(samples::throttled(Some(asked)));
    let Decision::Again(again) = decide_after(outcome, sent(doubt(Acting, false), false, &retry))
    else {
        panic!("429 is tried again");
    };
    assert_eq!(again.pause.at_least, asked);
}

proptest! {
    #[test]
    fn no_pause_is_longer_than_the_rule_allows(
        failing_for in 0_u64..200_000,
        max in 1_u64..3_600,
        asked in 0_u64..100_000,
    ) {
        let retry = Retry { max: Duration::from_secs(max), ..Retry::default() };
        let mut sent = sent(doubt(Safe, false), false, &retry);
        sent.failing_for = Duration::from_secs(failing_for);
        let outcome = Err(samples::throttled(Some(Duration::from_secs(asked))));
        match decide_after(outcome, sent) {
            Decision::Again(again) => {
                prop_assert!(again.pause.jitter <= retry.max);
                prop_assert!(again.pause.at_least <= retry.max_age);
                prop_assert!(sent.failing_for < retry.max_age);
            }
            other => {
                prop_assert_eq!(kind(&other), Kind::GiveUp);
                prop_assert!(sent.failing_for >= retry.max_age);
            }
        }
    }
}
