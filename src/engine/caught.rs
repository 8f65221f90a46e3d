//! Errors that a rule's own `catch` swallows, kept in its log.
//!
//! A `catch` that is meant for a refused call also catches a misspelt name, and then nobody ever learns of it. Rhai has
//! no hook there, so every `catch` block is compiled with a call of a native in front, which looks at what was caught.
//! Line numbers stay; columns behind an insertion are moved back before anybody sees them.

use std::collections::BTreeMap;

use rhai::{
    AST, ASTNode, Dynamic, Expr, FuncRegistration, INT, Map, Module, NativeCallContext, Stmt,
};

use super::convert::display;
use super::here::position;
use super::session::{Fallible, Session};
use crate::model::Position;

/// The native in front of every `catch` block. No function of a rule has this name.
pub(super) const NATIVE: &str = "__caught";
/// What is caught where the rule gives it no name.
const NAMELESS: &str = "__error";
/// Marks the text of an error that a native of ours made, so that it is told from a `throw` of the script.
pub(super) const NATIVE_ERROR_TAG: INT = 0x1c1;
/// How much of an error is kept, in bytes.
const MESSAGE_BYTES: usize = 500;

/// A file as it is compiled, and what was inserted into it.
#[derive(Clone, Debug, Default)]
pub(super) struct Watched {
    pub(super) text: String,
    pub(super) inserted: Inserted,
}

/// Where text was inserted into a file: lines with the columns of insertions and their lengths, in characters.
#[derive(Clone, Debug, Default)]
pub(super) struct Inserted(BTreeMap<u32, Vec<(u32, u32)>>);

impl Inserted {
    /// The place in the file as it was written.
    pub(super) fn original(&self, at: Position) -> Position {
        let mut column = at.column;
        for (before, length) in self.0.get(&at.line).into_iter().flatten() {
            if column >= *before {
                // Inside of what was inserted there is nothing of the author's but the place itself.
                column = column.saturating_sub(*length).max(*before);
            }
        }
        Position { column, ..at }
    }
}

/// The text with a call of the native at the beginning of every `catch` block.
pub(super) fn watch(text: &str, ast: &AST) -> Watched {
    let mut blocks: BTreeMap<Position, Option<String>> = BTreeMap::new();
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        if let Some(ASTNode::Stmt(Stmt::TryCatch(parts, _))) = path.last()
            && let Some(at) = position(parts.branch.position())
        {
            let name = match &parts.expr {
                Expr::Variable(variable, ..) => Some(variable.1.to_string()),
                _ => None,
            };
            blocks.insert(at, name);
        }
        true
    });
    let mut watched = Watched::default();
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        for (column, letter) in (1..).zip(line.chars()) {
            let at = Position {
                line: number,
                column,
            };
            let Some(name) = blocks.get(&at).filter(|_| letter == '{') else {
                watched.text.push(letter);
                continue;
            };
            let before = match name {
                Some(_) => String::new(),
                None => format!("({NAMELESS}) "),
            };
            let after = format!(" {NATIVE}({});", name.as_deref().unwrap_or(NAMELESS));
            watched.text.push_str(&before);
            watched.text.push('{');
            watched.text.push_str(&after);
            let inserts = watched.inserted.0.entry(number).or_default();
            for (at, inserted) in [(column, before), (column + 1, after)] {
                let length = u32::try_from(inserted.chars().count()).unwrap_or_default();
                inserts.push((at, length));
            }
        }
    }
    watched
}

pub(super) fn register(module: &mut Module) {
    FuncRegistration::new(NATIVE)
        .in_global_namespace()
        .set_into_module(
            module,
            |context: NativeCallContext<'_>, caught: Dynamic| -> Fallible<()> {
                let session = Session::of(&context)?;
                match engine_error(&caught) {
                    Some(message) => {
                        session.log_caught(&context, format!("an error was caught: {message}"))
                    }
                    None => Ok(()),
                }
            },
        );
}

/// What an error says that no `throw` of the script made. A refused call is what `catch` is for, so it is none.
fn engine_error(caught: &Dynamic) -> Option<String> {
    if INT::from(caught.tag()) == NATIVE_ERROR_TAG {
        return Some(display(caught, MESSAGE_BYTES));
    }
    let fields = caught.read_lock::<Map>()?;
    // So Rhai describes its own errors, with their kind.
    let kind = fields.get("error")?.as_immutable_string_ref().ok()?;
    if !kind.starts_with("Error") {
        return None;
    }
    let message = display(fields.get("message")?, MESSAGE_BYTES);
    let line = fields.get("line").and_then(|line| line.as_int().ok());
    Some(line.map_or(message.clone(), |line| format!("{message} (line {line})")))
}
