//! `[sources.NAME]`: who may send, and how a sender proves who it is.
//!
//! A source without `verify` is an error and not an open door; whoever wants the open door writes `"none"`.
//! Combinations that look like protection and are none are refused too: a signature that leaves out the body,
//! a time that nobody signed, a secret in a header that is stored with the event.

use std::collections::BTreeMap;
use std::time::Duration;

use super::defaults::{DEDUP_WINDOW, TOLERANCE};
use super::secrets::{any_key, header_value, password, standard_webhooks_key};
use super::section::{Section, Wrong};
use super::tree::Value;
use super::{Hmac, HmacAlgorithm, HmacEncoding, SecretFile, SignedPart, Source, Verify, mapping};
use crate::model::{KEPT_HEADERS, SCHEDULE_SOURCE};

/// Longest name of a source: it is part of a URL, of metrics and of rule headers.
const NAME_CHARS: usize = 64;

const DAY: Duration = Duration::from_secs(24 * 3_600);

const FORMS: &str = "write verify = \"none\", { header = \"…\", secrets = […] }, { basic = {…} }, { hmac = {…} } or \
                     { standard_webhooks = {…} }";

/// How senders are verified, and the file that the secrets come from.
type Proof = (Verify, Option<SecretFile>);

/// Every source by its name.
pub(super) fn read(section: &mut Section<'_, '_>) -> BTreeMap<String, Source> {
    let mut sources = BTreeMap::new();
    for (name, entry) in section.take_rest() {
        let path = section.path_of(&name);
        if !is_name(&name) {
            let hint = "use lower-case letters, digits, `-` and `_`, beginning with a letter: the name is part \
                        of the URL /hooks/NAME";
            section.reading.report(
                &path,
                entry.key.clone(),
                format!("`{path}` is no name of a source"),
                hint,
            );
        }
        if name == SCHEDULE_SOURCE {
            section.reading.report(
                &path,
                entry.key.clone(),
                format!("`{path}` is taken: it is the source of the gateway's own clock"),
                "choose another name",
            );
        }
        let place = entry.node.place.clone();
        match entry.node.value {
            Value::Table(table) => {
                let source = Section::read(path, place, table, section.reading, |section| {
                    read_source(section, &name)
                });
                if let Some(source) = source {
                    sources.insert(name, source);
                }
            }
            _ => section.reading.wrong_type(&path, &entry.node, "a table"),
        }
    }
    sources
}

fn read_source(section: &mut Section<'_, '_>, name: &str) -> Option<Source> {
    let dedup_window = section.duration(
        "dedup_window",
        DEDUP_WINDOW,
        Duration::from_secs(1)..=DAY * 90,
    );
    let proof = read_verify(section);
    let allow_ips = section.networks("allow_ips");
    if allow_ips.as_ref().is_some_and(Vec::is_empty) {
        let path = section.path_of("allow_ips");
        section.fail(
            "allow_ips",
            format!("`{path}` is empty: nobody could send"),
            "list the addresses and networks that may send, or remove the key to let every address",
        );
    }
    let event = mapping::read(section, name, proof.as_ref().map(|(verify, _)| verify));
    let (verify, secrets_file) = proof?;
    Some(Source {
        verify,
        secrets_file,
        allow_ips: allow_ips.unwrap_or_default(),
        event,
        dedup_window,
    })
}

fn read_verify(section: &mut Section<'_, '_>) -> Option<Proof> {
    let path = section.path_of("verify");
    let Some(node) = section.take("verify") else {
        section.fail(
            "verify",
            format!("`{path}` is missing: a source must say how it is verified"),
            FORMS,
        );
        return None;
    };
    match node.value {
        Value::Table(table) => Section::read(path, node.place, table, section.reading, read_form),
        Value::Text(ref text) if text == "none" => {
            section.reading.show_value(&node);
            Some((Verify::None, None))
        }
        Value::Broken => None,
        _ => {
            section.fail(
                "verify",
                format!("`{path}` is no way to verify a sender"),
                FORMS,
            );
            None
        }
    }
}

fn read_form(section: &mut Section<'_, '_>) -> Option<Proof> {
    let forms = ["header", "basic", "hmac", "standard_webhooks"];
    let given: Vec<&str> = forms.into_iter().filter(|form| section.has(form)).collect();
    if given.len() > 1 {
        let both = given.join("` and `");
        section.fail(
            "",
            format!("`{}` has `{both}`: it can be one of them", section.path()),
            FORMS,
        );
    }
    let header = read_header_form(section);
    let basic = section.table("basic", read_basic).flatten();
    let hmac = section.table("hmac", read_hmac).flatten();
    let standard = section.table("standard_webhooks", |section| {
        let (secrets, file) =
            section.secrets_and_file("secrets", "secrets_file", standard_webhooks_key);
        let tolerance = tolerance(section);
        (Verify::StandardWebhooks { secrets, tolerance }, file)
    });
    if given.is_empty() {
        section.fail(
            "",
            format!("`{}` says no way to verify a sender", section.path()),
            FORMS,
        );
    }
    header.or(basic).or(hmac).or(standard)
}

