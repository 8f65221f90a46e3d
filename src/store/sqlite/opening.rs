//! From a directory to a store at work: locked, of the present schema, both files of one story, nothing leased.

use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::{Connection, OptionalExtension};

use super::backlog;
use super::changes::Changes;
use super::claiming::Turns;
use super::filesystem::{self, Floor};
use super::inbox::Inbox;
use super::lock::{BackupWatch, DirectoryLock};
use super::reader::Readers;
use super::writer::{Rules, Writer};
use super::{SqliteOptions, SqliteStore, lanes, restore, schema};
use crate::clock::SharedClock;
use crate::store::StoreError;

impl SqliteStore {
    /// Opens or makes the files, brings them to the present schema and releases all leases.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if another process holds the directory and does not let go in time,
    /// [`StoreError::Unsuitable`] if its file system is not safe, [`StoreError::Schema`] if a file is of a newer
    /// version or of another program, [`StoreError::Corrupt`] if a file is damaged, [`StoreError::Failed`] if the
    /// directory cannot be used.
    pub async fn open(options: SqliteOptions, clock: SharedClock) -> Result<Self, StoreError> {
        Self::open_saying(options, clock, |_| {}).await
    }

    /// The same, saying whom it waits for if another process holds the directory.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub async fn open_saying(
        options: SqliteOptions,
        clock: SharedClock,
        waits: impl FnOnce(String) + Send,
    ) -> Result<Self, StoreError> {
        make_directory(options.directory())?;
        if !options.allow_network_fs {
            filesystem::examine(&*options.disk, options.directory())?;
        }
        let lock =
            DirectoryLock::acquire_saying(options.directory(), options.lock_wait, waits).await?;
        tokio::task::spawn_blocking(move || Self::open_files(&options, clock, Arc::new(lock)))
            .await
            .map_err(|error| StoreError::Failed(format!("opening broke off: {error}")))?
    }

    fn open_files(
        options: &SqliteOptions,
        clock: SharedClock,
        lock: Arc<DirectoryLock>,
    ) -> Result<Self, StoreError> {
        restore::finish(options)?;
        expect_both(options)?;
        let mut main = schema::MAIN.open(&options.path)?;
        let inbox = schema::INBOX.open(&options.inbox_path())?;
        let trimmed = align(&main, &inbox)?;
        let transaction = main.transaction()?;
        let released = lanes::release_all(&transaction, clock.now())?;
        transaction.commit()?;
        if released > 0 {
            tracing::info!(
                runs = released,
                "runs that were under way at the last stop are ready again"
            );
        }
        let readers = Readers::open(options)?;
        let floor = Floor::new(
            Arc::clone(&options.disk),
            options.directory(),
            options.min_free,
        );
        let floor = Arc::new(floor);
        let backups = Arc::new(BackupWatch::new(options.directory())?);
        let changes = Arc::new(Changes::default());
        let start = |db, file, durable| {
            let rules = Rules {
                file,
                durable,
                lazy: options.lazy_synchronous,
                queue_max: options.queue_max,
                batch_max: options.batch_max,
                batch_bytes_max: options.batch_bytes_max,
            };
            Writer::start(db, rules, Arc::clone(&changes), Arc::clone(&lock))
        };
        let inbox = start(inbox, "inbox", options.inbox_synchronous)?;
        Ok(Self {
            inbox: Inbox::new(
                inbox,
                options,
                trimmed,
                Arc::clone(&floor),
                Arc::clone(&backups),
            ),
            main: start(main, "main", options.durable_synchronous)?,
            readers,
            turns: Arc::new(Turns::new(Arc::clone(&changes))),
            changes,
            clock,
            floor,
            backups,
            paths: [options.path.clone(), options.inbox_path()],
            lock: Mutex::new(Some(lock)),
        })
    }
}

pub(super) fn make_directory(directory: &Path) -> Result<(), StoreError> {
    std::fs::create_dir_all(directory).map_err(|error| {
        StoreError::Failed(format!(
            "cannot make the data directory {}: {error}",
            directory.display()
        ))
    })
}

/// Events without the runs that they made are half a store: a disk that is not mounted looks so, and a file that was
/// deleted. Whoever wants to begin anew removes both.
fn expect_both(options: &SqliteOptions) -> Result<(), StoreError> {
    let (main, inbox) = (&options.path, options.inbox_path());
    if main.exists() || !inbox.exists() {
        return Ok(());
    }
    let accepted: i64 = schema::INBOX.open(&inbox)?.query_row(
        "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'accepted'",
        [],
        |row| row.get(0),
    )?;
    if accepted == 0 {
        return Ok(());
    }
    Err(StoreError::Unsuitable(format!(
        "{} is missing, and {} has had {accepted} events: put it back, or restore a backup with `cuegate store restore`; to begin \
         anew without what it held, move {} away as well",
        main.display(),
        inbox.display(),
        inbox.display(),
    )))
}

/// Makes sure that the cursor of this inbox means what it says; answers the number before its first row.
///
/// An inbox that ends before its cursor is an older copy (a restored one, or one that a power cut shortened
/// under a lowered `synchronous`): it would give numbers again that count as routed. As a new generation it
/// is routed from its beginning, and events that are known already are recognized by their keys.
pub(super) fn align(main: &Connection, inbox: &Connection) -> Result<i64, StoreError> {
    let generation = inbox
        .query_row("SELECT id FROM generation", [], |row| row.get(0))
        .optional()?
        .ok_or_else(|| {
            StoreError::Corrupt(
                "inbox.db has no generation, so nobody knows what of it is routed; `cuegate store check --repair` \
                 gives it one"
                    .to_owned(),
            )
        })?;
    let routed = backlog::furthest(main, generation)?;
    let (last, before_first): (i64, i64) = inbox.query_row(
        "SELECT coalesce(max(seq), 0), coalesce((SELECT min(number) - 1 FROM accepted), 0)
         FROM sqlite_sequence WHERE name = 'accepted'",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if last < routed {
        tracing::warn!(
            last,
            routed,
            "inbox.db is older than cuegate.db; it is routed again from its beginning"
        );
        inbox.execute("UPDATE generation SET id = randomblob(16)", [])?;
    }
    Ok(before_first)
}
