//! One walk along one index: a list is made of as many of them as it has states.

use rusqlite::types::Value;

/// Conditions with their values, and the index to walk.
#[derive(Clone, Debug, Default)]
pub(super) struct Query {
    /// `INDEXED BY …`, or nothing for the order of the numbers. A condition that the index does not fit is an error
    /// then, and no slow list.
    pub(super) by: &'static str,
    conditions: Vec<&'static str>,
    values: Vec<Value>,
}

impl Query {
    /// Adds a condition with one value.
    pub(super) fn bound(&mut self, condition: &'static str, value: impl Into<Value>) {
        self.conditions.push(condition);
        self.values.push(value.into());
    }

    /// Adds a condition without a value.
    pub(super) fn only(&mut self, condition: &'static str) {
        self.conditions.push(condition);
    }

    /// `WHERE …`, if there are conditions.
    pub(super) fn condition(&self) -> String {
        match self.conditions.as_slice() {
            [] => String::new(),
            conditions => format!("WHERE {}", conditions.join(" AND ")),
        }
    }

    /// The values, and the number of rows at last.
    pub(super) fn values_and(&self, limit: usize) -> Vec<Value> {
        let mut values = self.values.clone();
        values.push(Value::from(i64::try_from(limit).unwrap_or(i64::MAX)));
        values
    }
}
