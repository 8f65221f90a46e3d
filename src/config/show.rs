//! The configuration as it is in effect, for a person and for a bug report: secrets are stars.
//!
//! It is written as the file that would lead to it, so that it can be compared, and so that a test can read it
//! back.

use std::fmt::Write as _;

use toml::Value;

use super::interpolate::escape;
use super::report::MASK;
use super::size::format_size;
use super::{
    Config, Egress, Hmac, HmacAlgorithm, HmacEncoding, Locator, Mapping, MetricsFor, OnUncertain,
    SignedPart, Source, Store, Verify,
};
use crate::model::{Secret, format_duration};

/// The effective configuration as TOML, every default filled in, every secret as `***`.
pub fn show(config: &Config) -> String {
    let mut out = String::new();
    let server = &config.server;
    let mut lines = vec![
        ("listen", text(server.listen)),
        ("admin_listen", text(server.admin_listen)),
    ];
    lines.extend(
        server
            .public_url
            .as_ref()
            .map(|url| ("public_url", text(url))),
    );
    lines.push(("trusted_proxies", texts(&server.trusted_proxies)));
    lines.push(("drain", text(format_duration(server.drain))));
    if !server.admin_tokens.is_empty() {
        // Long enough to be read back as tokens.
        let stars = server.admin_tokens.iter().map(|_| text(MASK.repeat(6)));
        lines.push(("admin_tokens", Value::Array(stars.collect())));
    }
    let metrics = match server.metrics {
        MetricsFor::Token => "token",
        MetricsFor::Everybody => "open",
        MetricsFor::Nobody => "off",
    };
    lines.push(("metrics", text(metrics)));
    if server.seal_key.is_some() {
        // Long enough to be read back as a key.
        lines.push(("seal_key", text("0".repeat(64))));
    }
    section(&mut out, "server", lines);
    section(&mut out, "store", store(&config.store));
    section(&mut out, "iconik", iconik(config));
    if let Some(proxy) = &config.http.proxy {
        section(&mut out, "http", vec![("proxy", only_scheme(proxy))]);
    }
    section(
        &mut out,
        "rules",
        vec![("dir", text(config.rules.dir.display()))],
    );
    section(&mut out, "sandbox", sandbox(config));
    section(&mut out, "limits", limits(config));
    for (name, source) in &config.sources {
        section(&mut out, &format!("sources.{name}"), source_lines(source));
    }
    for (name, target) in &config.egress {
        section(&mut out, &format!("egress.{name}"), egress_lines(target));
    }
    if !config.vars.is_empty() {
        out.push_str("[vars]\n");
        for (name, value) in &config.vars {
            let _ = writeln!(out, "{name} = {}", json(value));
        }
    }
    out.trim_end().to_owned() + "\n"
}

