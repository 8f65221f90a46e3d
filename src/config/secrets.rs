//! How a secret gets in: in the text, from the environment, or from the file that `KEY_file` names.
//!
//! The value goes from the tree straight into [`Secret`]; no message here may hold any part of it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::SecretFile;
use super::secret_file::lines;
use super::section::Section;
use super::tree::Node;
use crate::model::{Secret, parse_key};

/// Largest file of secrets; a larger one is surely the wrong file.
const FILE_BYTES: u64 = 64 << 10;

/// Largest file of certificates: those of all authorities of a system take a quarter of it.
const CERTIFICATES_BYTES: u64 = 1 << 20;

/// Checks a secret; the answer says what is wrong with it without showing it.
pub(super) type Check = fn(&str) -> Result<(), &'static str>;

impl Section<'_, '_> {
    /// One secret: `key`, or `file_key` with the path of a file that holds it; one line end at its end is left
    /// out.
    pub(super) fn secret(
        &mut self,
        key: &'static str,
        file_key: &'static str,
        check: Check,
    ) -> Option<Secret> {
        let (secret, _) = self.secret_and_file(key, file_key, check)?;
        Some(secret)
    }

    /// The same with the file that it comes from, if it comes from one.
    pub(super) fn secret_and_file(
        &mut self,
        key: &'static str,
        file_key: &'static str,
        check: Check,
    ) -> Option<(Secret, Option<SecretFile>)> {
        let path = self.path_of(key);
        let (text, key, file) = match self.one_of(key, file_key)? {
            Written::Here(node) => (self.reading.string(&path, node, "a string")?, key, None),
            Written::InFile(text, at) => (text, file_key, Some(at)),
        };
        let secret = self.checked(key, &path, text, check)?;
        let key = self.path_of(file_key);
        let file = file.map(|at| SecretFile::new(key, at, false, check));
        Some((secret, file))
    }

    /// Several secrets, newest first: the list `key`, or `file_key` with the path of a file that holds one a line,
    /// and that file. Reports a missing or empty list.
    pub(super) fn secrets_and_file(
        &mut self,
        key: &'static str,
        file_key: &'static str,
        check: Check,
    ) -> (Vec<Secret>, Option<SecretFile>) {
        let path = self.path_of(key);
        if !self.has(key) && !self.has(file_key) {
            self.take(key);
            self.take(file_key);
            self.fail(
                key,
                format!("`{path}` is missing"),
                format!("add `{key} = [\"${{NAME}}\"]`, newest first, or `{file_key} = \"path\"`"),
            );
            return (Vec::new(), None);
        }
        let (texts, key, file) = match self.one_of(key, file_key) {
            None => return (Vec::new(), None),
            Some(Written::Here(node)) => (self.reading.strings(&path, node), key, None),
            Some(Written::InFile(text, at)) => (Some(lines(&text)), file_key, Some(at)),
        };
        let Some(texts) = texts else {
            return (Vec::new(), None);
        };
        if texts.is_empty() {
            let hint = "give at least one, newest first, or remove the key";
            self.fail(key, format!("`{path}` is empty"), hint);
        }
        let secrets = texts
            .into_iter()
            .enumerate()
            .filter_map(|(index, text)| self.checked(key, &format!("{path}[{index}]"), text, check))
            .collect();
        let key = self.path_of(file_key);
        let file = file.map(|at| SecretFile::new(key, at, true, check));
        (secrets, file)
    }

    /// Like [`Self::secrets_and_file`], but there may be none.
    pub(super) fn secrets_if_any(
        &mut self,
        key: &'static str,
        file_key: &'static str,
        check: Check,
    ) -> (Vec<Secret>, Option<SecretFile>) {
        if self.has(key) || self.has(file_key) {
            return self.secrets_and_file(key, file_key, check);
        }
        // Asked for all the same, so that a misspelt key finds it.
        self.take(key);
        self.take(file_key);
        (Vec::new(), None)
    }

    /// Reports secrets where none belong.
    pub(super) fn expect_none(&mut self, key: &'static str, file_key: &'static str, hint: &str) {
        for key in [key, file_key] {
            if self.take(key).is_some() {
                let path = self.path_of(key);
                self.fail(key, format!("`{path}` has no place here"), hint);
            }
        }
    }

