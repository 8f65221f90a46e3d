//! A file of secrets that is read again while the gateway runs, so that they can be replaced without a restart.

use std::path::{Path, PathBuf};

use super::secrets::{Check, read_file};
use crate::model::Secret;

/// A file that holds one secret, or several, one a line.
#[derive(Clone, Debug)]
pub struct SecretFile {
    key: String,
    path: PathBuf,
    several: bool,
    check: Check,
}

/// Why a file of secrets is of no use at the moment. It never quotes the content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {}: {what}", path.display())]
pub struct SecretFileError {
    /// The key of the configuration.
    pub key: String,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

impl SecretFile {
    pub(super) fn new(key: String, path: PathBuf, several: bool, check: Check) -> Self {
        Self {
            key,
            path,
            several,
            check,
        }
    }

    /// The key of the configuration that names it: `sources.iconik.verify.secrets_file`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds now, checked as at the start: at least one, newest first. It reads the disk.
    ///
    /// # Errors
    /// When it cannot be read, is empty, or holds what can be no secret.
    pub fn read(&self) -> Result<Vec<Secret>, SecretFileError> {
        let wrong = |what: String| SecretFileError {
            key: self.key.clone(),
            path: self.path.clone(),
            what,
        };
        let text = read_file(&self.path).map_err(wrong)?;
        let texts = if self.several {
            lines(&text)
        } else {
            vec![text]
        };
        if texts.iter().all(String::is_empty) {
            return Err(wrong("it is empty".to_owned()));
        }
        for (number, text) in texts.iter().enumerate() {
            (self.check)(text).map_err(|what| {
                let which = if self.several {
                    format!("secret number {number} (counted from 0)")
                } else {
                    "what it holds".to_owned()
                };
                wrong(format!("{which} {what}"))
            })?;
        }
        Ok(texts.into_iter().map(Secret::new).collect())
    }
}

/// The secrets of a file that holds one a line.
pub(super) fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}
