//! The gateway as production runs it: the built program with rules in a directory, and a simulated Iconik
//! beside it. What came of a run is read from the store after the program has stopped, so that nothing but
//! the program itself decides about it.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use cuegate::clock::SystemClock;
use cuegate::model::{LogLine, RuleId, Run};
use cuegate::simulator::{Seed, Simulator, SimulatorOptions};
use cuegate::store::{RunFilter, SqliteOptions, SqliteStore, Store as _};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;

/// Nothing here takes this long unless it hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// More runs than any test makes.
const RUNS_MAX: usize = 100_000;

/// What the program has said so far.
#[derive(Clone, Debug, Default)]
struct Said {
    listening: Option<SocketAddr>,
    /// The rules of the runs that have ended, in order.
    ended: Vec<String>,
    everything: Vec<String>,
}

pub(super) struct Stage {
    pub(super) simulator: Simulator,
    process: Child,
    hooks: SocketAddr,
    http: reqwest::Client,
    said: watch::Receiver<Said>,
    scratch: tempfile::TempDir,
}

impl Stage {
    /// Starts the simulator and `cuegate serve` with these rules (path, source) and lines of `[sandbox]`.
    pub(super) async fn open(rules: &[(String, String)], sandbox: &str, seed: Value) -> Self {
        let options = SimulatorOptions {
            seed: Some(serde_json::from_value::<Seed>(seed).expect("the seed is well formed")),
            rate_limit: None,
            index_lag: Duration::ZERO,
            log_entries: RUNS_MAX,
            ..SimulatorOptions::default()
        };
        let simulator = Simulator::start(options, Arc::new(SystemClock))
            .await
            .expect("a simulator starts");
        let scratch = tempfile::tempdir().expect("a temporary directory can be made");
        for (path, source) in rules {
            let path = scratch.path().join("rules").join(path);
            fs::create_dir_all(path.parent().expect("it has a directory"))
                .expect("a directory can be made");
            fs::write(path, source).expect("a rule can be written");
        }
        let config = scratch.path().join("cuegate.toml");
        fs::write(&config, configuration(&simulator, &scratch, sandbox))
            .expect("it can be written");
        let mut process = Command::new(program())
            .args(["serve", "--config"])
            .arg(&config)
            .current_dir(scratch.path())
            .env("CUEGATE_LOG", "warn,cuegate=debug")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the built program starts");
        let (saying, mut said) = watch::channel(Said::default());
        tokio::spawn(listen(process.stdout.take().expect("it is piped"), saying));
        let listening = said.wait_for(|said| said.listening.is_some());
        let heard = within(listening)
            .await
            .expect("the program says where it listens")
            .clone();
        let hooks = heard.listening.expect("it was waited for");
        let refused = heard
            .everything
            .iter()
            .find(|line| line.contains("do not load"));
        assert!(refused.is_none(), "{refused:?}");
        let http = reqwest::Client::builder().tls_certs_only([]).no_proxy();
        Self {
            simulator,
            process,
            hooks,
            http: http.build().expect("a client without TLS can be made"),
            said,
            scratch,
        }
    }

    /// A handle for tasks that post and look while the stage is in use.
    pub(super) fn visitor(&self) -> Visitor {
        Visitor {
            hooks: self.hooks,
            http: self.http.clone(),
        }
    }

    /// Waits until so many runs of the rule have ended.
    pub(super) async fn ended(&self, rule: &str, count: usize) {
        let mut said = self.said.clone();
        let ended =
            said.wait_for(|said| said.ended.iter().filter(|it| *it == rule).count() >= count);
        if tokio::time::timeout(PATIENCE, ended).await.is_err() {
            let lines = self.said.borrow().everything.clone();
            panic!("no run of {rule} has ended:\n{}", lines.join("\n"));
        }
    }

    /// The worker processes that are there now.
    pub(super) fn workers(&self) -> Workers {
        Workers {
            parent: self.process.id().expect("the program runs"),
        }
    }

