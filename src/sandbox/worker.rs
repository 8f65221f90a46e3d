//! The inside of a worker process: it only ever maps requests to answers.
//!
//! Two threads. The script thread contains the process, then reads, works and answers; its stack is large
//! because dropping a long chain of closures recurses, which no limit of the language sees. The main thread
//! does nothing but wait for the pipe to be closed, and ends the process at once even while a script
//! is busy, so that no worker outlives its gateway. There is no async runtime in here.

use std::collections::HashMap;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};

use super::containment;
use super::protocol::{
    ANSWER_BYTES_MAX, Answer, Base, Request, decode_request, encode, read_frame,
};
use crate::engine::{self, EngineLimits, Outcome, Rule};
use crate::model::{Event, Step};

/// Enough for the deepest chain of closures that the operation limit allows to be built.
const SCRIPT_STACK_BYTES: usize = 64 << 20;

/// Buffers that one large message has blown up are given back above this size.
const BUFFER_BYTES_KEPT: usize = 1 << 20;

/// Serves requests from standard input until it is closed. This is the whole of `cuegate sandbox-worker`;
/// the caller must return from `main` with the answer at once, which ends the script thread too.
pub fn run_worker() -> ExitCode {
    let closed = containment::close_inherited_descriptors();
    abort_on_panic();
    let script = thread::Builder::new()
        .name("script".to_owned())
        .stack_size(SCRIPT_STACK_BYTES)
        .spawn(move || serve(closed));
    if script.is_err() {
        return ExitCode::FAILURE;
    }
    wait_until_closed();
    ExitCode::SUCCESS
}

/// A panic is told on standard error like the other ways to crash and ends the process: the gateway then
/// treats it like them, and nobody goes on with a half-changed state.
fn abort_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        print(info);
        std::process::abort();
    }));
}

/// Waits until nobody can write to standard input any more. Data that arrives does not wake it.
fn wait_until_closed() {
    let stdin = io::stdin();
    loop {
        match poll(&mut [PollFd::new(&stdin, PollFlags::empty())], None) {
            Err(rustix::io::Errno::INTR) => {}
            _ => return,
        }
    }
}

#[expect(
    clippy::exit,
    reason = "the end of the input is the end of the process"
)]
fn serve(descriptors_closed: bool) {
    match Desk::default().serve(descriptors_closed) {
        Ok(()) => std::process::exit(0),
        Err(error) => panic!("the worker cannot go on: {error}"),
    }
}

/// What the worker remembers between requests, under the gateway's numbers.
#[derive(Default)]
struct Desk {
    limits: Option<EngineLimits>,
    rules: HashMap<u64, Rule>,
    journals: HashMap<u64, Journal>,
    /// The journal of the last advance, if its run goes on.
    last: Option<Journal>,
    answer: Vec<u8>,
}

struct Journal {
    event: Arc<Event>,
    steps: Arc<Vec<Step>>,
}

impl Desk {
    fn serve(&mut self, descriptors_closed: bool) -> io::Result<()> {
        let mut stdin = io::stdin().lock();
        let mut frame = Vec::new();
        while read_frame(&mut stdin, &mut frame)? {
            let request = decode_request(&frame)?;
            frame.clear();
            frame.shrink_to(BUFFER_BYTES_KEPT);
            if let Request::Keep { journal, forget } = request {
                self.keep(journal, &forget);
            } else {
                let answer = self.answer_to(request, descriptors_closed)?;
                self.send(&answer)?;
            }
        }
        Ok(())
    }

    fn answer_to(
        &mut self,
        request: Request<'static>,
        descriptors_closed: bool,
    ) -> io::Result<Answer> {
        let limits = match (&request, self.limits) {
            (Request::Setup(setup), None) => setup.limits,
            (Request::Setup(_), Some(_)) | (_, None) => {
                return Err(broken("the setup comes first, and once"));
            }
            (_, Some(limits)) => limits,
        };
        Ok(match request {
            Request::Setup(setup) => {
                self.limits = Some(limits);
                // Built once and kept, so it should not count against the first script.
                engine::functions();
                Answer::Ready(containment::contain(setup.memory_bytes, descriptors_closed))
            }
            Request::Compile { files, vars } => {
                Answer::Compiled(engine::compile(&files, &vars, &limits))
            }
            Request::Load {
                rule,
                program,
                forget,
            } => {
                self.rules.retain(|key, _| !forget.contains(key));
                match Rule::load(Arc::new(program.into_owned()), &limits) {
                    Ok(loaded) => {
                        self.rules.insert(rule, loaded);
                        Answer::Loaded
                    }
                    Err(failure) => Answer::NotLoaded(*failure),
                }
            }
            Request::When { rule, event } => {
                Answer::When(self.rule(rule)?.when(&Arc::new(event.into_owned())))
            }
            Request::Lane { rule, event } => {
                Answer::Lane(self.rule(rule)?.lane(&Arc::new(event.into_owned())))
            }
            Request::Advance {
                rule,
                moment,
                base,
                steps,
            } => {
                self.last = None;
                let mut journal = self.open(base)?;
                // Nobody else holds the steps between two advances, so nothing is copied.
                Arc::make_mut(&mut journal.steps).extend(steps.into_owned());
                let advance =
                    self.rule(rule)?
                        .advance(&moment, &journal.event, Arc::clone(&journal.steps));
                if let Outcome::Effect(_) = advance.outcome {
                    self.last = Some(journal);
                }
                Answer::Advance(advance)
            }
            Request::Keep { .. } => return Err(broken("this has no answer")),
        })
    }

    fn keep(&mut self, journal: u64, forget: &[u64]) {
        self.journals.retain(|key, _| !forget.contains(key));
        if let Some(last) = self.last.take() {
            self.journals.insert(journal, last);
        }
    }

    fn rule(&self, key: u64) -> io::Result<&Rule> {
        self.rules
            .get(&key)
            .ok_or_else(|| broken("this rule was never loaded"))
    }

    fn open(&mut self, base: Base<'static>) -> io::Result<Journal> {
        match base {
            Base::Event(event) => Ok(Journal {
                event: Arc::new(event.into_owned()),
                steps: Arc::default(),
            }),
            Base::Kept(key) => self
                .journals
                .remove(&key)
                .ok_or_else(|| broken("this journal was never kept")),
        }
    }

    /// One frame, one system call: the standard library's output would cut it at line ends.
    fn send(&mut self, answer: &Answer) -> io::Result<()> {
        self.answer.clear();
        encode(answer, ANSWER_BYTES_MAX, &mut self.answer)?;
        Output.write_all(&self.answer)?;
        self.answer.shrink_to(BUFFER_BYTES_KEPT);
        Ok(())
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Standard output without a buffer.
struct Output;

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(rustix::stdio::stdout(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
