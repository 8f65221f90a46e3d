//! What the gateway and its worker processes say to each other over the worker's standard input and output.
//!
//! A frame is a length (four bytes, little endian) and that many bytes of JSON. Every request but `Keep` has
//! exactly one answer, in order. A worker remembers compiled rules and journals under numbers that the gateway chooses,
//! and forgets only what it is told to, so the gateway always knows what it does not need to send again and
//! there is no "not found" to answer: a worker that misses something is broken, and ends.

use std::borrow::Cow;
use std::io::{self, Read};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::engine::{Advance, Compiled, EngineLimits, Moment, When};
use crate::model::{Event, Failure, Program, RuleFile, Step};

/// The largest request, in bytes: several times the largest journal together with the largest event.
pub(super) const REQUEST_BYTES_MAX: usize = 64 << 20;
/// The largest answer, in bytes. The gateway reads it into its own memory, and it does not trust workers.
pub(super) const ANSWER_BYTES_MAX: usize = 16 << 20;

const LENGTH_BYTES: usize = 4;

/// What the gateway asks of a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request<'a> {
    /// The first one: contain yourself, then answer [`Answer::Ready`].
    Setup(Setup),
    /// Compile and check a whole set.
    Compile {
        files: Cow<'a, [RuleFile]>,
        vars: Cow<'a, Value>,
    },
    /// Compile one rule and remember it under `rule`, after forgetting some.
    Load {
        rule: u64,
        program: Cow<'a, Program>,
        forget: Vec<u64>,
    },
    /// Ask a remembered rule whether it concerns an event.
    When { rule: u64, event: Cow<'a, Event> },
    /// Ask a remembered rule for the order key of an event.
    Lane { rule: u64, event: Cow<'a, Event> },
    /// Advance a run of a remembered rule.
    Advance {
        rule: u64,
        moment: Cow<'a, Moment>,
        base: Base<'a>,
        /// What the journal holds beyond `base`.
        steps: Cow<'a, [Step]>,
    },
    /// Forget some journals and remember the last one under `journal`, if its run goes on. No answer.
    Keep { journal: u64, forget: Vec<u64> },
}

/// Where an advance finds its event and the beginning of its journal.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Base<'a> {
    /// Here, with an empty journal.
    Event(Cow<'a, Event>),
    /// Remembered from an earlier advance under this number.
    Kept(u64),
}

/// What a worker needs to know before anything else.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    pub(super) limits: EngineLimits,
    /// Memory that the worker may take beyond what it has when it is set up, in bytes.
    pub(super) memory_bytes: u64,
}

/// Which walls around a worker stand. Where the kernel or the container denies one, the others must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// No descriptor but the pipes.
    pub descriptors: bool,
    /// The address space has a limit.
    pub address_space: bool,
    /// System calls are filtered.
    pub seccomp: bool,
    /// No path of the file system can be reached.
    pub landlock: bool,
}

/// What a worker answers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Ready(Layers),
    Compiled(Compiled),
    Loaded,
    NotLoaded(Failure),
    When(When),
    Lane(Result<String, Box<Failure>>),
    Advance(Advance),
}

/// Appends a frame to `out`.
///
/// # Errors
///
/// When the message is larger than `bytes_max`; `out` is then as it was.
pub(super) fn encode(
    message: &impl Serialize,
    bytes_max: usize,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    serde_json::to_writer(&mut *out, message)?;
    let length = out.len() - start - LENGTH_BYTES;
    if length > bytes_max {
        out.truncate(start);
        return Err(too_large(length, bytes_max));
    }
    let length = u32::try_from(length).expect("both limits fit in four bytes");
    out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

/// Reads a message. It may be nested as deep as memory allows: requests come from the gateway, which has
/// parsed every part of them with a limit, and wrapping them must not push them over it.
pub(super) fn decode_request(bytes: &[u8]) -> serde_json::Result<Request<'static>> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    json.disable_recursion_limit();
    let request = Request::deserialize(&mut json)?;
    json.end()?;
    Ok(request)
}

/// Reads a message of bounded depth: answers come from a process that ran a stranger's script.
pub(super) fn decode_answer<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(bytes)
}

/// Reads the next request's frame into `buffer`; false when the pipe was closed between two frames.
pub(super) fn read_frame(from: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let mut length = [0; LENGTH_BYTES];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        other => other?,
    }
    buffer.resize(checked_length(length, REQUEST_BYTES_MAX)?, 0);
    from.read_exact(buffer)?;
    Ok(true)
}

/// Reads the next answer's frame into `buffer`.
pub(super) async fn receive_frame<R>(from: &mut R, buffer: &mut Vec<u8>) -> io::Result<()>
where
    R: AsyncRead + Unpin,
{
    let mut length = [0; LENGTH_BYTES];
    from.read_exact(&mut length).await?;
    buffer.resize(checked_length(length, ANSWER_BYTES_MAX)?, 0);
    from.read_exact(buffer).await?;
    Ok(())
}

fn checked_length(length: [u8; LENGTH_BYTES], bytes_max: usize) -> io::Result<usize> {
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > bytes_max {
        return Err(too_large(length, bytes_max));
    }
    Ok(length)
}

fn too_large(length: usize, bytes_max: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("a message of {length} bytes is larger than {bytes_max}"),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn frames_written_one_after_another_read_back_one_after_another(
            texts in proptest::collection::vec(".{0,300}", 0..5)
        ) {
            let mut bytes = Vec::new();
            for text in &texts {
                encode(text, ANSWER_BYTES_MAX, &mut bytes).unwrap();
            }
            let mut rest = bytes.as_slice();
            let mut buffer = Vec::new();
            for text in &texts {
                prop_assert!(read_frame(&mut rest, &mut buffer).unwrap());
                prop_assert_eq!(&decode_answer::<String>(&buffer).unwrap(), text);
            }
            prop_assert!(!read_frame(&mut rest, &mut buffer).unwrap());
        }

        #[test]
        fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut buffer = Vec::new();
            if let Ok(true) = read_frame(&mut bytes.as_slice(), &mut buffer) {
                let _ = decode_request(&buffer);
                let _ = decode_answer::<Answer>(&buffer);
            }
        }
    }

    #[test]
    fn a_message_over_the_limit_is_refused_on_both_sides_without_being_kept() {
        let mut bytes = vec![7];
        assert!(encode(&"x".repeat(100), 50, &mut bytes).is_err());
        assert_eq!(bytes, [7]);
        let lie = u32::MAX.to_le_bytes();
        let mut buffer = Vec::new();
        assert!(read_frame(&mut lie.as_slice(), &mut buffer).is_err());
        assert!(buffer.capacity() < 1 << 20);
    }

    #[test]
    fn a_frame_that_breaks_off_is_an_error_and_not_an_end() {
        let mut bytes = Vec::new();
        encode(&"whole", ANSWER_BYTES_MAX, &mut bytes).unwrap();
        bytes.pop();
        assert!(read_frame(&mut bytes.as_slice(), &mut Vec::new()).is_err());
    }

    #[test]
    fn a_request_may_be_nested_deeper_than_an_answer() {
        let mut vars = Value::Null;
        for _ in 0..200 {
            vars = Value::Array(vec![vars]);
        }
        let request = Request::Compile {
            files: Cow::Borrowed(&[]),
            vars: Cow::Borrowed(&vars),
        };
        let bytes = serde_json::to_vec(&request).unwrap();
        assert!(decode_request(&bytes).is_ok());
        assert!(decode_answer::<Value>(&bytes).is_err());
    }
}
