//! The walls inside the program, held by a test instead of by memory.
//!
//! `src` is a stack of layers: a module imports from layers below its own, never from a neighbour and never
//! upwards. The table here is the one of ARCHITECTURE.md; a change needs both. The sources are read as tokens,
//! so that comments, texts and test modules neither hide an import nor make one up.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Lowest layer first. Modules of one row do not know each other.
const LAYERS: &[&[&str]] = &[
    &["model", "clock"],
    &["operations", "config", "telemetry"],
    &["store", "engine", "iconik", "egress"],
    &["sandbox", "simulator"],
    &["ingress", "router", "runner", "admin", "authoring"],
    &["app", "demo"],
    &["cli", "main"],
];

/// Neighbours that may be imported, because putting them together is what the module is for.
const COMPOSERS: &[(&str, &[&str])] = &[
    ("authoring", &["router", "runner"]),
    ("demo", &["app"]),
    ("main", &["cli"]),
];

/// Modules that may not even import everything below them.
const CONFINED: &[(&str, &[&str])] = &[("simulator", &["operations", "model", "clock"])];

/// Libraries that only one module may know, so that what it does is done nowhere else.
const HOMES: &[(&str, &[&str])] = &[("rhai", &["engine"]), ("rusqlite", &["store"])];

/// What `engine` must not touch: it does no I/O and reads no clock, so that a run stays a pure function.
const IMPURE: &[&str] = &[
    "tokio",
    "reqwest",
    "axum",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &[
    "utils", "util", "helpers", "common", "core", "manager", "misc",
];

/// Longer than this and a file does more than one thing, unless a reason is given below.
const LINES_MAX: usize = 400;

/// Files that may be longer, each with its reason. An entry that is no longer needed fails the test.
const LONG_FILES: &[(&str, &str)] = &[
    (
        "src/engine/header.rs",
        "one reader: each key of a header beside the check of its value",
    ),
    (
        "src/operations/files.rs",
        "a table: one entry for each of Iconik's file operations",
    ),
    (
        "tests/it/engine.rs",
        "one list of what scripts may and may not do",
    ),
];

/// Words that mark work left undone. Spelt in halves, so that this list does not find itself.
const LEFTOVERS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("db", "g!("),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
];

#[test]
fn modules_import_only_from_layers_below() {
    let mut sideways = Vec::new();
    for file in shipped_sources() {
        for to in imports(&file.module, &file.text) {
            if !may_import(&file.module[0], &to) {
                sideways.push(format!("{} imports {to}", file.path));
            }
        }
    }
    assert_eq!(sideways, Vec::<String>::new());
}

#[test]
fn every_top_module_has_a_layer() {
    let unplaced: BTreeSet<String> = shipped_sources()
        .into_iter()
        .map(|file| file.module[0].clone())
        .filter(|module| module != "lib" && layer(module).is_none())
        .collect();
    assert_eq!(unplaced, BTreeSet::new());
}

#[test]
fn a_library_with_a_home_is_known_nowhere_else() {
    let mut strangers = Vec::new();
    for file in shipped_sources() {
        let code = tokens(&file.text);
        for (library, homes) in HOMES {
            if mentions(&code, library) && !homes.contains(&file.module[0].as_str()) {
                strangers.push(format!("{} knows {library}", file.path));
            }
        }
    }
    assert_eq!(strangers, Vec::<String>::new());
}

#[test]
fn the_engine_touches_nothing_outside() {
    let mut impure = Vec::new();
    for file in shipped_sources()
        .iter()
        .filter(|file| file.module[0] == "engine")
    {
        let code = tokens(&file.text);
        for path in IMPURE.iter().filter(|path| mentions(&code, path)) {
            impure.push(format!("{} uses {path}", file.path));
        }
    }
    assert_eq!(impure, Vec::<String>::new());
}

