//! What rules can use: scopes, functions, and the definitions for editors. None of it needs a gateway.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Serialize;

use super::table::{Cell, Table};
use super::terminal::Terminal;
use super::{Exit, Format};
use crate::engine::reference;
use crate::operations::{self, Operation, RepeatClass, Source};

#[derive(Debug, clap::Args)]
pub(super) struct Scopes {
    /// List the operations that this scope allows
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// How they are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Docs {
    /// What it is written in
    #[arg(long, value_enum, default_value_t)]
    format: Markup,
    /// The file to write; standard output when none is named
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Definitions {
    /// The directory to write to; it is made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Markup {
    /// Markdown
    #[default]
    Markdown,
    /// One HTML page
    Html,
}

/// A scope and what it allows.
#[derive(Debug, Serialize)]
struct ScopeView {
    scope: &'static str,
    operations: Vec<OperationView>,
}

/// An operation of Iconik's API.
#[derive(Debug, Serialize)]
struct OperationView {
    method: &'static str,
    path: &'static str,
    /// What may be done after an outcome that proves nothing.
    class: &'static str,
    /// How we know of it.
    source: &'static str,
}

impl OperationView {
    fn of(operation: &Operation) -> Self {
        Self {
            method: operation.method.as_str(),
            path: operation.path,
            class: match operation.class {
                RepeatClass::Safe => "safe",
                RepeatClass::Idempotent => "idempotent",
                RepeatClass::Creating => "creating",
                RepeatClass::Acting => "acting",
            },
            source: match operation.source {
                Source::Documents2025 => "documents of 2025",
                Source::Listed2026 => "third-party list of 2026",
            },
        }
    }
}

pub(super) fn scopes(arguments: &Scopes, terminal: &mut Terminal) -> Exit {
    let all: Vec<ScopeView> = operations::scopes().map(view).collect();
    let Some(wanted) = &arguments.scope else {
        terminal.report(arguments.format, &all, |terminal| {
            let mut table = Table::new(&["scope", "operations"]);
            for scope in &all {
                table.row(vec![
                    Cell::from(scope.scope),
                    Cell::from(scope.operations.len()),
                ]);
            }
            terminal.out(&table.to_string());
            terminal.line("reading needs none; \"egress:NAME\" allows requests to a target of the configuration");
        });
        return Exit::Fine;
    };
    let Some(scope) = all.into_iter().find(|scope| scope.scope == wanted) else {
        let near = operations::scopes()
            .min_by_key(|known| strsim::osa_distance(known, wanted))
            .unwrap_or_default();
        terminal.complain(&format!(
            "there is no scope `{wanted}`; did you mean `{near}`?"
        ));
        return Exit::Usage;
    };
    terminal.report(arguments.format, &scope, |terminal| {
        let mut table = Table::new(&["method", "path", "class", "known from"]);
        for operation in &scope.operations {
            let OperationView {
                method,
                path,
                class,
                source,
            } = operation;
            table.row(
                [method, path, class, source]
                    .map(|text| Cell::from(*text))
                    .into(),
            );
        }
        if table.is_empty() {
            terminal.line("no operation asks for it yet");
        } else {
            terminal.out(&table.to_string());
        }
    });
    Exit::Fine
}

fn view(scope: &'static str) -> ScopeView {
    let allowed = operations::all().filter(|operation| operation.scope == Some(scope));
    ScopeView {
        scope,
        operations: allowed.map(OperationView::of).collect(),
    }
}

pub(super) fn docs(arguments: &Docs, terminal: &mut Terminal) -> Exit {
    let page = match arguments.format {
        Markup::Markdown => reference::markdown(),
        Markup::Html => reference::html(),
    };
    match &arguments.out {
        None => {
            terminal.out(&page);
            Exit::Fine
        }
        Some(file) => written(write(file, &page), terminal),
    }
}

pub(super) fn definitions(arguments: &Definitions, terminal: &mut Terminal) -> Exit {
    let files: BTreeMap<String, String> = reference::definitions();
    let made = std::fs::create_dir_all(&arguments.out)
        .map_err(|error| format!("{} cannot be made: {error}", arguments.out.display()));
    let all = made.and_then(|()| {
        files
            .iter()
            .try_for_each(|(name, text)| write(&arguments.out.join(name), text))
    });
    written(all, terminal)
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text)
        .map_err(|error| format!("{} cannot be written: {error}", file.display()))
}

fn written(outcome: Result<(), String>, terminal: &mut Terminal) -> Exit {
    match outcome {
        Ok(()) => Exit::Fine,
        Err(message) => {
            terminal.complain(&message);
            Exit::Findings
        }
    }
}
