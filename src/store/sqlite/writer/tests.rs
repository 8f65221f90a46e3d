//! The hand-over of a batch: who is answered what, and never before the commit.

use std::path::Path;

use tempfile::TempDir;

use super::*;

struct Desktop {
    dir: TempDir,
    writer: Writer,
}

async fn desktop(queue_max: usize) -> Desktop {
    let dir = tempfile::tempdir().unwrap();
    let lock = DirectoryLock::acquire(dir.path(), std::time::Duration::ZERO)
        .await
        .unwrap();
    let db = connect(dir.path());
    db.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA foreign_keys = ON;
         CREATE TABLE note (text TEXT UNIQUE, parent TEXT REFERENCES note (text) DEFERRABLE INITIALLY DEFERRED)",
    )
    .unwrap();
    let rules = Rules {
        file: "test",
        durable: Synchronous::Full,
        lazy: Synchronous::Normal,
        queue_max,
        batch_max: 100,
        batch_bytes_max: 1 << 20,
    };
    let writer = Writer::start(db, rules, Arc::default(), Arc::new(lock)).unwrap();
    Desktop { dir, writer }
}

fn connect(dir: &Path) -> Connection {
    Connection::open(dir.join("test.db")).unwrap()
}

fn note(class: Class, text: &'static str) -> Command<()> {
    Command::new(class, move |db| {
        db.execute("INSERT INTO note (text) VALUES (?1)", [text])?;
        Ok(())
    })
}

fn orphan(class: Class) -> Command<()> {
    Command::new(class, |db| {
        db.execute("INSERT INTO note VALUES ('orphan', 'nobody')", [])?;
        Ok(())
    })
}

impl Desktop {
    /// Keeps the writer busy until the returned sender is used, so that what follows gathers in one batch.
    fn hold(&self) -> std::sync::mpsc::Sender<()> {
        let (go, wait) = std::sync::mpsc::channel();
        let busy = Command::new(Class::Lazy, move |_| {
            wait.recv().map_err(|_| StoreError::Closed)
        });
        self.writer.post(busy).unwrap();
        go
    }

    /// The `synchronous` in force when a command of this class runs.
    async fn level(&self, class: Class) -> i64 {
        let level = Command::new(class, |db| {
            Ok(db.query_row("PRAGMA synchronous", [], |row| row.get(0))?)
        });
        self.writer.submit(level).await.unwrap()
    }

    fn notes(&self) -> Vec<String> {
        connect(self.dir.path())
            .prepare("SELECT text FROM note ORDER BY rowid")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap()
    }
}

#[tokio::test]
async fn an_answer_comes_after_the_commit() {
    let desk = desktop(10).await;
    for text in ["a", "b", "c"] {
        desk.writer
            .submit(note(Class::Durable, text))
            .await
            .unwrap();
        assert!(desk.notes().contains(&text.to_owned()));
    }
}

#[tokio::test]
async fn a_command_that_fails_fails_alone() {
    let desk = desktop(10).await;
    let go = desk.hold();
    let twice = Command::new(Class::Lazy, |db| {
        db.execute("INSERT INTO note (text) VALUES ('half')", [])?;
        db.execute("INSERT INTO note (text) VALUES ('a')", [])?;
        Ok(())
    });
    let (first, wrong, last, ()) = tokio::join!(
        desk.writer.submit(note(Class::Lazy, "a")),
        desk.writer.submit(twice),
        desk.writer.submit(note(Class::Lazy, "b")),
        async { go.send(()).unwrap() },
    );
    assert!(first.is_ok() && last.is_ok());
    assert!(matches!(wrong, Err(StoreError::Failed(_))));
    assert_eq!(desk.notes(), ["a", "b"]);
}

