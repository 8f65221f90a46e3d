//! Definition files for editors that know Rhai: what can be called, with its parameters and its description.
//!
//! They are written from our descriptions and not by Rhai's own generator, which would show the types of this program and no
//! names of parameters.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::{FunctionDoc, Place};
use super::sorted;

/// The files by their names: one for what is called by name or on a value, one for each module.
pub fn definitions() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for doc in sorted() {
        let module = match doc.place {
            Place::Module(name) => name,
            Place::Top | Place::Type(_) => "static",
        };
        let text: &mut String = files
            .entry(format!("{module}.d.rhai"))
            .or_insert_with(|| format!("module {module};\n"));
        text.push('\n');
        for line in doc.about.lines().chain(["", "```rhai"]) {
            comment(text, line);
        }
        for line in doc.example.trim().lines().chain(["```"]) {
            comment(text, line);
        }
        let _ = writeln!(text, "{}", definition(doc));
    }
    files
}

fn comment(text: &mut String, line: &str) {
    let _ = writeln!(text, "{}", format!("/// {line}").trim_end());
}

/// Types are open: a value of ours is told by what is called on it.
fn definition(doc: &FunctionDoc) -> String {
    let on = match doc.place {
        Place::Type(name) => Some(format!("this: {}", type_name(name))),
        Place::Top | Place::Module(_) => None,
    };
    let inside = doc.signature.split_once('(').map(|(_, rest)| rest);
    let inside = inside.map(|rest| rest.trim_end_matches(')'));
    let given = inside.unwrap_or_default().split(',').map(str::trim);
    let given = given.filter(|name| !name.is_empty());
    let parameters: Vec<String> = on
        .into_iter()
        .chain(given.map(|name| format!("{name}: ?")))
        .collect();
    let get = if inside.is_none() { "get " } else { "" };
    format!("fn {get}{}({}) -> ?;", doc.name(), parameters.join(", "))
}

/// `egress::NAME` stands for many modules of one kind.
fn type_name(name: &str) -> String {
    name.split("::")
        .map(|part| {
            let mut letters = part.chars();
            let first = letters.next().map(|first| first.to_ascii_uppercase());
            first
                .into_iter()
                .chain(letters.map(|c| c.to_ascii_lowercase()))
                .collect::<String>()
        })
        .collect()
}
