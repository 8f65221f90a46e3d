//! Where the requests of one target may go, and with which headers.
//!
//! Path, query and headers come from rules, and each request carries the operator's secrets. So whatever could
//! leave the target's URL or put something else in the place of the operator's own is refused, not repaired.

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::address::is_public;
use super::error::{EgressError, SetupError};
use crate::config::{self, CONNECTION_HEADERS};
use crate::model::EgressCall;

/// How often a path is decoded to see what a server may see in it.
const DECODINGS_MAX: usize = 4;

/// The shortest secret that is taken out of a text: shorter ones would tear words apart.
const SECRET_BYTES_MIN: usize = 6;

/// A target's URL and headers.
pub(super) struct Target {
    base: Url,
    headers: HeaderMap,
}

impl Target {
    /// What the configuration says about a target.
    ///
    /// # Errors
    /// If nothing could be sent there, or if its address is refused.
    pub(super) fn new(name: &str, config: &config::Egress) -> Result<Self, SetupError> {
        let unusable = |what| SetupError::Unusable {
            target: name.to_owned(),
            what,
        };
        let base = Url::parse(config.url.expose()).map_err(|_| unusable("its url is none"))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(unusable("its url begins neither with https nor with http"));
        }
        let address = base.host_str().map(|host| {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            host.parse()
        });
        if let Some(Ok(address)) = address
            && !config.allow_private
            && !is_public(address)
        {
            return Err(SetupError::NotPublic {
                target: name.to_owned(),
            });
        }
        let mut headers = HeaderMap::new();
        for (header, value) in &config.headers {
            let header = HeaderName::from_bytes(header.as_bytes())
                .map_err(|_| unusable("the name of a header cannot be sent"))?;
            let mut value = HeaderValue::from_str(value.expose())
                .map_err(|_| unusable("the value of a header cannot be sent"))?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        Ok(Self { base, headers })
    }

    /// Whether TLS is spoken there.
    pub(super) fn is_encrypted(&self) -> bool {
        self.base.scheme() == "https"
    }

    /// The URL of a request.
    ///
    /// # Errors
    /// [`EgressError::Malformed`] if it would lead anywhere else than below the target's URL.
    pub(super) fn url(&self, call: &EgressCall) -> Result<Url, EgressError> {
        let mut url = self.base.clone();
        let path = call.path.strip_prefix('/').unwrap_or(&call.path);
        if !path.is_empty() {
            if let Some(wrong) = what_is_wrong_with(path) {
                let path = path.escape_debug();
                return Err(malformed(format!("the path `{path}` {wrong}")));
            }
            let below = format!("{}/", self.base.path().trim_end_matches('/'));
            url.set_path(&format!("{below}{path}"));
            if url.origin() != self.base.origin() || !url.path().starts_with(&below) {
                return Err(malformed("the path leads out of the target".to_owned()));
            }
        }
        if let Some((name, _)) = self
            .base
            .query_pairs()
            .find(|(name, _)| call.query.contains_key(name.as_ref()))
        {
            return Err(malformed(format!(
                "the query parameter `{name}` is a part of the target's own URL"
            )));
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        Ok(url)
    }

    /// The headers of a request: the target's own and those of the rule.
    ///
    /// # Errors
    /// [`EgressError::Malformed`] if one of the rule's cannot be sent or is not the rule's to set.
    pub(super) fn headers(&self, call: &EgressCall) -> Result<HeaderMap, EgressError> {
        let mut headers = self.headers.clone();
        for (name, value) in &call.headers {
            let shown = name.escape_debug();
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| malformed(format!("`{shown}` is no name of a header")))?;
            if CONNECTION_HEADERS.contains(&name.as_str()) {
                let wrong = format!("the header `{name}` belongs to the connection");
                return Err(malformed(wrong));
            }
            if self.headers.contains_key(&name) {
                let wrong = format!("the header `{name}` is the target's own");
                return Err(malformed(wrong));
            }
            let value = HeaderValue::from_str(value).map_err(|_| {
                malformed(format!("the value of the header `{name}` cannot be sent"))
            })?;
            headers.insert(name, value);
        }
        Ok(headers)
    }

    /// Where a `GET` goes on that was answered with a redirect, if it may.
    pub(super) fn redirected(&self, from: &Url, location: &HeaderValue) -> Option<Url> {
        let to = from.join(location.to_str().ok()?).ok()?;
        let plain = to.username().is_empty() && to.password().is_none();
        (to.origin() == self.base.origin() && plain).then_some(to)
    }

    /// A text of the target's for people, without the secrets that it may repeat.
    pub(super) fn redacted(&self, text: &str) -> String {
        let headers = self
            .headers
            .values()
            .filter_map(|value| value.to_str().ok());
        let mut secrets: Vec<&str> = [self.base.as_str(), self.base.path()]
            .into_iter()
            .chain(self.base.path().split('/'))
            .chain(
                self.base
                    .query()
                    .into_iter()
                    .flat_map(|query| query.split(['&', '='])),
            )
            .chain(headers.flat_map(|value| [value, value.rsplit(' ').next().unwrap_or(value)]))
            .filter(|secret| secret.len() >= SECRET_BYTES_MIN)
            .collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets
            .into_iter()
            .fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }
}

/// Why a server might read the path as another one.
fn what_is_wrong_with(path: &str) -> Option<&'static str> {
    if path.contains(['?', '#', '\\']) || path.chars().any(char::is_control) {
        return Some(
            "has one of `?`, `#`, `\\` and control characters; query parameters are an option of their own",
        );
    }
    let mut seen = path.to_owned();
    for _ in 0..DECODINGS_MAX {
        if seen.starts_with('/') || seen.contains("//") {
            return Some("has an empty part; is an id missing, or a host in it?");
        }
        let dots = |part: &str| matches!(part.split(';').next(), Some("." | ".."));
        if seen.split(['/', '\\']).any(dots) {
            return Some("leads out of its place with `.` or `..`");
        }
        let decoded = percent_decoded(&seen);
        if decoded == seen {
            return None;
        }
        seen = decoded;
    }
    Some("is encoded several times over")
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let mut byte = [0];
        match (first, after) {
            (b'%', [high, low, after @ ..])
                if hex::decode_to_slice([*high, *low], &mut byte).is_ok() =>
            {
                bytes.push(byte[0]);
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn malformed(what: String) -> EgressError {
    EgressError::Malformed { what }
}

#[cfg(test)]
mod tests;
