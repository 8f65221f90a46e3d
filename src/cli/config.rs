//! `cuegate config`: is it right, and what does it come to.

use clap::Subcommand;

use super::terminal::{Terminal, Tone};
use super::{ConfigFile, Exit, Format};
use crate::config::{self, Config, ConfigError};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Check the configuration and say everything that is wrong at once
    Check {
        #[command(flatten)]
        file: ConfigFile,
        /// How the findings are printed
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show what holds, with every default, secrets as stars
    Show {
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Print a commented configuration file to start from
    Example,
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Exit {
    match &arguments.action {
        Action::Check { file, format } => check(file.load(), *format, terminal),
        Action::Show { file } => match file.load() {
            Ok(config) => {
                terminal.out(&config::show(&config));
                Exit::Fine
            }
            Err(error) => {
                terminal.complain(&error.to_string());
                Exit::Configuration
            }
        },
        Action::Example => {
            terminal.out(config::EXAMPLE);
            Exit::Fine
        }
    }
}

fn check(loaded: Result<Config, ConfigError>, format: Format, terminal: &mut Terminal) -> Exit {
    let checked = loaded.and_then(|config| config.require_credentials().map(|()| config));
    match checked {
        Ok(config) => {
            let warnings = config.warnings();
            let report = serde_json::json!({ "findings": [], "warnings": warnings });
            terminal.report(format, &report, |terminal| {
                for warning in &warnings {
                    terminal.line(&Tone::Careful.paint(&format!("warning: {warning}")));
                }
                terminal.line(&Tone::Good.paint("the configuration is fine"));
            });
            Exit::Fine
        }
        Err(error) => {
            let report = serde_json::json!({ "findings": error.findings(), "warnings": [] });
            match format {
                Format::Json => terminal.report(format, &report, |_| {}),
                Format::Text => terminal.complain(&error.to_string()),
            }
            Exit::Configuration
        }
    }
}
