//! Up to when schedules have been looked at: a few rows, written as a whole.
//!
//! A power cut may take the last of it back. Then the same time fires again, and its key tells that it did before.

use async_trait::async_trait;
use rusqlite::{Connection, Row, params};

use super::SqliteStore;
use super::rows::{micros, time};
use super::writer::{Class, Command};
use crate::model::RuleId;
use crate::store::{Considered, Schedules, StoreError};

#[async_trait]
impl Schedules for SqliteStore {
    async fn schedules(&self) -> Result<Vec<Considered>, StoreError> {
        self.readers.read(all).await
    }

    async fn keep_schedules(&self, schedules: Vec<Considered>) -> Result<(), StoreError> {
        let command = Command::new(Class::Lazy, move |db| keep(db, &schedules));
        self.main.submit(command).await
    }
}

/// All that can be read. A schedule whose row cannot be read begins anew, as one of a new rule does.
fn all(db: &Connection) -> Result<Vec<Considered>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT rule, timetable, considered_at FROM schedule ORDER BY rule")?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        match considered(row) {
            Ok(schedule) => all.push(schedule),
            Err(error) => {
                tracing::error!(%error, "it cannot be read up to when a schedule has fired; it begins anew");
            }
        }
    }
    Ok(all)
}

fn considered(row: &Row<'_>) -> Result<Considered, StoreError> {
    Ok(Considered {
        rule: RuleId(row.get(0)?),
        timetable: row.get(1)?,
        at: time(row.get(2)?)?,
    })
}

fn keep(db: &Connection, schedules: &[Considered]) -> Result<(), StoreError> {
    db.prepare_cached("DELETE FROM schedule")?.execute([])?;
    let mut insert = db.prepare_cached(
        "INSERT INTO schedule (rule, timetable, considered_at) VALUES (?1, ?2, ?3)",
    )?;
    for schedule in schedules {
        insert.execute(params![
            schedule.rule.as_str(),
            schedule.timetable,
            micros(schedule.at)
        ])?;
    }
    Ok(())
}
