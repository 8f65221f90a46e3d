//! A directory of rule files becomes a list of files, and a list of files that compiles a rule set.
//!
//! Only names that can be a rule's name are taken, in a fixed order, so that the same directory always gives
//! the same set, wherever it lies and whatever the file system's order is.

use std::os::unix::fs::MetadataExt as _;
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
    let files = find(directory)?.into_iter().map(|(below, path)| {
        let bytes = std::fs::read(&path).map_err(|e| unreadable(&path, &e))?;
        let source = String::from_utf8(bytes).map_err(|_| DirectoryError::NotText { path })?;
        Ok(RuleFile {
            path: below,
            source,
        })
    });
    let files: Vec<RuleFile> = files.collect::<Result<_, _>>()?;
    if files.is_empty() {
        return Err(DirectoryError::Empty {
            path: directory.to_owned(),
        });
    }
    Ok(files)
}

/// Tells one state of a rules directory from another without reading the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of the directory as it is now: the names of its rule files, and where each of them lies, how long it is and when
    /// it was changed, links followed. A directory that cannot be read has one as well.
    pub fn of(directory: &Path) -> Self {
        let mut hash = Sha256::new();
        match find(directory) {
            Ok(files) => {
                for (below, path) in files {
                    hash.update(below);
                    hash.update([0]);
                    let Ok(file) = path.metadata() else {
                        continue;
                    };
                    for part in [file.dev(), file.ino(), file.size()] {
                        hash.update(part.to_be_bytes());
                    }
                    for part in [
                        file.mtime(),
                        file.mtime_nsec(),
                        file.ctime(),
                        file.ctime_nsec(),
                    ] {
                        hash.update(part.to_be_bytes());
                    }
                }
            }
            Err(error) => hash.update(error.to_string()),
        }
        Self(hash.finalize().into())
    }
}

/// The rule files below a directory, by their path below it and where they are, sorted.
fn find(directory: &Path) -> Result<Vec<(String, PathBuf)>, DirectoryError> {
    let mut files = Vec::new();
    collect(directory, "", 0, &mut files)?;
    files.sort();
    Ok(files)
}

fn unreadable(path: &Path, error: &std::io::Error) -> DirectoryError {
    DirectoryError::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

fn collect(
    directory: &Path,
    below: &str,
    depth: usize,
    files: &mut Vec<(String, PathBuf)>,
) -> Result<(), DirectoryError> {
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
            files.push((below, path));
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
    fn a_fingerprint_changes_with_whatever_a_load_would_see_and_with_nothing_else() {
        let directory = written(&[("a.rhai", b"a"), ("news/b.rhai", b"b")]);
        let print = || Fingerprint::of(directory.path());
        let first = print();
        std::fs::write(directory.path().join("README.md"), "no rule").expect("can be written");
        assert_eq!(print(), first);
        std::fs::write(directory.path().join("news/b.rhai"), "c").expect("can be written");
        let changed = print();
        assert_ne!(changed, first);
        std::fs::remove_file(directory.path().join("news/b.rhai")).expect("it is there");
        let fewer = print();
        assert!(fewer != changed && fewer != first);
        std::fs::remove_dir_all(directory.path()).expect("it is there");
        assert_ne!(print(), fewer);
    }

    #[test]
    fn a_fingerprint_follows_the_links_of_a_mounted_volume() {
        let directory = written(&[("..1/a.rhai", b"a"), ("..2/a.rhai", b"a")]);
        let link = |to: &str, name: &str| {
            let path = directory.path().join(name);
            std::os::unix::fs::symlink(to, &path).expect("a link can be made");
        };
        link("..1", "..data");
        link("..data/a.rhai", "a.rhai");
        let first = Fingerprint::of(directory.path());
        assert_eq!(
            load(directory.path()).map(|files| files.len()).ok(),
            Some(1)
        );
        link("..2", "..data_tmp");
        let (new, data) = ("..data_tmp", "..data");
        std::fs::rename(directory.path().join(new), directory.path().join(data))
            .expect("a link can be replaced");
        assert_ne!(Fingerprint::of(directory.path()), first);
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
