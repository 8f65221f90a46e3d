//! The store keeps itself in order: prunes, and says how well it is.

pub(super) mod kept_jobs;
mod tokens;

use std::path::Path;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::Connection;

use super::rows::time;
use super::writer::{Class, Command};
use super::{SqliteStore, pruning};
use crate::store::{Cut, Finding, Health, Keeps, PruneMark, Pruned, StoreError};

#[async_trait]
impl Keeps for SqliteStore {
    async fn prune(&self, cut: &Cut, from: PruneMark) -> Result<Pruned, StoreError> {
        let cut = *cut;
        if self.backups.is_under_way() {
            return Ok(Pruned {
                held: true,
                next: Some(from),
                ..Pruned::default()
            });
        }
        // Lazy: what a power cut brings back is pruned again.
        let command = match from.stage {
            pruning::EVENTS => {
                let look = move |db: &Connection| pruning::candidates(db, &cut, from.after);
                let found = self.readers.read(look).await?;
                if found.events.is_empty() {
                    let after = PruneMark {
                        stage: pruning::EVENTS,
                        after: found.reached,
                    };
                    let over = found.last.then(|| pruning::stage_after(pruning::EVENTS));
                    return Ok(Pruned {
                        next: over.unwrap_or(Some(after)),
                        ..Pruned::default()
                    });
                }
                let rows = found.events.len();
                Command::new(Class::Lazy, move |db| {
                    pruning::prune_events(db, &found, &cut)
                })
                .rows(rows)
            }
            pruning::STATE => Command::new(Class::Lazy, move |db| pruning::prune_state(db, &cut)),
            _ => {
                let look = move |db: &Connection| pruning::unused_rule_sets(db, &cut);
                let unused = self.readers.read(look).await?;
                Command::new(Class::Lazy, move |db| pruning::prune_rule_sets(db, &unused))
            }
        };
        self.main.submit(command).await
    }

    async fn health(&self) -> Result<Health, StoreError> {
        let ended = self.main.has_ended() || self.inbox.has_ended();
        let ended = || ended.then(|| "a writer of the store has ended".to_owned());
        let failure = self.changes.failure().map(|failure| failure.to_string());
        let (used, held) = self.readers.read(pages).await?;
        let logs: u64 = self.paths.iter().map(|path| log_bytes(path)).sum();
        Ok(Health {
            broken: failure.or_else(ended),
            no_room: self.floor.room().err().map(|error| error.to_string()),
            used_bytes: used,
            file_bytes: held + logs,
            free_bytes: self.floor.free_bytes()?,
        })
    }

    async fn check(&self) -> Result<Vec<Finding>, StoreError> {
        self.readers.read(super::checking::findings).await
    }

    async fn forgotten_until(&self) -> Result<Option<Timestamp>, StoreError> {
        let until = self.readers.read(pruning::forgotten_until).await?;
        until.map(time).transpose()
    }
}

/// Bytes in use and bytes of the files, both files together.
pub(super) fn pages(db: &Connection) -> Result<(u64, u64), StoreError> {
    let (mut used, mut held) = (0, 0);
    for file in ["main", "inbox"] {
        let of = |what: &str| -> Result<u64, StoreError> {
            let sql = format!("PRAGMA {file}.{what}");
            let number: i64 = db.query_row(&sql, [], |row| row.get(0))?;
            Ok(u64::try_from(number).unwrap_or(0))
        };
        let (pages, free, size) = (of("page_count")?, of("freelist_count")?, of("page_size")?);
        used += pages.saturating_sub(free) * size;
        held += pages * size;
    }
    Ok((used, held))
}

/// The size of a file's write-ahead log.
pub(super) fn log_bytes(file: &Path) -> u64 {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).map_or(0, |log| log.len())
}
