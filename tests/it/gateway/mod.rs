//! The product as it is deployed: `cuegate serve` as a child process with its own directory, talking to a
//! simulator in the test's process.
//!
//! What a test knows about the child it knows from outside: answers over HTTP, log lines, requests that reached
//! the simulator, and, once the process is gone, the files that it left behind.

mod patience;
mod process;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cuegate::clock::SystemClock;
use cuegate::model::{EventId, RunState};
use cuegate::simulator::{Credential, Seed, Simulator, SimulatorOptions};
use cuegate::store::{RunFilter, SqliteOptions, SqliteStore, Store as _, StoredEvent};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

pub(crate) use patience::{PATIENCE, eventually, within};
pub(crate) use process::Ended;
use process::{Process, Said, listen};

/// What senders put into the header [`SECRET_HEADER`].
pub(crate) const SECRET: &str = "the-shared-secret-4b1d";
/// Where they put it.
pub(crate) const SECRET_HEADER: &str = "x-cuegate-secret";
/// What the gateway calls the simulator with.
pub(crate) const AUTH_TOKEN: &str = "gateway-token-9f27";
/// Whom the simulator takes the gateway for.
pub(crate) const GATEWAY_USER: &str = "11111111-aaaa-4aaa-8aaa-000000000001";

/// The built binary.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_cuegate"))
}

/// A simulated Iconik that knows the gateway's credential and holds what `seed` says.
pub(crate) async fn simulated(seed: Value) -> Simulator {
    let seed: Seed = serde_json::from_value(seed).expect("the seed has known keys");
    let options = SimulatorOptions {
        seed: Some(seed),
        credentials: vec![Credential::new("gateway-app", AUTH_TOKEN, GATEWAY_USER)],
        index_lag: Duration::ZERO,
        ..SimulatorOptions::default()
    };
    Simulator::start(options, Arc::new(SystemClock))
        .await
        .expect("the seed can be planted")
}

/// A directory with a configuration, rules and data, and the gateway that works on it, if it runs.
#[derive(Debug)]
pub(crate) struct Gateway {
    directory: TempDir,
    http: reqwest::Client,
    process: Option<Process>,
    /// The environment of the next process.
    environment: BTreeMap<String, String>,
    /// What earlier processes said.
    past: String,
}