fn read_header_form(section: &mut Section<'_, '_>) -> Option<Proof> {
    let given = section.has("header");
    let header = section.parsed("header", proof_header);
    let (secrets, file) = if given {
        section.secrets_and_file("secrets", "secrets_file", header_value)
    } else {
        section.expect_none(
            "secrets",
            "secrets_file",
            "they belong to `header`, or inside `hmac` or `standard_webhooks`; `basic` has `passwords`",
        );
        (Vec::new(), None)
    };
    let header = header?;
    Some((Verify::Header { header, secrets }, file))
}

fn read_basic(section: &mut Section<'_, '_>) -> Option<Proof> {
    let user = section.parsed("user", |text| {
        if text.is_empty() || text.contains(':') || text.chars().any(char::is_control) {
            let hint = "Basic takes a name without `:` and without control characters (RFC 7617)";
            return Err(Wrong::new(format!("`{text}` cannot be a user"), hint));
        }
        Ok(text.to_owned())
    });
    if !section.has("user") {
        let path = section.path_of("user");
        let hint = "name the user that the sender logs in as";
        section.fail("user", format!("`{path}` is missing"), hint);
    }
    let (passwords, file) = section.secrets_and_file("passwords", "passwords_file", password);
    let user = user?;
    Some((Verify::Basic { user, passwords }, file))
}

fn read_hmac(section: &mut Section<'_, '_>) -> Option<Proof> {
    let header = section.parsed("header", proof_header);
    if !section.has("header") {
        let path = section.path_of("header");
        section.fail(
            "header",
            format!("`{path}` is missing"),
            "name the header that holds the signature",
        );
    }
    let algorithms = [
        ("sha256", HmacAlgorithm::Sha256),
        ("sha512", HmacAlgorithm::Sha512),
    ];
    let algorithm = section.word("algorithm", &algorithms, HmacAlgorithm::Sha256);
    let encodings = [("hex", HmacEncoding::Hex), ("base64", HmacEncoding::Base64)];
    let encoding = section.word("encoding", &encodings, HmacEncoding::Hex);
    let prefix = section.text("prefix").unwrap_or_default();
    let separator = section.text("separator").unwrap_or_else(|| ":".to_owned());
    let timestamp_header = section.parsed("timestamp_header", any_header);
    let signed = signed_parts(section);
    check_signed(section, &signed);
    let tolerance = tolerance(section);
    let (secrets, file) = section.secrets_and_file("secrets", "secrets_file", any_key);
    let hmac = Hmac {
        header: header?,
        algorithm,
        encoding,
        prefix,
        signed,
        separator,
        timestamp_header,
        tolerance,
        secrets,
    };
    Some((Verify::Hmac(hmac), file))
}

fn signed_parts(section: &mut Section<'_, '_>) -> Vec<SignedPart> {
    let Some(texts) = section.texts("signed") else {
        return vec![SignedPart::Body];
    };
    texts
        .into_iter()
        .map(|text| match text.as_str() {
            "body" => SignedPart::Body,
            "timestamp" => SignedPart::Timestamp,
            _ => SignedPart::Literal(text),
        })
        .collect()
}

fn check_signed(section: &mut Section<'_, '_>, signed: &[SignedPart]) {
    let path = section.path_of("signed");
    if !signed.contains(&SignedPart::Body) {
        let hint = "add \"body\": a signature that leaves it out accepts any content";
        section.fail("signed", format!("`{path}` leaves out the body"), hint);
    }
    let time_is_signed = signed.contains(&SignedPart::Timestamp);
    if time_is_signed && !section.has("timestamp_header") {
        let hint = "add `timestamp_header` with the header that holds the time";
        section.fail(
            "signed",
            format!("`{path}` has \"timestamp\", but no header is said to hold it"),
            hint,
        );
    }
    if !time_is_signed && section.has("timestamp_header") {
        let path = section.path_of("timestamp_header");
        let hint = "add \"timestamp\" to `signed`, or remove `timestamp_header`: anybody can change a time that \
                    is not signed";
        section.fail(
            "timestamp_header",
            format!("`{path}` is given, but the time is not signed"),
            hint,
        );
    }
}

fn tolerance(section: &mut Section<'_, '_>) -> Duration {
    section.duration("tolerance", TOLERANCE, Duration::from_secs(1)..=DAY)
}

/// A header's name in lower case.
pub(super) fn any_header(text: &str) -> Result<String, Wrong> {
    axum::http::HeaderName::from_bytes(text.as_bytes())
        .map(|name| name.as_str().to_owned())
        .map_err(|_| format!("`{text}` is no name of a header").into())
}

/// The name of a header that holds a proof.
fn proof_header(text: &str) -> Result<String, Wrong> {
    let name = any_header(text)?;
    if KEPT_HEADERS.contains(&name.as_str()) {
        return Err(Wrong::new(
            format!("`{name}` is stored with the event, so it must not hold a proof"),
            "use a header of your own, such as `x-cuegate-secret`",
        ));
    }
    Ok(name)
}

fn is_name(name: &str) -> bool {
    name.len() <= NAME_CHARS
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-')
}
