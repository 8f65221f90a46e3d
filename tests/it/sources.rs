//! The files of the package, as the tests about them read them.

use std::fs;
use std::path::{Path, PathBuf};

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
