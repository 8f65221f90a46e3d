//! Where requests may go: below the one base URL that the operator named.
//!
//! Paths come from rules, and each request carries the credentials. So a path that could make a URL parser
//! leave the base, or smuggle a query, is refused instead of being repaired.

use std::net::IpAddr;

use reqwest::Url;

use super::error::{CallError, SetupError};

/// Iconik's base URL.
#[derive(Debug)]
pub(super) struct Address {
    // Without a slash at the end.
    base: String,
    host: String,
}

impl Address {
    /// Checks the base URL of the configuration.
    ///
    /// # Errors
    /// If nothing could be sent there, or if it holds more than a place.
    pub(super) fn parse(text: &str) -> Result<Self, SetupError> {
        let wrong = |url: &str, why: String| SetupError::BaseUrl {
            url: url.to_owned(),
            why,
        };
        // What cannot be parsed may hold a password as well, so it is not shown.
        let url = Url::parse(text).map_err(|error| wrong("…", format!("is no URL ({error})")))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("…", "holds a user or password".to_owned()));
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        if !matches!(url.scheme(), "http" | "https") || host.is_empty() {
            return Err(wrong(text, "is neither https nor http".to_owned()));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong(text, "has something after its path".to_owned()));
        }
        let base = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { base, host })
    }

    /// Whether TLS is spoken there.
    pub(super) fn is_encrypted(&self) -> bool {
        self.base.starts_with("https:")
    }

    /// Whether requests stay on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        let address = self.host.trim_start_matches('[').trim_end_matches(']');
        let address = address.parse::<IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// The URL of a path below the base; a slash before it does not matter.
    ///
    /// # Errors
    /// [`CallError::Malformed`] if the path would lead anywhere else.
    pub(super) fn url(&self, path: &str) -> Result<Url, CallError> {
        let malformed = |why: &str| CallError::Malformed {
            what: format!("the path `{}` {why}", path.escape_debug()),
        };
        let path = path.strip_prefix('/').unwrap_or(path);
        if path.is_empty() {
            return Err(malformed("is empty; write one such as assets/v1/assets/"));
        }
        if path.contains("//") || path.starts_with('/') {
            return Err(malformed(
                "has an empty part; is an id missing, or a host in it? It begins with the service: assets/v1/…",
            ));
        }
        if let Some(wrong) = path
            .chars()
            .find(|&letter| letter.is_control() || matches!(letter, '?' | '#' | '\\'))
        {
            let wrong = wrong.escape_debug();
            return Err(malformed(&format!(
                "contains `{wrong}`; query parameters are an argument of their own"
            )));
        }
        if path.split('/').any(is_dots) {
            return Err(malformed("leads out of its place with `.` or `..`"));
        }
        Url::parse(&format!("{}/{path}", self.base))
            .map_err(|error| malformed(&format!("makes no URL: {error}")))
    }
}

/// Whether a URL parser takes the segment for `.` or `..`, percent-encoded or not.
fn is_dots(segment: &str) -> bool {
    let plain = segment.replace("%2e", ".").replace("%2E", ".");
    matches!(plain.as_str(), "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_lead_anywhere_else() {
        let address = Address::parse("https://iconik.example/API/").expect("a URL");
        for path in [
            "",
            "/",
            "//evil.example/",
            "http://evil.example/",
            "assets/v1/../../login/",
            "assets/v1/%2e%2E/login/",
            "assets/./",
            "assets//1/",
            "assets\\..\\login/",
            "assets/?x=1",
            "assets/#x",
            "assets/\r\nHost: evil/",
            "assets/\t/",
        ] {
            let error = address.url(path).expect_err(path);
            assert!(matches!(error, CallError::Malformed { .. }));
            assert!(error.proves_nothing_happened() && error.is_permanent());
        }
        for (path, expected) in [
            ("assets/v1/assets/", "/API/assets/v1/assets/"),
            ("/assets/v1/assets/", "/API/assets/v1/assets/"),
            ("@evil.example/", "/API/@evil.example/"),
            (":80/", "/API/:80/"),
            ("a/b c%2Fd..e/", "/API/a/b%20c%2Fd..e/"),
        ] {
            let url = address.url(path).expect(path);
            assert_eq!(url.host_str(), Some("iconik.example"));
            assert_eq!(url.path(), expected);
        }
    }

    #[test]
    fn a_base_of_no_use_is_refused_without_showing_a_password() {
        for text in [
            "",
            "app.iconik.io/API",
            "ftp://app.iconik.io/API",
            "https://",
            "https://user:pass@app.iconik.io/API",
            "https://user:pass@:x/API",
            "https://app.iconik.io/API?x=1",
            "https://app.iconik.io/API#x",
        ] {
            let error = Address::parse(text).expect_err(text).to_string();
            assert!(error.contains("iconik.base_url"), "{error}");
            assert!(!error.contains("pass@"), "{error}");
        }
    }

    #[test]
    fn loopback_and_encryption_are_told_from_the_base() {
        for (text, encrypted, loopback) in [
            ("https://app.iconik.io/API", true, false),
            ("http://127.0.0.1:8090/API", false, true),
            ("http://[::1]:8090/API", false, true),
            ("http://localhost/API", false, true),
            ("http://localhost.example/API", false, false),
        ] {
            let address = Address::parse(text).expect(text);
            assert_eq!(address.is_encrypted(), encrypted, "{text}");
            assert_eq!(address.is_loopback(), loopback, "{text}");
        }
    }
}