    /// Stops the program in order and reads from its store what came of every run.
    pub(super) async fn close(mut self) -> (Vec<(Run, Vec<LogLine>)>, Simulator) {
        let pid = self.process.id().expect("the program has run to its end");
        let pid =
            rustix::process::Pid::from_raw(pid.cast_signed()).expect("a process has a number");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)
            .expect("the program runs");
        let status = within(self.process.wait())
            .await
            .expect("its end can be waited for");
        assert!(status.success(), "the program ended with {status}");
        let path = self.scratch.path().join("cuegate.db");
        let store = SqliteStore::open(SqliteOptions::at(path), Arc::new(SystemClock))
            .await
            .expect("the store can be read");
        let filter = RunFilter {
            limit: RUNS_MAX,
            ..RunFilter::default()
        };
        let mut found = Vec::new();
        for run in store.runs(filter).await.expect("runs can be read") {
            let logs = store.logs(run.id).await.expect("logs can be read");
            found.push((run, logs));
        }
        store.close().await.expect("the store can be closed");
        (found, self.simulator)
    }
}

/// Posts events and asks for health.
#[derive(Clone)]
pub(super) struct Visitor {
    hooks: SocketAddr,
    http: reqwest::Client,
}

impl Visitor {
    /// Posts the event that wakes one rule: `family/run/name`.
    pub(super) async fn post(&self, family: &str, name: &str, data: Value) {
        let body = json!({
            "event_type": family, "realm": "run", "operation": name, "object_id": name,
            "request_id": format!("{family}-{name}-{data}"), "data": data,
        });
        let url = format!("http://{}/hooks/iconik", self.hooks);
        let answer = within(self.http.post(url).json(&body).send())
            .await
            .expect("the gateway answers");
        assert_eq!(answer.status(), 200, "{name}");
    }

    /// The status of `/healthz`.
    pub(super) async fn health(&self) -> u16 {
        let url = format!("http://{}/healthz", self.hooks);
        let answer = within(self.http.get(url).send()).await;
        answer.map_or(0, |answer| answer.status().as_u16())
    }
}

/// The worker processes of one program.
#[derive(Clone, Copy)]
pub(super) struct Workers {
    parent: u32,
}

impl Workers {
    /// The most memory that any of them has had in use, in bytes; 0 if there is none at the moment.
    pub(super) fn peak_bytes(self) -> u64 {
        let processes = fs::read_dir("/proc").expect("there is a /proc");
        processes
            .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("status")).ok())
            .filter(|status| field(status, "PPid:") == Some(u64::from(self.parent)))
            .filter_map(|status| field(&status, "VmHWM:").max(field(&status, "VmRSS:")))
            .max()
            .map_or(0, |kilobytes| kilobytes << 10)
    }
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

pub(super) fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_cuegate"))
}

/// The rule of a run, for looking it up.
pub(super) fn of_rule<'a>(
    runs: &'a [(Run, Vec<LogLine>)],
    rule: &str,
) -> Vec<&'a (Run, Vec<LogLine>)> {
    let rule = RuleId::from(rule);
    runs.iter().filter(|(run, _)| run.rule == rule).collect()
}

fn configuration(simulator: &Simulator, scratch: &tempfile::TempDir, sandbox: &str) -> String {
    let base_url = simulator.base_url();
    let directory = scratch.path().display();
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
drain = "5s"
[store]
url = "sqlite:{directory}/cuegate.db"
[iconik]
base_url = "{base_url}"
app_id = "demo"
auth_token = "demo"
rate = {{ per_second = 10000, per_20s = 200000 }}
[rules]
dir = "{directory}/rules"
[sources.iconik]
verify = "none"
[sandbox]
{sandbox}
"#
    )
}

async fn listen(stdout: ChildStdout, saying: watch::Sender<Said>) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let said: Value = serde_json::from_str(&line).unwrap_or_default();
        let text = |key: &str| said.get(key).and_then(Value::as_str).unwrap_or_default();
        saying.send_modify(|heard| {
            // While a start takes long the same addresses are told, but whoever posts is sent away.
            if text("message") == "ready to receive" {
                heard.listening = text("hooks").parse().ok();
            }
            let settlement = text("settlement");
            if text("message") == "a run is dead"
                || text("message") == "a run is parked and needs a person"
                || settlement.starts_with("Succeeded")
                || settlement.starts_with("Skipped")
            {
                heard.ended.push(text("rule").to_owned());
            }
            heard.everything.push(line.chars().take(2_000).collect());
        });
    }
}

pub(super) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it takes far too long")
}
