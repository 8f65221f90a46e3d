//! Which events a person wants to be routed once more, and how they come into the line.

use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::event_lists::{self, Place};
use super::listing::event_number;
use crate::store::{InLine, ReroutePage, StoreError, WhichEvents};

/// How many events one page of a filter puts in line, so that no write waits long behind it.
const PAGE: usize = 2_000;

/// The events that are meant, by their numbers.
pub(super) struct Found {
    pub(super) events: Vec<i64>,
    pub(super) in_line: InLine,
}

/// The numbers of the events that a request means, a page of them.
pub(super) fn find(db: &Connection, which: &WhichEvents) -> Result<Found, StoreError> {
    let mut found = Found {
        events: Vec::new(),
        in_line: InLine::default(),
    };
    match which {
        WhichEvents::Ids(ids) => {
            for id in ids {
                match event_number(db, *id)? {
                    Some(number) => found.events.push(number),
                    None => found.in_line.unknown.push(*id),
                }
            }
            found.events.sort_unstable();
        }
        WhichEvents::Matching {
            filter,
            failed,
            page,
        } => {
            let page = match page {
                Some(page) => *page,
                None => ReroutePage {
                    after: 0,
                    up_to: newest(db)?,
                },
            };
            for mut query in event_lists::queries(db, filter, &Place::Newest)? {
                query.bound("number > ?", page.after);
                query.bound("number <= ?", page.up_to);
                if let Some(rule) = failed {
                    query.bound(
                        "number IN (SELECT event FROM when_failed WHERE rule = ?)",
                        rule.as_str().to_owned(),
                    );
                }
                let sql = format!(
                    "SELECT number FROM event {} {} ORDER BY number LIMIT ?",
                    query.by,
                    query.condition()
                );
                let numbers = db
                    .prepare_cached(&sql)?
                    .query_map(params_from_iter(query.values_and(PAGE)), |row| row.get(0))?
                    .collect::<Result<Vec<i64>, _>>()?;
                found.events.extend(numbers);
            }
            found.events.sort_unstable();
            found.events.truncate(PAGE);
            if found.events.len() == PAGE {
                found.in_line.next = found.events.last().map(|last| ReroutePage {
                    after: *last,
                    ..page
                });
            }
        }
    }
    Ok(found)
}

fn newest(db: &Connection) -> Result<i64, StoreError> {
    Ok(db
        .prepare_cached("SELECT coalesce(max(number), 0) FROM event")?
        .query_row([], |row| row.get(0))?)
}

/// Puts events in line; answers how many stand there, and how many have no payload any more.
pub(super) fn line_up(
    db: &Connection,
    events: &[i64],
    rule: &str,
    again: bool,
) -> Result<(usize, usize), StoreError> {
    let (mut stand, mut pruned) = (0, 0);
    for event in events {
        let whole: Option<bool> = db
            .prepare_cached("SELECT pruned_at IS NULL FROM event WHERE number = ?1")?
            .query_row([event], |row| row.get(0))
            .optional()?;
        if whole != Some(true) {
            pruned += 1;
            continue;
        }
        stand += db
            .prepare_cached(
                "INSERT INTO reroute (event, rule, again) VALUES (?1, ?2, ?3)
                 ON CONFLICT (rule, event) DO UPDATE SET again = max(again, excluded.again)",
            )?
            .execute(params![event, rule, again])?;
    }
    Ok((stand, pruned))
}
