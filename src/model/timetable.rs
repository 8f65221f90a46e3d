//! When a schedule is due: cron in a time zone, with its daylight saving.
//!
//! One time of the clock in the zone is not always one moment. A schedule with a fixed hour and minute is due once a
//! day whatever the clock does: a time that is skipped comes right after the gap, a time that comes twice counts the
//! first time. One that repeats within the day follows the hours that there really are.

use std::cmp::Ordering;

use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use croner::{CivilDate, CivilDateTime, CivilTime, Cron, CronDateTime, Resolution, Weekday};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ZonedDateTime};

use super::Schedule;

/// The times of one [`Schedule`].
#[derive(Clone, Debug)]
pub struct Timetable {
    cron: Cron,
    zone: TimeZone,
}

impl Timetable {
    /// Reads the five fields and the name of the zone.
    ///
    /// # Errors
    ///
    /// A sentence about what is wrong with them, also if they name no time that ever comes.
    pub fn of(schedule: &Schedule) -> Result<Self, String> {
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let cron = parser
            .parse(&schedule.cron)
            .map_err(|error| format!("`{}` is no cron expression: {error}", schedule.cron))?;
        let zone = TimeZone::get(&schedule.timezone)
            .map_err(|_| format!("`{}` is no name of a time zone", schedule.timezone))?;
        let timetable = Self { cron, zone };
        match timetable.next_after(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(timetable),
            None => Err(format!("`{}` names no time that ever comes", schedule.cron)),
        }
    }

    /// The first time after a moment.
    pub fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        let from = Wall(at.to_zoned_datetime(self.zone.clone()));
        let next = self.cron.find_next_occurrence(&from, false);
        next.ok().map(|next| next.0.timestamp())
    }

    /// The last time up to a moment, that moment included.
    pub fn last_until(&self, at: Timestamp) -> Option<Timestamp> {
        let from = Wall(at.to_zoned_datetime(self.zone.clone()));
        let last = self.cron.find_previous_occurrence(&from, true);
        last.ok().map(|last| last.0.timestamp())
    }
}

/// A moment with its zone, as the library for cron wants to see it.
#[derive(Clone)]
struct Wall(ZonedDateTime);

impl CronDateTime for Wall {
    fn to_civil(&self) -> CivilDateTime {
        let at = self.0.datetime();
        CivilDateTime::new(
            CivilDate::from_parts_unchecked(
                at.year().into(),
                at.month().unsigned_abs().into(),
                at.day().unsigned_abs().into(),
            ),
            CivilTime::from_parts_unchecked(
                at.hour().unsigned_abs().into(),
                at.minute().unsigned_abs().into(),
                at.second().unsigned_abs().into(),
            ),
        )
    }

    fn civil_weekday(&self) -> Weekday {
        let days = self.0.weekday().to_sunday_zero_offset();
        Weekday::from_days_from_sunday(days.unsigned_abs().into())
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let at = date_time(civil).ok_or(CronError::InvalidDate)?;
        let ambiguous = self.0.time_zone().to_ambiguous_zoned_datetime(at);
        let failed = |_| CronError::InvalidTime;
        Ok(match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } => {
                Resolution::Single(Self(ambiguous.unambiguous().map_err(failed)?))
            }
            AmbiguousOffset::Fold { .. } => Resolution::Ambiguous(
                Self(ambiguous.clone().earlier().map_err(failed)?),
                Self(ambiguous.later().map_err(failed)?),
            ),
            AmbiguousOffset::Gap { .. } => Resolution::Gap,
        })
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        let later = self.0.checked_add(SignedDuration::from_secs(seconds));
        later.ok().map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.timestamp().cmp(&other.0.timestamp())
    }
}

