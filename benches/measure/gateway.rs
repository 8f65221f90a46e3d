//! The real `cuegate serve`, in a process and a directory of its own, as a sender and an operator see it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use cuegate::model::RuleFile;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::events::DOMAIN;

/// The header that proves the sender, and the secret in it.
pub(super) const SECRET_HEADER: &str = "x-cuegate-secret: bench-secret-0123456789abcdef";

/// An Iconik, and how often it may be called in a second.
#[derive(Clone, Debug)]
pub(super) struct Budgeted {
    pub(super) base_url: String,
    pub(super) calls_per_second: u32,
}

/// A gateway that serves until it is dropped or stopped.
#[derive(Debug)]
pub(super) struct Gateway {
    child: Child,
    /// Where events are posted.
    pub(super) hooks: SocketAddr,
    /// Where the metrics are.
    pub(super) admin: SocketAddr,
}

impl Gateway {
    /// Starts it over `directory` and waits until it listens.
    pub(super) fn start(
        directory: &Path,
        rules: &[RuleFile],
        iconik: Option<&Budgeted>,
    ) -> anyhow::Result<Self> {
        configure(directory, rules, iconik)?;
        let mut child = Command::new(env!("CARGO_BIN_EXE_cuegate"))
            .args(["serve", "--config", "cuegate.toml"])
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("the built cuegate cannot be started")?;
        let stdout = child.stdout.take().expect("standard output is a pipe");
        let mut lines = BufReader::new(stdout).lines();
        let mut said = Vec::new();
        let ready = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let entry: Value = serde_json::from_str(&line).unwrap_or_default();
            let address = |key: &str| entry[key].as_str()?.parse().ok();
            let found = Some((address("hooks")?, address("admin")?));
            said.push(line);
            found
        });
        let Some((hooks, admin)) = ready else {
            bail!("cuegate did not get ready:\n{}", said.join("\n"));
        };
        // Nobody reads on, but a full pipe would stop it.
        std::thread::spawn(move || lines.map_while(Result::ok).count());
        Ok(Self {
            child,
            hooks,
            admin,
        })
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Accepted events that are not routed yet.
    pub(super) fn unrouted(&self) -> anyhow::Result<u64> {
        self.metric("cuegate_unrouted_events")?
            .context("/metrics does not tell the unrouted events")
    }

    /// A whole number of `/metrics`, by its name with its labels; nothing if it is not there.
    pub(super) fn metric(&self, name: &str) -> anyhow::Result<Option<u64>> {
        let mut stream = TcpStream::connect(self.admin)?;
        write!(
            stream,
            "GET /metrics HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.lines().find_map(|line| {
            let value = line.strip_prefix(name)?.strip_prefix(' ')?;
            value.parse().ok()
        }))
    }

    /// Asks it to stop and waits until it has.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "cuegate ended with {status}");
        Ok(())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // After `stop` there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configure(
    directory: &Path,
    rules: &[RuleFile],
    iconik: Option<&Budgeted>,
) -> anyhow::Result<()> {
    let (base_url, calls_per_second) = match iconik {
        Some(iconik) => (iconik.base_url.as_str(), iconik.calls_per_second),
        // The rules make no call.
        None => ("http://127.0.0.1:9/API", 45),
    };
    let per_20s = calls_per_second * 20;
    let (header, secret) = SECRET_HEADER
        .split_once(": ")
        .expect("a header has a name and a value");
    let config = format!(
        r#"
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
drain = "10s"
[store]
url = "sqlite:data/cuegate.db"
[iconik]
base_url = "{base_url}"
rate = {{ per_second = {calls_per_second}, per_20s = {per_20s} }}
domain = "{DOMAIN}"
app_id = "bench"
auth_token = "bench"
[sources.iconik]
verify = {{ header = "{header}", secrets = ["{secret}"] }}
[sources.other]
verify = {{ header = "{header}", secrets = ["{secret}"] }}
"#
    );
    fs::write(directory.join("cuegate.toml"), config)?;
    fs::create_dir_all(directory.join("rules"))?;
    for rule in rules {
        fs::write(directory.join("rules").join(&rule.path), &rule.source)?;
    }
    Ok(())
}
