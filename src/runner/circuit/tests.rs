//! Every order of outcomes.

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A circuit that has seen these, a second apart, and the time after it.
fn after(signs: &[Sign]) -> (Circuit, Instant) {
    let (mut circuit, mut now) = (Circuit::default(), Instant::now());
    for sign in signs {
        now += SECOND;
        circuit.observe(*sign, now);
    }
    (circuit, now)
}

#[test]
fn connections_that_cannot_be_made_open_it_if_nothing_else_came_between() {
    use Sign::{Alive, Failing, Unreachable};
    assert!(after(&[Unreachable; 3]).0.is_open());
    assert!(!after(&[Unreachable; 2]).0.is_open());
    for between in [Alive, Failing] {
        let signs = [Unreachable, Unreachable, between, Unreachable, Unreachable];
        assert!(!after(&signs).0.is_open());
    }
}

#[test]
fn credentials_that_are_not_accepted_open_it_at_once() {
    assert!(after(&[Sign::Alive, Sign::Unauthorized]).0.is_open());
}

#[test]
fn server_errors_raise_a_suspicion_and_the_probe_decides() {
    for (sign, open) in [
        (Sign::Alive, false),
        (Sign::Failing, true),
        (Sign::Unreachable, true),
        (Sign::Unauthorized, true),
    ] {
        let (mut circuit, now) = after(&[Sign::Failing; 8]);
        assert!(!circuit.is_open(), "everything may be sent until then");
        assert_eq!(circuit.probe_at(), Some(now));
        let turn = circuit.probed(sign, now);
        assert_eq!(circuit.is_open(), open, "{sign:?}");
        assert_eq!(turn, open.then_some(Turn::Opened));
    }
}

#[test]
fn server_errors_among_as_many_answers_are_no_suspicion() {
    let (circuit, _) = after(&[Sign::Failing; 7]);
    assert_eq!(circuit.probe_at(), None, "seven may be chance");
    let mixed = [[Sign::Alive; 9].as_slice(), [Sign::Failing; 8].as_slice()];
    assert_eq!(after(&mixed.concat()).0.probe_at(), None);
    let (mut circuit, now) = after(&[Sign::Failing; 7]);
    circuit.observe(Sign::Failing, now + WINDOW);
    assert_eq!(circuit.probe_at(), None, "the old ones do not count");
}

#[test]
fn one_broken_place_causes_a_probe_now_and_then_and_never_opens_it() {
    let (mut circuit, mut now) = (Circuit::default(), Instant::now());
    let mut probes = 0;
    for _ in 0..600 {
        now += SECOND / 10;
        circuit.observe(Sign::Failing, now);
        if circuit.probe_at().is_some() {
            probes += 1;
            assert_eq!(circuit.probed(Sign::Alive, now), None);
        }
    }
    assert_eq!(probes, 2);
}

#[test]
fn probes_go_with_growing_pauses_until_one_is_answered() {
    let (mut circuit, mut now) = after(&[Sign::Unreachable; 3]);
    for seconds in [1, 2, 4, 8, 16, 30, 30] {
        let probe_at = circuit.probe_at().expect("it is open");
        assert_eq!(probe_at - now, SECOND * seconds);
        now = probe_at;
        assert_eq!(circuit.probed(Sign::Unreachable, now), None);
    }
    assert_eq!(circuit.probed(Sign::Alive, now), Some(Turn::Closed));
    assert!(!circuit.is_open() && circuit.probe_at().is_none());
}

#[test]
fn a_relapse_goes_on_with_the_pause_and_a_new_outage_begins_small() {
    for (healthy_for, pause) in [(SECOND, SECOND * 4), (RELAPSE, SECOND)] {
        let (mut circuit, mut now) = after(&[Sign::Unreachable; 3]);
        circuit.probed(Sign::Unreachable, now);
        circuit.probed(Sign::Alive, now);
        now += healthy_for;
        circuit.observe(Sign::Unauthorized, now);
        assert_eq!(circuit.probe_at(), Some(now + pause));
    }
}

#[test]
fn it_has_answered_only_after_the_last_outage() {
    assert!(!Circuit::default().has_answered());
    assert!(!after(&[Sign::Failing]).0.has_answered());
    assert!(after(&[Sign::Alive, Sign::Failing]).0.has_answered());
    let (mut circuit, now) = after(&[Sign::Alive, Sign::Unauthorized]);
    assert!(!circuit.has_answered());
    circuit.probed(Sign::Alive, now);
    assert!(circuit.has_answered());
}

fn any_sign() -> impl Strategy<Value = Sign> {
    prop_oneof![
        Just(Sign::Alive),
        Just(Sign::Unreachable),
        Just(Sign::Failing),
        Just(Sign::Unauthorized),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_it_opens_for_a_reason_and_closes_by_a_probe(
        events in prop::collection::vec((any_sign(), any::<bool>(), 0_u64..40_000), 1..300),
    ) {
        let (mut circuit, mut now) = (Circuit::default(), Instant::now());
        for (sign, is_probe, gap) in events {
            now += Duration::from_millis(gap);
            let before = circuit.is_open();
            let asked = circuit.probe_at();
            let turn = if is_probe {
                circuit.probed(sign, now)
            } else {
                circuit.observe(sign, now)
            };
            let opened = !before && circuit.is_open();
            let closed = before && !circuit.is_open();
            prop_assert_eq!(turn == Some(Turn::Opened), opened);
            prop_assert_eq!(turn == Some(Turn::Closed), closed);
            prop_assert!(!opened || sign != Sign::Alive, "an answer never opens it");
            prop_assert!(!closed || is_probe && sign == Sign::Alive, "only a good probe closes it");
            prop_assert!(!is_probe || asked.is_some() || turn.is_none(), "who was not asked says nothing");
            prop_assert!(circuit.outcomes.len() <= OUTCOMES_MAX);
            if circuit.is_open() {
                let probe_at = circuit.probe_at().expect("an open circuit is probed");
                prop_assert!(before && !is_probe || probe_at <= now + PAUSE_MAX);
            }
        }
    }

    #[test]
    fn while_calls_are_answered_it_stays_closed(
        failures in prop::collection::vec(prop_oneof![Just(Sign::Failing), Just(Sign::Unreachable)], 0..100),
    ) {
        let (mut circuit, now) = (Circuit::default(), Instant::now());
        for failure in failures {
            circuit.observe(Sign::Alive, now);
            circuit.observe(Sign::Alive, now);
            prop_assert_eq!(circuit.observe(failure, now), None);
        }
    }
}
