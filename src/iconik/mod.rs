//! The one door to Iconik: the only module that holds its credentials and the only one that sends it anything.
//!
//! It sends one request and says what came of it, in terms of what the caller may do next. It knows no rules,
//! repeats nothing and decides nothing; but everything that it sends shares one budget of requests, because
//! Iconik counts by credentials and not by caller.

mod address;
mod answer;
mod budget;
mod client;
mod error;
mod login;
mod pause;
mod queue;
mod windows;

pub use budget::Permit;
pub use client::{Account, IconikClient, Reply};
pub use error::{CallError, SetupError};
pub use queue::Share;
