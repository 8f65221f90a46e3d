//! The worker processes that rules are compiled and advanced in.
//!
//! Rhai cannot be contained inside the gateway: some scripts abort the process, take gigabytes or hang the
//! compiler whatever limits are set. So scripts only ever run in processes that hold nothing: no files, no
//! network, no credentials, no state that is not also in the journal. Losing one loses nothing. A worker that
//! dies is replaced and its request repeated in a fresh one; only what dies again by its own fault fails.

mod advance;
mod compile;
mod containment;
mod death;
mod gates;
mod pool;
mod process;
mod protocol;
mod questions;
mod roll;
mod shelf;
mod worker;

use std::borrow::Cow;
use std::hash::{BuildHasher as _, RandomState};
use std::path::PathBuf;
use std::sync::Arc;

pub use advance::Advanced;
pub use protocol::Layers;
pub use questions::Answers;
pub use worker::run_worker;

use self::death::{Budget, Death, Stage, Strikes};
use self::pool::{Lease, Pool};
use self::process::Worker;
use self::protocol::{Answer, Request, Setup};
use crate::config;
use crate::engine::EngineLimits;
use crate::model::{DeadClass, Failure, Program};

/// The rule workers of one gateway. Dropping it ends them all; [`Sandbox::stop`] also waits for that.
#[derive(Debug)]
pub struct Sandbox {
    pool: Arc<Pool>,
    config: config::Sandbox,
    /// Gives rules and journals the numbers that workers know them by. Its keys are secret and new in every
    /// process, so no sender can make two of them collide.
    numbers: RandomState,
}

/// Trouble of the sandbox itself; what scripts do is never an error here.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// No worker process can be started at all.
    #[error(
        "a sandbox worker cannot be started from {}: {reason}. Rules run in processes of the `cuegate` program itself, so it must be there and may be executed",
        program.display()
    )]
    Start {
        /// What was to be executed.
        program: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The sandbox has been told to stop; nothing was run.
    #[error("the sandbox is stopping")]
    Stopping,
}

/// How the sandbox is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Processes wanted.
    pub workers: usize,
    /// Processes that exist. It is lower for a moment while a dead one is replaced.
    pub alive: usize,
    /// The walls around each of them, as it says itself.
    pub layers: Layers,
}

/// The program that this process runs, also after its file has been replaced: what workers are made from
/// unless a test or a bench says otherwise.
pub fn own_program() -> PathBuf {
    PathBuf::from("/proc/self/exe")
}

impl Sandbox {
    /// Starts the workers from `program`, which must be a `cuegate` binary ([`own_program`] in production).
    ///
    /// # Errors
    ///
    /// When one of them cannot be started or does not answer.
    pub async fn start(
        config: &config::Sandbox,
        program: PathBuf,
    ) -> Result<Arc<Self>, SandboxError> {
        let setup = Setup {
            limits: EngineLimits {
                operations: config.operations,
                string_bytes: config.string_bytes,
                elements: config.elements,
                source_bytes: config.source_bytes,
                log_bytes: config.log_bytes,
            },
            memory_bytes: config.memory_bytes,
        };
        Ok(Arc::new(Self {
            pool: Pool::start(program, setup, config.workers).await?,
            config: config.clone(),
            numbers: RandomState::new(),
        }))
    }

    /// How the sandbox is.
    pub fn report(&self) -> Report {
        Report {
            workers: self.pool.size(),
            alive: self.pool.alive(),
            layers: self.pool.layers(),
        }
    }

    /// The process ids of the workers, busy or idle.
    pub fn pids(&self) -> Vec<u32> {
        self.pool.pids()
    }

    /// Lets requests that have a worker end, refuses all others, and ends the workers. No worker exists
    /// when this returns.
    pub async fn stop(&self) {
        self.pool.stop().await;
    }

    /// The number that workers know a program by: equal for programs that behave alike and say the same
    /// file in their failures.
    fn number_of(&self, program: &Program) -> u64 {
        self.numbers.hash_one((
            &program.rule.0,
            &program.version.0,
            &program.main.path,
            &program.site,
            &program.vars,
        ))
    }

    /// Sees to it that the leased worker has the rule under `number`. The inner error ends whatever wanted
    /// the rule; the lease is then only good for being dropped.
    async fn load(
        &self,
        lease: &mut Lease,
        program: &Program,
        number: u64,
    ) -> Result<Result<(), Failure>, SandboxError> {
        let budget = self.budget(Stage::Compile);
        let mut strikes = Strikes::default();
        while !lease.worker().rules.touch(number) {
            match load_once(lease.worker(), program, number, budget).await {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => return Ok(Err(failure)),
                Err(death) if strikes.are_out(death.cause) => {
                    return Ok(Err(death.failure(&program.main.path)));
                }
                Err(_once) => lease.replace().await?,
            }
        }
        Ok(Ok(()))
    }

    fn budget(&self, stage: Stage) -> Budget {
        let cpu = match stage {
            Stage::Start | Stage::Advance => self.config.cpu,
            Stage::Compile => self.config.compile,
            Stage::When | Stage::Lane => self.config.cpu.min(questions::CPU_MAX),
        };
        Budget {
            stage,
            cpu,
            wall: self.config.wall,
        }
    }
}

async fn load_once(
    worker: &mut Worker,
    program: &Program,
    number: u64,
    budget: Budget,
) -> Result<Result<(), Failure>, Death> {
    let sources = std::iter::once(&program.main).chain(&program.libraries);
    let bytes = sources.map(|file| file.source.len()).sum::<usize>();
    let bytes = bytes.min(worker.rules.bytes_max());
    let forget = worker.rules.make_room(bytes).unwrap_or_default();
    let request = Request::Load {
        rule: number,
        program: Cow::Borrowed(program),
        forget,
    };
    if worker.stage(&request).is_err() {
        return Ok(Err(too_large("the rule with its libraries")));
    }
    match worker.exchange(budget).await? {
        Answer::Loaded => {
            worker.rules.put(number, bytes);
            Ok(Ok(()))
        }
        Answer::NotLoaded(failure) => Ok(Err(failure)),
        _ => Err(worker.misled(budget).await),
    }
}

fn too_large(what: &str) -> Failure {
    let megabytes = protocol::REQUEST_BYTES_MAX >> 20;
    Failure::new(
        DeadClass::Limit,
        format!("{what} is larger than the {megabytes} MiB that a worker process accepts"),
    )
}
