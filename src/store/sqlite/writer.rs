//! One thread for each file does all its writing, and commits together whatever came in while it was busy.
//!
//! There is no timer: the sync of the disk is the time in which the next batch gathers. `synchronous` cannot
//! change inside a transaction, so a batch ends where the class of its commands changes; order is kept. An
//! answer is given after the commit has returned and never before, and a failed commit fails everybody in it.

mod command;

use std::fmt;
use std::sync::Arc;
use std::thread;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::changes::Changes;
use super::lock::DirectoryLock;
use super::options::Synchronous;
use crate::store::{Change, StoreError};

pub(super) use command::{Class, Command};
use command::{Outcome, Work};

enum Message {
    Work(Box<dyn Work>),
    Close(oneshot::Sender<Outcome<()>>),
}

/// What a writer keeps to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Names the file in metrics and threads.
    pub(super) file: &'static str,
    pub(super) durable: Synchronous,
    pub(super) lazy: Synchronous,
    pub(super) queue_max: usize,
    pub(super) batch_max: usize,
    pub(super) batch_bytes_max: usize,
}

/// The way to the thread.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Message>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.queue.max_capacity() - self.queue.capacity();
        f.debug_struct("Writer").field("waiting", &waiting).finish()
    }
}

impl Writer {
    /// Starts the thread. It ends when it is closed or when every `Writer` is gone, whichever is first, and
    /// holds the lock until then.
    pub(super) fn start(
        db: Connection,
        rules: Rules,
        changes: Arc<Changes>,
        lock: Arc<DirectoryLock>,
    ) -> Result<Self, StoreError> {
        let (queue, commands) = mpsc::channel(rules.queue_max.max(1));
        let desk = Desk {
            db,
            commands,
            rules,
            changes,
            level: None,
            broken: None,
        };
        thread::Builder::new()
            .name(format!("store-{}", rules.file))
            .spawn(move || desk.serve(lock))
            .map_err(|error| StoreError::Failed(format!("cannot start a writer: {error}")))?;
        Ok(Self { queue })
    }

    /// Whether its thread has ended: it was closed, or it has panicked.
    pub(super) fn has_ended(&self) -> bool {
        self.queue.is_closed()
    }

