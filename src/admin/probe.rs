//! Asks a running gateway whether it is well: what a container's health check runs.
//!
//! The image has no shell and no curl, so the binary asks itself. No proxy and no redirect: the answer must be
//! the gateway's own.

use std::time::Duration;

use reqwest::{Client, Url, redirect};

/// How long one probe may take.
const WITHIN: Duration = Duration::from_secs(3);

/// The path that is asked when the address has none.
const PATH: &str = "/readyz";

/// Why a probe did not find a gateway that is well.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The address cannot be read.
    #[error(
        "`{url}` is no address of a gateway: {reason}; write something like http://127.0.0.1:8080/readyz"
    )]
    Address {
        /// The address as it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody answered in time.
    #[error(
        "{url} does not answer: {reason}; is `cuegate serve` running, and does it listen there?"
    )]
    Unreachable {
        /// What was asked.
        url: Url,
        /// What happened, with its causes.
        reason: String,
    },
    /// Something answered, and not with success.
    #[error("{url} answers {status}: {body}")]
    Unwell {
        /// What was asked.
        url: Url,
        /// The HTTP status.
        status: u16,
        /// What it said; `/readyz` names the part that is not ready.
        body: String,
    },
}

/// Asks `url` (`/readyz` if it has no path) and answers what it says, if that is a success.
///
/// # Errors
///
/// Says who did not answer what, and what to look at.
pub async fn probe(url: &str) -> Result<String, ProbeError> {
    let url = address(url)?;
    let unreachable = |error: &dyn std::error::Error| ProbeError::Unreachable {
        url: url.clone(),
        reason: causes(error),
    };
    // An error only says that a provider is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(WITHIN)
        .build()
        .map_err(|error| unreachable(&error))?;
    let response = client
        .get(url.clone())
        .send()
        .await
        .map_err(|error| unreachable(&error.without_url()))?;
    let status = response.status();
    let body = response
        .text()
        .await
        .map_err(|error| unreachable(&error.without_url()))?;
    if status.is_success() {
        return Ok(body);
    }
    Err(ProbeError::Unwell {
        url,
        status: status.as_u16(),
        body,
    })
}

fn address(text: &str) -> Result<Url, ProbeError> {
    let wrong = |reason: String| ProbeError::Address {
        url: text.to_owned(),
        reason,
    };
    let mut url = Url::parse(text).map_err(|error| wrong(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong(
            "it does not begin with http:// or https://".to_owned(),
        ));
    }
    if url.path() == "/" {
        url.set_path(PATH);
    }
    Ok(url)
}

/// An error with what is behind it, because "error sending request" alone helps nobody.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
