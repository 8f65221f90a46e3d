//! What `each` walks over: a query that the rule builds, and the objects that it finds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{DeadClass, RunId, RunState};

/// What `each` returned: the objects of all sources, each object once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Query {
    /// Walked one after the other.
    pub sources: Vec<QuerySource>,
}

/// One kind of list that Iconik can page through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum QuerySource {
    /// `POST search/v1/search/`, paged by `search_after`; the walk adds the sort and the page size.
    Search {
        /// The body without `sort` and `search_after`.
        body: Value,
    },
    /// The contents of a collection, paged by number and read to the end again if the total moves.
    Collection {
        /// The collection.
        id: String,
        /// Whether collections inside it are walked as well.
        recursive: bool,
    },
    /// `GET jobs/v1/jobs/`, paged by scroll.
    Jobs {
        /// Its filters.
        query: BTreeMap<String, String>,
    },
    /// Ids that the rule has at hand.
    Ids {
        /// `assets`, `collections` or `jobs`.
        object_type: String,
        /// The ids.
        ids: Vec<String>,
    },
}

/// One object that a walk has found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Object {
    /// `assets`, `collections` or `jobs`.
    pub object_type: String,
    /// Its id in Iconik.
    pub object_id: String,
}

/// How the children of a run have ended so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Objects that were found.
    pub objects: u64,
    /// Objects whose child has been made.
    pub released: u64,
    /// Children by state; states without children are left out.
    pub states: BTreeMap<RunState, u64>,
    /// The first children that did not end well, at most [`Tally::FAILED_MAX`].
    pub failed: Vec<FailedObject>,
}

/// A child of `each` that did not end well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedObject {
    /// The object.
    #[serde(flatten)]
    pub object: Object,
    /// The child.
    pub run: RunId,
    /// How it ended.
    pub state: RunState,
    /// The kind of failure, if it is dead.
    pub class: Option<DeadClass>,
    /// Why, in a sentence.
    pub message: String,
}

impl Tally {
    /// The most failed objects that are named.
    pub const FAILED_MAX: usize = 100;

    /// How many children are in the state.
    pub fn count(&self, state: RunState) -> u64 {
        self.states.get(&state).copied().unwrap_or(0)
    }

    /// How many objects are done with, however.
    pub fn ended(&self) -> u64 {
        let ended = self.states.iter().filter(|(state, _)| state.is_final());
        ended.map(|(_, count)| count).sum()
    }
}

impl std::fmt::Display for Tally {
    /// One line of progress: `412 of 5000 objects done, 3 failed`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} objects done", self.ended(), self.objects)?;
        for (state, words) in [
            (RunState::Dead, "failed"),
            (RunState::Cancelled, "cancelled"),
            (RunState::Parked, "parked"),
        ] {
            match self.count(state) {
                0 => {}
                count => write!(f, ", {count} {words}")?,
            }
        }
        Ok(())
    }
}
