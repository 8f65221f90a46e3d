//! What has been counted, over as many rounds as there were; kept in a file by the long form.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use cuegate::operations::RepeatClass;
use serde::{Deserialize, Serialize};

use super::cases::CASES;

/// Everything that was counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Totals {
    /// Kills, each with the start after it, by the digest of the binary that was killed.
    pub(crate) builds: BTreeMap<String, u64>,
    /// The same by the kind of kill.
    pub(crate) kills: BTreeMap<String, u64>,
    /// Data directories.
    pub(crate) rounds: u64,
    /// Events whose sender was answered 200.
    pub(crate) acknowledged: u64,
    /// Those of them that the store does not have.
    pub(crate) lost: u64,
    /// Calls of an event that came after a later event of the same lane had begun.
    pub(crate) disorder: u64,
    /// Runs that are neither finished nor waiting for a person with reason.
    pub(crate) stuck: u64,
    /// Runs that succeeded without their effect.
    pub(crate) missing: u64,
    /// Acting calls that were cut and about which nobody was asked.
    pub(crate) unparked: u64,
    /// By effect.
    pub(crate) cases: BTreeMap<String, Row>,
    /// What was broken, in words, with the seed of the round.
    pub(crate) broken: Vec<String>,
}

/// One effect.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) events: u64,
    pub(crate) succeeded: u64,
    /// Events whose write was between intent and answer at a kill.
    pub(crate) cut: u64,
    /// Other events of whose write an answer was lost while the gateway lived.
    pub(crate) unheard: u64,
    /// Requests beyond the first for one event.
    pub(crate) repeated_calls: u64,
    pub(crate) parked: u64,
    pub(crate) behind_parked: u64,
    /// Runs that were under way at six kills in a row and are dead of it.
    pub(crate) given_up: u64,
    /// Effects that are there more often than once, or were made again after the run had gone on.
    pub(crate) twice: u64,
}

impl Totals {
    /// How many kills there were.
    pub(crate) fn cycles(&self) -> u64 {
        self.builds.values().sum()
    }

    pub(crate) fn case(&mut self, name: &str) -> &mut Row {
        self.cases.entry(name.to_owned()).or_default()
    }

    pub(crate) fn killed(&mut self, build: &str, how: &str) {
        *self.builds.entry(build.to_owned()).or_default() += 1;
        *self.kills.entry(how.to_owned()).or_default() += 1;
    }

    /// Adds what another round has counted.
    pub(crate) fn add(&mut self, other: &Self) {
        for (build, cycles) in &other.builds {
            *self.builds.entry(build.clone()).or_default() += cycles;
        }
        for (how, cycles) in &other.kills {
            *self.kills.entry(how.clone()).or_default() += cycles;
        }
        self.rounds += other.rounds;
        self.acknowledged += other.acknowledged;
        self.lost += other.lost;
        self.disorder += other.disorder;
        self.stuck += other.stuck;
        self.missing += other.missing;
        self.unparked += other.unparked;
        for (name, row) in &other.cases {
            self.case(name).add(row);
        }
        self.broken.extend(other.broken.iter().cloned());
    }

    /// Reads the totals of earlier rounds; none if there is no file.
    pub(crate) fn read(path: &Path) -> Self {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .unwrap_or_else(|error| panic!("{} holds no totals: {error}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::default(),
            Err(error) => panic!("{} cannot be read: {error}", path.display()),
        }
    }

    /// Keeps the totals; whoever is interrupted has the old file or the new one.
    pub(crate) fn write(&self, path: &Path) {
        let text = serde_json::to_vec_pretty(self).expect("totals have a text form");
        let beside = path.with_extension("new");
        std::fs::write(&beside, text)
            .and_then(|()| std::fs::rename(&beside, path))
            .unwrap_or_else(|error| panic!("{} cannot be written: {error}", path.display()));
    }

    fn of_class(&self, class: RepeatClass, column: impl Fn(&Row) -> u64) -> u64 {
        let cases = CASES.iter().filter(|case| case.class == class);
        cases
            .filter_map(|case| self.cases.get(case.name))
            .map(column)
            .sum()
    }
}

impl Row {
    fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.succeeded += other.succeeded;
        self.cut += other.cut;
        self.unheard += other.unheard;
        self.repeated_calls += other.repeated_calls;
        self.parked += other.parked;
        self.behind_parked += other.behind_parked;
        self.given_up += other.given_up;
        self.twice += other.twice;
    }
}

