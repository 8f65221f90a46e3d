//! Events are routed once more: for a rule that is out of quarantine, or because a person asks for it.

use super::*;

fn quarantine(rule: &str) -> Pause {
    Pause {
        scope: PauseScope::Rule(RuleId::from(rule)),
        quarantine: true,
        reason: "it kills workers".to_owned(),
        since: at(0),
    }
}

async fn release(store: &dyn Store, rule: &str) {
    let scope = PauseScope::Rule(RuleId::from(rule));
    assert!(store.resume(scope).await.unwrap());
}

/// The decision that only a rule in quarantine might want the event.
fn held(rule: &str) -> Decision {
    Decision {
        state: EventState::Held,
        held: vec![RuleId::from(rule)],
        ..Decision::default()
    }
}

fn failed(rule: &str, version: &str, line: u32) -> Decision {
    let failure = Failure {
        position: Some(Position { line, column: 1 }),
        ..Failure::new(DeadClass::ScriptError, "`titel` is missing")
    };
    Decision {
        state: EventState::WhenFailed,
        failures: vec![(RuleId::from(rule), RuleVersion::from(version), failure)],
        ..Decision::default()
    }
}

/// Accepts and routes events with these numbers, each decided so.
async fn route(store: &dyn Store, numbers: impl IntoIterator<Item = u32>, decision: &Decision) {
    let numbers: Vec<u32> = numbers.into_iter().collect();
    store.accept(events(numbers.iter().copied())).await.unwrap();
    let batch = store.unrouted(1_000).await.unwrap();
    assert_eq!(batch.events.len(), numbers.len());
    let decisions = vec![decision.clone(); numbers.len()];
    committed(store.route(routing(batch.batch, decisions)).await);
}

fn committed(routed: Result<Routed, StoreError>) -> (Vec<RunId>, Vec<(usize, usize)>) {
    match routed.unwrap() {
        Routed::Committed { runs, firsts, .. } => (runs, firsts),
        Routed::Stale => panic!("nobody else routes"),
    }
}

/// Decides so about everything at the front of the line.
async fn reroute(store: &dyn Store, decision: &Decision) -> (Vec<RunId>, Vec<(usize, usize)>) {
    let line = store.to_reroute(1_000).await.unwrap();
    let decisions = vec![decision.clone(); line.events.len()];
    committed(store.reroute(routing(line.batch, decisions)).await)
}

async fn state(store: &dyn Store, number: u32) -> EventState {
    let found = store.event(event(number).id).await.unwrap();
    found.unwrap().state
}

async fn runs_of(store: &dyn Store, number: u32) -> usize {
    let filter = RunFilter {
        event: Some(event(number).id),
        ..RunFilter::default()
    };
    store.runs(filter).await.unwrap().len()
}

fn ids(numbers: impl IntoIterator<Item = u32>) -> WhichEvents {
    WhichEvents::Ids(numbers.into_iter().map(|number| event(number).id).collect())
}

fn to(which: WhichEvents, rule: &str) -> Reroute {
    Reroute {
        which,
        to: (!rule.is_empty()).then(|| RuleId::from(rule)),
        again: false,
        count_only: false,
    }
}

fn when_failed(page: Option<ReroutePage>) -> WhichEvents {
    WhichEvents::Matching {
        filter: Box::new(EventFilter {
            states: vec![EventState::WhenFailed],
            ..EventFilter::default()
        }),
        failed: None,
        page,
    }
}

fn numbers(line: &ToReroute) -> Vec<String> {
    let names = line
        .events
        .iter()
        .map(|in_line| in_line.event.text("object_id"));
    names.map(|name| name.unwrap().to_owned()).collect()
}

