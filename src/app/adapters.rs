//! The sandbox as router and runner want it. Both know only what they need of it.

use std::sync::Arc;

use async_trait::async_trait;

use crate::engine::{Moment, When};
use crate::model::{Event, Failure, Program, RunId, Step};
use crate::sandbox::{Advanced, Answers, Sandbox};
use crate::{router, runner};

/// Rules are evaluated in worker processes.
#[derive(Clone, Debug)]
pub struct ScriptWorkers(pub Arc<Sandbox>);

#[async_trait]
impl router::Scripts for ScriptWorkers {
    async fn when(
        &self,
        program: &Arc<Program>,
        events: &[Arc<Event>],
        workers_max: u32,
    ) -> Result<Answers<When>, String> {
        self.0
            .when(program, events, workers_max)
            .await
            .map_err(|e| e.to_string())
    }

    async fn lane(
        &self,
        program: &Arc<Program>,
        events: &[Arc<Event>],
        workers_max: u32,
    ) -> Result<Answers<Result<String, Failure>>, String> {
        self.0
            .lane(program, events, workers_max)
            .await
            .map_err(|e| e.to_string())
    }
}

#[async_trait]
impl runner::Scripts for ScriptWorkers {
    async fn advance(
        &self,
        program: &Arc<Program>,
        run: RunId,
        moment: &Moment,
        event: &Event,
        journal: &[Step],
    ) -> Result<runner::Advanced, String> {
        let Advanced {
            advance,
            workers_lost,
            busy,
        } = self
            .0
            .advance(program, run, moment, event, journal)
            .await
            .map_err(|e| e.to_string())?;
        Ok(runner::Advanced {
            advance,
            workers_lost,
            busy,
        })
    }

    async fn lane(
        &self,
        program: &Arc<Program>,
        events: &[Arc<Event>],
        workers_max: u32,
    ) -> Result<Answers<Result<String, Failure>>, String> {
        self.0
            .lane(program, events, workers_max)
            .await
            .map_err(|e| e.to_string())
    }
}
