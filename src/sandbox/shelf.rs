//! What the gateway knows a worker to remember, and what it must forget to make room.
//!
//! The gateway keeps this list on behalf of the worker, bounded in bytes and in entries, oldest use first.

use std::collections::VecDeque;

/// A worker remembers at most this many rules, and this many journals.
const ENTRIES_MAX: usize = 128;

/// Numbers under which a worker keeps something, with the size of its JSON in bytes.
#[derive(Debug)]
pub(super) struct Shelf {
    entries: VecDeque<(u64, usize)>,
    bytes: usize,
    bytes_max: usize,
}

impl Shelf {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// The most that it holds; something larger that must be held is entered with this size.
    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    pub(super) fn holds(&self, key: u64) -> bool {
        self.position(key).is_some()
    }

    /// Whether the entry is there, which is now the last one to be given up.
    pub(super) fn touch(&mut self, key: u64) -> bool {
        let Some(bytes) = self.take(key) else {
            return false;
        };
        self.put(key, bytes);
        true
    }

    /// Removes the entry and says how large it was.
    pub(super) fn take(&mut self, key: u64) -> Option<usize> {
        let (_, bytes) = self.entries.remove(self.position(key)?)?;
        self.bytes -= bytes;
        Some(bytes)
    }

    /// Gives up the entries that stand in the way of a new one of this size. `None` when it is too large
    /// to be kept at all.
    pub(super) fn make_room(&mut self, bytes: usize) -> Option<Vec<u64>> {
        if bytes > self.bytes_max {
            return None;
        }
        let mut forgotten = Vec::new();
        while self.bytes + bytes > self.bytes_max || self.entries.len() >= ENTRIES_MAX {
            let (key, freed) = self.entries.pop_front()?;
            self.bytes -= freed;
            forgotten.push(key);
        }
        Some(forgotten)
    }

    /// Adds an entry that room was made for.
    pub(super) fn put(&mut self, key: u64, bytes: usize) {
        self.bytes += bytes;
        self.entries.push_back((key, bytes));
    }

    /// Searched from the end, where the entries of the last requests are.
    fn position(&self, key: u64) -> Option<usize> {
        self.entries.iter().rposition(|(entry, _)| *entry == key)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_entry_that_was_not_used_longest_makes_room_first() {
        let mut shelf = Shelf::new(100);
        for key in 1..=3 {
            assert_eq!(shelf.make_room(30), Some(vec![]));
            shelf.put(key, 30);
        }
        assert!(shelf.touch(1));
        assert_eq!(shelf.make_room(30), Some(vec![2]));
        assert!(shelf.holds(1) && !shelf.holds(2) && shelf.holds(3));
    }

    #[test]
    fn what_is_larger_than_the_shelf_is_not_kept_and_displaces_nothing() {
        let mut shelf = Shelf::new(100);
        shelf.put(1, 90);
        assert_eq!(shelf.make_room(101), None);
        assert!(shelf.holds(1));
    }

    proptest! {
        #[test]
        fn it_never_holds_more_than_its_bounds(sizes in proptest::collection::vec(0_usize..40, 0..400)) {
            let mut shelf = Shelf::new(1000);
            for (key, bytes) in (0_u64..).zip(sizes) {
                prop_assert!(shelf.make_room(bytes).is_some());
                shelf.put(key, bytes);
                prop_assert!(shelf.bytes <= 1000 && shelf.entries.len() <= ENTRIES_MAX);
                prop_assert_eq!(shelf.bytes, shelf.entries.iter().map(|(_, bytes)| bytes).sum::<usize>());
            }
        }
    }
}