/// A title and its number.
type Column = (&'static str, fn(&Row) -> u64);

/// What the table shows of each effect.
const COLUMNS: [Column; 9] = [
    ("events", |row| row.events),
    ("succeeded", |row| row.succeeded),
    ("cut", |row| row.cut),
    ("unheard", |row| row.unheard),
    ("repeated", |row| row.repeated_calls),
    ("parked", |row| row.parked),
    ("behind", |row| row.behind_parked),
    ("given up", |row| row.given_up),
    ("twice", |row| row.twice),
];

impl Totals {
    /// Everything that may be broken in one line.
    pub(crate) fn in_one_line(&self) -> String {
        let sum = |column: fn(&Row) -> u64| self.cases.values().map(column).sum::<u64>();
        format!(
            "acknowledged {}, lost {}, order {}, stuck {}, without effect {}, given up {}, twice {}; succeeded {}, parked {} \
             (unasked {}), behind {}",
            self.acknowledged,
            self.lost,
            self.disorder,
            self.stuck,
            self.missing,
            sum(|row| row.given_up),
            sum(|row| row.twice),
            sum(|row| row.succeeded),
            sum(|row| row.parked),
            self.unparked,
            sum(|row| row.behind_parked),
        )
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} kills in {} data directories, {} build{}",
            self.cycles(),
            self.rounds,
            self.builds.len(),
            if self.builds.len() == 1 { "" } else { "s" }
        )?;
        for (how, cycles) in &self.kills {
            writeln!(f, "  {cycles:>6}  {how}")?;
        }
        write!(f, "{:<10} {:<10}", "effect", "class")?;
        for (title, _) in COLUMNS {
            write!(f, "{title:>10}")?;
        }
        writeln!(f)?;
        for case in CASES {
            let none = Row::default();
            let row = self.cases.get(case.name).unwrap_or(&none);
            write!(f, "{:<10} {:<10}", case.name, class_name(case.class))?;
            for (_, column) in COLUMNS {
                write!(f, "{:>10}", column(row))?;
            }
            writeln!(f)?;
        }
        let twice = |class| self.of_class(class, |row| row.twice);
        let doubtful = self.of_class(RepeatClass::Acting, |row| row.cut + row.unheard);
        let parked = self.of_class(RepeatClass::Acting, |row| row.parked);
        writeln!(
            f,
            "acknowledged events {}, lost {}",
            self.acknowledged, self.lost
        )?;
        writeln!(f, "lane order violations {}", self.disorder)?;
        writeln!(
            f,
            "stuck runs {}, succeeded without effect {}",
            self.stuck, self.missing
        )?;
        writeln!(
            f,
            "repeated effects: safe {}, idempotent {}, creating {}, acting {}",
            twice(RepeatClass::Safe),
            twice(RepeatClass::Idempotent),
            twice(RepeatClass::Creating),
            twice(RepeatClass::Acting)
        )?;
        write!(
            f,
            "acting calls cut between intent and answer {doubtful}, parked {parked}, gone on unasked {}",
            self.unparked
        )
    }
}

fn class_name(class: RepeatClass) -> &'static str {
    match class {
        RepeatClass::Safe => "safe",
        RepeatClass::Idempotent => "idempotent",
        RepeatClass::Creating => "creating",
        RepeatClass::Acting => "acting",
    }
}
