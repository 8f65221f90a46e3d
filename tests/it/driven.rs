//! A rule under a hand that plays the gateway: each call that the engine asks for goes to a simulated Iconik over HTTP, and
//! its answer into the journal.
//!
//! What is no call of Iconik is answered as the gateway would: a sleep with its end, an event that was waited for
//! with one, a job with what Iconik says of it, `state` from a map, another system with what the test says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cuegate::clock::SystemClock;
use cuegate::config;
use cuegate::engine::{self, EngineLimits, Moment, Outcome, Rule};
use cuegate::iconik::{CallError, IconikClient};
use cuegate::model::{
    Answer, Call, Effect, EgressCall, Event, Method, RuleFile, RuleSet, RuleSetId, Secret,
    StateAccess, Step,
};
use cuegate::simulator::{Seed, Simulator, SimulatorOptions};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const LIMITS: EngineLimits = EngineLimits {
    operations: 100_000,
    string_bytes: 16 * 1024,
    elements: 2_000,
    source_bytes: 32 * 1024,
    log_bytes: 64 * 1024,
};

/// What another system answers.
pub(super) type Told = fn(&EgressCall) -> Value;

/// Everything that a rule can reach.
pub(super) struct Outside<'a> {
    client: &'a IconikClient,
    told: Told,
    state: BTreeMap<String, Value>,
    now: Timestamp,
    calls_max: usize,
}

/// When every run begins, and each of its answers comes a second later: the requests are then always the same.
pub(super) fn began() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().expect("a time")
}

/// An Iconik in which everything happens at once.
pub(super) async fn iconik(seed: Value) -> Simulator {
    let seed: Seed = serde_json::from_value(seed).expect("the seed is well formed");
    let options = SimulatorOptions {
        seed: Some(seed),
        index_lag: Duration::ZERO,
        work_takes: Duration::ZERO,
        ..SimulatorOptions::default()
    };
    Simulator::start(options, Arc::new(SystemClock))
        .await
        .expect("the seed can be planted")
}

/// A client of it that nothing slows down.
pub(super) fn client(simulator: &Simulator) -> IconikClient {
    let config = config::Iconik {
        base_url: simulator.base_url(),
        app_id: "demo".to_owned(),
        auth_token: Secret::new("demo"),
        rate: config::Rate {
            per_second: 10_000,
            per_20s: 200_000,
        },
        ..config::Iconik::default()
    };
    IconikClient::new(&config, Arc::new(SystemClock)).expect("a client can be made")
}

/// The rule of a file, which has to have none but good names.
pub(super) fn rule(source: String) -> Rule {
    let files = vec![RuleFile {
        path: "example.rhai".to_owned(),
        source,
    }];
    let compiled = engine::compile(&files, &json!({}), &LIMITS);
    let shown: Vec<String> = compiled
        .diagnostics
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
    let set = RuleSet {
        id: RuleSetId::from("set"),
        files,
        rules: compiled.rules,
        site: "https://iconik.test".to_owned(),
        vars: json!({}),
    };
    let program = set
        .program(&set.rules[0].rule)
        .expect("the rule is in the set");
    Rule::load(Arc::new(program), &LIMITS).expect("it compiled before")
}

/// The calls of Iconik in a journal.
pub(super) fn calls(journal: &[Step]) -> impl Iterator<Item = &Call> {
    journal.iter().filter_map(|step| match &step.effect {
        Effect::Call(call) => Some(call),
        _ => None,
    })
}

impl<'a> Outside<'a> {
    /// An outside that takes at most so many steps.
    pub(super) fn new(client: &'a IconikClient, told: Told, calls_max: usize) -> Self {
        Self {
            client,
            told,
            state: BTreeMap::new(),
            now: began(),
            calls_max,
        }
    }

    /// Advances a rule to its end, as the runner does; the journal and the end.
    pub(super) async fn drive(mut self, rule: &Rule, event: &Arc<Event>) -> (Vec<Step>, Outcome) {
        let moment = Moment::of_run(began());
        let mut journal: Vec<Step> = Vec::new();
        while journal.len() <= self.calls_max {
            let outcome = rule
                .advance(&moment, event, Arc::from(journal.clone()))
                .outcome;
            let Outcome::Effect(effect) = outcome else {
                return (journal, outcome);
            };
            self.now += SignedDuration::from_secs(1);
            journal.push(Step {
                number: u32::try_from(journal.len()).expect("an example is short"),
                digest: effect.digest(),
                answer: self.answer(&effect, event).await,
                effect,
            });
        }
        panic!("it makes more than {} calls", self.calls_max);
    }

    async fn answer(&mut self, effect: &Effect, event: &Arc<Event>) -> Answer {
        let (status, body) = match effect {
            Effect::Call(call) => self.call(call).await,
            Effect::Sleep(sleep) => {
                self.now = self.now.max(sleep.until);
                (200, Value::Null)
            }
            Effect::WaitForEvent(wait) => {
                assert!(wait.is_met_by(event), "{effect} is not met");
                (200, json!(&**event))
            }
            Effect::WaitForJob(wait) => {
                let (status, job) = self.call(&reading(&wait.job)).await;
                let ended = job["status"] != "STARTED";
                (status, if ended { job } else { Value::Null })
            }
            Effect::State(call) => (200, self.access(&call.key, &call.access)),
            Effect::Egress(call) => {
                let headers = json!({ "content-type": "application/json" });
                (
                    200,
                    json!({ "headers": headers, "body": (self.told)(call) }),
                )
            }
        };
        Answer {
            status,
            body,
            at: self.now,
        }
    }

    async fn call(&self, call: &Call) -> (u16, Value) {
        match self.client.send(call).await {
            Ok(reply) => (reply.status, reply.body),
            Err(CallError::Refused { status, body, .. }) => (status, body),
            Err(error) => panic!("{} {}: {error}", call.method, call.path),
        }
    }

    fn access(&mut self, key: &str, access: &StateAccess) -> Value {
        let before = self.state.get(key).cloned().unwrap_or_default();
        let (after, answer) = match access {
            StateAccess::Get => return before,
            StateAccess::Delete => {
                return self.state.remove(key).is_some().into();
            }
            StateAccess::Set { value, .. } => (value.clone(), Value::Null),
            StateAccess::Add { amount, .. } => {
                let sum = Value::from(before.as_i64().unwrap_or_default() + amount);
                (sum.clone(), sum)
            }
            StateAccess::SetIf {
                expected, value, ..
            } => {
                if before != *expected {
                    return false.into();
                }
                (value.clone(), true.into())
            }
        };
        self.state.insert(key.to_owned(), after);
        answer
    }
}

fn reading(job: &str) -> Call {
    Call {
        method: Method::Get,
        path: format!("jobs/v1/jobs/{job}/"),
        query: BTreeMap::new(),
        body: None,
        cacheable: false,
        position: None,
    }
}
