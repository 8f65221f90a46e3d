//! `schedule` and `debounce`: when the clock wakes a rule, and how long it lets a lane calm down.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use croner::time::Weekday;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

use super::super::bindings::nearest;
use super::super::literal::Literal;
use super::values::{Wrong, duration, map, one_of, text, unknown_key, wrong};
use crate::model::{Debounce, Missed, Schedule};

/// In as many years every date has been on every day of the week, leap days included.
const CALENDAR_YEARS: i16 = 28;

pub(super) fn schedule(value: &Literal) -> Result<Schedule, Wrong> {
    let mut schedule = Schedule {
        cron: String::new(),
        timezone: "UTC".to_owned(),
        missed: Missed::Skip,
    };
    for (key, at, value) in map(value, "schedule")? {
        match key.as_str() {
            "cron" => schedule.cron = cron(value)?,
            "timezone" => schedule.timezone = timezone(value)?,
            "missed" => {
                let known = [("skip", Missed::Skip), ("once", Missed::Once)];
                schedule.missed = one_of(value, key, &known)?;
            }
            _ => {
                let known = ["cron", "timezone", "missed"];
                return Err(unknown_key(*at, "schedule", key, &known));
            }
        }
    }
    if schedule.cron.is_empty() {
        let hint = "write `schedule: #{ cron: \"0 6 * * *\", timezone: \"Europe/Berlin\" }`";
        return Err((
            value.at,
            "a schedule needs `cron`".to_owned(),
            Some(hint.to_owned()),
        ));
    }
    Ok(schedule)
}

fn cron(value: &Literal) -> Result<String, Wrong> {
    let given = text(value, "cron")?;
    let hint = || {
        let fields = "five fields: minute, hour, day of the month, month, day of the week";
        Some(format!(
            "write {fields}, for example \"0 6 * * *\" for every day at six"
        ))
    };
    let cron = parse_cron(given).map_err(|trouble| {
        (
            value.at,
            format!("`{given}` is no cron pattern: {trouble}"),
            hint(),
        )
    })?;
    if !ever_comes(&cron) {
        let message =
            format!("`{given}` names a day that no calendar has, so it would never wake the rule");
        return Err((value.at, message, hint()));
    }
    Ok(given.to_owned())
}

/// Reads five fields of cron.
fn parse_cron(given: &str) -> Result<Cron, String> {
    let fields = given.split_whitespace().count();
    if fields != 5 {
        return Err(format!("it has {fields} fields and not five"));
    }
    CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build()
        .parse(given)
        .map_err(|error| error.to_string())
}

/// Whether there is a day on which it fires. A pattern that cannot be judged is left to the clock.
fn ever_comes(cron: &Cron) -> bool {
    let first = date(2024, 1, 1);
    let fires = |day: &Date| {
        let month = u32::from(day.month().unsigned_abs());
        let number = u32::from(day.day().unsigned_abs());
        let in_month = cron.pattern.month_match(month).unwrap_or(true);
        let on_day = cron
            .pattern
            .day_match(day.year().into(), month, number, weekday(*day))
            .unwrap_or(true);
        in_month && on_day
    };
    first
        .series(jiff::Span::new().days(1))
        .take_while(|day| day.year() < first.year() + CALENDAR_YEARS)
        .any(|day| fires(&day))
}

fn weekday(day: Date) -> Weekday {
    use jiff::civil::Weekday as Civil;
    match day.weekday() {
        Civil::Monday => Weekday::Monday,
        Civil::Tuesday => Weekday::Tuesday,
        Civil::Wednesday => Weekday::Wednesday,
        Civil::Thursday => Weekday::Thursday,
        Civil::Friday => Weekday::Friday,
        Civil::Saturday => Weekday::Saturday,
        Civil::Sunday => Weekday::Sunday,
    }
}

fn timezone(value: &Literal) -> Result<String, Wrong> {
    let given = text(value, "timezone")?;
    if TimeZone::get(given).is_ok() {
        return Ok(given.to_owned());
    }
    let known: Vec<String> = jiff::tz::db()
        .available()
        .map(|name| name.to_string())
        .collect();
    let hint = match nearest(given, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => "use a name such as \"Europe/Berlin\" or \"UTC\"".to_owned(),
    };
    Err((value.at, format!("`{given}` is no time zone"), Some(hint)))
}

pub(super) fn debounce(value: &Literal) -> Result<Debounce, Wrong> {
    let (mut quiet, mut max) = (None, None);
    for (key, at, value) in map(value, "debounce")? {
        match key.as_str() {
            "quiet" => quiet = Some(duration(value, key)?),
            "max" => max = Some(duration(value, key)?),
            _ => return Err(unknown_key(*at, "debounce", key, &["quiet", "max"])),
        }
    }
    let (Some(quiet), Some(max)) = (quiet, max) else {
        let hint = "write `debounce: #{ quiet: \"2s\", max: \"20s\" }`";
        return Err((
            value.at,
            "`debounce` needs `quiet` and `max`".to_owned(),
            Some(hint.to_owned()),
        ));
    };
    if max < quiet {
        let message = "`debounce.max` is shorter than `debounce.quiet`, so the lane would never be waited for";
        return Err(wrong(value.at, message));
    }
    Ok(Debounce { quiet, max })
}
