//! What Cuegate is compared with: the least that a server can do, with and without making it durable.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// The first argument of a process that is a rival.
pub(super) const ROLE: &str = "rival";
/// Reads the body and answers.
pub(super) const BARE: &str = "bare";
/// Appends the body to a file and answers when it is synced.
pub(super) const APPENDING: &str = "appending";

/// The most events of one sync, and of the queue in front of it.
const GROUP_MAX: usize = 1024;

/// A rival that serves until it is dropped.
#[derive(Debug)]
pub(super) struct Rival {
    child: Child,
    /// Where it listens.
    pub(super) address: SocketAddr,
}

impl Rival {
    /// Starts a rival of this kind; `file` is what it appends to, if it does.
    pub(super) fn start(kind: &str, file: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([ROLE, kind])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().expect("standard output is a pipe");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().parse().context("the rival did not start")?;
        Ok(Self { child, address })
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        // It has nothing to lose, and may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process of a rival: prints its address, then serves.
pub(super) fn run(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let kind = arguments.next().context("which rival?")?;
    let file = arguments.next().context("which file?")?;
    let router = match kind.as_str() {
        APPENDING => Router::new()
            .route("/hooks/{source}", post(append))
            .with_state(appender(File::create(file)?)),
        _ => Router::new().route("/hooks/{source}", post(answer)),
    };
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut stdout = std::io::stdout();
        writeln!(stdout, "{}", listener.local_addr()?)?;
        stdout.flush()?;
        let listener = listener.tap_io(|stream| {
            // A connection that keeps its delay is slow, not wrong.
            let _ = stream.set_nodelay(true);
        });
        Ok(axum::serve(listener, router).await?)
    })
}

async fn answer(body: Bytes) -> StatusCode {
    drop(body);
    StatusCode::OK
}

type Append = (Bytes, oneshot::Sender<()>);

async fn append(State(queue): State<mpsc::Sender<Append>>, body: Bytes) -> StatusCode {
    let (synced, wait) = oneshot::channel();
    match queue.send((body, synced)).await {
        Ok(()) if wait.await.is_ok() => StatusCode::OK,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// One thread that writes whatever has come in and syncs it together.
fn appender(mut file: File) -> mpsc::Sender<Append> {
    let (queue, mut appends) = mpsc::channel::<Append>(GROUP_MAX);
    std::thread::spawn(move || {
        let (mut bytes, mut waiting) = (Vec::new(), Vec::new());
        while let Some(first) = appends.blocking_recv() {
            let mut next = Some(first);
            while let Some((body, synced)) = next {
                bytes.extend_from_slice(&body);
                waiting.push(synced);
                next = match waiting.len() {
                    GROUP_MAX => None,
                    _ => appends.try_recv().ok(),
                };
            }
            if file
                .write_all(&bytes)
                .and_then(|()| file.sync_data())
                .is_err()
            {
                return;
            }
            bytes.clear();
            for synced in waiting.drain(..) {
                // A sender that went away does not need its answer.
                let _ = synced.send(());
            }
        }
    });
    queue
}