pub(crate) async fn what_a_quarantine_holds_back_stands_in_line_after_its_release(
    place: &dyn Place,
) {
    let store = open(place).await;
    store.pause(quarantine("a")).await.unwrap();
    store.accept(events([1])).await.unwrap();
    let batch = store.unrouted(9).await.unwrap();
    assert_eq!(batch.held, [RuleId::from("a")]);
    let decisions = vec![held("a")];
    committed(store.route(routing(batch.batch, decisions)).await);
    route(&*store, [2], &held("a")).await;
    let mixed = Decision {
        state: EventState::Routed,
        runs: vec![new_run("b", "x")],
        ..held("a")
    };
    route(&*store, [3], &mixed).await;
    assert_eq!(state(&*store, 1).await, EventState::Held);
    assert!(store.to_reroute(9).await.unwrap().events.is_empty());

    release(&*store, "a").await;
    drop(store);
    let store = place.open().await;
    let line = store.to_reroute(9).await.unwrap();
    assert_eq!(numbers(&line), ["1", "2", "3"]);
    assert!(line.events.iter().all(|one| one.to == Some("a".into())));
    assert_eq!(line.events[2].ran, [RuleId::from("b")]);
    let decision = routed(vec![new_run("a", "lane")]);
    let decisions = vec![decision.clone(); 3];
    let routing = routing(line.batch, decisions);
    let (runs, _) = committed(store.reroute(routing.clone()).await);
    assert_eq!(runs.len(), 3);
    assert_eq!(store.reroute(routing).await.unwrap(), Routed::Stale);
    assert!(store.to_reroute(9).await.unwrap().events.is_empty());
    for number in 1..=3 {
        assert_eq!(state(&*store, number).await, EventState::Routed);
        assert_eq!(runs_of(&*store, number).await, 1 + usize::from(number == 3));
    }
    let first = claim_one_of(&*store, "a").await;
    assert_eq!(first.event.id, event(1).id, "they keep their order");
}

async fn claim_one_of(store: &dyn Store, rule: &str) -> Claim {
    let claims = store.claim(Claiming::up_to(100), at(10)).await.unwrap();
    let mut of_rule = claims
        .into_iter()
        .filter(|claim| claim.run.rule.as_str() == rule);
    of_rule.next().unwrap()
}

pub(crate) async fn a_rule_that_is_behind_gets_newer_events_after_the_older_ones(
    place: &dyn Place,
) {
    let store = open(place).await;
    store.pause(quarantine("a")).await.unwrap();
    route(&*store, [1, 2], &held("a")).await;
    release(&*store, "a").await;
    store.accept(events([3])).await.unwrap();
    let batch = store.unrouted(9).await.unwrap();
    assert_eq!(batch.held, [RuleId::from("a")], "it is behind");
    committed(store.route(routing(batch.batch, vec![held("a")])).await);
    assert_eq!(
        numbers(&store.to_reroute(9).await.unwrap()),
        ["1", "2", "3"]
    );
    reroute(&*store, &routed(vec![new_run("a", "x")])).await;
    store.accept(events([4])).await.unwrap();
    assert!(store.unrouted(9).await.unwrap().held.is_empty());
}

pub(crate) async fn an_event_that_is_held_after_the_release_was_decided_is_not_forgotten(
    place: &dyn Place,
) {
    let store = open(place).await;
    store.pause(quarantine("a")).await.unwrap();
    store.accept(events([1])).await.unwrap();
    let batch = store.unrouted(9).await.unwrap();
    release(&*store, "a").await;
    committed(store.route(routing(batch.batch, vec![held("a")])).await);
    assert_eq!(numbers(&store.to_reroute(9).await.unwrap()), ["1"]);
}

pub(crate) async fn an_event_of_two_quarantines_is_held_until_both_have_decided(place: &dyn Place) {
    let store = open(place).await;
    store.pause(quarantine("a")).await.unwrap();
    store.pause(quarantine("b")).await.unwrap();
    let mut both = held("a");
    both.held.push("b".into());
    route(&*store, [1], &both).await;
    release(&*store, "a").await;
    reroute(&*store, &routed(Vec::new())).await;
    assert_eq!(state(&*store, 1).await, EventState::Held);
    release(&*store, "b").await;
    reroute(&*store, &routed(Vec::new())).await;
    assert_eq!(state(&*store, 1).await, EventState::Routed);
}

