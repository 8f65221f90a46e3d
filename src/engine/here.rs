//! Where in a rule something is asked for: Rhai tells the position and, apart from it, the file.

use rhai::{NativeCallContext, Position as At};

use crate::model::{FilePosition, Position};

/// Where in the script something is asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Here {
    pub(super) at: Option<Position>,
    pub(super) file: Option<String>,
}

impl From<&NativeCallContext<'_>> for Here {
    fn from(context: &NativeCallContext<'_>) -> Self {
        Self {
            at: position(context.call_position()),
            file: context.call_source().map(ToOwned::to_owned),
        }
    }
}

impl Here {
    /// The position, as the author sees it, with the file unless that is the rule's own.
    pub(super) fn shown_at(&self, at: Position, main: &str) -> FilePosition {
        let library = self.file.as_ref().filter(|file| *file != main);
        FilePosition {
            file: library.cloned(),
            at,
        }
    }
}

/// Rhai's position as ours, if there is one.
pub(super) fn position(at: At) -> Option<Position> {
    Some(Position {
        line: u32::try_from(at.line()?).ok()?,
        column: u32::try_from(at.position().unwrap_or(1)).ok()?,
    })
}