#[test]
fn planted_imports_sideways_and_upwards_are_found() {
    let found = |source: &str| imports(&["store".to_owned(), "sqlite".to_owned()], source);
    let set = |names: &[&str]| {
        names
            .iter()
            .map(ToString::to_string)
            .collect::<BTreeSet<_>>()
    };

    assert_eq!(found("use crate::engine::Rule;"), set(&["engine"]));
    assert_eq!(
        found("use crate::{model::Event, engine::{self, Rule}, clock};"),
        set(&["model", "engine", "clock"])
    );
    assert_eq!(found("use {crate::router, std::fs};"), set(&["router"]));
    assert_eq!(
        found("fn f() -> crate::runner::Door { crate :: app :: go() }"),
        set(&["runner", "app"])
    );
    assert_eq!(
        found("pub use super::super::iconik::Client;"),
        set(&["iconik"])
    );
    assert_eq!(
        found("use super::{super::egress, Row};"),
        set(&["egress", "store"])
    );
    assert_eq!(
        found("mod deep { use super::super::super::cli; }"),
        set(&["cli"])
    );
    assert_eq!(
        found("#[cfg(feature = \"x\")] use cuegate::admin::Pages;"),
        set(&["admin"])
    );
    assert_eq!(found("use crate::*;"), set(&["*"]));
    assert_eq!(found("use crate as all;"), set(&["*"]));

    assert!(!may_import("store", "engine"), "a neighbour");
    assert!(!may_import("store", "ingress"), "upwards");
    assert!(!may_import("store", "*"), "everything");
    assert!(
        !may_import("simulator", "store"),
        "below, but the simulator is confined"
    );
    assert!(!may_import("ingress", "router"), "a neighbour");
    assert!(!may_import("app", "demo"), "only the other way round");
}

#[test]
fn imports_that_stay_inside_or_are_no_code_are_not_found() {
    let found = |source: &str| {
        let mut found = imports(&["store".to_owned(), "sqlite".to_owned()], source);
        found.remove("store");
        found
    };
    let none = BTreeSet::new();

    assert_eq!(
        found("use self::rows::Row; use super::Lease; pub(crate) fn f() { self.go() }"),
        none
    );
    assert_eq!(
        found("// use crate::engine;\n/* crate::app /* crate::cli */ crate::demo */"),
        none
    );
    assert_eq!(
        found("//! [`crate::engine`]\n/// See [`crate::runner`].\nstruct S;"),
        none
    );
    assert_eq!(
        found(
            r##"const A: &str = "crate::app \" crate::cli"; const B: &str = r#"crate::demo " "#;"##
        ),
        none
    );
    assert_eq!(
        found("fn f<'a>(x: &'a str) -> char { '\"' } // \" crate::app"),
        none
    );
    assert_eq!(
        found("#[cfg(test)]\nmod tests {\n    use crate::app::App;\n    fn f() { if x {} }\n}"),
        none
    );
    assert_eq!(
        found("#[cfg(test)]\nmod tests { use crate::app; }\nuse crate::engine;").len(),
        1
    );

    assert!(may_import("store", "store"));
    assert!(may_import("store", "model"));
    assert!(may_import("demo", "app"));
    assert!(may_import("demo", "simulator"));
    assert!(may_import("main", "cli"));
    assert!(may_import("simulator", "operations"));
}

#[test]
fn nothing_but_a_test_module_asks_whether_it_is_being_tested() {
    let mut askers = Vec::new();
    for file in shipped_sources() {
        let code = tokens(&file.text);
        let asking = (0..code.len()).filter(|at| asks_for_test(&code[*at..]));
        if asking
            .filter(|at| !opens_test_module(&code, at.checked_sub(2)))
            .count()
            > 0
        {
            askers.push(format!("{} asks for `test`", file.path));
        }
        let modules = (0..code.len()).filter(|at| matches(&code[*at..], &["mod", "tests"]));
        if modules
            .filter(|at| !opens_test_module(&code, at.checked_sub(7)))
            .count()
            > 0
        {
            askers.push(format!("{} ships its `mod tests`", file.path));
        }
    }
    assert_eq!(askers, Vec::<String>::new());
}

