//! What lists and searches see. Iconik writes to a database and reads lists from an index, which knows of a
//! change only some time later (reference 3.6); a single object is read from the database itself.
//!
//! Changes wait here until they are old enough, then they are applied in their order. The documents are
//! shared with the world, so a change costs a pointer and nothing is ever copied as a whole. The lag is
//! measured by the simulator's clock. Should that clock be set back, a change that seems to come from the
//! future counts as old enough, lest the index stand still until the clock has caught up.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::contents::{Contents, Entry};
use super::table::{Document, Table};

/// The state of some time ago.
#[derive(Debug)]
pub(super) struct Index {
    lag: Duration,
    waiting: VecDeque<(Timestamp, Update)>,
    shown: Shown,
}

/// What the index shows.
#[derive(Debug)]
pub(super) struct Shown {
    /// Assets by id.
    pub(super) assets: Table,
    /// Collections by id.
    pub(super) collections: Table,
    /// Segments by id, grouped by asset.
    pub(super) segments: Table,
    /// Jobs by id.
    pub(super) jobs: Table,
    /// What lies in which collection.
    pub(super) contents: Contents,
    /// The metadata of each object, of an asset those of its current version: `{field: [values]}`.
    pub(super) metadata: HashMap<String, Arc<Document>>,
}

/// The tables that the index holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Listed {
    /// Assets.
    Assets,
    /// Collections.
    Collections,
    /// Segments.
    Segments,
    /// Jobs.
    Jobs,
}

/// A change that the index will show.
#[derive(Debug)]
pub(super) enum Update {
    /// What an object is now, or that it is gone.
    Object(Listed, String, Option<Arc<Document>>),
    /// What is said about an object now.
    Metadata(String, Option<Arc<Document>>),
    /// The entry of an object in a collection, or that there is none.
    Content(String, String, Option<Entry>),
}

impl Index {
    /// An empty index that is this far behind.
    pub(super) fn new(lag: Duration) -> Self {
        Self {
            lag,
            waiting: VecDeque::new(),
            shown: Shown {
                assets: Table::default(),
                collections: Table::default(),
                segments: Table::grouped_by("asset_id"),
                jobs: Table::default(),
                contents: Contents::default(),
                metadata: HashMap::new(),
            },
        }
    }

    /// Takes note of a change that was made at this time.
    pub(super) fn learn(&mut self, at: Timestamp, update: Update) {
        self.waiting.push_back((at, update));
    }

    /// Applies what is old enough.
    pub(super) fn catch_up(&mut self, now: Timestamp) {
        while let Some((at, _)) = self.waiting.front() {
            let is_due = *at > now || now.duration_since(*at).unsigned_abs() >= self.lag;
            if !is_due {
                break;
            }
            if let Some((_, update)) = self.waiting.pop_front() {
                self.shown.apply(update);
            }
        }
    }

    /// Applies everything, however new: what is there from the start is in the index from the start.
    pub(super) fn settle(&mut self) {
        while let Some((_, update)) = self.waiting.pop_front() {
            self.shown.apply(update);
        }
    }

    /// What lists and searches see now.
    pub(super) fn shown(&mut self, now: Timestamp) -> &Shown {
        self.catch_up(now);
        &self.shown
    }
}

impl Shown {
    fn apply(&mut self, update: Update) {
        match update {
            Update::Object(listed, id, document) => {
                let table = match listed {
                    Listed::Assets => &mut self.assets,
                    Listed::Collections => &mut self.collections,
                    Listed::Segments => &mut self.segments,
                    Listed::Jobs => &mut self.jobs,
                };
                match document {
                    Some(document) => table.put(&id, document),
                    None => drop(table.remove(&id)),
                }
            }
            Update::Metadata(id, Some(values)) => drop(self.metadata.insert(id, values)),
            Update::Metadata(id, None) => drop(self.metadata.remove(&id)),
            Update::Content(collection, object_id, entry) => {
                self.contents.remove(&collection, &object_id);
                if let Some(entry) = entry {
                    self.contents.put(&collection, entry);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::table::text;
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn titled(title: &str) -> Update {
        let document = Document::from_iter([("title".to_owned(), json!(title))]);
        Update::Object(Listed::Assets, "1".to_owned(), Some(Arc::new(document)))
    }

    fn title(index: &mut Index, second: i64) -> Option<String> {
        let asset = index.shown(at(second)).assets.get("1");
        asset.map(|asset| text(asset, "title").to_owned())
    }

    #[test]
    fn each_change_shows_when_the_lag_is_over_and_not_before() {
        let mut index = Index::new(Duration::from_secs(10));
        index.learn(at(0), titled("first"));
        index.learn(at(5), titled("second"));
        index.learn(at(6), Update::Object(Listed::Assets, "1".to_owned(), None));
        assert_eq!(title(&mut index, 9), None);
        assert_eq!(title(&mut index, 10).as_deref(), Some("first"));
        assert_eq!(title(&mut index, 15).as_deref(), Some("second"));
        assert_eq!(title(&mut index, 16), None);
        assert!(index.waiting.is_empty());
    }

    #[test]
    fn without_a_lag_every_change_shows_at_once() {
        let mut index = Index::new(Duration::ZERO);
        index.learn(at(0), titled("first"));
        assert_eq!(title(&mut index, 0).as_deref(), Some("first"));
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_stop_the_index() {
        let mut index = Index::new(Duration::from_secs(10));
        index.learn(at(3600), titled("first"));
        index.learn(at(5), titled("second"));
        assert_eq!(title(&mut index, 6).as_deref(), Some("first"));
        assert_eq!(title(&mut index, 15).as_deref(), Some("second"));
    }
}
