//! One table of the configuration while it is being read.
//!
//! Every getter takes its key out of the table, so what is left at the end is unknown, and the names that were
//! asked for are what a misspelt key is compared with: there is no second list of keys to keep in step. A
//! getter that finds something wrong reports it and answers the default, so that one reading finds everything.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::reading::Reading;
use super::size::{format_size, parse_size};
use super::tree::{Entry, Node, Place, Table, Value, join};
use crate::model::{format_duration, parse_duration};

/// How alike two keys must be (0 to 1, Jaro-Winkler) for one to be offered in place of the other.
const ALIKE: f64 = 0.8;

/// What is wrong with a text, and perhaps what to do.
pub(super) struct Wrong {
    message: String,
    hint: Option<String>,
}

impl Wrong {
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: Some(hint.into()),
        }
    }
}

impl Wrong {
    /// The message and the hint; no hint is empty.
    pub(super) fn into_parts(self) -> (String, String) {
        (self.message, self.hint.unwrap_or_default())
    }
}

impl From<String> for Wrong {
    fn from(message: String) -> Self {
        Self {
            message,
            hint: None,
        }
    }
}

/// A table and the keys that were asked for so far.
pub(super) struct Section<'s, 'a> {
    path: String,
    place: Place,
    table: Table,
    known: Vec<&'static str>,
    taken: Vec<(&'static str, Place)>,
    pub(super) reading: &'s mut Reading<'a>,
}

impl<'s, 'a> Section<'s, 'a> {
    /// Reads a table with `read` and reports the keys that `read` did not ask for.
    pub(super) fn read<T>(
        path: String,
        place: Place,
        table: Table,
        reading: &'s mut Reading<'a>,
        read: impl FnOnce(&mut Section<'s, 'a>) -> T,
    ) -> T {
        let mut section = Section {
            path,
            place,
            table,
            known: Vec::new(),
            taken: Vec::new(),
            reading,
        };
        let value = read(&mut section);
        section.report_unknown();
        value
    }

    /// The dotted path of this table.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The dotted path of a key of this table.
    pub(super) fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// Whether the key was written, whatever its value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key) || self.taken.iter().any(|(taken, _)| *taken == key)
    }