pub(crate) async fn a_pause_and_a_quarantine_of_one_rule_do_not_end_each_other(place: &dyn Place) {
    let store = open(place).await;
    let by_a_person = Pause {
        quarantine: false,
        reason: "a person said so".to_owned(),
        ..quarantine("a")
    };
    for pauses in [
        [quarantine("a"), by_a_person.clone()],
        [by_a_person.clone(), quarantine("a")],
    ] {
        for pause in pauses {
            store.pause(pause.clone()).await.unwrap();
            store.pause(pause).await.unwrap();
        }
        let kept = store.pauses().await.unwrap().remove(0);
        assert!(kept.quarantine);
        for reason in ["a person said so", "it kills workers"] {
            assert_eq!(kept.reason.matches(reason).count(), 1, "{kept:?}");
        }
        release(&*store, "a").await;
        assert!(store.pauses().await.unwrap().is_empty());
    }
}

pub(crate) async fn an_event_is_routed_again_to_rules_that_have_no_run_of_it(place: &dyn Place) {
    let store = open(place).await;
    route(&*store, [1, 2], &routed(vec![new_run("a", "x")])).await;
    let unknown = event(9).id;
    let asked = store.ask_reroute(to(ids([2, 1, 9]), "")).await.unwrap();
    assert_eq!((asked.events, asked.unknown), (2, vec![unknown]));
    store.ask_reroute(to(ids([1]), "")).await.unwrap();
    let line = store.to_reroute(9).await.unwrap();
    assert_eq!(numbers(&line), ["1", "2"], "each once, the oldest first");
    assert_eq!(
        (line.events[0].to.clone(), line.events[0].again),
        (None, false)
    );
    let both = routed(vec![new_run("a", "x"), new_run("b", "x")]);
    let (runs, _) = reroute(&*store, &both).await;
    assert_eq!(runs.len(), 2);
    for run in runs {
        let run = store.run(run).await.unwrap().unwrap();
        assert_eq!(run.rule.as_str(), "b");
    }
}

pub(crate) async fn an_event_is_routed_again_to_a_rule_that_has_a_run_of_it_only_if_asked(
    place: &dyn Place,
) {
    let store = open(place).await;
    route(&*store, [1], &routed(vec![new_run("a", "x")])).await;
    let again = Reroute {
        again: true,
        ..to(ids([1]), "a")
    };
    store.ask_reroute(again).await.unwrap();
    let line = store.to_reroute(9).await.unwrap();
    assert!(line.events[0].again);
    reroute(&*store, &routed(vec![new_run("a", "x")])).await;
    assert_eq!(runs_of(&*store, 1).await, 2);
}

pub(crate) async fn decisions_of_another_rule_set_leave_the_line_as_it_is(place: &dyn Place) {
    let store = open(place).await;
    route(&*store, [1], &routed(Vec::new())).await;
    store.ask_reroute(to(ids([1]), "")).await.unwrap();
    let line = store.to_reroute(9).await.unwrap();
    let batch = line.batch.clone();
    store.activate_rule_set(rule_set("two")).await.unwrap();
    let decisions = vec![routed(vec![new_run("a", "x")])];
    let stale = store.reroute(routing(batch, decisions)).await.unwrap();
    assert_eq!(stale, Routed::Stale);
    assert_eq!(runs_of(&*store, 1).await, 0);
    assert_eq!(store.to_reroute(9).await.unwrap().events, line.events);
    let wrong = Routing {
        rule_set: "two".into(),
        ..routing(line.batch, Vec::new())
    };
    assert!(matches!(
        store.reroute(wrong).await,
        Err(StoreError::Failed(_))
    ));
}

