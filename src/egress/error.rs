//! What can come of a request to another system, told apart by what the caller may do next.

use std::time::Duration;

/// Why a request brought no answer that ends its step.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EgressError {
    /// The configuration has no such target. Nothing happened.
    #[error("there is no target `{target}` under [egress] in the configuration")]
    NoTarget {
        /// The name that the rule gave.
        target: String,
    },
    /// It cannot be sent as it is, now or later. Nothing happened.
    #[error("the request cannot be sent: {what}")]
    Malformed {
        /// What is wrong with it.
        what: String,
    },
    /// The target's name leads to this machine or into a private network only. Nothing happened.
    #[error("the address of the target is refused: {what}")]
    NotPublic {
        /// What was found.
        what: String,
    },
    /// It never left: no connection, no name, no TLS. Nothing happened; later is worth a try.
    #[error("the target cannot be reached: {what}")]
    NotSent {
        /// What stood in the way.
        what: String,
    },
    /// Too many requests (429). Nothing happened; later is worth a try.
    #[error("the target asks for fewer requests (429)")]
    Throttled {
        /// How long it asked to wait, if it said so.
        retry_after: Option<Duration>,
    },
    /// Nobody knows whether it happened: 5xx, 408, a time-out, a broken connection, half an answer.
    #[error("it is uncertain whether the target carried out the request: {what}")]
    Uncertain {
        /// The status, if one arrived.
        status: Option<u16>,
        /// What went wrong.
        what: String,
    },
    /// The answer is too long to be kept. The request was carried out, or refused by a 4xx.
    #[error("the answer ({status}) is larger than the {limit_bytes} bytes of `max_answer`")]
    TooLarge {
        /// The status.
        status: u16,
        /// The most that is taken, in bytes.
        limit_bytes: usize,
    },
}

impl EgressError {
    /// The status, if the target answered with one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::NoTarget { .. }
            | Self::Malformed { .. }
            | Self::NotPublic { .. }
            | Self::NotSent { .. } => None,
            Self::Throttled { .. } => Some(429),
            Self::Uncertain { status, .. } => *status,
            Self::TooLarge { status, .. } => Some(*status),
        }
    }
}

/// Why targets cannot be used. No message shows a URL.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The URL names an address that is refused.
    #[error(
        "egress.{target}.url names an address of this machine or of a private network; if that is meant, set \
         egress.{target}.allow_private = true"
    )]
    NotPublic {
        /// The target.
        target: String,
    },
    /// The URL or a header is of no use.
    #[error("egress.{target}: {what}")]
    Unusable {
        /// The target.
        target: String,
        /// What is wrong.
        what: &'static str,
    },
    /// TLS or the like cannot be set up.
    #[error(
        "the connection to egress.{target} cannot be set up: {what}; is the package with the CA certificates \
         (ca-certificates) installed?"
    )]
    Connection {
        /// The target.
        target: String,
        /// What stood in the way.
        what: String,
    },
}
