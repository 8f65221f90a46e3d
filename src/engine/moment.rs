//! Time as rules see it: ordered, with zones, never read from a clock.

use std::fmt;
use std::time::Duration;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::session::{Fallible, error};
use crate::model::parse_duration;

/// A moment. It prints as Iconik writes moments: ISO-8601 in UTC with microseconds and `+00:00` (every recorded
/// answer of its API).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Time(pub(super) Timestamp);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00"))
    }
}

impl Time {
    /// Reads what Iconik writes: a moment with an offset (`2026-03-01T12:00:00+00:00`), a moment without one
    /// (UTC), or a date (midnight UTC).
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::parse_at(text, TimeZone::UTC)
    }

    /// Reads the same, where a moment without an offset and the midnight of a date are those of a zone.
    pub(super) fn parse_in(text: &str, zone: &str) -> Fallible<Option<Self>> {
        Ok(Self::parse_at(text, time_zone(zone)?))
    }

    fn parse_at(text: &str, zone: TimeZone) -> Option<Self> {
        let text = text.trim();
        if let Ok(at) = text.parse::<Timestamp>() {
            return Some(Self(at));
        }
        let local = match text.parse::<DateTime>() {
            Ok(at) => at.to_zoned_datetime(zone),
            Err(_) => text.parse::<Date>().ok()?.to_zoned_datetime(zone),
        };
        local.ok().map(|at| Self(at.timestamp()))
    }

    pub(super) fn plus(self, duration: &str) -> Fallible<Self> {
        self.moved(duration, false)
    }

    pub(super) fn minus(self, duration: &str) -> Fallible<Self> {
        self.moved(duration, true)
    }

    fn moved(self, duration: &str, back: bool) -> Fallible<Self> {
        let (back, text) = match duration.strip_prefix('-') {
            Some(rest) => (!back, rest),
            None => (back, duration),
        };
        let by: Duration = parse_duration(text).map_err(error)?;
        let by =
            SignedDuration::try_from(by).map_err(|_| error(format!("`{duration}` is too long")))?;
        let by = if back { -by } else { by };
        self.0.checked_add(by).map(Self).map_err(|_| {
            error(format!(
                "{self} and `{duration}` give a time outside the years that exist here"
            ))
        })
    }

    pub(super) fn start_of_day(self, zone: &str) -> Fallible<Self> {
        let day = self.0.to_zoned_datetime(time_zone(zone)?).start_of_day();
        day.map(|at| Self(at.timestamp()))
            .map_err(|e| error(format!("no start of day: {e}")))
    }

    pub(super) fn format(self, pattern: &str, zone: &str) -> Fallible<String> {
        let zoned = self.0.to_zoned_datetime(time_zone(zone)?);
        jiff::fmt::strtime::format(pattern, &zoned).map_err(|e| {
            error(format!(
                "`{pattern}` is no time pattern ({e}); an example is \"%d.%m.%Y %H:%M\""
            ))
        })
    }

    /// The date in UTC as Iconik's date fields hold it: `2026-03-01`.
    pub(super) fn date(self) -> String {
        self.0.to_zoned_datetime(TimeZone::UTC).date().to_string()
    }
}

fn time_zone(name: &str) -> Fallible<TimeZone> {
    TimeZone::get(name).map_err(|_| {
        error(format!(
            "`{name}` is no time zone; use a name such as \"Europe/Berlin\" or \"UTC\""
        ))
    })
}
