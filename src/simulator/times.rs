//! Moments and spans as filters write them: ISO 8601 with or without an offset, a date for a whole day,
//! milliseconds since 1970, `*` for an open end.
//!
//! Dates count to the millisecond, as in the search engine behind Iconik's lists; that both ends belong to a
//! range, and that a date as its end means the whole day, is inferred from the same.

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// Milliseconds since 1970, from the first to the last that are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    first: i64,
    last: i64,
}

impl Span {
    /// All time.
    pub(super) const EVER: Self = Self {
        first: i64::MIN,
        last: i64::MAX,
    };

    /// What the text stands for; a time without an offset is meant in this one.
    pub(super) fn of(text: &str, offset: Offset) -> Option<Self> {
        if let Some(at) = millisecond(text) {
            return Some(Self {
                first: at,
                last: at,
            });
        }
        if let Ok(day) = text.parse::<Date>()
            && text.len() == 10
        {
            let first = offset.to_timestamp(day.into()).ok()?;
            let last = first.checked_add(SignedDuration::from_hours(24)).ok()?;
            return Some(Self {
                first: first.as_millisecond(),
                last: last.as_millisecond() - 1,
            });
        }
        let local = text.parse::<DateTime>().ok()?;
        let at = offset.to_timestamp(local).ok()?.as_millisecond();
        Some(Self {
            first: at,
            last: at,
        })
    }

    /// From the beginning of one span to the end of another; an end that is absent is open.
    pub(super) fn between(from: Option<Self>, to: Option<Self>) -> Self {
        Self {
            first: from.map_or(i64::MIN, |from| from.first),
            last: to.map_or(i64::MAX, |to| to.last),
        }
    }

    /// What the parameter of a list stands for: one time, or two with a semicolon, either of which may be
    /// `*`. A bare number is milliseconds since 1970.
    pub(super) fn asked(text: &str) -> Option<Self> {
        let one = |text: &str| match text.parse::<i64>() {
            Ok(at) => Some(Self {
                first: at,
                last: at,
            }),
            Err(_) => Self::of(text, Offset::UTC),
        };
        let end = |text: &str| match text {
            "*" | "" => Some(None),
            text => one(text).map(Some),
        };
        match text.split_once(';') {
            Some((from, to)) => Some(Self::between(end(from)?, end(to)?)),
            None if text == "*" => Some(Self::EVER),
            None => one(text),
        }
    }

    /// Whether the time that a document shows lies in the span. What is no time does not.
    pub(super) fn holds(self, text: &str) -> bool {
        let shown = Self::of(text, Offset::UTC);
        shown.is_some_and(|it| (self.first..=self.last).contains(&it.first))
    }

    /// The first millisecond.
    pub(super) fn first(self) -> i64 {
        self.first
    }
}

fn millisecond(text: &str) -> Option<i64> {
    let at = text.parse::<Timestamp>().ok()?;
    Some(at.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: &str = "2026-03-01T12:00:00.123456+00:00";

    #[test]
    fn a_date_is_a_whole_day_and_a_time_is_one_moment() {
        let day = Span::of("2026-03-01", Offset::UTC).unwrap();
        assert!(day.holds(NOON) && day.holds("2026-03-01"));
        assert!(day.holds("2026-03-01T23:59:59.999Z") && !day.holds("2026-03-02T00:00:00Z"));
        let moment = Span::of(NOON, Offset::UTC).unwrap();
        assert!(moment.holds(NOON) && !moment.holds("2026-03-01T12:00:01+00:00"));
    }

    #[test]
    fn a_time_without_an_offset_is_meant_where_the_asker_is() {
        let east = Offset::from_hours(2).unwrap();
        let span = Span::of("2026-03-01T12:00:00", east).unwrap();
        assert!(span.holds("2026-03-01T10:00:00Z"));
        assert!(!span.holds("2026-03-01T12:00:00Z"));
    }

    #[test]
    fn lists_take_one_time_or_two_with_open_ends() {
        for (asked, holds) in [
            ("2026-03-01", true),
            ("2026-02-28;2026-03-01", true),
            ("2026-03-01T12:00:01Z;*", false),
            ("*;2026-02-28", false),
            ("*;*", true),
            ("1772366400123", true),
            ("1772366400124;*", false),
        ] {
            let span = Span::asked(asked).unwrap();
            assert_eq!(span.holds(NOON), holds, "{asked}");
        }
        for wrong in ["yesterday", "2026-03-01;soon", "2026-13-01"] {
            assert!(Span::asked(wrong).is_none(), "{wrong}");
        }
    }
}