    /// Takes a key and shows it in excerpts, but not its value.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Node> {
        self.known.push(key);
        let entry = self.table.remove(key)?;
        self.reading.show(&entry.key);
        self.taken.push((key, entry.node.place.clone()));
        Some(entry.node)
    }

    /// Everything that is left: the names are the operator's.
    pub(super) fn take_rest(&mut self) -> Vec<(String, Entry)> {
        let rest = std::mem::take(&mut self.table);
        for entry in rest.values() {
            self.reading.show(&entry.key);
        }
        rest.into_iter().collect()
    }

    /// Reports something about a key that was taken, or about the table if it was not there or is `""`.
    pub(super) fn fail(
        &mut self,
        key: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let place = self
            .taken
            .iter()
            .find(|(taken, _)| *taken == key)
            .map_or_else(|| self.place.clone(), |(_, place)| place.clone());
        let path = if key.is_empty() {
            self.path.clone()
        } else {
            self.path_of(key)
        };
        self.reading.report(&path, place, message, hint);
    }

    /// Keys that this version knows of and does not carry out.
    pub(super) fn later(&mut self, keys: &[&str]) {
        for key in keys {
            if let Some(entry) = self.table.remove(*key) {
                self.reading.show(&entry.key);
                let path = self.path_of(key);
                let hint = "remove it; this version does not carry it out";
                self.reading.report(
                    &path,
                    entry.key,
                    format!("`{path}` is not supported yet"),
                    hint,
                );
            }
        }
    }

    /// A table inside this one; `None` if it is absent or no table.
    pub(super) fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'_, 'a>) -> T,
    ) -> Option<T> {
        let node = self.take(key)?;
        let path = self.path_of(key);
        match node.value {
            Value::Table(table) => Some(Section::read(path, node.place, table, self.reading, read)),
            _ => {
                self.reading.wrong_type(&path, &node, "a table");
                None
            }
        }
    }

    /// A string that is no secret.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        let node = self.take(key)?;
        self.reading.show_value(&node);
        self.reading.string(&self.path_of(key), node, "a string")
    }

    /// A list of strings that are no secrets.
    pub(super) fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let node = self.take(key)?;
        self.reading.show_value(&node);
        let path = self.path_of(key);
        self.reading.strings(&path, node)
    }

    /// A string that is no secret and means something.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let text = self.text(key)?;
        self.accept(key, parse(&text))
    }

    /// Like [`Self::parsed`], but shown in excerpts only if it is right: a wrong URL may hold a password.
    pub(super) fn guarded<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let node = self.take(key)?;
        let place = node.place.clone();
        let text = self.reading.string(&self.path_of(key), node, "a string")?;
        let value = self.accept(key, parse(&text))?;
        self.reading.show(&place);
        Some(value)
    }

    fn accept<T>(&mut self, key: &'static str, result: Result<T, Wrong>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(wrong) => {
                let path = self.path_of(key);
                self.fail(
                    key,
                    format!("`{path}`: {}", wrong.message),
                    wrong.hint.unwrap_or_default(),
                );
                None
            }
        }
    }

    /// One word of a few.
    pub(super) fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
        default: T,
    ) -> T {
        self.parsed(key, |text| {
            words
                .iter()
                .find(|(word, _)| *word == text)
                .map(|(_, value)| *value)
                .ok_or_else(|| {
                    let choices: Vec<String> =
                        words.iter().map(|(word, _)| format!("{word:?}")).collect();
                    format!("`{text}` is none of {}", choices.join(", ")).into()
                })
        })
        .unwrap_or(default)
    }

    /// A duration such as `"90s"`.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(node) = self.take(key) else {
            return default;
        };
        self.reading.show_value(&node);
        let path = self.path_of(key);
        let Some(text) = self
            .reading
            .string(&path, node, "a duration such as \"90s\"")
        else {
            return default;
        };
        let duration = parse_duration(&text)
            .map_err(Wrong::from)
            .and_then(|duration| in_range(duration, &range, |bound| format_duration(*bound)));
        self.accept(key, duration).unwrap_or(default)
    }

    /// A size in bytes such as `"64KiB"`.
    pub(super) fn size(
        &mut self,
        key: &'static str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> u64 {
        let Some(node) = self.take(key) else {
            return default;
        };
        self.reading.show_value(&node);
        let path = self.path_of(key);
        let Some(text) = self.reading.string(&path, node, "a size such as \"64KiB\"") else {
            return default;
        };
        let size = parse_size(&text)
            .map_err(Wrong::from)
            .and_then(|size| in_range(size, &range, |bound| format_size(*bound)));
        self.accept(key, size).unwrap_or(default)
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, key: &'static str, default: bool) -> bool {
        let Some(node) = self.take(key) else {
            return default;
        };
        self.reading.show_value(&node);
        match node.value {
            Value::Boolean(value) => value,
            _ => {
                self.reading
                    .wrong_type(&self.path_of(key), &node, "true or false");
                default
            }
        }
    }

    /// A whole number.
    pub(super) fn integer<N>(
        &mut self,
        key: &'static str,
        default: N,
        range: RangeInclusive<N>,
    ) -> N
    where
        N: TryFrom<i64> + PartialOrd + std::fmt::Display + Copy,
    {
        let Some(node) = self.take(key) else {
            return default;
        };
        self.reading.show_value(&node);
        let Value::Integer(number) = node.value else {
            self.reading
                .wrong_type(&self.path_of(key), &node, "a whole number");
            return default;
        };
        let (least, most) = (range.start(), range.end());
        let number = N::try_from(number)
            .ok()
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                Wrong::from(format!(
                    "{number} is out of range; it may be {least} to {most}"
                ))
            });
        self.accept(key, number).unwrap_or(default)
    }

    fn report_unknown(&mut self) {
        for (key, entry) in std::mem::take(&mut self.table) {
            self.reading.show(&entry.key);
            let path = self.path_of(&key);
            let hint = suggestion(&key, &self.known);
            self.reading
                .report(&path, entry.key, format!("unknown key `{path}`"), hint);
        }
    }
}

fn in_range<T: PartialOrd>(
    value: T,
    range: &RangeInclusive<T>,
    write: impl Fn(&T) -> String,
) -> Result<T, Wrong> {
    if range.contains(&value) {
        return Ok(value);
    }
    let [value, least, most] = [&value, range.start(), range.end()].map(write);
    Err(format!("{value} is out of range; it may be {least} to {most}").into())
}

/// The known key that was probably meant, or all of them.
fn suggestion(key: &str, known: &[&str]) -> String {
    let alike = |name: &&str| strsim::jaro_winkler(&key.to_lowercase(), name);
    let best = known
        .iter()
        .copied()
        .max_by(|a, b| alike(a).total_cmp(&alike(b)))
        .filter(|name| alike(name) >= ALIKE);
    match best {
        Some(name) => format!("did you mean `{name}`?"),
        None => {
            let mut names = known.to_vec();
            names.sort_unstable();
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("known here are {}", names.join(", "))
        }
    }
}
