//! A time, as people write it in filters.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::duration::parse_duration;

/// What [`parse_moment`] reads, for messages.
pub const MOMENTS: &str =
    "2026-03-01T12:00:00Z, 2026-03-01 (its beginning in UTC), or how long ago: 90s, 10m, 24h, 7d";

/// Reads a time, a day (its beginning in UTC), or how long ago something was. Nothing if it is none of these, or before
/// all times that can be written.
pub fn parse_moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    let day = || {
        // A day with a time and no zone would be read as the day.
        let day = (text.len() == "2026-03-01".len()).then_some(text)?;
        let midnight = day.parse::<Date>().ok()?.at(0, 0, 0, 0);
        TimeZone::UTC.to_timestamp(midnight).ok()
    };
    let ago = || now.checked_sub(parse_duration(text).ok()?).ok();
    text.parse().ok().or_else(day).or_else(ago)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_one_of_three_ways() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = time("2026-03-10T12:00:00Z");
        for (text, meant) in [
            ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
            ("2026-03-01T12:00:00+02:00", "2026-03-01T10:00:00Z"),
            ("2026-03-01", "2026-03-01T00:00:00Z"),
            ("24h", "2026-03-09T12:00:00Z"),
            ("7d", "2026-03-03T12:00:00Z"),
        ] {
            assert_eq!(parse_moment(text, now), Some(time(meant)), "{text}");
        }
        for wrong in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-03-01 12:00",
            "12",
            "999999999w",
        ] {
            assert_eq!(parse_moment(wrong, now), None, "{wrong}");
        }
    }
}
