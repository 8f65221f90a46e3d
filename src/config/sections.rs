//! From tables to types: one function for each `[section]`, in the order of the file.
//!
//! Each starts from the defaults, so that a key that is absent and a key that is wrong both leave something
//! sensible behind and the reading goes on.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::iconik::web_address;
use super::secrets::{seal_key, token};
use super::section::{Section, Wrong};
use super::{
    Circle, Config, Limits, MetricsFor, Retention, Rules, Sandbox, Server, Store, egress, http,
    iconik, sources, vars,
};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const TEN_YEARS: Duration = Duration::from_secs(3_653 * 24 * 3_600);

const KIB: u64 = 1 << 10;
const GIB: u64 = 1 << 30;
const PIB: u64 = 1 << 50;

const METRICS: [(&str, MetricsFor); 3] = [
    ("token", MetricsFor::Token),
    ("open", MetricsFor::Everybody),
    ("off", MetricsFor::Nobody),
];

/// The whole file.
pub(super) fn read(root: &mut Section<'_, '_>) -> Config {
    root.later(&["alerts"]);
    Config {
        server: root.table("server", read_server).unwrap_or_default(),
        store: root.table("store", read_store).unwrap_or_default(),
        iconik: root.table("iconik", iconik::read).unwrap_or_default(),
        http: root.table("http", http::read).unwrap_or_default(),
        rules: root.table("rules", read_rules).unwrap_or_default(),
        sandbox: root.table("sandbox", read_sandbox).unwrap_or_default(),
        sources: root.table("sources", sources::read).unwrap_or_default(),
        egress: root.table("egress", egress::read).unwrap_or_default(),
        vars: root.table("vars", vars::read).unwrap_or_default(),
        limits: root.table("limits", read_limits).unwrap_or_default(),
    }
}

fn read_server(section: &mut Section<'_, '_>) -> Server {
    let default = Server::default();
    let (admin_tokens, admin_tokens_file) =
        section.secrets_if_any("admin_tokens", "admin_tokens_file", token);
    let server = Server {
        listen: section.parsed("listen", address).unwrap_or(default.listen),
        admin_listen: section
            .parsed("admin_listen", address)
            .unwrap_or(default.admin_listen),
        public_url: section.guarded("public_url", web_address),
        trusted_proxies: trusted_proxies(section),
        drain: section.duration("drain", default.drain, Duration::ZERO..=HOUR),
        admin_tokens,
        admin_tokens_file,
        metrics: section.word("metrics", &METRICS, default.metrics),
        seal_key: section.secret("seal_key", "seal_key_file", seal_key),
    };
    // A list that was written and is wrong has been reported already.
    let written = section.has("admin_tokens") || section.has("admin_tokens_file");
    if !server.admin_listen.ip().is_loopback() && !written {
        section.fail(
            "admin_listen",
            format!(
                "`server.admin_listen`: {} can be reached from other machines, and there is no token",
                server.admin_listen
            ),
            "add `admin_tokens = [\"${NAME}\"]` or `admin_tokens_file = \"path\"` to [server], or keep it on loopback, \
             such as \"127.0.0.1:8081\"",
        );
    }
    if clash(server.listen, server.admin_listen) {
        // The one that was written is at fault, if only one was.
        let key = if section.has("admin_listen") {
            "admin_listen"
        } else {
            "listen"
        };
        section.fail(
            key,
            format!(
                "`server.listen` ({}) and `server.admin_listen` ({}) are the same port",
                server.listen, server.admin_listen
            ),
            "give them different ports",
        );
    }
    server
}

fn trusted_proxies(section: &mut Section<'_, '_>) -> Vec<IpNet> {
    let proxies = section.networks("trusted_proxies").unwrap_or_default();
    if proxies.iter().any(|network| network.prefix_len() == 0) {
        section.fail(
            "trusted_proxies",
            "`server.trusted_proxies` trusts everybody: whoever connects could claim to be any address",
            "list only the addresses that your reverse proxies connect from",
        );
    }
    proxies
}

fn clash(listen: SocketAddr, admin: SocketAddr) -> bool {
    listen.port() != 0
        && listen.port() == admin.port()
        && (listen.ip() == admin.ip()
            || listen.ip().is_unspecified()
            || admin.ip().is_unspecified())
}

fn read_store(section: &mut Section<'_, '_>) -> Store {
    let default = Store::default();
    Store {
        path: section.guarded("url", sqlite_path).unwrap_or(default.path),
        retention: section
            .table("retention", read_retention)
            .unwrap_or(default.retention),
        allow_network_fs: section.boolean("allow_network_fs", default.allow_network_fs),
    }
}

