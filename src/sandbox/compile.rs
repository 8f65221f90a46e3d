//! Compiling a whole set of rule files in a worker, and finding the file that the compiler cannot take.
//!
//! The compiler has no limits of its own: a function with a hundred thousand parameters keeps it busy for many
//! seconds. A set that takes far too long or kills its worker is therefore compiled again file by file, each
//! with the limit of one file, so that the person who wrote it reads its name.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;

use super::death::{Budget, Cause, Death, Stage, Strikes};
use super::gates::Party;
use super::protocol::{Answer, Request};
use super::{Sandbox, SandboxError};
use crate::engine::Compiled;
use crate::model::{Diagnostic, RuleFile};

/// Where the files lie that others import.
const LIBRARIES: &str = "lib/";

/// A set may take the time of one file, and this part of it for each file: most files need much less.
const SHARE: u32 = 20;

const SMALLER: &str = "make it smaller: fewer parameters, cases and literals in one function; the limits are `compile` and `memory` in [sandbox]";
const REPORT: &str =
    "take out the last change of this file; no file should be able to do this, so please report it";

impl Sandbox {
    /// Compiles and checks a whole set of rule files. A file on which the compiler hangs, crashes or takes
    /// too much memory is a diagnostic like any other mistake; then it is the only kind that is reported.
    ///
    /// # Errors
    ///
    /// When the sandbox is stopping.
    pub async fn compile(
        &self,
        files: Vec<RuleFile>,
        vars: Value,
    ) -> Result<Compiled, SandboxError> {
        let one = self.config.compile;
        let count = u32::try_from(files.len()).unwrap_or(u32::MAX);
        let together = one.saturating_add((one / SHARE).saturating_mul(count));
        if let Ok(compiled) = self.compile_within(&files, &vars, together).await? {
            return Ok(compiled);
        }
        let culprits = self.culprits(&files, &vars).await?;
        if !culprits.is_empty() {
            return Ok(refused(culprits));
        }
        // No single file is at fault: every one gets its whole time.
        let all = one.saturating_mul(count);
        match self.compile_within(&files, &vars, all).await? {
            Ok(compiled) => Ok(compiled),
            Err(death) => {
                let name = files.first().map_or("", |file| &file.path);
                let message = format!(
                    "compiling this file together with the other {} {death}",
                    count - 1
                );
                Ok(refused(vec![finding(name, message).with_hint(SMALLER)]))
            }
        }
    }

    /// The files that cannot be compiled, each tried together with the libraries that can.
    async fn culprits(
        &self,
        files: &[RuleFile],
        vars: &Value,
    ) -> Result<Vec<Diagnostic>, SandboxError> {
        let (libraries, rules): (Vec<_>, Vec<_>) = files
            .iter()
            .partition(|file| file.path.starts_with(LIBRARIES));
        let mut tried = Vec::new();
        let mut culprits = Vec::new();
        for file in libraries.into_iter().chain(rules) {
            tried.push(file.clone());
            let result = self
                .compile_within(&tried, vars, self.config.compile)
                .await?;
            if let Err(death) = &result {
                culprits.push(match death.cause {
                    Cause::Cpu { .. } | Cause::Wall | Cause::Memory => {
                        let message = format!("compiling this file {death}");
                        finding(&file.path, message).with_hint(SMALLER)
                    }
                    _ => {
                        let message =
                            format!("compiling this file crashed the compiler: it {death}");
                        finding(&file.path, message).with_hint(REPORT)
                    }
                });
            }
            if result.is_err() || !file.path.starts_with(LIBRARIES) {
                tried.pop();
            }
        }
        Ok(culprits)
    }

    async fn compile_within(
        &self,
        files: &[RuleFile],
        vars: &Value,
        cpu: Duration,
    ) -> Result<Result<Compiled, Death>, SandboxError> {
        let budget = Budget {
            stage: Stage::Compile,
            cpu,
            wall: self.config.wall.max(cpu.saturating_mul(10)),
        };
        let mut lease = self.pool.lease(Party::Compiler, |_any| false).await?;
        let mut strikes = Strikes::default();
        loop {
            let worker = lease.worker();
            let request = Request::Compile {
                files: Cow::Borrowed(files),
                vars: Cow::Borrowed(vars),
            };
            if worker.stage(&request).is_err() {
                let name = files.first().map_or("", |file| &file.path);
                let message = "all rule files together are larger than a worker process accepts";
                return Ok(Ok(refused(vec![
                    finding(name, message.to_owned())
                        .with_hint("keep fewer files in the directory"),
                ])));
            }
            let death = match worker.exchange(budget).await {
                Ok(Answer::Compiled(compiled)) => return Ok(Ok(compiled)),
                Ok(_) => worker.misled(budget).await,
                Err(death) => death,
            };
            if strikes.are_out(death.cause) {
                return Ok(Err(death));
            }
            lease.replace().await?;
        }
    }
}

fn refused(diagnostics: Vec<Diagnostic>) -> Compiled {
    Compiled {
        rules: Vec::new(),
        diagnostics,
    }
}

fn finding(file: &str, message: String) -> Diagnostic {
    Diagnostic {
        file: file.to_owned(),
        position: None,
        message,
        hint: None,
        excerpt: None,
    }
}