impl Gateway {
    /// A directory with these rules (`name.rhai`, source) and a configuration that names the simulator. Nothing
    /// runs yet.
    pub(crate) fn new(simulator: &Simulator, rules: &[(&str, &str)]) -> Self {
        // An error only says that a provider is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let gateway = Self {
            directory: tempfile::tempdir().expect("a temporary directory can be made"),
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(PATIENCE)
                .build()
                .expect("a plain client can be built"),
            process: None,
            environment: BTreeMap::new(),
            past: String::new(),
        };
        fs::create_dir(gateway.path("rules")).expect("the directory is empty");
        for (name, source) in rules {
            gateway.write(&format!("rules/{name}"), source);
        }
        gateway.write("cuegate.toml", &configuration(&simulator.base_url()));
        gateway
    }

    /// The same, running and ready.
    pub(crate) async fn started(simulator: &Simulator, rules: &[(&str, &str)]) -> Self {
        let mut gateway = Self::new(simulator, rules);
        gateway.start().await;
        gateway
    }

    /// A path in the directory.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    /// Writes a file of the directory.
    pub(crate) fn write(&self, below: &str, text: &str) {
        fs::write(self.path(below), text).expect("the directory can be written to");
    }

    /// Adds sections to the configuration.
    pub(crate) fn configure(&self, more: &str) {
        let text = fs::read_to_string(self.path("cuegate.toml")).expect("it was written before");
        self.write("cuegate.toml", &format!("{text}\n{more}"));
    }

    /// Changes a line of the configuration.
    pub(crate) fn replace(&self, line: &str, with: &str) {
        let text = fs::read_to_string(self.path("cuegate.toml")).expect("it was written before");
        assert!(text.contains(line), "{text}");
        self.write("cuegate.toml", &text.replace(line, with));
    }

    /// Lets the next process log as `CUEGATE_LOG` says.
    pub(crate) fn log(&mut self, filter: &str) {
        self.environment("CUEGATE_LOG", filter);
    }

    /// Sets a variable in the environment of the next process.
    pub(crate) fn environment(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// A command of the binary in this directory with this configuration and no other environment than was set.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Starts the gateway and waits until it is ready.
    pub(crate) async fn start(&mut self) {
        self.start_unready().await;
        self.until_ready().await;
    }

    /// Waits until it is ready.
    pub(crate) async fn until_ready(&self) {
        let answer = eventually("the gateway is ready", async || {
            self.readyz().await.filter(|(status, _)| *status == 200)
        });
        let (_, report) = answer.await;
        assert_eq!(report["ready"], true, "{report}");
    }

    /// Starts the gateway and waits only until it listens.
    pub(crate) async fn start_unready(&mut self) {
        self.launch();
        self.until_listening().await;
    }

    /// Starts the process and waits for nothing.
    pub(crate) fn launch(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let mut child = self
            .command(&["serve"])
            .spawn()
            .expect("the binary can be started");
        let said = Arc::<Mutex<Said>>::default();
        let (out, err) = (child.stdout.take(), child.stderr.take());
        tokio::spawn(listen(out, Arc::clone(&said), |said| &mut said.out));
        tokio::spawn(listen(err, Arc::clone(&said), |said| &mut said.err));
        self.process = Some(Process {
            child,
            hooks: String::new(),
            admin: String::new(),
            said,
        });
    }

    /// Waits until a launched process says where it listens.
    pub(crate) async fn until_listening(&mut self) {
        let process = self.process.as_mut().expect("it was launched");
        let said = Arc::clone(&process.said);
        let ready = eventually("the gateway listens", async || {
            let said = said.lock().expect("no test panics with it");
            if said.ended == 2 {
                panic!(
                    "the gateway ended:\n{}\n{}",
                    said.out.join("\n"),
                    said.err.join("\n")
                );
            }
            said.out
                .iter()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok())
                .find(|line| line["message"] == "ready to receive")
        });
        let ready = ready.await;
        let address = |key: &str| format!("http://{}", ready[key].as_str().expect("an address"));
        process.hooks = address("hooks");
        process.admin = address("admin");
    }

    /// `http://127.0.0.1:4711`, where hooks are received.
    pub(crate) fn hooks_url(&self) -> &str {
        &self.running().hooks
    }

    /// Where operators look.
    pub(crate) fn admin_url(&self) -> &str {
        &self.running().admin
    }

    /// Posts a body to the source `iconik` with its secret and these headers; answers status and body.
    pub(crate) async fn post(&self, body: &Value, headers: &[(&str, &str)]) -> (u16, Value) {
        let mut all = vec![(SECRET_HEADER, SECRET)];
        all.extend_from_slice(headers);
        self.post_to("iconik", body.to_string(), &all).await
    }

    /// Posts to any source with these headers only.
    pub(crate) async fn post_to(
        &self,
        source: &str,
        body: String,
        headers: &[(&str, &str)],
    ) -> (u16, Value) {
        let mut request = self
            .http
            .post(format!("{}/hooks/{source}", self.hooks_url()))
            .header("content-type", "application/json")
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.expect("the gateway answers");
        let status = answer.status().as_u16();
        (status, answer.json().await.expect("every answer is JSON"))
    }

    /// The status of a post without a body to a path of the public listener.
    pub(crate) async fn called(&self, path: &str) -> u16 {
        let url = format!("{}{path}", self.hooks_url());
        let answer = self.http.post(url).send().await;
        answer.expect("the gateway answers").status().as_u16()
    }

    /// How a request by `GET` to the address for webhooks is answered.
    pub(crate) async fn looked_at(&self, path: &str) -> u16 {
        let url = format!("{}{path}", self.hooks_url());
        let answer = self.http.get(url).send().await;
        answer.expect("the gateway answers").status().as_u16()
    }

    /// What an answer to a post to the source `iconik` says about when to come again.
    pub(crate) async fn retry_after(&self, body: &Value) -> Option<String> {
        let request = self
            .http
            .post(format!("{}/hooks/iconik", self.hooks_url()))
            .header(SECRET_HEADER, SECRET)
            .json(body);
        let answer = request.send().await.expect("the gateway answers");
        let after = answer.headers().get("retry-after")?;
        after.to_str().ok().map(ToOwned::to_owned)
    }

    /// Posts and expects acceptance; answers the event's id.
    pub(crate) async fn accepted(&self, body: &Value, headers: &[(&str, &str)]) -> EventId {
        let (status, answer) = self.post(body, headers).await;
        assert_eq!(status, 200, "{answer}");
        event_id(&answer)
    }

    /// `/readyz` of the public listener; nothing if it does not answer.
    pub(crate) async fn readyz(&self) -> Option<(u16, Value)> {
        let answer = self.http.get(format!("{}/readyz", self.hooks_url()));
        let answer = answer.send().await.ok()?;
        Some((answer.status().as_u16(), answer.json().await.ok()?))
    }

    /// The value of a metric, `cuegate_runs{state="dead"}`; 0 while it is not there.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        self.metric_if_there(name)
            .await
            .expect("the admin listener answers")
    }

    /// The same; nothing if the gateway does not answer, because it may be gone.
    pub(crate) async fn metric_if_there(&self, name: &str) -> Option<f64> {
        Some(value_in(&self.metrics().await?, name))
    }

    /// All metrics as one answer shows them: a run that moves between two answers may be in neither.
    async fn metrics(&self) -> Option<String> {
        let metrics = self.http.get(format!("{}/metrics", self.admin_url()));
        metrics.send().await.ok()?.text().await.ok()
    }

    /// How many events are unrouted, and how many runs are in each of these states.
    pub(crate) async fn under_way(&self, states: &[RunState]) -> (f64, Vec<f64>) {
        let metrics = self.metrics().await.expect("the admin listener answers");
        let runs = states.iter().map(|state| {
            let name = format!("cuegate_runs{{state=\"{}\"}}", state.as_str());
            value_in(&metrics, &name)
        });
        let runs = runs.collect();
        (value_in(&metrics, "cuegate_unrouted_events"), runs)
    }

    /// Waits until so many runs are in the state.
    pub(crate) async fn until_runs(&self, state: RunState, count: u32) {
        let name = format!("cuegate_runs{{state=\"{}\"}}", state.as_str());
        eventually(&format!("{count} runs are {state:?}"), async || {
            (self.metric(&name).await >= f64::from(count)).then_some(())
        })
        .await;
    }

    /// Waits until nothing is unrouted and no run is under way.
    pub(crate) async fn until_quiet(&self) {
        eventually("the gateway has nothing left to do", async || {
            let states = [RunState::Queued, RunState::Running, RunState::Waiting];
            let (unrouted, runs) = self.under_way(&states).await;
            (unrouted + runs.iter().sum::<f64>() == 0.0).then_some(())
        })
        .await;
    }

    /// Waits for a log line (standard output) that contains all of these texts.
    pub(crate) async fn until_logged(&self, texts: &[&str]) -> String {
        eventually(&format!("a log line with {texts:?}"), async || {
            let said = self.running().said.lock().expect("no test panics with it");
            let is_it = |line: &&String| texts.iter().all(|text| line.contains(text));
            said.out.iter().find(is_it).cloned()
        })
        .await
    }

    /// What this process has said on standard error so far.
    pub(crate) fn complaints(&self) -> String {
        let said = self.running().said.lock().expect("no test panics with it");
        said.err.join("\n")
    }

    /// What this process wrote to standard output.
    pub(crate) fn said_now(&self) -> String {
        let said = self.running().said.lock().expect("no test panics with it");
        said.out.join("\n")
    }

    /// Everything that this and earlier processes wrote to both outputs.
    pub(crate) fn everything_said(&self) -> String {
        let now = self.process.as_ref().map(|process| {
            let said = process.said.lock().expect("no test panics with it");
            format!("{}\n{}", said.out.join("\n"), said.err.join("\n"))
        });
        format!("{}\n{}", self.past, now.unwrap_or_default())
    }

    /// Kills the process as `kill -9` does and waits until it is gone.
    pub(crate) async fn sigkill(&mut self) -> Ended {
        self.end_by(Signal::KILL).await
    }

    /// Asks the process to stop and waits until it has.
    pub(crate) async fn stop(&mut self) -> Ended {
        let ended = self.end_by(Signal::TERM).await;
        assert!(ended.status.success(), "{ended:?}");
        ended
    }

    /// Stops in order and starts again in the same directory.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.start().await;
    }

    /// Whether it was started and its end not waited for.
    pub(crate) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// The id of the running process.
    pub(crate) fn process_id(&self) -> u32 {
        self.running().child.id().expect("it was not waited for")
    }

    /// Sends a signal and waits for nothing.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.process_id().try_into().expect("process ids are small"));
        kill_process(id.expect("process ids are not 0"), signal).expect("the process is ours");
    }

    /// Waits for the end of the process.
    pub(crate) async fn ended(&mut self) -> Ended {
        let mut process = self.process.take().expect("it runs");
        let status = within("the gateway ends", process.child.wait()).await;
        let status = status.expect("a child can be waited for");
        let (out, err) = eventually("its outputs are closed", async || {
            let said = process.said.lock().expect("no test panics with it");
            (said.ended == 2).then(|| (said.out.join("\n"), said.err.join("\n")))
        })
        .await;
        self.past.push_str(&format!("{out}\n{err}\n"));
        Ended { status, out, err }
    }

    async fn end_by(&mut self, signal: Signal) -> Ended {
        self.signal(signal);
        self.ended().await
    }

    /// Opens what the gateway left behind; it must not be running.
    pub(crate) async fn store(&self) -> SqliteStore {
        assert!(self.process.is_none(), "stop it first");
        let options = SqliteOptions {
            lock_wait: PATIENCE,
            ..SqliteOptions::at(self.path("data/cuegate.db"))
        };
        SqliteStore::open(options, Arc::new(SystemClock))
            .await
            .expect("the files can be opened")
    }

    /// One event and its runs, from the files; the gateway must not be running.
    pub(crate) async fn stored(&self, id: EventId) -> (StoredEvent, Vec<cuegate::model::Run>) {
        let store = self.store().await;
        let event = store.event(id).await.expect("it can be read");
        let filter = RunFilter {
            event: Some(id),
            ..RunFilter::default()
        };
        let runs = store.runs(filter).await.expect("they can be read");
        store.close().await.expect("nothing is left to write");
        (event.expect("the event is stored"), runs)
    }

    fn running(&self) -> &Process {
        self.process.as_ref().expect("it runs")
    }
}

