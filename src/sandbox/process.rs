//! One worker process as the gateway holds it: its pipes, its deadline, what it remembers.
//!
//! The deadline is the process's own processor time as the kernel counts it, so a busy machine makes no
//! healthy script fail; wall time is only the last resort. Nothing is polled while a script is quick:
//! processor time cannot run ahead of wall time, so the first look comes when the limit could be reached.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, timeout};

use super::death::{Budget, Cause, Death, Stage};
use super::protocol::{
    Answer, Layers, REQUEST_BYTES_MAX, Request, Setup, decode_answer, encode, receive_frame,
};
use super::roll::{Entry, Roll};
use super::shelf::Shelf;

/// How long a new process may take until it answers, on a machine that is busy with something else.
const START_WALL: Duration = Duration::from_secs(20);

/// When a request's processor time is first looked at; what it took until then is not counted.
const FIRST_LOOK: Duration = Duration::from_millis(5);

/// A process serves this many requests; then a fresh one takes its place.
const REQUESTS_MAX: u32 = 20_000;

/// Memory is looked at after a request that took longer than this, and now and then.
const LONG_REQUEST: Duration = Duration::from_millis(5);
const LOOK_EVERY: u32 = 256;

/// How much of a dead worker's last words is kept.
const LAST_WORDS_BYTES: u64 = 4096;
const LAST_WORDS_CHARS: usize = 300;

/// The process has this long to be gone once its pipe is closed.
const FAREWELL: Duration = Duration::from_secs(2);

/// Buffers that one large message has blown up are given back above this size.
const BUFFER_BYTES_KEPT: usize = 1 << 20;

/// A worker process that has answered at least once.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    stderr: ChildStderr,
    pid: u32,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
    /// Answers that it still owes.
    owed: usize,
    served: u32,
    resident_max: u64,
    worn: bool,
    pub(super) layers: Layers,
    /// The compiled rules that it remembers.
    pub(super) rules: Shelf,
    /// The journals that it remembers.
    pub(super) journals: Shelf,
    _entry: Entry,
}

impl Worker {
    /// Starts a process and waits until it has contained itself.
    pub(super) async fn start(program: &Path, setup: &Setup, roll: &Roll) -> Result<Self, String> {
        let mut child = Command::new(program)
            .arg("sandbox-worker")
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Control-C on the terminal is for the gateway, which still needs its workers to drain.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| error.to_string())?;
        let pid = child.id().ok_or("it ended at once")?;
        let remembered_bytes = usize::try_from(setup.memory_bytes / 64).unwrap_or(usize::MAX);
        let mut worker = Self {
            stdin: child.stdin.take().expect("standard input is a pipe"),
            stdout: BufReader::new(child.stdout.take().expect("standard output is a pipe")),
            stderr: child.stderr.take().expect("standard error is a pipe"),
            child,
            pid,
            outgoing: Vec::new(),
            incoming: Vec::new(),
            owed: 0,
            served: 0,
            resident_max: setup.memory_bytes / 2,
            worn: false,
            layers: Layers::default(),
            rules: Shelf::new(remembered_bytes),
            journals: Shelf::new(remembered_bytes),
            _entry: roll.enter(pid),
        };
        let budget = Budget {
            stage: Stage::Start,
            cpu: START_WALL,
            wall: START_WALL,
        };
        worker
            .stage(&Request::Setup(*setup))
            .map_err(|error| error.to_string())?;
        match worker.exchange(budget).await {
            Ok(Answer::Ready(layers)) => worker.layers = layers,
            Ok(_) => return Err("it answered something else than `sandbox-worker` does".to_owned()),
            Err(death) => {
                let (reason, words) = (death.cause.as_str(), death.last_words);
                return Err(format!("it gave no first answer ({reason}) {words}"));
            }
        }
        Ok(worker)
    }

    /// Prepares a request to be sent, and says how many bytes it takes. Several may be staged.
    ///
    /// # Errors
    ///
    /// When it is too large.
    pub(super) fn stage(&mut self, request: &Request<'_>) -> std::io::Result<usize> {
        let before = self.outgoing.len();
        encode(request, REQUEST_BYTES_MAX, &mut self.outgoing)?;
        if !matches!(request, Request::Keep { .. }) {
            self.owed += 1;
        }
        Ok(self.outgoing.len() - before)
    }

    /// Sends the one staged request and waits for its answer.
    pub(super) async fn exchange(&mut self, budget: Budget) -> Result<Answer, Death> {
        let mut answer = None;
        self.exchange_all(budget, |got| answer = Some(got)).await?;
        Ok(answer.expect("one request was staged, so one answer came"))
    }

    /// Sends everything that is staged and hands over the answers as they come, each with the whole budget.
    /// When the worker dies, the requests whose answers were handed over are done.
    pub(super) async fn exchange_all(
        &mut self,
        budget: Budget,
        mut take: impl FnMut(Answer),
    ) -> Result<(), Death> {
        let begun = Instant::now();
        let result = {
            // Written and read at once: a worker that cannot get rid of its answers stops reading.
            let write = async {
                match self.stdin.write_all(&self.outgoing).await {
                    Ok(()) => Ok(()),
                    // The reading side finds out why.
                    Err(_broken_pipe) => std::future::pending().await,
                }
            };
            let read = async {
                while self.owed > 0 {
                    let reading = receive_frame(&mut self.stdout, &mut self.incoming);
                    let () = within(self.pid, budget, reading).await?;
                    let answer = decode_answer(&self.incoming).map_err(|_| Some(Cause::Garbled))?;
                    self.owed -= 1;
                    self.served += 1;
                    take(answer);
                }
                Ok(())
            };
            tokio::try_join!(write, read).map(|_| ())
        };
        self.outgoing.clear();
        self.outgoing.shrink_to(BUFFER_BYTES_KEPT);
        self.incoming.shrink_to(BUFFER_BYTES_KEPT);
        if let Err(cause) = result {
            return Err(self.died(cause, budget).await);
        }
        if begun.elapsed() > LONG_REQUEST || self.served.is_multiple_of(LOOK_EVERY) {
            self.worn = resident_bytes(self.pid).is_none_or(|bytes| bytes > self.resident_max);
        }
        Ok(())
    }

    /// Whether the next request may go to this process: it owes nothing and is neither old nor swollen.
    pub(super) fn is_fit(&self) -> bool {
        self.owed == 0 && !self.worn && self.served < REQUESTS_MAX
    }

    /// Whether the process is still there, as far as the kernel knows without asking it.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends the process because its answer was to another question.
    pub(super) async fn misled(&mut self, budget: Budget) -> Death {
        self.died(Some(Cause::Garbled), budget).await
    }

    /// Ends the process and waits until it is gone.
    pub(super) async fn end(mut self) {
        let _gone_already = self.child.kill().await;
    }

    /// Ends what is left of the process and finds out what ended it. `cause` is known when we did.
    async fn died(&mut self, cause: Option<Cause>, budget: Budget) -> Death {
        self.worn = true;
        let status = match cause {
            Some(_) => None,
            None => timeout(FAREWELL, self.child.wait())
                .await
                .ok()
                .and_then(Result::ok),
        };
        let _gone_already = self.child.kill().await;
        let mut words = Vec::new();
        let mut stderr = (&mut self.stderr).take(LAST_WORDS_BYTES);
        let _cut_short = timeout(FAREWELL, stderr.read_to_end(&mut words)).await;
        let last_words = last_words(&words);
        let cause = cause.unwrap_or_else(|| Cause::of(status, &last_words));
        metrics::counter!("cuegate_sandbox_deaths_total", "reason" => cause.as_str()).increment(1);
        Death {
            cause,
            budget,
            last_words,
        }
    }
}