type Lines = Vec<(&'static str, Value)>;

fn section(out: &mut String, name: &str, lines: Lines) {
    let _ = writeln!(out, "[{name}]");
    for (key, value) in lines {
        let _ = writeln!(out, "{key} = {value}");
    }
    out.push('\n');
}

fn store(store: &Store) -> Lines {
    let retention = &store.retention;
    vec![
        ("url", text(format!("sqlite:{}", store.path.display()))),
        (
            "retention",
            table([
                ("events", text(format_duration(retention.events))),
                ("journals", text(format_duration(retention.journals))),
                ("max_size", text(format_size(retention.max_size))),
                ("min_free", text(format_size(retention.min_free))),
            ]),
        ),
        ("allow_network_fs", Value::Boolean(store.allow_network_fs)),
    ]
}

fn iconik(config: &Config) -> Lines {
    let iconik = &config.iconik;
    let mut lines = vec![
        ("base_url", text(&iconik.base_url)),
        ("domain", text(iconik.domain.as_deref().unwrap_or_default())),
    ];
    if !iconik.app_id.is_empty() {
        lines.push(("app_id", text(&iconik.app_id)));
    }
    if !iconik.auth_token.expose().is_empty() {
        lines.push(("auth_token", text(MASK)));
    }
    lines.extend(iconik.oauth.as_ref().map(|oauth| {
        let parts = [
            ("client_id", text(&oauth.client_id)),
            ("client_secret", text(MASK)),
        ];
        ("oauth", table(parts))
    }));
    lines.push((
        "rate",
        table([
            ("per_second", Value::Integer(iconik.rate.per_second.into())),
            ("per_20s", Value::Integer(iconik.rate.per_20s.into())),
        ]),
    ));
    lines.push(("timeout", text(format_duration(iconik.timeout))));
    lines.push(("index_lag", text(format_duration(iconik.index_lag))));
    lines.push(("job_poll", text(format_duration(iconik.job_poll))));
    let instance = iconik.instance.as_deref().unwrap_or_default();
    lines.push(("instance", text(instance)));
    lines.push(("skip_own", Value::Boolean(iconik.skip_own)));
    lines.push(("webhook_check", text(format_duration(iconik.webhook_check))));
    lines
}

fn sandbox(config: &Config) -> Lines {
    let sandbox = &config.sandbox;
    vec![
        ("workers", count(sandbox.workers)),
        ("memory", text(format_size(sandbox.memory_bytes))),
        ("cpu", text(format_duration(sandbox.cpu))),
        ("wall", text(format_duration(sandbox.wall))),
        (
            "operations",
            Value::Integer(i64::try_from(sandbox.operations).unwrap_or(i64::MAX)),
        ),
        ("string", size(sandbox.string_bytes)),
        ("elements", count(sandbox.elements)),
        ("source", size(sandbox.source_bytes)),
        ("compile", text(format_duration(sandbox.compile))),
        ("log", size(sandbox.log_bytes)),
    ]
}

fn limits(config: &Config) -> Lines {
    let limits = &config.limits;
    vec![
        ("body", size(limits.body_bytes)),
        ("headers", size(limits.header_bytes)),
        ("connections", count(limits.connections)),
        ("request", text(format_duration(limits.request))),
        (
            "loop",
            table([
                ("runs", Value::Integer(limits.circle.runs.into())),
                ("within", text(format_duration(limits.circle.within))),
            ]),
        ),
    ]
}

fn source_lines(source: &Source) -> Lines {
    let verify = match &source.verify {
        Verify::None => text("none"),
        Verify::Header { header, secrets } => {
            table([("header", text(header)), ("secrets", masked(secrets))])
        }
        Verify::Basic { user, passwords } => table([(
            "basic",
            table([("user", text(user)), ("passwords", masked(passwords))]),
        )]),
        Verify::Hmac(hmac) => table([("hmac", hmac_table(hmac))]),
        Verify::StandardWebhooks { secrets, tolerance } => table([(
            "standard_webhooks",
            table([
                ("tolerance", text(format_duration(*tolerance))),
                ("secrets", masked(secrets)),
            ]),
        )]),
    };
    let mut lines = vec![("verify", verify)];
    if !source.allow_ips.is_empty() {
        lines.push(("allow_ips", texts(&source.allow_ips)));
    }
    lines.extend(source.event.as_ref().map(|event| ("event", mapping(event))));
    lines.push(("dedup_window", text(format_duration(source.dedup_window))));
    lines
}

fn mapping(mapping: &Mapping) -> Value {
    let written = |locator: &Locator| match locator {
        Locator::Body(pointer) => text(pointer),
        Locator::Header(name) => text(format_args!("header:{name}")),
    };
    let parts = [
        ("type", Some(&mapping.kind)),
        ("object", mapping.object.as_ref()),
        ("id", mapping.id.as_ref()),
    ];
    let given = parts.into_iter();
    table(given.filter_map(|(key, locator)| Some((key, written(locator?)))))
}

fn egress_lines(target: &Egress) -> Lines {
    let headers = target.headers.keys();
    let headers = headers.map(|name| (name.clone(), text(MASK))).collect();
    let uncertain = match target.uncertain {
        OnUncertain::Park => "park",
        OnUncertain::Repeat => "repeat",
        OnUncertain::Drop => "drop",
    };
    vec![
        ("url", only_scheme(&target.url)),
        ("headers", Value::Table(headers)),
        ("uncertain", text(uncertain)),
        ("timeout", text(format_duration(target.timeout))),
        ("allow_private", Value::Boolean(target.allow_private)),
        ("max_answer", size(target.max_answer)),
    ]
}

/// The scheme alone, so that what is shown reads back; even a host may be a token.
fn only_scheme(url: &Secret) -> Value {
    let scheme = url.expose().split_once(':').map(|(scheme, _)| scheme);
    let scheme = scheme.unwrap_or("https");
    text(format_args!("{scheme}://{MASK}"))
}

fn hmac_table(hmac: &Hmac) -> Value {
    let algorithm = match hmac.algorithm {
        HmacAlgorithm::Sha256 => "sha256",
        HmacAlgorithm::Sha512 => "sha512",
    };
    let encoding = match hmac.encoding {
        HmacEncoding::Hex => "hex",
        HmacEncoding::Base64 => "base64",
    };
    let signed = hmac.signed.iter().map(|part| match part {
        SignedPart::Body => text("body"),
        SignedPart::Timestamp => text("timestamp"),
        SignedPart::Literal(literal) => text(literal),
    });
    let mut entries = vec![
        ("header", text(&hmac.header)),
        ("algorithm", text(algorithm)),
        ("encoding", text(encoding)),
        ("prefix", text(&hmac.prefix)),
        ("signed", Value::Array(signed.collect())),
        ("separator", text(&hmac.separator)),
        ("tolerance", text(format_duration(hmac.tolerance))),
        ("secrets", masked(&hmac.secrets)),
    ];
    entries.extend(
        hmac.timestamp_header
            .as_ref()
            .map(|header| ("timestamp_header", text(header))),
    );
    table(entries)
}

fn json(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::String(value) => text(value),
        serde_json::Value::Bool(truth) => Value::Boolean(*truth),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(number) => Value::Integer(number),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::Array(values) => Value::Array(values.iter().map(json).collect()),
        serde_json::Value::Object(entries) => Value::Table(
            entries
                .iter()
                .map(|(key, value)| (key.clone(), json(value)))
                .collect(),
        ),
        // Neither TOML nor the types can make one.
        serde_json::Value::Null => text(""),
    }
}

fn text(value: impl std::fmt::Display) -> Value {
    Value::String(escape(&value.to_string()))
}

fn size(bytes: usize) -> Value {
    text(format_size(u64::try_from(bytes).unwrap_or(u64::MAX)))
}

fn count(number: usize) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

fn texts(values: &[impl std::fmt::Display]) -> Value {
    Value::Array(values.iter().map(text).collect())
}

fn masked(secrets: &[Secret]) -> Value {
    Value::Array(secrets.iter().map(|_| text(MASK)).collect())
}

fn table(entries: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::Table(
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}