    /// Waits for room in the queue, for the commit, and for the answer.
    pub(super) async fn submit<T: Send + 'static>(&self, mut command: Command<T>) -> Outcome<T> {
        let (reply, answer) = oneshot::channel();
        command.reply = Some(reply);
        self.queue
            .send(Message::Work(Box::new(command)))
            .await
            .map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Like [`Self::submit`], but a full queue is refused at once.
    pub(super) async fn submit_or_refuse<T: Send + 'static>(
        &self,
        mut command: Command<T>,
    ) -> Outcome<T> {
        let (reply, answer) = oneshot::channel();
        command.reply = Some(reply);
        self.post(command)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Leaves a command in the queue without waiting for anything.
    pub(super) fn post<T: Send + 'static>(&self, command: Command<T>) -> Outcome<()> {
        self.queue
            .try_send(Message::Work(Box::new(command)))
            .map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
            })
    }

    /// Writes what is in the queue, checkpoints and closes the file.
    pub(super) async fn close(&self) -> Outcome<()> {
        let (reply, answer) = oneshot::channel();
        self.queue
            .send(Message::Close(reply))
            .await
            .map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

/// Commands whose transaction is open.
#[derive(Default)]
struct Batch {
    class: Option<Class>,
    bytes: usize,
    written: Vec<Box<dyn Work>>,
}

impl Batch {
    fn answer(self, committed: &Outcome<()>) {
        for work in self.written {
            work.answer(committed.clone());
        }
    }
}

/// The thread's side.
struct Desk {
    db: Connection,
    commands: mpsc::Receiver<Message>,
    rules: Rules,
    changes: Arc<Changes>,
    /// The `synchronous` in force.
    level: Option<Synchronous>,
    /// Set when the disk failed to sync. What it lost then is unknown, so nothing is promised afterwards.
    broken: Option<StoreError>,
}

impl Desk {
    fn serve(mut self, lock: Arc<DirectoryLock>) {
        while let Some(first) = self.commands.blocking_recv() {
            let mut batch = Batch::default();
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Work(work) => batch = self.add(batch, work),
                    Message::Close(reply) => {
                        self.commit(batch);
                        let closed = self.close();
                        drop(lock);
                        // Nobody may be waiting for it any more; the file is closed all the same.
                        let _ = reply.send(closed);
                        return;
                    }
                }
                let full = batch.written.len() >= self.rules.batch_max
                    || batch.bytes >= self.rules.batch_bytes_max;
                next = if full {
                    None
                } else {
                    self.commands.try_recv().ok()
                };
            }
            self.commit(batch);
        }
    }

    /// Writes one command into the batch, after committing the batch if the class changes.
    fn add(&mut self, mut batch: Batch, mut work: Box<dyn Work>) -> Batch {
        if let Some(broken) = &self.broken {
            work.answer(Err(broken.clone()));
            return batch;
        }
        // Only a broken file makes this fail, and then so will the command.
        let class = work.class(&self.db).unwrap_or(Class::Durable);
        if work.is_alone() {
            self.commit(batch);
            self.write_alone(work, class);
            return Batch::default();
        }
        if batch.class.is_some_and(|open| open != class) {
            self.commit(batch);
            batch = Batch::default();
        }
        if batch.class.is_none() {
            if let Err(error) = self.begin(class) {
                work.answer(Err(error));
                return batch;
            }
            batch.class = Some(class);
        }
        match in_savepoint(&self.db, &mut *work) {
            Ok(()) => {
                batch.bytes += work.bytes();
                batch.written.push(work);
                batch
            }
            // SQLite rolls the whole transaction back when the disk is full or fails.
            Err(error) if self.db.is_autocommit() => {
                work.answer(Err(error.clone()));
                batch.answer(&Err(error));
                Batch::default()
            }
            Err(error) => {
                work.answer(Err(error));
                batch
            }
        }
    }

    fn write_alone(&mut self, mut work: Box<dyn Work>, class: Class) {
        let written = self.begin(class).and_then(|()| work.write(&self.db));
        let Err(error) = written else {
            return self.commit(Batch {
                class: Some(class),
                bytes: 0,
                written: vec![work],
            });
        };
        self.roll_back();
        work.answer(Err(error));
    }

    fn begin(&mut self, class: Class) -> Outcome<()> {
        let level = match class {
            Class::Durable => self.rules.durable,
            Class::Lazy => self.rules.lazy,
        };
        if self.level != Some(level) {
            // Not from the cache of statements: SQLite obeys this one when it compiles it.
            self.db.execute_batch(level.pragma())?;
            self.level = Some(level);
        }
        self.db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    fn commit(&mut self, batch: Batch) {
        if batch.class.is_none() {
            return;
        }
        let started = Instant::now();
        let committed = self.finish();
        metrics::histogram!("cuegate_store_commit_seconds", "file" => self.rules.file)
            .record(started.elapsed().as_secs_f64());
        let announced = batch.written.iter().filter_map(|work| work.announces());
        let mut announced: Vec<Change> = announced.collect();
        announced.dedup();
        batch.answer(&committed);
        if committed.is_ok() {
            for change in announced {
                self.changes.announce(change);
            }
        }
    }

    fn finish(&mut self) -> Outcome<()> {
        let committed = self
            .db
            .prepare_cached("COMMIT")
            .and_then(|mut commit| commit.execute([]));
        let Err(error) = committed else {
            return Ok(());
        };
        self.roll_back();
        if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) {
            let broken = StoreError::Failed(format!(
                "the disk did not keep what was written ({error}), so nothing more is promised; look at the \
                 disk, then start Cuegate again"
            ));
            tracing::error!(file = self.rules.file, %error, "the store stops writing: {broken}");
            self.changes.fail(&broken);
            self.broken = Some(broken.clone());
            return Err(broken);
        }
        Err(error.into())
    }

    /// Ends a transaction that SQLite has not ended by itself.
    fn roll_back(&self) {
        if !self.db.is_autocommit()
            && let Err(error) = self.db.execute_batch("ROLLBACK")
        {
            tracing::error!(file = self.rules.file, %error, "a transaction could not be rolled back");
        }
    }

    fn close(self) -> Outcome<()> {
        self.db
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        self.db.close().map_err(|(_, error)| error.into())
    }
}

/// A command that fails leaves nothing behind, and the others of its batch do not notice.
fn in_savepoint(db: &Connection, work: &mut dyn Work) -> Outcome<()> {
    db.prepare_cached("SAVEPOINT command")?.execute([])?;
    let written = work.write(db);
    if written.is_err() && !db.is_autocommit() {
        db.prepare_cached("ROLLBACK TO command")?.execute([])?;
    }
    if !db.is_autocommit() {
        db.prepare_cached("RELEASE command")?.execute([])?;
    }
    written
}

#[cfg(test)]
mod tests;
