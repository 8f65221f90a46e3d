//! What people decide about runs, in the store and in the model.

use cuegate::store::{Cancelling, Deciding, Replaying, RetryAs, Retrying, Version};

use super::commands::Command;
use super::model::{Model, ModelRun};
use super::*;

pub(super) async fn decide(store: &dyn Store, model: &mut Model, command: Command) {
    let (Command::Cancel(which) | Command::Retry(which, _) | Command::Replay(which)) = command
    else {
        panic!("{command:?} is nobody's decision");
    };
    if model.runs.is_empty() {
        return;
    }
    let run = model.runs[which % model.runs.len()].clone();
    match command {
        Command::Retry(_, said) => retry(store, model, &run, said).await,
        Command::Replay(_) => replay(store, model, &run).await,
        _ => cancel(store, model, &run).await,
    }
}

fn deciding(model: &Model) -> Deciding {
    Deciding {
        by: None,
        at: at(model.now),
    }
}

fn expect_refusal<T: std::fmt::Debug>(answer: &Result<T, StoreError>) {
    assert!(matches!(answer, Err(StoreError::Refused(_))), "{answer:?}");
}

async fn cancel(store: &dyn Store, model: &mut Model, run: &ModelRun) {
    let cancelling = Cancelling {
        reason: "a mistake".to_owned(),
        deciding: deciding(model),
    };
    let cancelled = store.cancel(run.id, cancelling).await;
    if run.state.is_final() {
        return expect_refusal(&cancelled);
    }
    assert_eq!(cancelled.unwrap(), 1);
    model.cancel(run.id);
}

async fn retry(store: &dyn Store, model: &mut Model, run: &ModelRun, said: Option<RetryAs>) {
    let retrying = Retrying {
        how: said,
        deciding: deciding(model),
    };
    let made = store.retry(run.id, retrying).await;
    if !model.may_retry(run, said) {
        return expect_refusal(&made);
    }
    let mut journal = run.journal.clone();
    if said == Some(RetryAs::Happened) {
        let Intent {
            number,
            digest,
            effect,
            ..
        } = intent(run.steps());
        let latest = journal.last().map(|step| step.answer.at);
        journal.push(Step {
            number,
            digest,
            effect,
            answer: Answer {
                status: 204,
                body: serde_json::Value::Null,
                at: at(model.now).max(latest.unwrap_or(at(model.now))),
            },
        });
    }
    model.retried(run.id, made.unwrap(), journal);
}

async fn replay(store: &dyn Store, model: &mut Model, run: &ModelRun) {
    let replaying = Replaying {
        version: Version::Then { binding: 3 },
        deciding: deciding(model),
    };
    let made = store.replay(run.id, replaying).await;
    if !run.state.is_final() {
        return expect_refusal(&made);
    }
    model.replayed(run.id, made.unwrap());
}
