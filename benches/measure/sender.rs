//! The sender: a process of its own that posts events over kept connections and waits for each answer.
//!
//! It does as little as possible, because it takes its share of the same cores: one thread, requests that are
//! changed in place, answers of which only status, length and event id are read. Anything but 200 ends it
//! with an error, and so fails the bench.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::events::{REQUEST_ID_DIGITS, body};
use super::gateway::SECRET_HEADER;

/// The first argument of a process that is a sender.
pub(super) const ROLE: &str = "send";

/// How large an event is, in bytes.
pub(super) const BODY_BYTES: usize = 2048;

/// Room for an answer.
const ANSWER_BYTES: usize = 4096;

/// What was sent and answered.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Sent {
    /// Requests that were answered 200: all that were sent.
    pub(super) answered: u64,
    /// Different event ids among the answers.
    pub(super) events: u64,
    /// From the first request to the last answer.
    pub(super) seconds: f64,
}

impl Sent {
    /// Answers a second.
    #[expect(clippy::cast_precision_loss, reason = "nobody sends 2^52 events")]
    pub(super) fn rate(&self) -> f64 {
        self.answered as f64 / self.seconds
    }
}

/// A sender that is at work in its own process.
#[derive(Debug)]
pub(super) struct Sender(std::process::Child);

impl Sender {
    /// Starts to send to `to` over so many connections for so long.
    pub(super) fn start(to: SocketAddr, connections: u32, time: Duration) -> anyhow::Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .arg(ROLE)
            .args([to.to_string(), connections.to_string()])
            .arg(time.as_secs_f64().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        Ok(Self(child))
    }

    /// Waits until it is done.
    pub(super) fn finish(self) -> anyhow::Result<Sent> {
        let output = self.0.wait_with_output()?;
        ensure!(output.status.success(), "the sender failed, see above");
        serde_json::from_slice(&output.stdout).context("the sender did not tell what it sent")
    }
}

/// The process of a sender; the answer is to be printed.
pub(super) fn run(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<String> {
    let mut next = || arguments.next().context("the sender needs three arguments");
    let to: SocketAddr = next()?.parse()?;
    let connections: u64 = next()?.parse()?;
    let time = Duration::from_secs_f64(next()?.parse()?);
    let sent = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(send(to, connections, time))?;
    Ok(serde_json::to_string(&sent)?)
}

async fn send(to: SocketAddr, connections: u64, time: Duration) -> anyhow::Result<Sent> {
    let mut opened = Vec::new();
    for number in 0..connections {
        opened.push(Connection::open(to, number).await?);
    }
    let begun = Instant::now();
    let until = begun + time;
    let tasks: Vec<_> = opened
        .into_iter()
        .map(|connection| tokio::spawn(connection.send_until(until)))
        .collect();
    let (mut answered, mut ids) = (0, HashSet::new());
    for task in tasks {
        let (count, events) = task.await??;
        answered += count;
        ids.extend(events);
    }
    Ok(Sent {
        answered,
        events: u64::try_from(ids.len())?,
        seconds: begun.elapsed().as_secs_f64(),
    })
}

/// The request that posts event number 0.
pub(super) fn request(to: SocketAddr) -> String {
    let event = body(0, BODY_BYTES);
    format!(
        "POST /hooks/iconik HTTP/1.1\r\nhost: {to}\r\ncontent-type: application/json\r\n\
         content-length: {BODY_BYTES}\r\n{SECRET_HEADER}\r\n\r\n{event}"
    )
}

struct Connection {
    stream: TcpStream,
    /// Where the connection's event numbers begin.
    first: u64,
    request: Vec<u8>,
    /// Where the event's number stands in the request.
    digits: usize,
    answer: Vec<u8>,
}

impl Connection {
    async fn open(to: SocketAddr, number: u64) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        let request = request(to);
        let digits = request
            .find(&"0".repeat(REQUEST_ID_DIGITS))
            .context("the request id has a place")?;
        Ok(Self {
            stream,
            first: number << 32,
            request: request.into_bytes(),
            digits,
            answer: vec![0; ANSWER_BYTES],
        })
    }

    /// How many requests were answered 200, and the event ids in the answers.
    async fn send_until(mut self, until: Instant) -> anyhow::Result<(u64, Vec<u128>)> {
        let (mut count, mut events) = (0, Vec::new());
        while Instant::now() < until {
            let id = format!("{:0REQUEST_ID_DIGITS$x}", self.first + count);
            self.request[self.digits..self.digits + REQUEST_ID_DIGITS]
                .copy_from_slice(id.as_bytes());
            self.stream.write_all(&self.request).await?;
            events.extend(self.receive().await?);
            count += 1;
        }
        Ok((count, events))
    }

    /// Reads one answer; its event id, if it has one.
    async fn receive(&mut self) -> anyhow::Result<Option<u128>> {
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.answer[filled..]).await?;
            ensure!(
                read > 0,
                "the connection was closed before an answer was complete"
            );
            filled += read;
            let text = std::str::from_utf8(&self.answer[..filled])?;
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            if !head.starts_with("HTTP/1.1 200 ") {
                bail!("an event was not answered 200:\n{text}");
            }
            let length: usize = header(head, "content-length").unwrap_or("0").parse()?;
            if body.len() >= length {
                let id = header(head, "cuegate-event-id");
                return Ok(id.map(|id| u128::from_str_radix(id, 16)).transpose()?);
            }
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n")
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
