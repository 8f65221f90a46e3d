//! `cuegate health`: what a container's health check calls.

use super::Exit;
use super::terminal::Terminal;
use crate::admin;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The address of a gateway; a path other than `/readyz` may be given
    #[arg(env = "CUEGATE_URL", default_value = "http://127.0.0.1:8081")]
    url: String,
}

pub(super) async fn run(arguments: Arguments, terminal: &mut Terminal) -> Exit {
    match admin::probe(&arguments.url).await {
        Ok(answer) => {
            terminal.line(answer.trim_end());
            Exit::Fine
        }
        Err(error) => {
            terminal.complain(&error.to_string());
            Exit::Findings
        }
    }
}
