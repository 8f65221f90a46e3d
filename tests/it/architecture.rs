//! The walls inside the program, held by a test instead of by memory.
//!
//! `src` is a stack of layers: a module imports from layers below its own, never from a neighbour and never
//! upwards. The table here is the one of ARCHITECTURE.md; a change needs both. The sources are read as tokens,
//! so that comments, texts and test modules neither hide an import nor make one up.

mod imports;
mod tokens;

use std::collections::BTreeSet;

use crate::sources::{files_below, read};

use imports::{asks_whether_it_is_tested, imports, test_modules};
use tokens::{mentions, tokens};

/// Lowest layer first. Modules of one row do not know each other.
const LAYERS: &[&[&str]] = &[
    &["model", "clock"],
    &["operations", "config", "telemetry", "seal"],
    &["store", "engine", "iconik", "egress"],
    &["sandbox", "simulator", "quarantine"],
    &[
        "ingress",
        "router",
        "runner",
        "admin",
        "authoring",
        "subscriptions",
    ],
    &["app", "demo"],
    &["cli", "main"],
];

/// Neighbours that may be imported, because putting them together is what the module is for.
const COMPOSERS: &[(&str, &[&str])] = &[("demo", &["app"]), ("main", &["cli"])];

/// Modules that may not even import everything below them.
const CONFINED: &[(&str, &[&str])] = &[("simulator", &["operations", "model", "clock"])];

/// Libraries that only these modules may know, so that what they are for is done nowhere else. `config` asks
/// Rhai whether the name of a variable is one that a rule can write.
const HOMES: &[(&str, &[&str])] = &[("rhai", &["engine", "config"]), ("rusqlite", &["store"])];

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
        found("#[cfg(test)]\nmod samples;\n#[cfg(test)]\nmod tests { use crate::app; }\nuse crate::engine;").len(),
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
    let mut askers: Vec<String> = shipped_sources()
        .into_iter()
        .map(|file| file.path)
        .collect();
    askers.retain(|path| asks_whether_it_is_tested(&tokens(&read(path))));
    assert_eq!(askers, Vec::<String>::new());

    let asks = |source: &str| asks_whether_it_is_tested(&tokens(source));
    assert!(asks("if cfg!(test) { return; }"));
    assert!(asks("#[cfg(not(test))] fn f() {}"));
    assert!(asks("#[cfg_attr(test, derive(Debug))] struct S;"));
    assert!(asks("#[cfg(test)] fn only_for_tests() {}"));
    assert!(!asks(
        "#[cfg(test)] mod tests { fn f() {} } #[cfg(unix)] fn test() {}"
    ));
}

/// A file of the program.
struct Source {
    path: String,
    /// `["store", "sqlite"]` for `src/store/sqlite.rs`.
    module: Vec<String>,
    text: String,
}

/// Every file of `src` but those that only a test module declares.
fn shipped_sources() -> Vec<Source> {
    let mut sources: Vec<Source> = files_below(&["src"], "rs")
        .into_iter()
        .map(|path| Source {
            module: module_of(&path),
            text: read(&path),
            path,
        })
        .collect();
    let mut tests: Vec<Vec<String>> = Vec::new();
    for source in &sources {
        for name in test_modules(&tokens(&source.text)) {
            let mut module = source.module.clone();
            module.push(name.to_owned());
            tests.push(module);
        }
    }
    sources.retain(|source| !tests.iter().any(|test| source.module.starts_with(test)));
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
