//! What people type, what they read, and the exit codes that scripts rely on: the built binary in a directory of
//! its own, with an empty environment.

mod operating;
mod pressing;
mod reference;
mod releasing;
mod rerouting;
mod rules;
mod service;
mod webhooks;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use super::gateway::binary;

/// A directory to type in.
struct Desk(TempDir);

/// What a command said and how it ended.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory can be made"))
    }

    /// With these rules in `rules`.
    fn with_rules(rules: &[(&str, &str)]) -> Self {
        let desk = Self::new();
        for (name, source) in rules {
            desk.write(&format!("rules/{name}"), source);
        }
        desk
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn write(&self, below: &str, text: &str) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().expect("it lies in the directory"))
            .expect("it can be made");
        fs::write(path, text).expect("it can be written");
    }

    fn types(&self, arguments: &[&str]) -> Said {
        let output = Command::new(binary())
            .args(arguments)
            .current_dir(self.0.path())
            .env_clear()
            .output()
            .expect("the binary can be started");
        Said::from(output)
    }
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
    fn everything(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error} in:\n{}", self.everything()))
    }

    /// Ended with this code and said all of these texts.
    #[track_caller]
    fn ended(&self, code: i32, texts: &[&str]) {
        let said = self.everything();
        assert_eq!(self.code, Some(code), "{said}");
        for text in texts {
            assert!(said.contains(text), "`{text}` is not in:\n{said}");
        }
    }
}

const GOOD: &str =
    "rule(#{ on: [\"assets/entity/create\"] });\nfn run(event) { log::info(event.operation); }\n";
