//! The workers and who has one: a fair queue in front of a fixed number of processes.
//!
//! A permit is the right to one worker. It stays with the slot while a dead or worn process is being
//! replaced, so there are never more processes than configured and never an idle slot without a process.
//! A lease that is dropped in the middle of a request takes its worker along: nobody else could tell whose
//! answer comes next.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::sleep;

use super::SandboxError;
use super::gates::{Gates, Party, Passed};
use super::process::Worker;
use super::protocol::{Layers, Setup};
use super::roll::Roll;

/// Pauses between attempts to start a process when that fails.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Pool {
    program: PathBuf,
    setup: Setup,
    size: u32,
    permits: Arc<Semaphore>,
    gates: Gates,
    idle: Mutex<Vec<Worker>>,
    /// As the first worker said; the others are made alike.
    layers: Layers,
    stopping: watch::Sender<bool>,
    roll: Roll,
}

impl Pool {
    /// Starts all workers.
    pub(super) async fn start(
        program: PathBuf,
        setup: Setup,
        workers: usize,
    ) -> Result<Arc<Self>, SandboxError> {
        let size = u32::try_from(workers.max(1)).unwrap_or(u32::MAX);
        let roll = Roll::default();
        let starting = (0..size).map(|_| Worker::start(&program, &setup, &roll));
        let idle = futures_util::future::try_join_all(starting)
            .await
            .map_err(|reason| SandboxError::Start {
                program: program.clone(),
                reason,
            })?;
        let layers = idle
            .first()
            .map_or_else(Layers::default, |worker| worker.layers);
        tracing::info!(workers, ?layers, "the sandbox has started its workers");
        Ok(Arc::new(Self {
            permits: Arc::new(Semaphore::new(idle.len())),
            gates: Gates::new(idle.len()),
            program,
            setup,
            size,
            idle: Mutex::new(idle),
            layers,
            stopping: watch::Sender::new(false),
            roll,
        }))
    }

    /// Waits for a worker: parties take turns, and inside a party it is first come, first served. Among several
    /// workers, one that `prefer` likes.
    pub(super) async fn lease(
        self: &Arc<Self>,
        party: Party,
        prefer: impl Fn(&Worker) -> bool,
    ) -> Result<Lease, SandboxError> {
        let passed = self.gates.pass(party).await;
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_closed| SandboxError::Stopping)?;
        let mut lease = Lease {
            pool: Arc::clone(self),
            worker: None,
            permit: Some(permit),
            _passed: passed,
        };
        if *self.stopping.borrow() {
            return Err(SandboxError::Stopping);
        }
        lease.worker = self.take_idle(prefer);
        let alive = lease.worker.as_mut().is_some_and(Worker::is_alive);
        if !alive {
            metrics::counter!("cuegate_sandbox_deaths_total", "reason" => "idle").increment(1);
            lease.replace().await?;
        }
        Ok(lease)
    }

    fn take_idle(&self, prefer: impl Fn(&Worker) -> bool) -> Option<Worker> {
        let mut idle = self.idle();
        match idle.iter().position(prefer) {
            Some(index) => Some(idle.swap_remove(index)),
            // The one that was used last has the warmest caches.
            None => idle.pop(),
        }
    }

    pub(super) fn pids(&self) -> Vec<u32> {
        self.roll.pids()
    }

    pub(super) fn size(&self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX)
    }

    pub(super) fn layers(&self) -> Layers {
        self.layers
    }

    /// How many processes exist, without those that died while idle.
    pub(super) fn alive(&self) -> usize {
        let dead: usize = self
            .idle()
            .iter_mut()
            .map(|worker| usize::from(!worker.is_alive()))
            .sum();
        self.roll.pids().len().saturating_sub(dead)
    }

    /// Lets requests in flight end, refuses new ones, and ends all workers.
    pub(super) async fn stop(&self) {
        self.stopping.send_replace(true);
        let _all = self.permits.acquire_many(self.size).await;
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle());
        for worker in idle {
            worker.end().await;
        }
    }

    /// Starts a worker, and does not give up before the pool is stopped.
    async fn start_patiently(&self) -> Result<Worker, SandboxError> {
        let mut stopping = self.stopping.subscribe();
        let mut pause = PAUSE_MIN;
        loop {
            if *stopping.borrow_and_update() {
                return Err(SandboxError::Stopping);
            }
            match Worker::start(&self.program, &self.setup, &self.roll).await {
                Ok(worker) => return Ok(worker),
                Err(reason) => tracing::error!(
                    program = %self.program.display(),
                    reason,
                    retry_in = ?pause,
                    "A sandbox worker could not be started; rules wait until it can."
                ),
            }
            tokio::select! {
                () = sleep(pause) => {}
                _ = stopping.changed() => {}
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Starts a worker for a slot that has none, in the background.
    fn refill(self: &Arc<Self>, permit: OwnedSemaphorePermit) {
        // Without a runtime there is nobody left to serve.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let pool = Arc::clone(self);
        runtime.spawn(async move {
            if let Ok(worker) = pool.start_patiently().await {
                pool.idle().push(worker);
            }
            drop(permit);
        });
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One worker for one request at a time. Dropped, it goes back to the pool if it can be used again.
#[derive(Debug)]
pub(super) struct Lease {
    pool: Arc<Pool>,
    worker: Option<Worker>,
    permit: Option<OwnedSemaphorePermit>,
    _passed: Passed,
}

impl Lease {
    pub(super) fn worker(&mut self) -> &mut Worker {
        self.worker
            .as_mut()
            .expect("a lease that was handed out has a worker")
    }

    /// Puts a fresh worker in place of one that died.
    pub(super) async fn replace(&mut self) -> Result<(), SandboxError> {
        self.worker = None;
        self.worker = Some(self.pool.start_patiently().await?);
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else {
            return;
        };
        match self.worker.take() {
            Some(worker) if worker.is_fit() => {
                self.pool.idle().push(worker);
                drop(permit);
            }
            _dead_or_worn => self.pool.refill(permit),
        }
    }
}
