//! What keeps a store fit over years, on real files and with the real binary: check and repair, retention, backup and
//! restore, the room on the disk, migrations.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as expected"
)]

mod backups;
mod checking;
mod contents;
mod filled;
mod migrating;
mod promises;
mod retention;
mod returning;
mod room;
mod stopping;

use std::process::{Command, Output};

use serde_json::Value;

use crate::gateway::{Gateway, binary};
use filled::Files;

/// What a command said and how it ended.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }

    /// Ended with this code and said all of these texts.
    #[track_caller]
    fn ended(&self, code: i32, texts: &[&str]) {
        let said = format!("{}{}", self.out, self.err);
        assert_eq!(self.code, Some(code), "{said}");
        for text in texts {
            assert!(said.contains(text), "`{text}` is not in:\n{said}");
        }
    }
}

/// What the binary says in the directory of a gateway.
async fn types(gateway: &Gateway, arguments: &[&str]) -> Said {
    let mut command = gateway.command(arguments);
    if gateway.is_running() {
        command.env("CUEGATE_URL", gateway.admin_url());
    }
    command.output().await.unwrap().into()
}

impl Files {
    /// Writes the configuration that names these files.
    fn configure(&self) {
        let text =
            "[store]\nurl = \"sqlite:cuegate.db\"\n[iconik]\napp_id = \"a\"\nauth_token = \"b\"\n";
        std::fs::write(self.path("cuegate.toml"), text).unwrap();
    }

    /// What the binary says beside these files.
    fn types(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .current_dir(self.path(""))
            .env_clear();
        command.output().unwrap().into()
    }
}
