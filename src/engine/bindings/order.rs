//! Sorting by keys that scripts computed: all of one kind, checked before anything is compared, so that no order can
//! contradict itself.

use std::cmp::Ordering;

use rhai::{Array, Dynamic, FLOAT, INT};

use super::super::convert::type_name;
use super::super::moment::Time;
use super::super::session::{Fallible, error};

/// Which key comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
}

/// Keys that have an order.
pub(super) enum Keys {
    Whole(Vec<INT>),
    Numbers(Vec<FLOAT>),
    Texts(Vec<String>),
    Times(Vec<Time>),
}

impl Keys {
    /// The keys as what the first of them is.
    pub(super) fn of(keys: &Array) -> Fallible<Self> {
        if let Some(missing) = keys.iter().position(Dynamic::is_unit) {
            return Err(error(format!(
                "element {missing} of the list has no key to sort by: it is `()`; write `|item| item.key ?? 0` if it may be missing"
            )));
        }
        let all = |of: &dyn Fn(&Dynamic) -> bool| keys.iter().all(of);
        if all(&|key| key.is_int()) {
            return Ok(Self::Whole(
                keys.iter().filter_map(|key| key.as_int().ok()).collect(),
            ));
        }
        if all(&|key| key.is_int() || key.is_float()) {
            let numbers: Vec<FLOAT> = keys.iter().filter_map(as_float).collect();
            if numbers.iter().any(|number| number.is_nan()) {
                return Err(error(
                    "a result that is not a number (such as 0.0 / 0.0) has no order",
                ));
            }
            return Ok(Self::Numbers(numbers));
        }
        if all(&|key| key.is_string() || key.is_char()) {
            return Ok(Self::Texts(keys.iter().map(ToString::to_string).collect()));
        }
        let times: Vec<Time> = keys
            .iter()
            .filter_map(|key| Some(*key.read_lock::<Time>()?))
            .collect();
        if times.len() == keys.len() {
            return Ok(Self::Times(times));
        }
        let mut kinds: Vec<&str> = keys.iter().map(type_name).collect();
        kinds.sort_unstable();
        kinds.dedup();
        Err(error(format!(
            "a list is sorted by texts, or numbers, or times, and these keys are: {}",
            kinds.join(", ")
        )))
    }

    /// The list in the order of its keys; equal ones stay as they are.
    pub(super) fn sorted(&self, list: Array, direction: Direction) -> Array {
        let mut order: Vec<usize> = (0..list.len()).collect();
        order.sort_by(|a, b| {
            let ordering = self.compare(*a, *b);
            match direction {
                Direction::Up => ordering,
                Direction::Down => ordering.reverse(),
            }
        });
        let mut items: Vec<Option<Dynamic>> = list.into_iter().map(Some).collect();
        order
            .into_iter()
            .filter_map(|index| items[index].take())
            .collect()
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        match self {
            Self::Whole(keys) => keys[a].cmp(&keys[b]),
            // There is no other than a number here, so this is the order of numbers but for -0.0.
            Self::Numbers(keys) => keys[a].total_cmp(&keys[b]),
            Self::Texts(keys) => keys[a].cmp(&keys[b]),
            Self::Times(keys) => keys[a].cmp(&keys[b]),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Rhai itself compares integers with floats this way"
)]
fn as_float(value: &Dynamic) -> Option<FLOAT> {
    let whole = value.as_int().ok().map(|number| number as FLOAT);
    whole.or_else(|| value.as_float().ok())
}