    fn checked(
        &mut self,
        key: &'static str,
        path: &str,
        text: String,
        check: Check,
    ) -> Option<Secret> {
        if text.is_empty() {
            self.fail(
                key,
                format!("`{path}` is empty"),
                "set it, or remove the key",
            );
            return None;
        }
        if let Err(wrong) = check(&text) {
            self.fail(
                key,
                format!("`{path}` {wrong}"),
                "its value is not shown here on purpose",
            );
            return None;
        }
        Some(Secret::new(text))
    }

    fn one_of(&mut self, key: &'static str, file_key: &'static str) -> Option<Written> {
        let path = self.path_of(key);
        match (self.take(key), self.take(file_key)) {
            (None, None) => None,
            (Some(node), None) => Some(Written::Here(node)),
            (None, Some(node)) => self.in_file(file_key, node),
            (Some(_), Some(_)) => {
                self.fail(
                    file_key,
                    format!("`{path}` is given twice, as `{key}` and as `{file_key}`"),
                    "keep one of them",
                );
                None
            }
        }
    }

    fn in_file(&mut self, file_key: &'static str, node: Node) -> Option<Written> {
        let path = self.path_of(file_key);
        let (text, at) = self.file_at(&path, node)?;
        Some(Written::InFile(text, at))
    }

    /// The text of the file that the value at `path` names, and where the file is.
    pub(super) fn file_at(&mut self, path: &str, node: Node) -> Option<(String, PathBuf)> {
        self.file_of_at(path, node, FILE_BYTES)
    }

    /// The text of a file of certificates.
    pub(super) fn certificates_at(&mut self, path: &str, node: Node) -> Option<String> {
        let (text, _) = self.file_of_at(path, node, CERTIFICATES_BYTES)?;
        Some(text)
    }

    fn file_of_at(&mut self, path: &str, node: Node, bytes_max: u64) -> Option<(String, PathBuf)> {
        self.reading.show_value(&node);
        let place = node.place.clone();
        let name = self.reading.string(path, node, "the path of a file")?;
        let file = self.reading.directory.join(&name);
        match read_text(&file, bytes_max) {
            Ok(text) => Some((text, file)),
            Err(error) => {
                let message = format!("`{path}`: cannot read `{}`: {error}", file.display());
                let hint = "paths begin at the directory of the configuration file";
                self.reading.report(path, place, message, hint);
                None
            }
        }
    }
}

enum Written {
    Here(Node),
    InFile(String, PathBuf),
}

/// The text of a file of secrets without the line end at its end. The error never quotes the content.
pub(super) fn read_file(path: &Path) -> Result<String, String> {
    read_text(path, FILE_BYTES)
}

fn read_text(path: &Path, bytes_max: u64) -> Result<String, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > bytes_max {
        return Err(format!("it is larger than {bytes_max} bytes"));
    }
    let mut text = String::from_utf8(bytes).map_err(|_| "it is no UTF-8 text".to_owned())?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

/// A secret that travels in an HTTP header: what cannot be sent can never match.
pub(super) fn header_value(text: &str) -> Result<(), &'static str> {
    if text.trim() != text {
        return Err("begins or ends with white space, which a header cannot carry");
    }
    if !text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return Err("has characters that a header cannot carry: it may be printable ASCII only");
    }
    Ok(())
}

/// A token of the admin listener: long enough that nobody finds it by trying.
pub(super) fn token(text: &str) -> Result<(), &'static str> {
    if text.len() < 16 {
        return Err("is shorter than 16 characters, which can be guessed");
    }
    header_value(text)
}

/// A password: Basic knows no control characters (RFC 7617).
pub(super) fn password(text: &str) -> Result<(), &'static str> {
    if text.chars().any(char::is_control) {
        return Err("has control characters, which no sender can send");
    }
    Ok(())
}

/// A key to seal tokens with.
pub(super) fn seal_key(text: &str) -> Result<(), &'static str> {
    parse_key(text).map(drop)
}

/// Any text is a key.
pub(super) fn any_key(_: &str) -> Result<(), &'static str> {
    Ok(())
}

/// A Standard Webhooks key: base64, with or without `whsec_` before it.
pub(super) fn standard_webhooks_key(text: &str) -> Result<(), &'static str> {
    use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
    use base64::{Engine, alphabet, engine::DecodePaddingMode};

    let lenient = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let key = text.strip_prefix("whsec_").unwrap_or(text);
    match lenient.decode(key) {
        Ok(bytes) if !bytes.is_empty() => Ok(()),
        _ => Err("is no Standard Webhooks key: `whsec_` and base64"),
    }
}