/// The id in the answer to an accepted hook.
pub(crate) fn event_id(answer: &Value) -> EventId {
    let id = answer["event_id"].as_str();
    id.expect("an accepted event has an id")
        .parse()
        .expect("it is an event's id")
}

/// A webhook about an asset as Iconik sends it.
pub(crate) fn webhook(realm: &str, operation: &str, asset: &str, data: &Value) -> Value {
    json!({
        "system_domain_id": cuegate::simulator::DEFAULT_DOMAIN, "event_type": "assets", "object_id": asset,
        "user_id": "22222222-aaaa-4aaa-8aaa-000000000002", "realm": realm, "operation": operation, "data": data,
        "request_id": uuid::Uuid::new_v4().simple().to_string(),
    })
}

fn configuration(iconik: &str) -> String {
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
drain = "20s"
[store]
url = "sqlite:data/cuegate.db"
[iconik]
base_url = "{iconik}"
app_id = "gateway-app"
auth_token = "{AUTH_TOKEN}"
index_lag = "1s"
[sandbox]
workers = 1
[sources.iconik]
verify = {{ header = "{SECRET_HEADER}", secrets = ["{SECRET}"] }}
"#
    )
}

/// The value of a metric; 0 if it is not there.
fn value_in(metrics: &str, name: &str) -> f64 {
    let mut lines = metrics.lines();
    let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    found.unwrap_or(0.0)
}
