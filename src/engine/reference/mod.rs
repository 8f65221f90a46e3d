//! The reference of the functions that rules can see, for people and for editors, made from what is registered: it says what
//! the program has and nothing else.

mod definitions;
mod html;

use std::fmt::Write as _;

use super::{FunctionDoc, Place, functions};

pub use definitions::definitions;
pub use html::html;

const OPENING: &str = "\
# Functions that rules can use

This page is generated from what the program registers; `cuegate rules docs` prints it.
Each example is the body of a `fn run(event)` and runs as a test. [rules.md](rules.md) explains how a rule is built.

Rhai's own functions for texts, numbers, arrays and maps are there as well, described in
[the Rhai book](https://rhai.rs/book/), except that `eval` and imports from outside `rules/lib` are not, and that order
comparisons are strict: values of different kinds, or `()`, are an error, never `false`.
";

/// The reference as Markdown.
pub fn markdown() -> String {
    let mut page = OPENING.to_owned();
    let mut place = None;
    for doc in sorted() {
        if place != Some(doc.place) {
            place = Some(doc.place);
            let _ = writeln!(page, "\n## {}", heading(doc.place));
        }
        let about = doc.about.trim_end();
        let _ = write!(
            page,
            "\n### `{}`\n\n{about}\n\n```rhai\n{}\n```\n",
            written(doc),
            doc.example.trim()
        );
    }
    page
}

/// By place; inside its place a function stays where it was registered.
fn sorted() -> Vec<&'static FunctionDoc> {
    let mut sorted: Vec<&FunctionDoc> = functions().iter().collect();
    sorted.sort_by_key(|doc| doc.place);
    sorted
}

fn heading(place: Place) -> String {
    match place {
        Place::Top => "Called by name".to_owned(),
        Place::Module(name) => format!("`{name}`"),
        Place::Type(name) => format!("On {name}"),
    }
}

/// As a rule writes it.
fn written(doc: &FunctionDoc) -> String {
    match doc.place {
        Place::Top => doc.signature.to_owned(),
        Place::Module(name) => format!("{name}::{}", doc.signature),
        Place::Type(_) => format!(".{}", doc.signature),
    }
}
