//! An error that a person can act on: what, where, and what to do next.

use serde::{Deserialize, Serialize};

/// A place in a rule file; both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

/// A position in one of the files that a rule is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePosition {
    /// The path of the library; nothing for the rule's own file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Where in it.
    #[serde(flatten)]
    pub at: Position,
}

impl From<Position> for FilePosition {
    /// A place in the rule's own file.
    fn from(at: Position) -> Self {
        Self { file: None, at }
    }
}

/// One finding about a rule file, with everything that is needed to show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// The file's path below the rules directory.
    pub file: String,
    /// Where, if it has a place.
    pub position: Option<Position>,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The text of the line named by `position`.
    pub excerpt: Option<String>,
}

impl Diagnostic {
    /// A finding at a place of a file whose source is at hand; the excerpt is taken from it.
    pub fn at(
        file: &str,
        source: &str,
        position: Option<Position>,
        message: impl Into<String>,
    ) -> Self {
        let excerpt = position.and_then(|p| {
            let index = usize::try_from(p.line).ok()?.checked_sub(1)?;
            source
                .lines()
                .nth(index)
                .map(|line| line.chars().take(240).collect())
        });
        Self {
            file: file.to_owned(),
            position,
            message: message.into(),
            hint: None,
            excerpt,
        }
    }

    /// The same finding with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl std::fmt::Display for Diagnostic {
    /// Several lines: message, place, excerpt with a caret, hint. Plain text; colours are the terminal's business.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "error: {}", self.message)?;
        match self.position {
            Some(at) => write!(f, "\n  --> {}:{}:{}", self.file, at.line, at.column)?,
            None => write!(f, "\n  --> {}", self.file)?,
        }
        if let (Some(at), Some(excerpt)) = (self.position, &self.excerpt) {
            let number = at.line.to_string();
            let gutter = " ".repeat(number.len());
            let before: String = excerpt
                .chars()
                .take(usize::try_from(at.column.saturating_sub(1)).unwrap_or(0))
                .map(|c| if c == '\t' { '\t' } else { ' ' })
                .collect();
            write!(
                f,
                "\n {gutter} |\n {number} | {excerpt}\n {gutter} | {before}^"
            )?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  help: {hint}")?;
        }
        Ok(())
    }
}
