//! `cuegate serve`: the gateway, until it is told to stop.

use tokio::sync::{mpsc, oneshot};

use super::terminal::Terminal;
use super::{ConfigFile, Exit, StopSignals, environment, wait_for};
use crate::app::{App, Parts, RulesLoaded, StartError};
use crate::config::Config;
use crate::store::StoreError;
use crate::telemetry::{self, LogFormat};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Exit {
    let config = match arguments.config.load() {
        Ok(config) => config,
        Err(error) => {
            terminal.complain(&error.to_string());
            return Exit::Configuration;
        }
    };
    if let Err(error) = telemetry::init(
        LogFormat::detect(),
        environment().get("CUEGATE_LOG").map(String::as_str),
    ) {
        terminal.complain(&error.to_string());
        return Exit::Configuration;
    }
    wait_for(serve(config, terminal))
}

async fn serve(config: Config, terminal: &mut Terminal) -> Exit {
    // Before anything else: as the first process of a container it would not hear a signal that it does not listen to.
    let mut signals = StopSignals::listen();
    let parts = Parts::with_rules_in(config.rules.dir.clone());
    let built = tokio::select! {
        built = App::build(config, &parts) => built,
        // What the start has begun is as safe to leave as in a crash.
        _ = signals.next() => {
            tracing::info!("asked to stop before the start was over; stopped");
            return Exit::Fine;
        }
    };
    let app = match built {
        Ok(app) => app,
        Err(error) => {
            terminal.complain(&error.to_string());
            return exit_of(&error);
        }
    };
    if let RulesLoaded::LastGood(error) | RulesLoaded::None(error) = app.gateway().rules_loaded() {
        terminal.complain(&format!(
            "{error}\n\nThe rules were not taken. Mend them: they are loaded again as soon as the directory is quiet."
        ));
    }
    // One request to reload that waits is as good as many.
    let (ask, asked) = mpsc::channel(1);
    let hangups = tokio::spawn(reload_on_hangup(ask));
    let exit = run_until_stopped(app, asked, signals).await;
    hangups.abort();
    exit
}

/// The first signal stops in order. Whoever asks again does not want to wait, and ending at once is as safe as a crash.
async fn run_until_stopped(app: App, reload: mpsc::Receiver<()>, mut signals: StopSignals) -> Exit {
    let (stop, stopping) = oneshot::channel();
    let asked_twice = async move {
        signals.next().await;
        // Nobody listens only if the gateway has ended by itself.
        let _ = stop.send(());
        signals.next().await
    };
    let shutdown = async {
        // An error is the end of the other branch, which ends this one too.
        let _ = stopping.await;
    };
    tokio::select! {
        () = app.run(reload, shutdown) => Exit::Fine,
        signal = asked_twice => {
            tracing::warn!("asked again to stop: it ends at once, and the next start goes on from what is stored");
            Exit::Cut(signal)
        }
    }
}

async fn reload_on_hangup(ask: mpsc::Sender<()>) {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup =
        signal(SignalKind::hangup()).expect("SIGHUP may be caught, and a runtime is there");
    while hangup.recv().await.is_some() {
        if let Err(mpsc::error::TrySendError::Closed(())) = ask.try_send(()) {
            return;
        }
    }
}

fn exit_of(error: &StartError) -> Exit {
    match error {
        StartError::Config(_)
        | StartError::Source(_)
        | StartError::Client(_)
        | StartError::Egress(_)
        | StartError::SealKey(_) => Exit::Configuration,
        StartError::Store(StoreError::Locked(_)) => Exit::Locked,
        StartError::Store(StoreError::Unsuitable(_)) => Exit::Configuration,
        StartError::Store(_) | StartError::Sandbox(_) | StartError::Listen { .. } => Exit::Findings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_that_another_process_holds_is_a_reason_to_try_again_later() {
        let held = StoreError::Locked("process 7 holds it".to_owned());
        assert_eq!(exit_of(&StartError::Store(held)), Exit::Locked);
        let broken = StoreError::Failed("disk full".to_owned());
        assert_eq!(exit_of(&StartError::Store(broken)), Exit::Findings);
    }
}
