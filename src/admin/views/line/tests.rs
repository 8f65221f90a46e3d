//! The words about a run.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::model::{
    Answer, Call, EventId, EventKey, EventKind, Failure, LaneKey, Pattern, Position, RuleId,
    RuleSetId, RuleVersion, RunId, SourceName, Step, Tally, WaitForEvent,
};
use crate::store::Intent;

const ASSET: &str = "2c5bfe1a-f149-11eb-a843-0a580a3db916";

fn run(state: RunState) -> Run {
    Run {
        id: RunId(17),
        event: EventId([7; 16]),
        rule: RuleId::from("news/tag"),
        version: RuleVersion::from("0123456789abcdef"),
        rule_set: RuleSetId::from("set"),
        binding: 1,
        lane: LaneKey::from(ASSET),
        state,
        attempt: 1,
        created_at: at("2026-03-01T12:00:00Z"),
        started_at: None,
        failing_since: None,
        due_at: None,
        waits_for: None,
        parked: None,
        object: Some(ASSET.to_owned()),
        priority: 0,
        parent: None,
        origin: None,
        followed_by: None,
        released: None,
        children: None,
        ended_at: None,
        reason: None,
        failure: None,
    }
}

fn at(time: &str) -> jiff::Timestamp {
    time.parse().unwrap()
}

fn step(number: u32, method: Method, path: &str, (status, body): (u16, Value)) -> Step {
    let effect = Effect::Call(Call {
        method,
        path: path.to_owned(),
        query: BTreeMap::new(),
        body: None,
        cacheable: false,
        position: None,
    });
    Step {
        number,
        digest: effect.digest(),
        effect,
        answer: Answer {
            status,
            body,
            at: at("2026-03-01T12:00:01Z"),
        },
    }
}

fn event() -> Event {
    let source = SourceName::from("iconik");
    let key = EventKey::of_message(&source, "1");
    Event {
        id: key.event_id(1),
        key,
        window: 1,
        source,
        kind: EventKind::Webhook,
        received_at: at("2026-03-01T12:00:00Z"),
        headers: BTreeMap::new(),
        body: json!({
            "event_type": "assets", "realm": "entity", "operation": "create", "object_id": ASSET,
            "data": { "id": ASSET, "title": "As it came" },
        }),
    }
}

fn tell(run: &Run, trace: &Trace, standing: &Standing, pauses: &[Pause]) -> RunDetails {
    let event = event();
    let teller = Teller {
        run,
        event: Some(&event),
        trace: Some(trace),
        standing,
        pauses,
        site: "https://app.iconik.io",
        iconik_away: false,
    };
    teller.details()
}

#[test]
fn while_iconik_is_away_the_next_run_says_what_it_waits_for() {
    let (queued, standing) = (run(RunState::Queued), Standing::default());
    let teller = Teller {
        run: &queued,
        event: None,
        trace: None,
        standing: &standing,
        pauses: &[],
        site: "https://app.iconik.io",
        iconik_away: true,
    };
    let told = teller.details().standing.unwrap_or_default();
    assert!(told.contains("when Iconik can be used again"), "{told}");
}

#[test]
fn a_dead_run_says_everything_in_one_line() {
    let path = format!("assets/v1/assets/{ASSET}/");
    let trace = Trace {
        steps: vec![
            step(
                0,
                Method::Get,
                &path,
                (200, json!({ "id": ASSET, "title": "SPORT_final" })),
            ),
            step(
                1,
                Method::Delete,
                &path,
                (409, json!({ "errors": ["in use"] })),
            ),
        ],
        ..Trace::default()
    };
    let mut dead = run(RunState::Dead);
    dead.failure = Some(Failure {
        file: Some("news/tag.rhai".to_owned()),
        position: Some(Position {
            line: 12,
            column: 5,
        }),
        excerpt: Some("    asset.trash();".to_owned()),
        ..Failure::new(DeadClass::ApiError, "Iconik refused it with 409: in use")
    });
    let told = tell(&dead, &trace, &Standing::default(), &[]);
    assert_eq!(
        told.line,
        format!(
            "dead (api_error) · news/tag@0123456789ab · \"SPORT_final\" https://app.iconik.io/asset/{ASSET} · \
             news/tag.rhai:12 `asset.trash();` · Iconik refused it with 409: in use · step 1 · next: cuegate runs retry 17"
        )
    );
    assert!(!told.line.contains('\n'));

    dead.failure = Some(Failure::new(DeadClass::ScriptError, "no `titel`"));
    let told = tell(&dead, &trace, &Standing::default(), &[]);
    assert!(
        told.line.ends_with("step 2 · next: cuegate runs replay 17"),
        "{}",
        told.line
    );

    dead.followed_by = Some(RunId(18));
    let told = tell(&dead, &trace, &Standing::default(), &[]);
    assert_eq!(told.next.as_deref(), Some("cuegate runs show 18"));
}

