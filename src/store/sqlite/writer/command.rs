//! One thing to write, with how much its commit must survive and who waits for the answer.

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::store::{Change, StoreError};

/// The most rows of a command that is committed together with others.
const SHARING_ROWS_MAX: usize = 32;

/// How much a command's commit must survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::sqlite) enum Class {
    /// A power cut.
    Durable,
    /// The death of the process; the next durable commit makes it survive a power cut as well.
    Lazy,
}

pub(super) type Outcome<T> = Result<T, StoreError>;
type Statements<T> = Box<dyn FnOnce(&Connection) -> Outcome<T> + Send>;
type Classify = Box<dyn Fn(&Connection) -> Outcome<Class> + Send>;

/// Something to write and, afterwards, to answer.
pub(in crate::store::sqlite) struct Command<T> {
    classify: Classify,
    bytes: usize,
    alone: bool,
    announces: Option<Change>,
    statements: Option<Statements<T>>,
    written: Option<T>,
    conclusion: Option<Box<dyn FnOnce(bool) + Send>>,
    pub(super) reply: Option<oneshot::Sender<Outcome<T>>>,
}

impl<T: Send + 'static> Command<T> {
    /// A command of a known class.
    pub(in crate::store::sqlite) fn new(
        class: Class,
        statements: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Self {
        Self::classified(move |_| Ok(class), statements)
    }

    /// A command whose class the writer finds out when its turn has come.
    pub(in crate::store::sqlite) fn classified(
        classify: impl Fn(&Connection) -> Outcome<Class> + Send + 'static,
        statements: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Self {
        Self {
            classify: Box::new(classify),
            bytes: 0,
            alone: false,
            announces: None,
            statements: Some(Box::new(statements)),
            written: None,
            conclusion: None,
            reply: None,
        }
    }

    /// About how many bytes it writes.
    pub(in crate::store::sqlite) fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// About how many rows it writes. Of many, its transaction has no other command in it and needs no savepoint: there
    /// SQLite keeps every page as it was in a list, and walks it at the end of each statement that adds to it.
    pub(in crate::store::sqlite) fn rows(mut self, rows: usize) -> Self {
        self.alone = rows > SHARING_ROWS_MAX;
        self
    }

    /// Its commit may make something routable or claimable.
    pub(in crate::store::sqlite) fn announcing(mut self, change: Change) -> Self {
        self.announces = Some(change);
        self
    }

    /// Is told on the writer's thread, before its next command, whether the commit has kept what was written.
    pub(in crate::store::sqlite) fn concluding(
        mut self,
        conclusion: impl FnOnce(bool) + Send + 'static,
    ) -> Self {
        self.conclusion = Some(Box::new(conclusion));
        self
    }
}

/// A [`Command`] whose answer may be of any type.
pub(super) trait Work: Send {
    fn class(&self, db: &Connection) -> Outcome<Class>;
    fn bytes(&self) -> usize;
    fn is_alone(&self) -> bool;
    fn announces(&self) -> Option<Change>;
    fn write(&mut self, db: &Connection) -> Outcome<()>;
    fn answer(self: Box<Self>, committed: Outcome<()>);
}

impl<T: Send + 'static> Work for Command<T> {
    fn class(&self, db: &Connection) -> Outcome<Class> {
        (self.classify)(db)
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn is_alone(&self) -> bool {
        self.alone
    }

    fn announces(&self) -> Option<Change> {
        self.announces
    }

    fn write(&mut self, db: &Connection) -> Outcome<()> {
        let statements = self.statements.take().expect("a command is written once");
        self.written = Some(statements(db)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Outcome<()>) {
        let Self {
            written,
            reply,
            conclusion,
            ..
        } = *self;
        if let Some(conclusion) = conclusion {
            conclusion(committed.is_ok());
        }
        let answer = committed.map(|()| written.expect("a committed command was written"));
        // An asker that went away has no use for the answer.
        let _ = reply.map(|reply| reply.send(answer));
    }
}
