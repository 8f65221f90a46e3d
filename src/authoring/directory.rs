//! A directory of rule files becomes a list of files, and a list of files that compiles a rule set.
//!
//! Only names that can be a rule's name are taken, in a fixed order, so that the same directory always gives
//! the same set, wherever it lies and whatever the file system's order is.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::model::{RuleFile, RuleHeader, RuleSet, RuleSetId};

/// The ending of rule files.
const ENDING: &str = "rhai";
/// The most files of one set.
const FILES_MAX: usize = 2_000;
/// How deep directories may lie in each other.
const DEPTH_MAX: usize = 8;

/// Why a rules directory cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The file system said no.
    #[error("{path} cannot be read: {reason}", path = path.display())]
    Unreadable {
        /// What was to be read.
        path: PathBuf,
        /// What the file system said.
        reason: String,
    },
    /// A file is no text.
    #[error("{path} is no UTF-8 text", path = path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// There is nothing to load.
    #[error("{path} holds no rule: put files that end in `.rhai` there", path = path.display())]
    Empty {
        /// The directory.
        path: PathBuf,
    },
    /// More files than any rule set should have.
    #[error("{path} holds more than {FILES_MAX} rule files", path = path.display())]
    TooMany {
        /// The directory.
        path: PathBuf,
    },
}

/// Every rule file and library below a directory, sorted by path.
///
/// # Errors
///
/// When the directory or one of its files cannot be read, or there is no rule file in it.
pub fn load(directory: &Path) -> Result<Vec<RuleFile>, DirectoryError> {
    let mut files = Vec::new();
    collect(directory, "", 0, &mut files)?;
    if files.is_empty() {
        return Err(DirectoryError::Empty {
            path: directory.to_owned(),
        });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn collect(
    directory: &Path,
    below: &str,
    depth: usize,
    files: &mut Vec<RuleFile>,
) -> Result<(), DirectoryError> {
    let unreadable = |path: &Path, e: &std::io::Error| DirectoryError::Unreadable {
        path: path.to_owned(),
        reason: e.to_string(),
    };
    for entry in std::fs::read_dir(directory).map_err(|e| unreadable(directory, &e))? {
        let path = entry.map_err(|e| unreadable(directory, &e))?.path();
        let Some(name) = path
            .file_name()
            .and_then(|name| name.to_str())
            .filter(|name| !name.starts_with('.'))
        else {
            continue;
        };
        let below = if below.is_empty() {
            name.to_owned()
        } else {
            format!("{below}/{name}")
        };
        if path.is_dir() {
            if depth < DEPTH_MAX {
                collect(&path, &below, depth + 1, files)?;
            }
        } else if path.extension().is_some_and(|ending| ending == ENDING) {
            if files.len() == FILES_MAX {
                return Err(DirectoryError::TooMany {
                    path: directory.to_owned(),
                });
            }
            let bytes = std::fs::read(&path).map_err(|e| unreadable(&path, &e))?;
            let source = String::from_utf8(bytes)
                .map_err(|_| DirectoryError::NotText { path: path.clone() })?;
            files.push(RuleFile {
                path: below,
                source,
            });
        }
    }
    Ok(())
}

/// The rule set of files that compile; its id is the hash of everything that makes it what it is.
pub fn rule_set(
    files: Vec<RuleFile>,
    rules: Vec<RuleHeader>,
    vars: Value,
    site: String,
) -> RuleSet {
    let mut hash = Sha256::new();
    for file in &files {
        for part in [file.path.as_bytes(), file.source.as_bytes()] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
    }
    // A later version may read more out of the same files; its set is another one.
    hash.update(serde_json::to_vec(&rules).expect("headers always have a JSON form"));
    hash.update([0]);
    hash.update(site.as_bytes());
    hash.update([0]);
    hash.update(vars.to_string());
    let id = RuleSetId(hex::encode(&hash.finalize()[..16]));
    RuleSet {
        id,
        files,
        rules,
        site,
        vars,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        for (path, content) in files {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().expect("it lies in the directory"))
                .expect("can be made");
            std::fs::write(path, content).expect("can be written");
        }
        directory
    }

    #[test]
    fn only_rule_files_are_taken_in_the_order_of_their_paths() {
        let directory = written(&[
            ("z.rhai", b"z"),
            ("news/tag.rhai", b"n"),
            ("lib/x.rhai", b"x"),
            ("README.md", b"no"),
            (".hidden.rhai", b"no"),
        ]);
        let files = load(directory.path()).expect("it can be read");
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["lib/x.rhai", "news/tag.rhai", "z.rhai"]);
    }

    #[test]
    fn what_cannot_be_loaded_is_named() {
        let empty = written(&[("README.md", b"")]);
        assert!(load(empty.path()).is_err_and(|e| e.to_string().contains("holds no rule")));
        let binary = written(&[("a.rhai", &[0xff, 0xfe])]);
        assert!(
            load(binary.path()).is_err_and(|e| e.to_string().contains("a.rhai is no UTF-8 text"))
        );
        assert!(
            load(&empty.path().join("none"))
                .is_err_and(|e| e.to_string().contains("none cannot be read"))
        );
    }

    #[test]
    fn the_id_changes_with_every_part_of_the_set() {
        let file = |path: &str, source: &str| RuleFile {
            path: path.to_owned(),
            source: source.to_owned(),
        };
        let id = |files, vars: &str, site: &str| {
            rule_set(files, Vec::new(), vars.into(), site.to_owned()).id
        };
        let base = id(vec![file("a", "b")], "v", "s");
        assert_eq!(base, id(vec![file("a", "b")], "v", "s"));
        for other in [
            id(vec![file("ab", "")], "v", "s"),
            id(vec![file("a", "c")], "v", "s"),
            id(vec![file("a", "b")], "w", "s"),
            id(vec![file("a", "b")], "v", "t"),
        ] {
            assert_ne!(base, other);
        }
    }
}
