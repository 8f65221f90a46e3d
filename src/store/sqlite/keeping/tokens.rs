//! Sealed tokens: a few rows that live for hours.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::super::SqliteStore;
use super::super::rows::micros;
use super::super::writer::{Class, Command};
use crate::model::EventId;
use crate::store::{SealedToken, StoreError, Tokens};

#[async_trait]
impl Tokens for SqliteStore {
    async fn keep_token(&self, token: SealedToken) -> Result<(), StoreError> {
        let command = Command::new(Class::Durable, move |db| keep(db, &token));
        self.main.submit(command).await
    }

    async fn token(&self, event: EventId, at: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        self.readers.read(move |db| find(db, event, at)).await
    }

    async fn forget_tokens(&self, at: Timestamp) -> Result<usize, StoreError> {
        // There are none, as a rule, and then nothing is written.
        if !self.readers.read(there_are_any).await? {
            return Ok(0);
        }
        let command = Command::new(Class::Durable, move |db| forget(db, at));
        self.main.submit(command).await
    }
}

fn keep(db: &Connection, token: &SealedToken) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO sealed_token (event, sealed, expires_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (event) DO UPDATE SET sealed = excluded.sealed, expires_at = excluded.expires_at",
    )?
    .execute(params![
        token.event.0,
        token.sealed,
        micros(token.expires_at)
    ])?;
    Ok(())
}

fn find(db: &Connection, event: EventId, at: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(db
        .prepare_cached("SELECT sealed FROM sealed_token WHERE event = ?1 AND expires_at > ?2")?
        .query_row(params![event.0, micros(at)], |row| row.get(0))
        .optional()?)
}

fn there_are_any(db: &Connection) -> Result<bool, StoreError> {
    Ok(db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM sealed_token)")?
        .query_row([], |row| row.get(0))?)
}

fn forget(db: &Connection, at: Timestamp) -> Result<usize, StoreError> {
    Ok(db
        .prepare_cached(
            "DELETE FROM sealed_token WHERE expires_at <= ?1 OR EXISTS (
                 SELECT 1 FROM event WHERE event.id = sealed_token.event AND event.state <> 'held' AND NOT EXISTS (
                     SELECT 1 FROM run WHERE run.event = event.number AND run.ended_at IS NULL))",
        )?
        .execute([micros(at)])?)
}
