//! Tokens of people who have pressed buttons, sealed. The store cannot open them.

use std::fmt::{self, Debug};

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use crate::model::EventId;

/// A sealed token that came with an event.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedToken {
    /// The event.
    pub event: EventId,
    /// What nobody can read who has not the key.
    pub sealed: Vec<u8>,
    /// When it opens nothing any more.
    pub expires_at: Timestamp,
}

impl Debug for SealedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedToken")
            .field("event", &self.event)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// The part of the store that keeps tokens for as long as a run may need them.
#[async_trait]
pub trait Tokens: Send + Sync + Debug {
    /// Keeps a token, in place of one that the event has. Durable: the event is accepted afterwards.
    async fn keep_token(&self, token: SealedToken) -> Result<(), StoreError>;

    /// The token of an event, unless it has expired by then.
    async fn token(&self, event: EventId, at: Timestamp) -> Result<Option<Vec<u8>>, StoreError>;

    /// Forgets tokens that have expired by then, and those of routed events without an unfinished run; answers how many.
    async fn forget_tokens(&self, at: Timestamp) -> Result<usize, StoreError>;
}
