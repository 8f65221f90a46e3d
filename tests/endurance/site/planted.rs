//! The judgement finds what is planted, each time with the count that the table shows, and nothing in a clean round.

use cuegate::model::RunState;
use libtest_mimic::Trial;

use super::cases::CASES;
use super::evidence::{Arrival, Evidence, Ran, Told, Unheard};
use super::totals::Totals;

pub(crate) fn trials() -> Vec<Trial> {
    let tests: [(&str, fn()); 5] = [
        ("a_clean_round_breaks_nothing", a_clean_round_breaks_nothing),
        ("a_lost_event_is_found", a_lost_event_is_found),
        (
            "what_comes_after_its_successor_is_found",
            what_comes_after_its_successor_is_found,
        ),
        (
            "an_effect_that_is_there_twice_is_found",
            an_effect_that_is_there_twice_is_found,
        ),
        (
            "a_run_that_does_not_end_well_is_found",
            a_run_that_does_not_end_well_is_found,
        ),
    ];
    let trial = |(name, test): (&str, fn())| {
        Trial::test(format!("judgement::{name}"), move || {
            test();
            Ok(())
        })
    };
    tests.into_iter().map(trial).collect()
}

fn case(name: &str) -> usize {
    let place = CASES.iter().position(|case| case.name == name);
    place.expect("the case is in the table")
}

/// An event that went well.
fn well(name: &str, place: usize) -> Told {
    Told {
        case: case(name),
        lane: 0,
        place,
        acknowledged: true,
        stored: true,
        runs: vec![ran(RunState::Succeeded)],
        done: CASES[case(name)].wanted,
        made: CASES[case(name)].wanted,
        cut: false,
        unheard: Unheard::No,
    }
}

fn ran(state: RunState) -> Ran {
    Ran {
        state,
        behind_parked: false,
        given_up: false,
        reason: String::new(),
    }
}

fn arrival(name: &str, place: usize, call: usize) -> Arrival {
    Arrival {
        case: case(name),
        lane: 0,
        place,
        call,
    }
}

fn judged(events: Vec<Told>, arrivals: Vec<Arrival>) -> (Totals, usize) {
    let mut totals = Totals::default();
    let evidence = Evidence {
        events,
        arrivals,
        power: false,
    };
    let broken = evidence.judge(&mut totals);
    (totals, broken.len())
}

fn a_clean_round_breaks_nothing() {
    let events = CASES.iter().map(|case| well(case.name, 1)).collect();
    let arrivals = vec![
        arrival("job", 1, 0),
        arrival("job", 1, 0),
        arrival("job", 1, 1),
        arrival("job", 1, 1),
        arrival("job", 2, 0),
    ];
    let (totals, broken) = judged(events, arrivals);
    assert_eq!(broken, 0, "{totals}");
    assert_eq!(totals.cases["job"].repeated_calls, 1);

    let cut = Told {
        runs: vec![ran(RunState::Parked)],
        made: 0,
        cut: true,
        ..well("append", 1)
    };
    let behind = Told {
        runs: vec![Ran {
            behind_parked: true,
            ..ran(RunState::Queued)
        }],
        made: 0,
        ..well("append", 2)
    };
    let (totals, broken) = judged(vec![cut, behind], vec![arrival("append", 1, 0)]);
    assert_eq!(broken, 0, "{totals}");
    let row = &totals.cases["append"];
    assert_eq!((row.cut, row.parked, row.behind_parked), (1, 1, 1));
}

fn a_lost_event_is_found() {
    for lost in [
        Told {
            stored: false,
            runs: Vec::new(),
            ..well("put", 1)
        },
        Told {
            runs: Vec::new(),
            ..well("put", 1)
        },
    ] {
        let (totals, broken) = judged(vec![lost, well("put", 2)], Vec::new());
        assert_eq!((totals.lost, totals.acknowledged, broken), (1, 2, 1));
    }
}

fn what_comes_after_its_successor_is_found() {
    let overtaken = vec![arrival("put", 2, 0), arrival("put", 1, 0)];
    let (totals, broken) = judged(Vec::new(), overtaken);
    assert_eq!((totals.disorder, broken), (1, 1));

    let again = vec![
        arrival("job", 1, 0),
        arrival("job", 1, 1),
        arrival("job", 1, 0),
    ];
    let (totals, broken) = judged(Vec::new(), again);
    assert_eq!(
        (totals.disorder, totals.cases["job"].twice, broken),
        (0, 1, 1)
    );

    let read_again = vec![
        arrival("read", 1, 0),
        arrival("read", 1, 1),
        arrival("read", 1, 0),
    ];
    for (power, expected) in [(false, 1), (true, 0)] {
        let evidence = Evidence {
            events: Vec::new(),
            arrivals: read_again.clone(),
            power,
        };
        let broken = evidence.judge(&mut Totals::default());
        assert_eq!(broken.len(), expected, "{broken:?}");
    }

    let elsewhere = vec![
        arrival("put", 2, 0),
        Arrival {
            lane: 1,
            ..arrival("put", 1, 0)
        },
    ];
    assert_eq!(
        judged(Vec::new(), elsewhere).1,
        0,
        "lanes do not wait for each other"
    );
}

fn an_effect_that_is_there_twice_is_found() {
    let twice = Told {
        made: 2,
        ..well("segment", 1)
    };
    let (totals, broken) = judged(vec![twice], Vec::new());
    assert_eq!((totals.cases["segment"].twice, broken), (1, 1));

    for (name, twice) in [("state", 1), ("entry", 1), ("put", 0)] {
        let done_twice = Told {
            done: 2,
            ..well(name, 1)
        };
        let (totals, broken) = judged(vec![done_twice], Vec::new());
        assert_eq!(
            (totals.cases[name].twice, broken),
            (twice, usize::from(twice > 0)),
            "{name}"
        );
    }

    let two_runs = Told {
        runs: vec![ran(RunState::Succeeded), ran(RunState::Succeeded)],
        ..well("read", 1)
    };
    let (totals, broken) = judged(vec![two_runs], Vec::new());
    assert_eq!((totals.cases["read"].twice, broken), (1, 1));
}

fn a_run_that_does_not_end_well_is_found() {
    for state in [
        RunState::Running,
        RunState::Waiting,
        RunState::Queued,
        RunState::Dead,
    ] {
        let stuck = Told {
            runs: vec![ran(state)],
            ..well("put", 1)
        };
        let (totals, broken) = judged(vec![stuck], Vec::new());
        assert_eq!((totals.stuck, broken), (1, 1), "{state:?}");
    }
    let without_need = Told {
        runs: vec![ran(RunState::Parked)],
        ..well("append", 1)
    };
    let of_another_class = Told {
        cut: true,
        runs: vec![ran(RunState::Parked)],
        ..well("put", 1)
    };
    for parked in [without_need, of_another_class] {
        let (totals, broken) = judged(vec![parked], Vec::new());
        assert_eq!((totals.stuck, broken), (1, 1));
    }
    let without_effect = Told {
        made: 0,
        ..well("job", 1)
    };
    let (totals, broken) = judged(vec![without_effect], Vec::new());
    assert_eq!((totals.missing, broken), (1, 1));
    let unasked = Told {
        cut: true,
        ..well("append", 1)
    };
    let (totals, broken) = judged(vec![unasked], Vec::new());
    assert_eq!((totals.unparked, broken), (1, 1));
}
