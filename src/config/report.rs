//! What is wrong with a configuration, all of it at once, for a person in front of an editor.
//!
//! An excerpt of a configuration is the easiest way to print a password by accident. So it works the other
//! way round: everything in a line is masked except structure, known keys, and values of keys that are known
//! to be no secrets. A misspelt `auth_tokn` or an unquoted token is therefore masked too.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::tree::Place;

/// What stands for anything that must not be shown.
pub(super) const MASK: &str = "***";

/// Longest excerpt, in characters; configuration lines that are longer say nothing more.
const EXCERPT_CHARS: usize = 160;

/// Everything that is wrong with a configuration. Prints as a report of several lines for each finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct ConfigError {
    findings: Vec<Finding>,
}

impl ConfigError {
    pub(super) fn new(findings: Vec<Finding>) -> Self {
        Self { findings }
    }

    /// What is wrong, in the order of the file; findings about the environment come last.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.findings.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            finding.fmt(f)?;
        }
        Ok(())
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The dotted key, such as `server.listen`; absent where the file as a whole is wrong.
    pub key: Option<String>,
    /// What is wrong, in one sentence, without any secret.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The configuration file, unless the finding is about the environment or about nothing that is written.
    pub file: Option<PathBuf>,
    /// The line in the file, counted from 1.
    pub line: Option<usize>,
    /// The column in the line, in characters, counted from 1.
    pub column: Option<usize>,
    /// The environment variable that holds the value.
    pub variable: Option<String>,
    /// The line's text, secrets masked.
    pub excerpt: Option<Excerpt>,
}

/// A line as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Excerpt {
    /// The line, secrets and comments left out.
    pub text: String,
    /// How many characters of `text` stand before the finding.
    pub before: usize,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if let Some(variable) = &self.variable {
            write!(f, "\n  --> environment variable {variable}")?;
        } else if let Some(file) = &self.file {
            write!(f, "\n  --> {}", file.display())?;
            if let (Some(line), Some(column)) = (self.line, self.column) {
                write!(f, ":{line}:{column}")?;
            }
        }
        if let (Some(line), Some(excerpt)) = (self.line, &self.excerpt) {
            let number = line.to_string();
            let gutter = " ".repeat(number.len());
            let before = " ".repeat(excerpt.before);
            write!(
                f,
                "\n {gutter} |\n {number} | {}\n {gutter} | {before}^",
                excerpt.text
            )?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  help: {hint}")?;
        }
        Ok(())
    }
}

/// A finding before its place has been looked up in the text.
pub(super) struct Problem {
    key: Option<String>,
    place: Place,
    message: String,
    hint: Option<String>,
}

impl Problem {
    pub(super) fn new(key: &str, place: Place, message: impl Into<String>) -> Self {
        Self {
            key: Some(key.to_owned()).filter(|key| !key.is_empty()),
            place,
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        self
    }
}

/// The file's text and which bytes of it may be shown.
pub(super) struct Page<'a> {
    /// `None` when no file was read.
    pub(super) file: Option<&'a Path>,
    pub(super) text: &'a str,
    pub(super) visible: Vec<Range<usize>>,
}

impl Page<'_> {
    /// Gives every problem its line and excerpt, in the order of the file.
    pub(super) fn report(&self, problems: Vec<Problem>) -> ConfigError {
        let mut found: Vec<(usize, Finding)> = problems
            .into_iter()
            .map(|problem| {
                let at = match &problem.place {
                    Place::File(span) => span.start,
                    Place::Nowhere => usize::MAX - 1,
                    Place::Variable(_) => usize::MAX,
                };
                (at, self.finding(problem))
            })
            .collect();
        found.sort_by_key(|(at, _)| *at);
        ConfigError::new(found.into_iter().map(|(_, finding)| finding).collect())
    }

    fn finding(&self, problem: Problem) -> Finding {
        let mut finding = Finding {
            key: problem.key,
            message: problem.message,
            hint: problem.hint,
            file: None,
            line: None,
            column: None,
            variable: None,
            excerpt: None,
        };
        match problem.place {
            Place::Variable(name) => finding.variable = Some(name),
            Place::Nowhere => finding.file = self.file.map(Path::to_path_buf),
            Place::File(span) => {
                let start = self.text.floor_char_boundary(span.start);
                let line = line_around(self.text, start);
                finding.file = self.file.map(Path::to_path_buf);
                finding.line = Some(self.text[..start].matches('\n').count() + 1);
                finding.column = Some(self.text[line.start..start].chars().count() + 1);
                finding.excerpt = Some(self.excerpt(line, start));
            }
        }
        finding
    }

    /// The line with everything masked that is not known to be harmless, and without its comment.
    fn excerpt(&self, line: Range<usize>, at: usize) -> Excerpt {
        let mut text = String::new();
        let mut before = None;
        // What is being masked: nothing, a quoted stretch up to its closing quote, or a bare one.
        let mut masking: Option<Option<char>> = None;
        for (offset, c) in self.text[line.clone()].char_indices() {
            let position = line.start + offset;
            if position >= at && before.is_none() {
                // A finding inside a masked stretch points at its beginning.
                let masked = if masking.is_some() { MASK.len() } else { 0 };
                before = Some(text.chars().count() - masked);
            }
            if self.visible.iter().any(|span| span.contains(&position)) {
                text.push(if c.is_control() { ' ' } else { c });
                masking = None;
            } else if let Some(Some(quote)) = masking {
                if c == quote {
                    masking = Some(None);
                }
            } else if c.is_whitespace() || "=[]{},.".contains(c) {
                text.push(if c.is_whitespace() { ' ' } else { c });
                masking = None;
            } else if masking.is_none() {
                if c == '#' {
                    break;
                }
                text.push_str(MASK);
                masking = Some(Some(c).filter(|c| "\"'".contains(*c)));
            }
        }
        let text: String = text.trim_end().chars().take(EXCERPT_CHARS).collect();
        let end = text.chars().count();
        Excerpt {
            before: before.unwrap_or(end).min(end),
            text,
        }
    }
}

fn line_around(text: &str, at: usize) -> Range<usize> {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..]
        .find('\n')
        .map_or(text.len(), |newline| at + newline);
    start..end
}
