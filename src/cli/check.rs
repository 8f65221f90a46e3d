//! `cuegate check`: do the rules compile, and what is wrong with them.

use std::path::PathBuf;

use serde_json::json;

use super::terminal::{Terminal, Tone};
use super::{ConfigFile, Exit, Format, rules_directory};
use crate::authoring;
use crate::config::Config;
use crate::engine::Compiled;
use crate::model::RuleFile;
use crate::sandbox::{Sandbox, own_program};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Directories of rules; the configuration's when none is named
    paths: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
    /// How the findings are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(arguments: Arguments, terminal: &mut Terminal) -> Exit {
    let config = match arguments.config.load_for_rules() {
        Ok(config) => config,
        Err(error) => {
            terminal.complain(&error.to_string());
            return Exit::Configuration;
        }
    };
    let mut paths = arguments.paths.clone();
    if paths.is_empty() {
        paths.push(rules_directory(None, &config).to_owned());
    }
    let mut exit = Exit::Fine;
    for path in &paths {
        let checked = match authoring::load(path) {
            Ok(files) => compile(&config, files).await,
            Err(error) => Err(error.to_string()),
        };
        match checked {
            Ok(compiled) => {
                print(&compiled, path, arguments.format, terminal);
                if !compiled.diagnostics.is_empty() {
                    exit = Exit::Findings;
                }
            }
            Err(message) => {
                terminal.complain(&message);
                return Exit::Usage;
            }
        }
    }
    exit
}

/// Compiles rules with what the configuration lets them see.
pub(super) async fn compile(config: &Config, files: Vec<RuleFile>) -> Result<Compiled, String> {
    let sandbox = Sandbox::start(&config.sandbox, own_program())
        .await
        .map_err(|e| e.to_string())?;
    let vars = serde_json::Value::Object(config.vars.clone());
    let compiled = sandbox
        .compile(files, vars)
        .await
        .map_err(|e| e.to_string());
    sandbox.stop().await;
    compiled
}

fn print(compiled: &Compiled, path: &std::path::Path, format: Format, terminal: &mut Terminal) {
    let rules: Vec<_> = compiled
        .rules
        .iter()
        .map(|header| json!({ "rule": header.rule, "version": header.version }))
        .collect();
    let report = json!({ "path": path, "rules": rules, "findings": compiled.diagnostics });
    terminal.report(format, &report, |terminal| {
        for finding in &compiled.diagnostics {
            terminal.line(&format!("{finding}\n"));
        }
        let summary = match (compiled.diagnostics.len(), compiled.rules.len()) {
            (0, rules) => {
                Tone::Good.paint(&format!("{}: {rules} rule(s), no findings", path.display()))
            }
            (findings, _) => Tone::Bad.paint(&format!("{}: {findings} finding(s)", path.display())),
        };
        terminal.line(&summary);
    });
}