pub(crate) async fn failures_are_counted_by_place_and_told_once(place: &dyn Place) {
    let store = open(place).await;
    store.accept(events([1, 2, 3, 4])).await.unwrap();
    let batch = store.unrouted(9).await.unwrap();
    let decisions = vec![
        failed("a", "v1", 4),
        failed("a", "v1", 4),
        failed("a", "v1", 9),
        failed("b", "v1", 4),
    ];
    let (_, firsts) = committed(store.route(routing(batch.batch, decisions)).await);
    assert_eq!(firsts, [(0, 0), (2, 0), (3, 0)]);
    drop(store);
    let store = place.open().await;
    store.accept(events([5, 6])).await.unwrap();
    let batch = store.unrouted(9).await.unwrap();
    let decisions = vec![failed("a", "v1", 4), failed("a", "v2", 4)];
    let (_, firsts) = committed(store.route(routing(batch.batch, decisions)).await);
    assert_eq!(firsts, [(1, 0)]);

    let places = store.when_failures(9).await.unwrap();
    let counted: Vec<_> = places
        .iter()
        .map(|one| {
            (
                one.rule.as_str(),
                one.version.as_str(),
                one.line,
                one.events,
            )
        })
        .collect();
    assert_eq!(
        counted,
        [
            ("a", "v1", Some(4), 3),
            ("a", "v1", Some(9), 1),
            ("a", "v2", Some(4), 1),
            ("b", "v1", Some(4), 1),
        ]
    );
    let most = &places[0];
    assert_eq!((most.first, most.last), (event(1).id, event(5).id));
    assert!(most.failure.message.contains("titel"));
    assert_eq!(store.when_failures(1).await.unwrap(), places[..1]);
}

pub(crate) async fn an_event_whose_failures_are_gone_is_routed(place: &dyn Place) {
    let store = open(place).await;
    let mut twice = failed("a", "v1", 4);
    twice.failures.extend(failed("b", "v1", 5).failures);
    route(&*store, [1], &twice).await;
    store.ask_reroute(to(ids([1]), "a")).await.unwrap();
    reroute(&*store, &routed(vec![new_run("a", "x")])).await;
    assert_eq!(state(&*store, 1).await, EventState::WhenFailed);
    let left = store.event(event(1).id).await.unwrap().unwrap().failures;
    assert_eq!(left, failed("b", "v1", 5).failures);

    store.ask_reroute(to(ids([1]), "")).await.unwrap();
    let (_, firsts) = reroute(&*store, &failed("b", "v1", 5)).await;
    assert!(firsts.is_empty(), "it is no news");
    assert_eq!(state(&*store, 1).await, EventState::WhenFailed);

    store.ask_reroute(to(ids([1]), "")).await.unwrap();
    reroute(&*store, &routed(Vec::new())).await;
    assert_eq!(state(&*store, 1).await, EventState::Routed);
    assert!(store.when_failures(9).await.unwrap().is_empty());
    let found = store.event(event(1).id).await.unwrap().unwrap();
    assert!(found.failures.is_empty());
}

pub(crate) async fn a_filter_puts_its_events_in_line_page_by_page_and_no_newer_ones(
    place: &dyn Place,
) {
    let store = open(place).await;
    route(&*store, [1], &routed(Vec::new())).await;
    for first in [2, 1_002, 2_002] {
        route(&*store, first..first + 1_000, &failed("a", "v1", 4)).await;
    }
    route(&*store, [5_000], &failed("b", "v1", 4)).await;
    let first = store.ask_reroute(to(when_failed(None), "")).await.unwrap();
    assert!(first.events < 3_001 && first.next.is_some(), "{first:?}");
    route(&*store, [5_001], &failed("a", "v1", 4)).await;
    let (mut events, mut next) = (first.events, first.next);
    while let Some(page) = next {
        let asked = to(when_failed(Some(page)), "");
        let asked = store.ask_reroute(asked).await.unwrap();
        (events, next) = (events + asked.events, asked.next);
    }
    assert_eq!(events, 3_001);

    let of_b = WhichEvents::Matching {
        filter: Box::new(EventFilter {
            since: Some(at(0)),
            ..EventFilter::default()
        }),
        failed: Some("b".into()),
        page: None,
    };
    let asked = store.ask_reroute(to(of_b, "b")).await.unwrap();
    assert_eq!((asked.events, asked.next), (1, None));
}
