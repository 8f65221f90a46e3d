//! A few connections that only read, each in a snapshot of its own, so that a long list never waits for a
//! write nor a write for it.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::options::SqliteOptions;
use super::schema;
use crate::store::StoreError;

/// The pool.
#[derive(Debug)]
pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    /// One permit for each idle connection.
    turns: Arc<Semaphore>,
    size: u32,
}

impl Readers {
    /// Opens them all; the files must be there.
    pub(super) fn open(options: &SqliteOptions) -> Result<Self, StoreError> {
        let size = options.readers.max(1);
        let idle = (0..size)
            .map(|_| schema::open_reader(&options.path, &options.inbox_path()))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            idle: Arc::new(Mutex::new(idle)),
            turns: Arc::new(Semaphore::new(size)),
            size: u32::try_from(size).unwrap_or(u32::MAX),
        })
    }

    /// Reads on a thread that may block, everything from one moment.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Closed)?;
        let idle = Arc::clone(&self.idle);
        tokio::task::spawn_blocking(move || {
            // Dropped last, after the connection is back in the pool.
            let _turn = turn;
            let loan = Loan::take(&idle);
            let snapshot = loan.connection().unchecked_transaction()?;
            read(&snapshot)
        })
        .await
        .map_err(|error| StoreError::Failed(format!("a read broke off: {error}")))?
    }

    /// Waits for the reads under way and closes the connections.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        let _all = self
            .turns
            .acquire_many(self.size)
            .await
            .map_err(|_| StoreError::Closed)?;
        self.turns.close();
        lock(&self.idle).clear();
        Ok(())
    }
}

/// A connection on loan; it goes back however the read ends.
struct Loan<'a> {
    idle: &'a Mutex<Vec<Connection>>,
    connection: Option<Connection>,
}

impl<'a> Loan<'a> {
    fn take(idle: &'a Mutex<Vec<Connection>>) -> Self {
        let connection = lock(idle).pop();
        Self { idle, connection }
    }

    fn connection(&self) -> &Connection {
        self.connection
            .as_ref()
            .expect("a permit stands for a connection")
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        lock(self.idle).extend(self.connection.take());
    }
}

fn lock(idle: &Mutex<Vec<Connection>>) -> std::sync::MutexGuard<'_, Vec<Connection>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
