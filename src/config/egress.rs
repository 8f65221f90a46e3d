//! `[egress.NAME]`: the other systems that rules may speak to.
//!
//! A URL and the headers may hold tokens, so both are secrets: no message and no page shows them. A name must be
//! one that a rule can write as `egress::NAME`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;

use super::defaults::EGRESS_ANSWER_BYTES;
use super::secrets::header_value;
use super::section::Section;
use super::tree::{Node, Value};
use super::vars::can_be_written;
use super::{Egress, OnUncertain, SecretFile};
use crate::model::Secret;

/// Headers that belong to the connection and not to an operator or a rule.
pub const CONNECTION_HEADERS: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

const FILE_ENDING: &str = "_file";

/// Every target by its name.
pub(super) fn read(section: &mut Section<'_, '_>) -> BTreeMap<String, Egress> {
    let mut targets = BTreeMap::new();
    for (name, entry) in section.take_rest() {
        let path = section.path_of(&name);
        if !can_be_written("egress", &name) {
            let message = format!("`{path}`: a rule cannot write `egress::{name}`");
            let hint = "use letters, digits and `_`, and no reserved word of Rhai";
            section
                .reading
                .report(&path, entry.key.clone(), message, hint);
        }
        let place = entry.node.place.clone();
        match entry.node.value {
            Value::Table(table) => {
                let target = Section::read(path, place, table, section.reading, read_target);
                if let Some(target) = target {
                    targets.insert(name, target);
                }
            }
            _ => section.reading.wrong_type(&path, &entry.node, "a table"),
        }
    }
    targets
}

fn read_target(section: &mut Section<'_, '_>) -> Option<Egress> {
    let given = section.has("url") || section.has("url_file");
    let url = section.secret_and_file("url", "url_file", target_url);
    if !given {
        let path = section.path_of("url");
        section.fail(
            "url",
            format!("`{path}` is missing: nobody knows where to send"),
            "add `url = \"https://…\"`, or `url_file = \"path\"`",
        );
    }
    let uncertain = [
        ("park", OnUncertain::Park),
        ("repeat", OnUncertain::Repeat),
        ("drop", OnUncertain::Drop),
    ];
    let headers = section.table("headers", read_headers).unwrap_or_default();
    let target = Egress {
        url: Secret::new(""),
        url_file: None,
        headers: headers.texts,
        header_files: headers.files,
        uncertain: section.word("uncertain", &uncertain, OnUncertain::Park),
        timeout: section.duration(
            "timeout",
            Duration::from_secs(30),
            Duration::from_secs(1)..=Duration::from_secs(600),
        ),
        allow_private: section.boolean("allow_private", false),
        max_answer: usize::try_from(section.size(
            "max_answer",
            EGRESS_ANSWER_BYTES,
            1 << 10..=EGRESS_ANSWER_BYTES,
        ))
        .expect("a mebibyte fits a usize"),
    };
    let (url, url_file) = url?;
    Some(Egress {
        url,
        url_file,
        ..target
    })
}

/// The headers of a target, and the files that some of them come from.
#[derive(Default)]
struct Headers {
    texts: BTreeMap<String, Secret>,
    files: BTreeMap<String, SecretFile>,
}

fn read_headers(section: &mut Section<'_, '_>) -> Headers {
    let mut headers = Headers::default();
    for (key, entry) in section.take_rest() {
        let path = section.path_of(&key);
        let (name, in_file) = match key.strip_suffix(FILE_ENDING) {
            Some(name) => (name, true),
            None => (key.as_str(), false),
        };
        let Some(name) = header_name(section, &path, name, &entry.node) else {
            continue;
        };
        let Some((value, file)) = header_text(section, &path, entry.node, in_file) else {
            continue;
        };
        if let Some(at) = file {
            let file = SecretFile::new(path.clone(), at, false, header_value);
            headers.files.insert(name.clone(), file);
        }
        if headers.texts.insert(name, value).is_some() {
            let message = format!("`{path}` is given twice");
            section
                .reading
                .report(&path, entry.key, message, "keep one of them");
        }
    }
    headers
}

fn header_name(
    section: &mut Section<'_, '_>,
    path: &str,
    name: &str,
    node: &Node,
) -> Option<String> {
    let place = node.place.clone();
    match axum::http::HeaderName::from_bytes(name.as_bytes()) {
        Ok(name) if CONNECTION_HEADERS.contains(&name.as_str()) => {
            let message = format!("`{path}`: this header belongs to the connection");
            section.reading.report(path, place, message, "remove it");
            None
        }
        Ok(name) => Some(name.as_str().to_owned()),
        Err(_) => {
            let message = format!("`{path}` is no name of a header");
            section.reading.report(path, place, message, "");
            None
        }
    }
}

fn header_text(
    section: &mut Section<'_, '_>,
    path: &str,
    node: Node,
    in_file: bool,
) -> Option<(Secret, Option<PathBuf>)> {
    let place = node.place.clone();
    let (text, file) = if in_file {
        let (text, at) = section.file_at(path, node)?;
        (text, Some(at))
    } else {
        (section.reading.string(path, node, "a string")?, None)
    };
    match header_value(&text) {
        Ok(()) => Some((Secret::new(text), file)),
        Err(wrong) => {
            let message = format!("`{path}` {wrong}");
            let hint = "its value is not shown here on purpose";
            section.reading.report(path, place, message, hint);
            None
        }
    }
}

/// Says what is wrong with a target's URL without quoting it.
fn target_url(text: &str) -> Result<(), &'static str> {
    let Ok(url) = Url::parse(text) else {
        return Err("is no URL; it looks like https://hooks.example.com/services/…");
    };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("must begin with https:// or http:// and a host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "holds a user name or a password; send them as a header: `headers = { authorization = \"Basic …\" }`",
        );
    }
    if url.fragment().is_some() {
        return Err("has a `#`, which is never sent");
    }
    Ok(())
}
