//! Every class meets every outcome.

use jiff::Timestamp;
use serde_json::json;

use super::super::samples;
use super::RepeatClass::{Acting, Creating, Idempotent, Safe};
use super::*;

const CLASSES: [RepeatClass; 4] = [Safe, Idempotent, Creating, Acting];

/// A decision without its figures.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Answer(u16),
    /// The intent is taken back.
    Withdraw,
    /// The intent stays open.
    Keep,
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
        Decision::Park => Kind::Park,
        Decision::GiveUp => Kind::GiveUp,
        Decision::TooLarge => Kind::TooLarge,
        Decision::Malformed => Kind::Malformed,
    }
}

fn sent(class: RepeatClass, open_for: Option<u64>, retry: &Retry) -> Sent<'_> {
    Sent {
        method: Method::Put,
        class,
        repeated: open_for.is_some(),
        intent_age: Duration::from_secs(open_for.unwrap_or(0)),
        failing_for: Duration::ZERO,
        retry,
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
    for class in CLASSES {
        for open_for in [None, Some(1), Some(3_600)] {
            let decide = |outcome| kind(&decide_after(outcome, sent(class, open_for, &retry)));
            assert_eq!(decide(ok()), Kind::Answer(200), "{class:?} {open_for:?}");
            assert_eq!(
                decide(refused(422)),
                Kind::Answer(422),
                "{class:?} {open_for:?}"
            );
            let too_large = Err(samples::too_large());
            assert_eq!(decide(too_large), Kind::TooLarge, "{class:?} {open_for:?}");
            let malformed = Err(samples::malformed());
            assert_eq!(decide(malformed), Kind::Malformed, "{class:?} {open_for:?}");
        }
    }
}

#[test]
fn what_proves_that_nothing_happened_takes_the_first_intent_back() {
    let retry = Retry {
        statuses: vec![404],
        ..Retry::default()
    };
    for class in CLASSES {
        for outcome in [
            Err(samples::not_sent()),
            Err(samples::throttled(None)),
            Err(samples::unauthorized()),
            refused(404),
        ] {
            let decision = decide_after(outcome.clone(), sent(class, None, &retry));
            assert_eq!(kind(&decision), Kind::Withdraw, "{class:?} {outcome:?}");
        }
    }
}

#[test]
fn what_proves_nothing_is_repeated_by_class() {
    let (park, repeat) = (Retry::default(), repeating());
    for (class, retry, open_for, expect) in [
        (Safe, &park, None, Kind::Keep),
        (Safe, &park, Some(3_600), Kind::Keep),
        (Idempotent, &park, None, Kind::Keep),
        (Idempotent, &park, Some(54), Kind::Keep),
        (Idempotent, &park, Some(55), Kind::Park),
        (Idempotent, &park, Some(3_600), Kind::Park),
        (Idempotent, &repeat, Some(3_600), Kind::Park),
        (Creating, &park, None, Kind::Park),
        (Creating, &park, Some(1), Kind::Park),
        (Creating, &repeat, None, Kind::Keep),
        (Creating, &repeat, Some(3_600), Kind::Keep),
        (Acting, &park, None, Kind::Park),
        (Acting, &park, Some(1), Kind::Park),
        (Acting, &repeat, None, Kind::Keep),
        (Acting, &repeat, Some(3_600), Kind::Keep),
    ] {
        for status in [None, Some(408), Some(500), Some(503)] {
            let outcome = Err(samples::uncertain(status));
            let decision = decide_after(outcome.clone(), sent(class, open_for, retry));
            assert_eq!(kind(&decision), expect, "{class:?} {open_for:?} {status:?}");
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
        for (class, retry, open_for, expect) in [
            (Idempotent, &park, 10, Kind::Keep),
            (Idempotent, &park, 60, Kind::Park),
            (Creating, &repeat, 10, Kind::Keep),
            (Acting, &repeat, 3_600, Kind::Keep),
            (Acting, &park, 10, Kind::Park),
        ] {
            let decision = decide_after(outcome.clone(), sent(class, Some(open_for), retry));
            assert_eq!(kind(&decision), expect, "{class:?} {open_for} {outcome:?}");
        }
    }
}

#[test]
fn an_open_intent_is_repeated_only_while_that_can_do_no_harm() {
    let (park, repeat) = (Retry::default(), repeating());
    for (class, retry, age, expect) in [
        (Safe, &park, 9_999, Reopen::Repeat),
        (Idempotent, &park, 0, Reopen::Repeat),
        (Idempotent, &park, 59, Reopen::Repeat),
        (Idempotent, &park, 60, Reopen::Park),
        (Idempotent, &repeat, 60, Reopen::Park),
        (Creating, &park, 0, Reopen::Park),
        (Creating, &repeat, 9_999, Reopen::Repeat),
        (Acting, &park, 0, Reopen::Park),
        (Acting, &repeat, 9_999, Reopen::Repeat),
    ] {
        let age = Duration::from_secs(age);
        assert_eq!(
            decide_before(class, age, retry),
            expect,
            "{class:?} {age:?}"
        );
    }
}

#[test]
fn a_repeated_delete_that_finds_nothing_is_done_and_a_first_one_is_told() {
    let retry = Retry {
        statuses: vec![404],
        ..Retry::default()
    };
    let mut delete = sent(Idempotent, Some(10), &retry);
    delete.method = Method::Delete;
    assert_eq!(kind(&decide_after(refused(404), delete)), Kind::Answer(204));
    let plain = Retry::default();
    let mut first = sent(Idempotent, None, &plain);
    first.method = Method::Delete;
    assert_eq!(kind(&decide_after(refused(404), first)), Kind::Answer(404));
    let put = sent(Idempotent, Some(10), &plain);
    assert_eq!(kind(&decide_after(refused(404), put)), Kind::Answer(404));
}

#[test]
fn a_call_is_given_up_at_its_age_but_never_for_the_credentials() {
    let retry = Retry::default();
    let mut old = sent(Safe, None, &retry);
    old.failing_for = retry.max_age;
    for trouble in [
        samples::not_sent(),
        samples::throttled(None),
        samples::uncertain(None),
    ] {
        assert_eq!(kind(&decide_after(Err(trouble), old)), Kind::GiveUp);
    }
    let decision = decide_after(Err(samples::unauthorized()), old);
    assert_eq!(kind(&decision), Kind::Withdraw);
    old.failing_for = retry.max_age - Duration::from_secs(1);
    assert_eq!(
        kind(&decide_after(Err(samples::not_sent()), old)),
        Kind::Withdraw
    );
}

#[test]
fn the_other_side_decides_how_long_to_wait_at_least() {
    let retry = Retry::default();
    let asked = Duration::from_secs(17);
    let outcome = Err(samples::throttled(Some(asked)));
    let Decision::Again(again) = decide_after(outcome.clone(), sent(Acting, None, &retry)) else {
        panic!("429 is tried again");
    };
    assert_eq!(again.pause.at_least, asked);
    let late = sent(Idempotent, Some(50), &retry);
    assert_eq!(
        kind(&decide_after(outcome.clone(), late)),
        Kind::Park,
        "it would be too old by then"
    );
}

#[test]
fn an_idempotent_call_gets_its_last_repetition_before_it_is_too_old() {
    let retry = Retry::default();
    let mut late = sent(Idempotent, Some(40), &retry);
    late.failing_for = Duration::from_secs(40);
    let outcome = Err(samples::uncertain(Some(502)));
    let Decision::Again(again) = decide_after(outcome.clone(), late) else {
        panic!("it is young enough");
    };
    assert_eq!(again.pause.jitter, Duration::from_secs(15));
}