#[tokio::test]
async fn a_command_of_many_rows_shares_neither_its_commit_nor_its_failure() {
    let desk = desktop(10).await;
    let go = desk.hold();
    let writer = &desk.writer;
    let (before, many, wrong, after, ()) = tokio::join!(
        writer.submit(note(Class::Durable, "before")),
        writer.submit(note(Class::Durable, "many").rows(1_000)),
        writer.submit(orphan(Class::Durable).rows(1_000)),
        writer.submit(note(Class::Durable, "after")),
        async { go.send(()).unwrap() },
    );
    assert!(before.is_ok() && many.is_ok() && after.is_ok());
    assert!(wrong.is_err(), "its commit fails, and with it nobody else");
    let half = Command::new(Class::Durable, |db| {
        db.execute("INSERT INTO note (text) VALUES ('half')", [])?;
        db.execute("INSERT INTO note (text) VALUES ('many')", [])?;
        Ok(())
    });
    assert!(writer.submit(half.rows(1_000)).await.is_err());
    writer.submit(note(Class::Lazy, "last")).await.unwrap();
    assert_eq!(desk.notes(), ["before", "many", "after", "last"]);
}

#[tokio::test]
async fn a_commit_that_fails_fails_its_whole_batch_and_no_other() {
    let desk = desktop(10).await;
    let go = desk.hold();
    let (before, first, wrong, last, after, ()) = tokio::join!(
        desk.writer.submit(note(Class::Lazy, "before")),
        desk.writer.submit(note(Class::Durable, "a")),
        desk.writer.submit(orphan(Class::Durable)),
        desk.writer.submit(note(Class::Durable, "b")),
        desk.writer.submit(note(Class::Lazy, "after")),
        async { go.send(()).unwrap() },
    );
    assert!(before.is_ok() && after.is_ok());
    for failed in [first, wrong, last] {
        assert!(matches!(failed, Err(StoreError::Failed(_))), "{failed:?}");
    }
    assert_eq!(desk.notes(), ["before", "after"]);
}

#[tokio::test]
async fn each_class_is_committed_at_its_own_level() {
    let desk = desktop(10).await;
    let go = desk.hold();
    let (lazy, durable, durable_again, lazy_again, ()) = tokio::join!(
        desk.level(Class::Lazy),
        desk.level(Class::Durable),
        desk.level(Class::Durable),
        desk.level(Class::Lazy),
        async { go.send(()).unwrap() },
    );
    assert_eq!([lazy, durable, durable_again, lazy_again], [1, 2, 2, 1]);
}

#[tokio::test]
async fn a_full_queue_is_refused_or_waited_for() {
    let desk = desktop(1).await;
    let go = desk.hold();
    // One fits into the queue once the writer has taken up the first; until then not even that.
    while !matches!(
        desk.writer.post(note(Class::Lazy, "queued")),
        Err(StoreError::Overloaded)
    ) {
        tokio::task::yield_now().await;
    }
    let (patient, ()) = tokio::join!(desk.writer.submit(note(Class::Lazy, "patient")), async {
        go.send(()).unwrap();
    });
    patient.unwrap();
    assert_eq!(desk.notes().last().map(String::as_str), Some("patient"));
}

#[tokio::test]
async fn closing_writes_what_is_queued_and_refuses_what_comes_later() {
    let desk = desktop(10).await;
    let go = desk.hold();
    let (queued, closed, late, ()) = tokio::join!(
        desk.writer.submit(note(Class::Lazy, "queued")),
        desk.writer.close(),
        desk.writer.submit(note(Class::Lazy, "late")),
        async { go.send(()).unwrap() },
    );
    assert!(queued.is_ok() && closed.is_ok());
    assert!(matches!(late, Err(StoreError::Closed)));
    assert!(matches!(
        desk.writer.post(note(Class::Lazy, "x")),
        Err(StoreError::Closed)
    ));
    assert_eq!(desk.notes(), ["queued"]);
    assert!(
        !desk.dir.path().join("test.db-wal").exists(),
        "the last connection tidies up"
    );
}