/// Waits for an answer as long as the budget lasts. The error is the cause of death if we know it: `None`
/// is for a pipe that was closed from the other side.
async fn within(
    pid: u32,
    budget: Budget,
    answer: impl Future<Output = std::io::Result<()>>,
) -> Result<(), Option<Cause>> {
    let mut answer = std::pin::pin!(answer);
    let begun = Instant::now();
    let mut cpu_before = None;
    let mut wait = FIRST_LOOK;
    loop {
        match timeout(wait, &mut answer).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
                return Err(Some(Cause::Garbled));
            }
            Ok(Err(_closed)) => return Err(None),
            Err(_not_yet) => {}
        }
        let wall_left = budget.wall.saturating_sub(begun.elapsed());
        if wall_left.is_zero() {
            return Err(Some(Cause::Wall));
        }
        // A process whose time cannot be read is ending; its pipe will tell, or wall time will.
        let now = cpu_time(pid).unwrap_or_default();
        let used = now.saturating_sub(*cpu_before.get_or_insert(now));
        if used >= budget.cpu {
            return Err(Some(Cause::Cpu { used }));
        }
        wait = (budget.cpu - used).max(FIRST_LOOK).min(wall_left);
    }
}

/// The processor time that a process has used, in the kernel's ticks of usually ten milliseconds.
fn cpu_time(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold anything.
    let mut fields = stat[stat.rfind(')')? + 2..].split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    let millis = (user + system) * 1000 / rustix::param::clock_ticks_per_second();
    Some(Duration::from_millis(millis))
}

/// The memory that a process has in use.
fn resident_bytes(pid: u32) -> Option<u64> {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * u64::try_from(rustix::param::page_size()).ok()?)
}

/// The lines that say something, as one line.
fn last_words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("note: "))
        .collect();
    lines.join(" ").chars().take(LAST_WORDS_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_time_of_a_busy_process_grows() {
        let pid = std::process::id();
        let before = cpu_time(pid).unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while cpu_time(pid).unwrap() < before + Duration::from_millis(30) {
            assert!(Instant::now() < deadline);
        }
        assert_eq!(cpu_time(u32::MAX), None);
    }

    #[test]
    fn the_resident_memory_of_this_process_is_known() {
        assert!(resident_bytes(std::process::id()).unwrap() > 1 << 20);
    }

    #[test]
    fn last_words_are_one_short_line() {
        let words =
            last_words(b"thread 'script' panicked at src/x.rs:1:2:\nboom\nnote: run with\n\n");
        assert_eq!(words, "thread 'script' panicked at src/x.rs:1:2: boom");
        assert_eq!(last_words(&[b'x'; 5000]).len(), LAST_WORDS_CHARS);
    }
}
