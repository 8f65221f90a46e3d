//! The ids of the last events, so that most repeated deliveries are called so in their answer. The router is the one
//! that is certain.

use std::collections::{HashSet, VecDeque};

use crate::model::EventId;

/// How many ids are remembered.
const RECENT_MAX: usize = 16_384;

/// The ids of the last events, bounded.
#[derive(Debug, Default)]
pub(super) struct Recent {
    ids: HashSet<EventId>,
    order: VecDeque<EventId>,
}

impl Recent {
    /// Whether the id is new.
    pub(super) fn insert(&mut self, id: EventId) -> bool {
        if !self.ids.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > RECENT_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_ids_are_remembered() {
        let mut recent = Recent::default();
        let id = |number: usize| EventId(u128::try_from(number).unwrap().to_be_bytes());
        for number in 0..=RECENT_MAX {
            assert!(recent.insert(id(number)));
        }
        assert_eq!(recent.ids.len(), RECENT_MAX);
        assert!(!recent.insert(id(RECENT_MAX)));
        assert!(recent.insert(id(0)), "the oldest is forgotten");
    }
}
