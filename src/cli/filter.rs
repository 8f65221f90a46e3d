//! Which runs are meant: by number, or by what they have in common.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::gateway::Query;
use crate::model::parse_duration;

/// What runs have in common. What it means is said by the gateway, and what is wrong with it as well.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Filter {
    /// Only of this rule
    #[arg(long)]
    rule: Option<String>,
    /// Only dead or parked for this reason, such as `api_error`
    #[arg(long)]
    class: Option<String>,
    /// Only of this event
    #[arg(long, value_name = "ID")]
    event: Option<String>,
    /// Only about this object of Iconik
    #[arg(long, value_name = "ID")]
    object: Option<String>,
    /// Only those that the `each` of this run made
    #[arg(long, value_name = "RUN")]
    parent: Option<String>,
    /// Only made since then: a time, a day (UTC), or how long ago (`24h`)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only made before then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl Filter {
    /// As the gateway takes it.
    pub(super) fn query(&self) -> Query {
        let parts = [
            ("rule", &self.rule),
            ("class", &self.class),
            ("event", &self.event),
            ("object", &self.object),
            ("parent", &self.parent),
            ("since", &self.since),
            ("until", &self.until),
        ];
        let given = parts.into_iter();
        given
            .filter_map(|(name, value)| Some((name, value.clone()?)))
            .collect()
    }
}

/// Which page of a list.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Page {
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Only what is behind this in the list, as the page before says
    #[arg(long, value_name = "ID")]
    before: Option<String>,
}

impl Page {
    pub(super) fn add_to(&self, query: &mut Query) {
        query.push(("limit", self.limit.to_string()));
        query.extend(self.before.clone().map(|before| ("before", before)));
    }
}

/// The filter as a JSON object. What is said as an age becomes a time, so that all batches mean the same runs.
pub(super) fn fixed(query: &Query, now: Timestamp) -> Map<String, Value> {
    let fix = |name: &str, value: &str| -> Option<String> {
        let age = parse_duration(value).ok()?;
        let then = now.checked_sub(age).ok()?;
        matches!(name, "since" | "until").then(|| then.to_string())
    };
    query
        .iter()
        .map(|(name, value)| {
            let value = fix(name, value).unwrap_or_else(|| value.clone());
            ((*name).to_owned(), Value::from(value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_become_times_and_everything_else_stays() {
        let now: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
        let query = vec![
            ("rule", "24h".to_owned()),
            ("since", "24h".to_owned()),
            ("until", "2026-03-10".to_owned()),
        ];
        let fixed = Value::Object(fixed(&query, now));
        assert_eq!(
            fixed,
            serde_json::json!({ "rule": "24h", "since": "2026-03-09T12:00:00Z", "until": "2026-03-10" })
        );
    }
}