fn read_retention(section: &mut Section<'_, '_>) -> Retention {
    let default = Retention::default();
    Retention {
        events: section.duration("events", default.events, MINUTE..=TEN_YEARS),
        journals: section.duration("journals", default.journals, MINUTE..=TEN_YEARS),
        max_size: section.size("max_size", default.max_size, 64 << 20..=PIB),
        min_free: section.size("min_free", default.min_free, 0..=PIB),
    }
}

fn read_rules(section: &mut Section<'_, '_>) -> Rules {
    section.later(&["new_destructive"]);
    Rules {
        dir: section
            .parsed("dir", directory)
            .unwrap_or(Rules::default().dir),
    }
}

fn read_sandbox(section: &mut Section<'_, '_>) -> Sandbox {
    let default = Sandbox::default();
    section.later(&["require", "limits"]);
    Sandbox {
        workers: section.integer("workers", default.workers, 1..=256),
        memory_bytes: section.size("memory", default.memory_bytes, 16 << 20..=64 << 30),
        cpu: section.duration("cpu", default.cpu, 10 * MILLISECOND..=MINUTE),
        wall: section.duration("wall", default.wall, 10 * MILLISECOND..=10 * MINUTE),
        operations: section.integer("operations", default.operations, 1_000..=1_000_000_000),
        string_bytes: bytes(section, "string", default.string_bytes, KIB),
        elements: section.integer("elements", default.elements, 16..=10_000_000),
        source_bytes: bytes(section, "source", default.source_bytes, KIB),
        compile: section.duration("compile", default.compile, 10 * MILLISECOND..=MINUTE),
        log_bytes: bytes(section, "log", default.log_bytes, KIB),
    }
}

fn read_limits(section: &mut Section<'_, '_>) -> Limits {
    let default = Limits::default();
    Limits {
        body_bytes: bytes(section, "body", default.body_bytes, KIB),
        // The HTTP library reads into a buffer that it does not let be smaller.
        header_bytes: bytes(section, "headers", default.header_bytes, 8 * KIB),
        connections: section.integer("connections", default.connections, 1..=1_000_000),
        request: section.duration("request", default.request, 100 * MILLISECOND..=10 * MINUTE),
        circle: section.table("loop", read_circle).unwrap_or_default(),
    }
}

fn read_circle(section: &mut Section<'_, '_>) -> Circle {
    let default = Circle::default();
    Circle {
        runs: section.integer("runs", default.runs, 1..=10_000),
        within: section.duration("within", default.within, SECOND..=24 * HOUR),
    }
}

/// A size that fits the memory of any machine that this runs on.
fn bytes(section: &mut Section<'_, '_>, key: &'static str, default: usize, least: u64) -> usize {
    let default = u64::try_from(default).expect("a usize fits a u64");
    usize::try_from(section.size(key, default, least..=GIB)).expect("a gibibyte fits a usize")
}

fn address(text: &str) -> Result<SocketAddr, Wrong> {
    text.parse().map_err(|_| {
        Wrong::new(
            format!("`{text}` is no address"),
            "write an IP address and a port, such as \"0.0.0.0:8080\" or \"[::1]:8081\"",
        )
    })
}

fn sqlite_path(text: &str) -> Result<PathBuf, Wrong> {
    let hint = "write \"sqlite:data/cuegate.db\"";
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Err(Wrong::new("PostgreSQL is not supported yet", hint));
    }
    let Some(path) = text.strip_prefix("sqlite:") else {
        return Err(Wrong::new("this is no URL of a store", hint));
    };
    let path = path.strip_prefix("//").unwrap_or(path);
    if path == ":memory:" {
        return Err(Wrong::new(
            "a store in memory would lose accepted events",
            hint,
        ));
    }
    if path.contains(['?', '\0']) {
        return Err(Wrong::new(
            "the URL has options, which are not supported",
            hint,
        ));
    }
    let path = PathBuf::from(path);
    match path.file_name() {
        None => Err(Wrong::new("the URL names no file", hint)),
        Some(name) if name == "inbox.db" => Err(Wrong::new(
            "`inbox.db` is the name of the inbox, which lies beside this file",
            hint,
        )),
        Some(_) => Ok(path),
    }
}

fn directory(text: &str) -> Result<PathBuf, Wrong> {
    if text.is_empty() {
        return Err(Wrong::new(
            "it is empty",
            "name a directory, such as \"rules\"",
        ));
    }
    Ok(PathBuf::from(text))
}
