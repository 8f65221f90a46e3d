//! A running child, what it has said so far, and how it ended.

use std::process::ExitStatus;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Child;

/// A running child and what it has said.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) child: Child,
    pub(super) said: Arc<Mutex<Said>>,
    pub(super) hooks: String,
    pub(super) admin: String,
}

/// The lines of standard output and of standard error, and whether there can be more.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) out: Vec<String>,
    pub(super) err: Vec<String>,
    pub(super) ended: u8,
}

/// How a process ended, with everything that it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(super) async fn listen(
    from: Option<impl AsyncRead + Unpin>,
    said: Arc<Mutex<Said>>,
    which: impl Fn(&mut Said) -> &mut Vec<String>,
) {
    let mut lines = BufReader::new(from.expect("it is piped")).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        which(&mut said.lock().expect("no test panics with it")).push(line);
    }
    said.lock().expect("no test panics with it").ended += 1;
}
