//! Every promise that the tables make to each other, as queries that find who breaks it, each with its remedy.
//!
//! The store keeps these promises in every transaction. They break when a disk loses something, when somebody edits a
//! file by hand, or when this program is wrong; then the same list says what to do. A remedy never throws anything
//! away: a row that cannot stay is kept as it was in the table `set_aside`, and a run that cannot go on is ended with
//! the reason.

mod events;
mod files;
mod journals;
mod lanes;
mod removal;
mod repair;
mod runs;
mod values;
mod waits;
mod walks;

use rusqlite::{Connection, Row};

use crate::store::{Finding, StoreError};

pub(super) use repair::repair;

/// How many breaks of one kind are listed; one more row says that there are others.
const LISTED_MAX: usize = 1_000;

/// One break of a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Break {
    place: String,
    text: String,
    /// What the remedy needs to know: mostly the number of the row.
    key: i64,
    /// And what else, such as a second column of the key.
    other: i64,
}

impl Break {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            place: row.get(0)?,
            text: row.get(1)?,
            key: row.get(2)?,
            other: row.get(3)?,
        })
    }
}

type Find = fn(&Connection) -> Result<Vec<Break>, StoreError>;
type Remedy = fn(&Repair<'_>, &Break) -> Result<(), StoreError>;

/// How breaks are found.
enum Search {
    /// Place, text, key and other of every break.
    Sql(&'static str),
    /// Where a query is not enough.
    Rows(Find),
}

/// A promise.
struct Promise {
    kind: &'static str,
    search: Search,
    remedy: &'static str,
    /// None: only a person can help.
    repair: Option<Remedy>,
}

/// Where a repair works.
struct Repair<'a> {
    db: &'a Connection,
    /// Now, in microseconds.
    now: i64,
}

/// All promises, those first that others build upon.
fn promises() -> impl Iterator<Item = &'static Promise> {
    [
        files::PROMISES,
        events::PROMISES,
        runs::PROMISES,
        journals::PROMISES,
        waits::PROMISES,
        walks::PROMISES,
        lanes::PROMISES,
        files::COUNTS,
    ]
    .into_iter()
    .flatten()
}

impl Promise {
    /// Everybody who breaks it, up to a bound.
    fn breaks(&self, db: &Connection) -> Result<Vec<Break>, StoreError> {
        let found = match self.search {
            Search::Rows(find) => find(db),
            Search::Sql(sql) => query(db, sql),
        };
        match found {
            // What cannot be read for the search is itself something to tell.
            Err(StoreError::Corrupt(why)) => Ok(vec![Break {
                place: "the files".to_owned(),
                text: format!("this cannot be examined: {why}"),
                key: UNREADABLE,
                other: 0,
            }]),
            found => found,
        }
    }

    fn finding(&self, found: Break, repaired: bool) -> Finding {
        Finding {
            kind: self.kind,
            place: found.place,
            text: found.text,
            remedy: if found.key == UNREADABLE {
                files::RESTORE
            } else {
                self.remedy
            },
            repaired,
        }
    }
}

/// The key of a break that is about the search and not about a row.
const UNREADABLE: i64 = i64::MIN;

fn query(db: &Connection, sql: &str) -> Result<Vec<Break>, StoreError> {
    let mut statement = db.prepare(sql)?;
    let rows = statement.query_and_then([], Break::read)?;
    rows.take(LISTED_MAX + 1).collect()
}

/// Whether a repair has found damage that it could not mend.
pub(super) fn is_beyond_repair(findings: &[Finding]) -> bool {
    let left = |one: &Finding| one.kind == files::DAMAGED && !one.repaired;
    findings.iter().any(left)
}

/// Everything that is wrong, as of one moment. `main` and `inbox` are attached.
pub(super) fn findings(db: &Connection) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    for promise in promises() {
        let mut breaks = promise.breaks(db)?;
        let more = breaks.len() > LISTED_MAX;
        breaks.truncate(LISTED_MAX);
        let found = breaks
            .into_iter()
            .map(|found| promise.finding(found, false));
        findings.extend(found);
        if more {
            findings.push(Finding {
                kind: promise.kind,
                place: "elsewhere".to_owned(),
                text: format!("there are more than {LISTED_MAX} of this kind"),
                remedy: promise.remedy,
                repaired: false,
            });
        }
    }
    Ok(findings)
}