fn date_time(civil: CivilDateTime) -> Option<DateTime> {
    let small = |part: u32| i8::try_from(part).ok();
    DateTime::new(
        i16::try_from(civil.year()).ok()?,
        small(civil.month())?,
        small(civil.day())?,
        small(civil.hour())?,
        small(civil.minute())?,
        small(civil.second())?,
        0,
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Missed;

    fn timetable(cron: &str, timezone: &str) -> Result<Timetable, String> {
        Timetable::of(&Schedule {
            cron: cron.to_owned(),
            timezone: timezone.to_owned(),
            missed: Missed::Skip,
        })
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The times after `from` up to `to`.
    fn times(timetable: &Timetable, from: &str, to: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut last = at(from);
        while let Some(next) = timetable.next_after(last).filter(|next| *next <= at(to)) {
            found.push(next.to_string());
            last = next;
        }
        found
    }

    #[test]
    fn a_daily_time_keeps_its_hour_of_the_zone_over_the_change() {
        let six = timetable("0 6 * * *", "Europe/Berlin").unwrap();
        assert_eq!(
            times(&six, "2026-03-27T12:00:00Z", "2026-03-30T12:00:00Z"),
            [
                "2026-03-28T05:00:00Z",
                "2026-03-29T04:00:00Z",
                "2026-03-30T04:00:00Z"
            ]
        );
    }

    #[test]
    fn a_fixed_time_that_is_skipped_comes_after_the_gap_and_one_that_comes_twice_counts_once() {
        let half_past_two = timetable("30 2 * * *", "Europe/Berlin").unwrap();
        assert_eq!(
            times(
                &half_past_two,
                "2026-03-28T12:00:00Z",
                "2026-03-29T12:00:00Z"
            ),
            ["2026-03-29T01:00:00Z"]
        );
        assert_eq!(
            times(
                &half_past_two,
                "2026-10-24T12:00:00Z",
                "2026-10-25T12:00:00Z"
            ),
            ["2026-10-25T00:30:00Z"]
        );
    }

    #[test]
    fn an_hourly_schedule_follows_the_hours_that_there_are() {
        let hourly = timetable("0 * * * *", "Europe/Berlin").unwrap();
        let spring = times(&hourly, "2026-03-28T23:30:00Z", "2026-03-29T02:30:00Z");
        assert_eq!(
            spring,
            [
                "2026-03-29T00:00:00Z",
                "2026-03-29T01:00:00Z",
                "2026-03-29T02:00:00Z"
            ]
        );
        let autumn = times(&hourly, "2026-10-24T22:30:00Z", "2026-10-25T02:30:00Z");
        assert_eq!(
            autumn,
            [
                "2026-10-24T23:00:00Z",
                "2026-10-25T00:00:00Z",
                "2026-10-25T01:00:00Z",
                "2026-10-25T02:00:00Z"
            ]
        );
    }

    #[test]
    fn looking_back_finds_what_looking_forward_found() {
        let zones = [
            "Europe/Berlin",
            "America/New_York",
            "Australia/Lord_Howe",
            "UTC",
        ];
        let crons = [
            "30 2 * * *",
            "*/20 * * * *",
            "15 1,2,3 * * *",
            "0 0 * * 1",
            "45 23 28-31 * *",
        ];
        for (zone, cron) in zones.iter().flat_map(|zone| crons.map(|cron| (zone, cron))) {
            let timetable = timetable(cron, zone).unwrap();
            for begin in [
                "2026-03-07",
                "2026-03-27",
                "2026-04-03",
                "2026-10-02",
                "2026-10-23",
                "2026-10-31",
            ] {
                let mut last = at(&format!("{begin}T00:00:00Z"));
                for _ in 0..200 {
                    let Some(next) = timetable.next_after(last) else {
                        panic!("{cron} goes on")
                    };
                    let found = |at: Timestamp| timetable.last_until(at);
                    assert_eq!(found(next), Some(next), "{cron} in {zone}");
                    let before = next - SignedDuration::from_millis(1);
                    assert!(found(before) < Some(next), "{cron} in {zone} before {next}");
                    let after = next + SignedDuration::from_millis(1);
                    assert_eq!(found(after), Some(next), "{cron} in {zone}");
                    last = next;
                    if last > at(&format!("{begin}T00:00:00Z")) + SignedDuration::from_hours(80) {
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_its_text() {
        for (cron, zone, expected) in [
            ("0 6 * *", "UTC", "`0 6 * *` is no cron expression"),
            ("0 0 6 * * *", "UTC", "`0 0 6 * * *` is no cron expression"),
            ("61 6 * * *", "UTC", "`61 6 * * *` is no cron expression"),
            (
                "0 6 * * *",
                "Europe/Berln",
                "`Europe/Berln` is no name of a time zone",
            ),
            ("0 0 31 2 *", "UTC", "names no time that ever comes"),
        ] {
            let error = timetable(cron, zone).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
