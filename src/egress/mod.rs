//! The door to other systems: the only module that holds the URLs and headers of `[egress.NAME]`.
//!
//! A rule says a target's name and what comes after its URL, so it reaches what the operator named and nothing else.
//! Like `iconik`, this module sends one request and says what came of it, in terms of what the caller may do next.

mod address;
mod answer;
mod client;
mod error;
mod target;

pub use client::{Egress, Reply};
pub use error::{EgressError, SetupError};
