//! `[iconik]`: which cloud, and who we are there.

use std::time::Duration;

use reqwest::Url;

use super::secrets::header_value;
use super::section::{Section, Wrong};
use super::{Iconik, OAuth, Rate};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// The hosts of Iconik's clouds (its help page "Ports and IP-Addresses", and the preview).
const CLOUDS: [&str; 7] = [
    "app.iconik.io",
    "eu.iconik.io",
    "us.iconik.io",
    "app.aws.iconik.io",
    "eu.aws.iconik.io",
    "us.aws.iconik.io",
    "preview.iconik.cloud",
];

pub(super) fn read(section: &mut Section<'_, '_>) -> Iconik {
    let default = Iconik::default();
    let app_id = section.secret_and_file("app_id", "app_id_file", header_value);
    let auth_token = section.secret_and_file("auth_token", "auth_token_file", header_value);
    let (app_id, app_id_file) = app_id.unzip();
    let (auth_token, auth_token_file) = auth_token.unzip();
    let oauth = section.table("oauth", read_oauth).flatten();
    if section.has("oauth") && (section.has("auth_token") || section.has("auth_token_file")) {
        let path = section.path_of("oauth");
        section.fail(
            "oauth",
            format!("`{path}` and `auth_token` are two ways to log in"),
            "keep one of them",
        );
    }
    Iconik {
        base_url: section
            .guarded("base_url", cloud)
            .unwrap_or(default.base_url),
        domain: section.text("domain").filter(|domain| !domain.is_empty()),
        app_id: app_id.map_or(default.app_id, |id| id.expose().to_owned()),
        app_id_file: app_id_file.flatten(),
        auth_token: auth_token.unwrap_or(default.auth_token),
        auth_token_file: auth_token_file.flatten(),
        oauth,
        rate: section.table("rate", read_rate).unwrap_or(default.rate),
        timeout: section.duration("timeout", default.timeout, SECOND..=10 * MINUTE),
        index_lag: section.duration("index_lag", default.index_lag, Duration::ZERO..=HOUR),
        job_poll: section.duration("job_poll", default.job_poll, SECOND..=10 * MINUTE),
        instance: section
            .parsed("instance", instance)
            .filter(|instance| !instance.is_empty()),
        skip_own: section.boolean("skip_own", default.skip_own),
        webhook_check: section.duration("webhook_check", default.webhook_check, SECOND..=24 * HOUR),
    }
}

fn read_oauth(section: &mut Section<'_, '_>) -> Option<OAuth> {
    let client_id = section.parsed("client_id", |text| {
        if text.is_empty() {
            return Err("it is empty".to_owned().into());
        }
        let sendable = header_value(text).map(|()| text.to_owned());
        sendable.map_err(|wrong| Wrong::from(wrong.to_owned()))
    });
    let secret = section.secret_and_file("client_secret", "client_secret_file", any_secret);
    for (key, is_there) in [
        ("client_id", section.has("client_id")),
        (
            "client_secret",
            section.has("client_secret") || section.has("client_secret_file"),
        ),
    ] {
        if !is_there {
            let path = section.path_of(key);
            section.fail(
                key,
                format!("`{path}` is missing"),
                "`oauth = { client_id = \"…\", client_secret_file = \"path\" }` has both",
            );
        }
    }
    let (client_secret, client_secret_file) = secret?;
    Some(OAuth {
        client_id: client_id?,
        client_secret,
        client_secret_file,
    })
}

/// A form can carry any text.
fn any_secret(_: &str) -> Result<(), &'static str> {
    Ok(())
}

fn read_rate(section: &mut Section<'_, '_>) -> Rate {
    let default = Rate::default();
    Rate {
        per_second: section.integer("per_second", default.per_second, 1..=10_000),
        per_20s: section.integer("per_20s", default.per_20s, 1..=200_000),
    }
}

/// The base URL; of one of Iconik's hosts it is known what it must look like.
fn cloud(text: &str) -> Result<String, Wrong> {
    let base = web_address(text)?;
    let Some(host) = host_of_iconik(&base) else {
        return Ok(base);
    };
    let right = format!("write \"https://{host}/API\"");
    if !base.starts_with("https:") {
        let wrong = "the credentials would be readable on their way to Iconik";
        return Err(Wrong::new(wrong, right));
    }
    if !base.ends_with(&format!("{host}/API")) {
        return Err(Wrong::new("Iconik's API begins at /API", right));
    }
    Ok(base)
}

fn host_of_iconik(base: &str) -> Option<String> {
    let host = Url::parse(base).ok()?.host_str()?.to_owned();
    let is_iconiks = [".iconik.io", ".iconik.cloud"]
        .iter()
        .any(|domain| host.ends_with(domain));
    is_iconiks.then_some(host)
}

/// What to say about a host of Iconik's that is none of its clouds, as far as they are known.
pub(super) fn unknown_cloud(base: &str) -> Option<String> {
    let host = host_of_iconik(base).filter(|host| !CLOUDS.contains(&host.as_str()))?;
    let clouds = CLOUDS.join(", ");
    Some(format!(
        "iconik.base_url: `{host}` is none of Iconik's clouds that are known ({clouds}); tokens of one are worth nothing at another"
    ))
}

/// The name of this gateway in Iconik: one word, because it stands in descriptions.
fn instance(text: &str) -> Result<String, Wrong> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.len() > 64 || !text.chars().all(plain) {
        return Err(Wrong::new(
            "a name has letters, digits, `-`, `_` and `.` only, at most 64",
            "write something like \"production\"",
        ));
    }
    Ok(text.to_owned())
}

/// An address on the web, without the slash at its end. The error never quotes it: it may hold a password.
pub(super) fn web_address(text: &str) -> Result<String, Wrong> {
    let hint = "write something like \"https://hooks.example.com\"";
    let url =
        Url::parse(text).map_err(|error| Wrong::new(format!("this is no URL: {error}"), hint))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Wrong::new(
            "the URL must begin with https:// or http://",
            hint,
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Wrong::new(
            "the URL holds a user name or a password",
            "credentials have keys of their own",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Wrong::new(
            "the URL has a `?` or a `#`",
            "end it before them: paths are added to it",
        ));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
