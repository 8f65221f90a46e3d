//! Jobs that runs show themselves as: one small row for each run with `progress`.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Map, Value};

use super::super::rows::{from_json, micros, to_json};
use super::super::writer::{Class, Command};
use super::super::{SqliteStore, listing};
use crate::model::RunId;
use crate::store::{KeptJob, KeptJobs, StoreError, Told};

#[async_trait]
impl KeptJobs for SqliteStore {
    async fn kept_jobs(&self, after: RunId, limit: usize) -> Result<Vec<KeptJob>, StoreError> {
        self.readers.read(move |db| open(db, after, limit)).await
    }

    async fn told(&self, told: Told) -> Result<(), StoreError> {
        // Lazy: what a power cut takes back is told again, which changes nothing.
        let command = Command::new(Class::Lazy, move |db| write_told(db, &told));
        self.main.submit(command).await
    }

    async fn run_of_abort_key(&self, key: &str) -> Result<Option<RunId>, StoreError> {
        let key = key.to_owned();
        self.readers.read(move |db| run_of(db, &key)).await
    }
}

/// Keeps the job that a run has made, which was made as started. A run has one.
pub(in crate::store::sqlite) fn keep(
    db: &Connection,
    run: RunId,
    job: &str,
    abort_key: &str,
) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO kept_job (run, job, abort_key, told) VALUES (?1, ?2, ?3, '{\"status\":\"STARTED\"}')",
    )?
    .execute(params![run.0, job, abort_key])?;
    Ok(())
}

/// The job of a run becomes that of the run that goes on for it: whoever made it is the same.
pub(in crate::store::sqlite) fn hand_over(
    db: &Connection,
    from: RunId,
    to: RunId,
) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE kept_job SET run = ?2, ended_at = NULL WHERE run = ?1")?
        .execute([from.0, to.0])?;
    Ok(())
}

fn open(db: &Connection, after: RunId, limit: usize) -> Result<Vec<KeptJob>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows: Vec<(i64, String, String, String)> = db
        .prepare_cached(
            "SELECT run, job, abort_key, told FROM kept_job INDEXED BY kept_job_open
             WHERE ended_at IS NULL AND run > ?1 ORDER BY run LIMIT ?2",
        )?
        .query_map([after.0, limit], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut jobs = Vec::new();
    for (id, job, abort_key, told) in rows {
        match kept(db, RunId(id), job, abort_key, &told) {
            Ok(kept) => jobs.extend(kept),
            // One row that cannot be read must not keep the others from being told.
            Err(error) => tracing::error!(run = id, %error, "the job of a run is left out"),
        }
    }
    Ok(jobs)
}

fn kept(
    db: &Connection,
    id: RunId,
    job: String,
    abort_key: String,
    told: &str,
) -> Result<Option<KeptJob>, StoreError> {
    let Some(run) = listing::run(db, id)? else {
        return Ok(None);
    };
    let told: Map<String, Value> = from_json(format_args!("what was told of run {id}"), told)?;
    Ok(Some(KeptJob {
        run,
        job,
        abort_key,
        told,
    }))
}

fn write_told(db: &Connection, told: &Told) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE kept_job SET told = ?2, ended_at = ?3 WHERE run = ?1")?
        .execute(params![
            told.run.0,
            to_json(&told.told),
            told.ended_at.map(micros)
        ])?;
    Ok(())
}

fn run_of(db: &Connection, key: &str) -> Result<Option<RunId>, StoreError> {
    Ok(db
        .prepare_cached("SELECT run FROM kept_job WHERE abort_key = ?1")?
        .query_row([key], |row| row.get(0).map(RunId))
        .optional()?)
}