#[test]
fn no_module_is_named_after_nothing() {
    let mut nameless = Vec::new();
    for path in files_below(&["src", "tests", "benches"], "rs") {
        let odd = Path::new(&path).iter().any(|part| {
            let part = part.to_string_lossy();
            EMPTY_NAMES.contains(&part.trim_end_matches(".rs"))
        });
        if odd {
            nameless.push(path);
        }
    }
    assert_eq!(nameless, Vec::<String>::new());
}

#[test]
fn no_file_is_long_without_a_reason() {
    let excused = |path: &str| LONG_FILES.iter().any(|(long, _)| *long == path);
    let mut wrong = Vec::new();
    for path in files_below(&["src", "tests", "benches"], "rs") {
        let lines = read(&path).lines().count();
        match (lines > LINES_MAX, excused(&path)) {
            (true, false) => wrong.push(format!(
                "{path} has {lines} lines; split it, or say why not in LONG_FILES"
            )),
            (false, true) => wrong.push(format!(
                "{path} is short enough now; take it off LONG_FILES"
            )),
            _ => {}
        }
    }
    for (path, reason) in LONG_FILES {
        assert!(
            root().join(path).exists(),
            "{path} is listed as long and is not there"
        );
        assert!(reason.len() > 20, "{path} is excused without a reason");
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn no_work_is_left_undone_in_the_sources() {
    let mut found = Vec::new();
    let mut files = files_below(&["src", "tests", "benches", "fuzz"], "rs");
    files.extend(files_below(&["rules", "examples"], "rhai"));
    for path in files {
        for (number, line) in read(&path).lines().enumerate() {
            if LEFTOVERS.iter().any(|word| line.contains(word)) {
                found.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_source_file_opens_with_its_reason() {
    let mut silent = files_below(&["src"], "rs");
    silent.retain(|path| !read(path).starts_with("//! "));
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn every_shipped_rule_opens_with_a_comment_for_its_readers() {
    let mut silent = files_below(&["rules"], "rhai");
    assert!(!silent.is_empty(), "no rule is shipped below rules/");
    silent.retain(|path| !read(path).starts_with("//! "));
    assert_eq!(silent, Vec::<String>::new());
}

/// A file of `src` that is in the program, i.e. no test.
struct Source {
    /// Below the package's root.
    path: String,
    /// `["store", "sqlite"]` for `src/store/sqlite.rs`.
    module: Vec<String>,
    text: String,
}

fn shipped_sources() -> Vec<Source> {
    let paths = files_below(&["src"], "rs").into_iter();
    let sources: Vec<Source> = paths
        .map(|path| Source {
            module: module_of(&path),
            text: read(&path),
            path,
        })
        .filter(|source| !source.module.iter().any(|part| part == "tests"))
        .collect();
    assert!(
        sources.len() > 50,
        "only {} source files were found",
        sources.len()
    );
    sources
}

/// `src/store/mod.rs` and `src/store.rs` are both `store`.
fn module_of(path: &str) -> Vec<String> {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut module: Vec<String> = inside.split('/').map(ToOwned::to_owned).collect();
    if module.len() > 1 && module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

fn may_import(from: &str, to: &str) -> bool {
    let listed = |table: &[(&str, &[&str])]| {
        let row = table.iter().find(|(module, _)| *module == from);
        row.map(|(_, others)| others.contains(&to))
    };
    if from == to || listed(COMPOSERS) == Some(true) {
        return true;
    }
    if let Some(confined) = listed(CONFINED) {
        return confined;
    }
    matches!((layer(from), layer(to)), (Some(from), Some(to)) if to < from)
}

const TEST_MODULE: &[&str] = &["#", "[", "cfg", "(", "test", ")", "]", "mod", "tests", "{"];
const TEST_FILE: &[&str] = &["#", "[", "cfg", "(", "test", ")", "]", "mod", "tests", ";"];

/// The top modules that a file of `module` names in its paths; `*` where it takes them all.
fn imports(module: &[String], source: &str) -> BTreeSet<String> {
    let code = tokens(source);
    let mut found = BTreeSet::new();
    let mut inside = module.to_vec();
    // One entry for each open brace: whether it opened a module.
    let mut braces = Vec::new();
    let mut at = 0;
    while at < code.len() {
        if matches(&code[at..], TEST_MODULE) {
            at += TEST_MODULE.len() + block(&code[at + TEST_MODULE.len()..]);
            continue;
        }
        match code[at].as_str() {
            "{" => {
                let opens_module = at >= 2 && code[at - 2] == "mod";
                if opens_module {
                    inside.push(code[at - 1].clone());
                }
                braces.push(opens_module);
            }
            "}" if braces.pop() == Some(true) => {
                inside.pop();
            }
            "crate" if code.get(at + 1).is_some_and(|next| next == "as") => {
                found.insert("*".to_owned());
            }
            "crate" | "cuegate" | "self" | "super"
                if matches(&code[at + 1..], &["::"]) && (at == 0 || code[at - 1] != "::") =>
            {
                path(&code, at, &inside, &mut found);
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Reads a path, or one branch of a group, from `at`, standing in module `inside`; returns where it ends.
fn path(code: &[String], mut at: usize, inside: &[String], found: &mut BTreeSet<String>) -> usize {
    let mut base = inside.to_vec();
    while let Some(token) = code.get(at) {
        match token.as_str() {
            "crate" | "cuegate" => base.clear(),
            "super" => {
                base.pop();
            }
            "self" | "::" => {}
            "{" => {
                at += 1;
                while code.get(at).is_some_and(|token| token != "}") {
                    at = path(code, at, &base, found);
                    at += usize::from(code.get(at).is_some_and(|token| token == ","));
                }
                return at + 1;
            }
            "," | "}" | ";" => return at,
            name => {
                found.insert(base.first().map_or(name, String::as_str).to_owned());
                return at + rest_of_branch(&code[at..]);
            }
        }
        at += 1;
    }
    at
}

/// The number of tokens until the comma or brace that ends this branch of a group.
fn rest_of_branch(code: &[String]) -> usize {
    let mut depth = 0_usize;
    let ends = |token: &String| {
        match token.as_str() {
            "{" => depth += 1,
            "}" if depth > 0 => depth -= 1,
            "}" | ";" => return true,
            "," => return depth == 0,
            _ => {}
        }
        false
    };
    code.iter().position(ends).unwrap_or(code.len())
}

/// The number of tokens up to and including the brace that closes an open block.
fn block(code: &[String]) -> usize {
    let mut depth = 1_usize;
    let closes = |token: &String| {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        depth == 0
    };
    code.iter()
        .position(closes)
        .map_or(code.len(), |end| end + 1)
}

/// Whether a `cfg(…)`, `cfg!(…)` or `cfg_attr(…)` that begins here depends on `test`.
fn asks_for_test(code: &[String]) -> bool {
    let mut condition = code
        .iter()
        .take_while(|token| !matches!(token.as_str(), "]" | "{" | ";"));
    condition
        .next()
        .is_some_and(|first| first == "cfg" || first == "cfg_attr")
        && condition.any(|token| token == "test")
}

/// Whether `#[cfg(test)] mod tests` begins at `start`.
fn opens_test_module(code: &[String], start: Option<usize>) -> bool {
    start.is_some_and(|start| {
        matches(&code[start..], TEST_MODULE) || matches(&code[start..], TEST_FILE)
    })
}

fn matches(code: &[String], wanted: &[&str]) -> bool {
    code.len() >= wanted.len()
        && code
            .iter()
            .zip(wanted)
            .all(|(token, wanted)| token == wanted)
}

/// Whether a path such as `tokio` or `std::fs` is used, not counting the middle of another path.
fn mentions(code: &[String], path: &str) -> bool {
    let wanted: Vec<&str> = path
        .split("::")
        .flat_map(|part| ["::", part])
        .skip(1)
        .collect();
    (0..code.len()).any(|at| {
        let starts = at == 0 || code[at - 1] != "::";
        let is_path = code
            .get(at + wanted.len())
            .is_some_and(|next| next == "::" || next == ";");
        starts && matches(&code[at..], &wanted) && is_path
    })
}

/// Names and signs of a source text, without white space, comments, texts and numbers. `::` is one token.
fn tokens(source: &str) -> Vec<String> {
    let text: Vec<char> = source.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let next = text.get(at + 1).copied();
        match text[at] {
            '/' if next == Some('/') => at = end_of_line(&text, at),
            '/' if next == Some('*') => at = end_of_comment(&text, at),
            '"' => at = end_of_text(&text, at),
            'r' | 'b' | 'c' if raw_text(&text, at).is_some() => {
                at = raw_text(&text, at).expect("the guard has found it");
            }
            '\'' => at = end_of_quote(&text, at),
            ':' if next == Some(':') => {
                found.push("::".to_owned());
                at += 2;
            }
            c if c.is_alphanumeric() || c == '_' => {
                let is_word = |c: &&char| c.is_alphanumeric() || **c == '_';
                let word: String = text[at..].iter().take_while(is_word).collect();
                at += word.chars().count();
                found.push(word);
            }
            c => {
                if !c.is_whitespace() {
                    found.push(c.to_string());
                }
                at += 1;
            }
        }
    }
    found
}

fn end_of_line(text: &[char], at: usize) -> usize {
    let length = text[at..].iter().position(|c| *c == '\n');
    length.map_or(text.len(), |length| at + length)
}

/// Block comments nest.
fn end_of_comment(text: &[char], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < text.len() {
        match (text[at], text.get(at + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                at += 1;
            }
            ('*', Some('/')) => {
                depth -= 1;
                at += 1;
            }
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at
}

fn end_of_text(text: &[char], mut at: usize) -> usize {
    at += 1;
    while at < text.len() && text[at] != '"' {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The end of `r"…"`, `r#"…"#`, `br"…"` if one begins here and not in the middle of a word.
fn raw_text(text: &[char], start: usize) -> Option<usize> {
    let in_word = start > 0 && (text[start - 1].is_alphanumeric() || text[start - 1] == '_');
    let r = (start..text.len().min(start + 2)).find(|at| text[*at] == 'r')?;
    let hashes = text[r + 1..].iter().take_while(|c| **c == '#').count();
    let open = r + 1 + hashes;
    if in_word || text.get(open) != Some(&'"') {
        return None;
    }
    let closes = |at: &usize| {
        text[*at] == '"' && text[at + 1..].iter().take_while(|c| **c == '#').count() >= hashes
    };
    let close = (open + 1..text.len()).find(closes);
    Some(close.map_or(text.len(), |close| close + 1 + hashes))
}

/// A character literal, or a lifetime, whose name is then read as a word.
fn end_of_quote(text: &[char], at: usize) -> usize {
    match text.get(at + 1) {
        Some('\\') => {
            let close = text[at + 3..].iter().position(|c| *c == '\'');
            close.map_or(text.len(), |close| at + 4 + close)
        }
        Some(_) if text.get(at + 2) == Some(&'\'') => at + 3,
        _ => at + 1,
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect("a listed file is readable")
}

/// Paths below the root with `/`, sorted. A folder that is not there has no files.
fn files_below(folders: &[&str], ending: &str) -> Vec<String> {
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("a folder's entry is readable").path();
            let build = path.ends_with("target");
            if path.is_dir() && !build {
                open.push(path);
            } else if path.extension().is_some_and(|found| found == ending) {
                let inside = path
                    .strip_prefix(root())
                    .expect("it was found below the root");
                found.push(inside.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}