#[test]
fn a_parked_run_asks_for_the_word_that_it_needs() {
    let mut parked = run(RunState::Parked);
    parked.parked = Some(crate::model::ParkedClass::Uncertain);
    parked.reason = Some("nobody knows".to_owned());
    let Step { digest, effect, .. } = step(0, Method::Post, "jobs/v1/jobs/", (201, Value::Null));
    let open = Intent {
        number: 0,
        digest,
        effect,
        at: at("2026-03-01T12:00:01Z"),
    };
    let uncertain = Trace {
        open: Some(open),
        ..Trace::default()
    };
    let told = tell(&parked, &uncertain, &Standing::default(), &[]);
    assert!(
        told.line.ends_with(
            "nobody knows · step 0 · next: cuegate runs retry 17 --as happened (or --as again)"
        ),
        "{}",
        told.line
    );
    // The event told the title before anything was read.
    assert!(told.line.contains("\"As it came\""), "{}", told.line);
    parked.parked = Some(crate::model::ParkedClass::Loop);
    let told = tell(&parked, &Trace::default(), &Standing::default(), &[]);
    assert_eq!(told.next.as_deref(), Some("cuegate runs retry 17"));
}

#[test]
fn a_run_that_needs_nobody_names_no_command() {
    for state in [
        RunState::Queued,
        RunState::Running,
        RunState::Waiting,
        RunState::Succeeded,
    ] {
        let told = tell(&run(state), &Trace::default(), &Standing::default(), &[]);
        assert_eq!(told.next, None, "{state:?}");
        assert!(!told.line.contains("next:"), "{}", told.line);
    }
}

#[test]
fn a_queued_run_says_whom_it_waits_behind() {
    let queued = run(RunState::Queued);
    let mut head = Run {
        id: RunId(9),
        due_at: Some(at("2026-03-01T14:00:00Z")),
        waits_for: Some(WaitsFor::Time),
        ..run(RunState::Waiting)
    };
    let behind = |head: &Run, before| {
        let standing = Standing {
            head: Some(Box::new(head.clone())),
            before,
            ..Standing::default()
        };
        tell(&queued, &Trace::default(), &standing, &[])
            .standing
            .unwrap()
    };
    assert_eq!(
        behind(&head, 1),
        "behind run 9, asleep until 2026-03-01T14:00:00Z"
    );
    assert_eq!(
        behind(&head, 3),
        "behind run 9, asleep until 2026-03-01T14:00:00Z, 3 runs of its lane come first"
    );
    head.state = RunState::Parked;
    assert_eq!(
        behind(&head, 1),
        "behind run 9, which is parked and waits for a decision"
    );

    let told = |run: &Run| {
        tell(run, &Trace::default(), &Standing::default(), &[])
            .standing
            .unwrap()
    };
    assert_eq!(told(&queued), "is claimed next in its lane");
    let quiet = Run {
        due_at: Some(at("2026-03-01T12:00:02Z")),
        ..run(RunState::Queued)
    };
    assert_eq!(
        told(&quiet),
        "begins when its lane has been quiet, at 2026-03-01T12:00:02Z"
    );
}

#[test]
fn a_waiting_run_says_what_for_and_until_when() {
    let until = "2026-03-02T12:00:00Z";
    let told = |waits_for, standing: &Standing| {
        let waiting = Run {
            waits_for: Some(waits_for),
            due_at: Some(at(until)),
            ..run(RunState::Waiting)
        };
        tell(&waiting, &Trace::default(), standing, &[])
            .standing
            .unwrap()
    };
    let nothing = Standing::default();
    assert_eq!(
        told(WaitsFor::Time, &nothing),
        format!("asleep until {until}")
    );
    assert_eq!(
        told(WaitsFor::Retry, &nothing),
        format!("waits for the next try until {until}")
    );
    assert_eq!(
        told(WaitsFor::Writes, &nothing),
        "is held at a write until writes are resumed"
    );
    let job = Standing {
        job: Some("J1".to_owned()),
        ..Standing::default()
    };
    assert_eq!(
        told(WaitsFor::Job, &job),
        format!("waits for job J1 until {until}")
    );
    let wait = WaitForEvent {
        pattern: Pattern {
            source: "iconik".to_owned(),
            parts: ["jobs", "*", "*"].map(str::to_owned).to_vec(),
        },
        fields: [("asset_id".to_owned(), json!(ASSET))].into(),
        until: at(until),
        position: None,
    };
    let event = Standing {
        event: Some(wait),
        ..Standing::default()
    };
    assert_eq!(
        told(WaitsFor::Event, &event),
        format!("waits for `jobs/*/*` with asset_id = \"{ASSET}\" until {until}")
    );
    let children = Standing {
        children: Some(Tally {
            objects: 5,
            states: [(RunState::Dead, 2)].into(),
            ..Tally::default()
        }),
        ..Standing::default()
    };
    assert_eq!(
        told(WaitsFor::Children, &children),
        format!("waits for the runs of its objects: 2 of 5 objects done, 2 failed until {until}")
    );
}

#[test]
fn a_pause_that_holds_a_run_is_said_with_the_command_that_ends_it() {
    let pause = |scope: &str, quarantine| Pause {
        scope: PauseScope::parse(scope).unwrap(),
        quarantine,
        reason: "a lunch break".to_owned(),
        since: at("2026-03-01T12:00:00Z"),
    };
    let told = |pauses: &[Pause]| {
        let queued = run(RunState::Queued);
        tell(&queued, &Trace::default(), &Standing::default(), pauses)
            .standing
            .unwrap()
    };
    let words = told(&[pause("all", false)]);
    assert!(
        words.ends_with("every run is paused (a lunch break): `cuegate resume` lets it go on"),
        "{words}"
    );
    let words = told(&[pause("rule:news/tag", true)]);
    assert!(words.contains("in quarantine"), "{words}");
    assert!(words.contains("cuegate resume --rule news/tag"), "{words}");
    assert!(!told(&[pause("rule:other", false), pause("writes", false)]).contains("paused"));
}
