//! Jobs that runs show themselves as: one small row for each run with `progress`.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Map, Value};

use super::super::rows::{from_json, micros, to_json};
use super::super::writer::{Class, Command};
use super::super::{SqliteStore, listing};
use crate::model::RunId;
use crate::store::{KeptJob, KeptJobs, KeptPage, StoreError, Told};

#[async_trait]
impl KeptJobs for SqliteStore {
    async fn kept_jobs(
        &self,
        ended: bool,
        after: RunId,
        limit: usize,
    ) -> Result<KeptPage, StoreError> {
        let look = move |db: &Connection| page(db, ended, after, limit);
        self.readers.read(look).await
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

/// What is told first by whoever cannot know what Iconik shows: everything, and that earlier texts hold no more.
const UNKNOWN: &str = r#"{"message":null,"error_message":null}"#;

/// The job of a run becomes that of the run that goes on for it. What Iconik shows may be the end of the first one.
pub(in crate::store::sqlite) fn hand_over(
    db: &Connection,
    from: RunId,
    to: RunId,
) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE kept_job SET run = ?2, told = ?3, ended_at = NULL WHERE run = ?1")?
        .execute(params![from.0, to.0, UNKNOWN])?;
    Ok(())
}

/// After a restore Iconik may have been told more than the files know.
pub(in crate::store::sqlite) fn forget_told(db: &Connection) -> Result<(), StoreError> {
    db.execute(
        "UPDATE kept_job SET told = ?1 WHERE ended_at IS NULL",
        [UNKNOWN],
    )?;
    Ok(())
}

fn page(db: &Connection, ended: bool, after: RunId, limit: usize) -> Result<KeptPage, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows: Vec<(i64, String, String, String)> = db
        .prepare_cached(
            "SELECT kept_job.run, job, abort_key, told
             FROM kept_job INDEXED BY kept_job_open LEFT JOIN run ON run.id = kept_job.run
             WHERE kept_job.ended_at IS NULL AND kept_job.run > ?2 AND (run.ended_at IS NOT NULL) = ?1
             ORDER BY kept_job.run LIMIT ?3",
        )?
        .query_map(params![ended, after.0, limit], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut page = KeptPage::default();
    for (id, job, abort_key, told) in rows {
        page.last = Some(RunId(id));
        match kept(db, RunId(id), job, abort_key, &told) {
            Ok(kept) => page.jobs.extend(kept),
            // One row that cannot be read must not keep the others from being told.
            Err(error) => tracing::warn!(run = id, %error, "the job of a run is left out"),
        }
    }
    Ok(page)
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
