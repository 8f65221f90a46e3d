//! What has to be done in Iconik, by comparison alone.

use std::collections::BTreeSet;

use serde::Serialize;

use super::definition::{Found, Kind, Needed};

/// What is done about one definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// It is not there.
    Create,
    /// It is there and differs.
    Update,
    /// It differs, but it is switched off: whoever changes it now loses the time since when events are missing.
    HeldBack,
    /// It is ours, and no rule needs it.
    Remove,
    /// It is as it should be.
    Keep,
}

impl Step {
    /// The name in tables and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::HeldBack => "held back",
            Self::Remove => "remove",
            Self::Keep => "keep",
        }
    }
}

/// One definition, and what is done about it.
#[derive(Clone, Debug)]
pub struct Change {
    /// What is done.
    pub step: Step,
    /// What kind of definition.
    pub kind: Kind,
    /// What it is about.
    pub subject: String,
    /// In what it differs from what is needed.
    pub differences: Vec<String>,
    /// What is needed; nothing if it is removed.
    pub needed: Option<Needed>,
    /// What is there; nothing if it is created.
    pub found: Option<Found>,
}

/// Everything that has to be done, in the order in which it is done: nothing is removed before its successor is there.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// One for each definition that is needed or ours.
    pub changes: Vec<Change>,
    /// How many definitions of others there are.
    pub left_alone: usize,
}

impl Plan {
    /// What is not as it should be.
    pub fn to_do(&self) -> impl Iterator<Item = &Change> {
        self.changes
            .iter()
            .filter(|change| change.step != Step::Keep)
    }
}

/// Compares what is needed with what is there. Only what carries `mark` is ever changed or removed.
///
/// Definitions belong together by what they are about; those that are left over by their name, so that one that was
/// pointed elsewhere by hand is seen as changed. What is ours and double is removed.
pub fn plan(needed: &[Needed], found: &[Found], mark: &str) -> Plan {
    let ours: Vec<&Found> = found.iter().filter(|found| found.carries(mark)).collect();
    let left_alone = found.len() - ours.len();
    let mut free: BTreeSet<usize> = (0..ours.len()).collect();
    let mut pairs: Vec<Option<usize>> = vec![None; needed.len()];
    for by_subject in [true, false] {
        for (pair, need) in pairs.iter_mut().zip(needed) {
            if pair.is_some() {
                continue;
            }
            let fits = |at: &usize| {
                let there = ours[*at];
                let same = if by_subject {
                    there.subject == need.subject
                } else {
                    need.alias().is_some() && there.alias() == need.alias()
                };
                there.kind == need.kind && same
            };
            // Of several, the one with the least to do, and one that works before one that does not.
            let cost = |at: &usize| (need.differences(ours[*at]).len(), !ours[*at].is_on(), *at);
            *pair = free.iter().copied().filter(fits).min_by_key(cost);
            if let Some(at) = *pair {
                free.remove(&at);
            }
        }
    }
    let mut changes: Vec<Change> = needed
        .iter()
        .zip(pairs)
        .map(|(need, pair)| change(need, pair.map(|at| ours[at])))
        .collect();
    changes.extend(free.into_iter().map(|at| removal(ours[at])));
    changes.sort_by(|a, b| (a.step, a.kind, &a.subject).cmp(&(b.step, b.kind, &b.subject)));
    Plan {
        changes,
        left_alone,
    }
}

fn change(need: &Needed, found: Option<&Found>) -> Change {
    let differences = found.map_or_else(Vec::new, |found| need.differences(found));
    let step = match found {
        None => Step::Create,
        Some(_) if differences.is_empty() => Step::Keep,
        Some(found) if need.kind == Kind::Webhook && !found.is_on() => Step::HeldBack,
        Some(_) => Step::Update,
    };
    Change {
        step,
        kind: need.kind,
        subject: need.subject.clone(),
        differences,
        needed: Some(need.clone()),
        found: found.cloned(),
    }
}

fn removal(found: &Found) -> Change {
    Change {
        step: Step::Remove,
        kind: found.kind,
        subject: found.subject.clone(),
        differences: Vec::new(),
        needed: None,
        found: Some(found.clone()),
    }
}

#[cfg(test)]
mod tests;
