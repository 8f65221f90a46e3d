//! The files of the package, as the tests about them read them.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of `src` that is in the program, i.e. no test.
pub(crate) struct Source {
    /// Below the package's root.
    pub(crate) path: String,
    /// `["store", "sqlite"]` for `src/store/sqlite.rs`.
    pub(crate) module: Vec<String>,
    pub(crate) text: String,
}

pub(crate) fn shipped_sources() -> Vec<Source> {
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

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect("a listed file is readable")
}

/// Paths below the root with `/`, sorted. A folder that is not there has no files.
pub(crate) fn files_below(folders: &[&str], ending: &str) -> Vec<String> {
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
