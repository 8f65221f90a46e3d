//! `event = { … }` of a source: where a foreign sender says what its message is.
//!
//! Every sender has its own words for "type" and "id"; a JSON pointer or a header's name is all that it takes to
//! read them, so that no sender needs code of its own.

use super::section::{Section, Wrong};
use super::sources::any_header;
use super::{Locator, Mapping, Verify};

/// Begins a locator that names a header.
const HEADER: &str = "header:";

/// Headers that hold credentials by their very meaning.
const CREDENTIALS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// What is asked for; nothing if the key is absent or its `type` is of no use.
pub(super) fn read(
    section: &mut Section<'_, '_>,
    source: &str,
    verify: Option<&Verify>,
) -> Option<Mapping> {
    let mapping = section.table("event", |section| read_table(section, verify));
    if mapping.is_some() && source == "iconik" {
        let path = section.path_of("event");
        section.fail(
            "event",
            format!("`{path}`: this is the source of Iconik's own events, which say themselves what they are"),
            "give the foreign sender a source with a name of its own",
        );
    }
    mapping.flatten()
}

fn read_table(section: &mut Section<'_, '_>, verify: Option<&Verify>) -> Option<Mapping> {
    let mut locator = |key| section.parsed(key, |text| locator(text, verify));
    let (kind, object, id) = (locator("type"), locator("object"), locator("id"));
    if !section.has("type") {
        let path = section.path_of("type");
        section.fail(
            "type",
            format!("`{path}` is missing: rules are woken by it"),
            "say where the sender names the kind of its messages: `type = \"/type\"`, or \"header:x-event\"",
        );
    }
    if id.is_some() && matches!(verify, Some(Verify::StandardWebhooks { .. })) {
        let path = section.path_of("id");
        section.fail(
            "id",
            format!("`{path}`: a Standard Webhooks message has an id already, which is signed"),
            "remove it",
        );
    }
    Some(Mapping {
        kind: kind?,
        object,
        id,
    })
}

fn locator(text: &str, verify: Option<&Verify>) -> Result<Locator, Wrong> {
    if let Some(name) = text.strip_prefix(HEADER) {
        let name = any_header(name)?;
        let proof = match verify {
            Some(Verify::Header { header, .. }) => *header == name,
            Some(Verify::Hmac(hmac)) => hmac.header == name,
            _ => false,
        };
        if proof || CREDENTIALS.contains(&name.as_str()) {
            return Err(Wrong::new(
                format!("the header `{name}` holds a proof, and what is read here is stored"),
                "name another header",
            ));
        }
        return Ok(Locator::Header(name));
    }
    let parts = text.split('~').skip(1);
    let escaped = parts.clone().all(|part| part.starts_with(['0', '1']));
    if text.starts_with('/') && escaped {
        return Ok(Locator::Body(text.to_owned()));
    }
    Err(Wrong::new(
        format!("`{text}` is neither a JSON pointer nor a header"),
        "write a pointer such as \"/resource/id\" (`~1` stands for `/` and `~0` for `~` in a key), or \"header:x-event\"",
    ))
}
