//! How far the schedules of rules have been looked at. What fires is an event like any other and is accepted as one.

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use crate::model::RuleId;

/// How far the schedule of one rule has been looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Considered {
    /// The rule.
    pub rule: RuleId,
    /// Its schedule in words; another one begins anew.
    pub timetable: String,
    /// Every time up to here has fired, or was passed over.
    pub at: Timestamp,
}

/// The part of the store that remembers up to when schedules have been looked at.
#[async_trait]
pub trait Schedules: Send + Sync + Debug {
    /// Every schedule that is known.
    async fn schedules(&self) -> Result<Vec<Considered>, StoreError>;

    /// Keeps these, and forgets all others.
    async fn keep_schedules(&self, schedules: Vec<Considered>) -> Result<(), StoreError>;
}
