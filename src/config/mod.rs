//! What the operator decides: one TOML file, the environment, and nothing else.
//!
//! Everything is checked before anything starts, and everything that is wrong is said at once. A key that is
//! unknown, or known and not carried out by this version, is an error: a setting that is silently ignored is
//! worse than none. Paths other than those of `_file` keys are relative to the working directory.

mod defaults;
mod egress;
mod http;
mod iconik;
mod interpolate;
mod load;
mod mapping;
mod networks;
mod overrides;
mod reading;
mod report;
mod secret_file;
mod secrets;
mod section;
mod sections;
mod senders;
mod show;
mod size;
mod sources;
mod tree;
mod vars;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::model::Secret;

pub use egress::CONNECTION_HEADERS;
pub use report::{ConfigError, Excerpt, Finding};
pub use secret_file::{SecretFile, SecretFileError};
pub use senders::{
    Hmac, HmacAlgorithm, HmacEncoding, Locator, Mapping, SignedPart, Source, Verify,
};
pub use show::show;

/// Every key with its meaning and its default, for people; all keys are commented out.
pub const EXAMPLE: &str = include_str!("example.toml");

/// The whole configuration, checked, with every default filled in.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Listeners and how they stop.
    pub server: Server,
    /// Where events and runs are kept.
    pub store: Store,
    /// The Iconik domain that rules work on.
    pub iconik: Iconik,
    /// How requests leave this machine.
    pub http: Http,
    /// Where the rules are.
    pub rules: Rules,
    /// The processes that rules run in.
    pub sandbox: Sandbox,
    /// Who may send events, by name.
    pub sources: BTreeMap<String, Source>,
    /// Other systems that rules may speak to, by name.
    pub egress: BTreeMap<String, Egress>,
    /// What rules see as `vars::NAME`.
    pub vars: serde_json::Map<String, serde_json::Value>,
    /// Bounds of what is accepted at the door, and of circles.
    pub limits: Limits,
}

/// `[server]`
#[derive(Clone, Debug)]
pub struct Server {
    /// Where senders post to.
    pub listen: SocketAddr,
    /// Where operators look; on loopback unless there is a token.
    pub admin_listen: SocketAddr,
    /// How senders reach `listen` from outside.
    pub public_url: Option<String>,
    /// The reverse proxies that are believed about whom they forward for.
    pub trusted_proxies: Vec<IpNet>,
    /// How long a stop waits for what is under way.
    pub drain: Duration,
    /// What the admin listener wants to hear; nothing when there are none, and then it is on loopback.
    pub admin_tokens: Vec<Secret>,
    /// The file that they come from, if they come from one.
    pub admin_tokens_file: Option<SecretFile>,
    /// Who may read `/metrics`.
    pub metrics: MetricsFor,
    /// What the tokens of people who press buttons are sealed with, for rules that run as they.
    pub seal_key: Option<Secret>,
}

/// `[server] metrics`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsFor {
    /// Whoever may use the admin API.
    Token,
    /// Whoever reaches the admin listener.
    Everybody,
    /// Nobody.
    Nobody,
}

/// `[store]`
#[derive(Clone, Debug)]
pub struct Store {
    /// The file of a `sqlite:` URL; the inbox lies beside it as `inbox.db`.
    pub path: PathBuf,
    /// How long what is stored is kept.
    pub retention: Retention,
    /// Whether the directory may be on a file system that a database is not safe on.
    pub allow_network_fs: bool,
}

/// `[store] retention`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long an event is kept after it was received.
    pub events: Duration,
    /// How long the journal of a run is kept after its end.
    pub journals: Duration,
    /// The most bytes in use; beyond it, the oldest events go before their time.
    pub max_size: u64,
    /// Bytes that stay free on the disk: with less, no new event is taken.
    pub min_free: u64,
}

/// `[iconik]`
#[derive(Clone, Debug)]
pub struct Iconik {
    /// The API's base, without a slash at the end: `https://app.iconik.io/API`.
    pub base_url: String,
    /// The domain's `system_domain_id`; learned from Iconik when empty.
    pub domain: Option<String>,
    /// The `App-ID` header.
    pub app_id: String,
    /// The file that it comes from, if it comes from one.
    pub app_id_file: Option<SecretFile>,
    /// The `Auth-Token` header.
    pub auth_token: Secret,
    /// The file that it comes from, if it comes from one.
    pub auth_token_file: Option<SecretFile>,
    /// Tokens that are asked of Iconik, instead of an application token.
    pub oauth: Option<OAuth>,
    /// The shared budget of requests.
    pub rate: Rate,
    /// The longest that one request may take.
    pub timeout: Duration,
    /// How long lists and searches may not know of a change.
    pub index_lag: Duration,
    /// How often the jobs that runs wait for are looked at.
    pub job_poll: Duration,
    /// The name that this gateway's webhooks and buttons carry in Iconik; see [`Config::instance`].
    pub instance: Option<String>,
    /// Whether webhooks leave out what our own user does.
    pub skip_own: bool,
    /// How often the state of our webhooks is read.
    pub webhook_check: Duration,
}

/// `[iconik] oauth`
#[derive(Clone, Debug)]
pub struct OAuth {
    /// The client.
    pub client_id: String,
    /// What it proves itself with.
    pub client_secret: Secret,
    /// The file that the secret comes from, if it comes from one.
    pub client_secret_file: Option<SecretFile>,
}

/// `[http]`
#[derive(Clone, Debug, Default)]
pub struct Http {
    /// The URL of the proxy that requests go through; it may hold a password.
    pub proxy: Option<Secret>,
    /// Certificates of authorities that are trusted besides those of the machine.
    pub ca: Vec<reqwest::Certificate>,
}

/// `[iconik] rate`
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Requests a second.
    pub per_second: u32,
    /// Requests in any twenty seconds.
    pub per_20s: u32,
}

/// `[rules]`
#[derive(Clone, Debug)]
pub struct Rules {
    /// The directory.
    pub dir: PathBuf,
}

/// `[sandbox]`
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// How many worker processes.
    pub workers: usize,
    /// The memory that one worker may take, in bytes, on top of its program and stack.
    pub memory_bytes: u64,
    /// Processor time of one advance.
    pub cpu: Duration,
    /// Wall time of one advance: generous, for a machine that is busy with something else.
    pub wall: Duration,
    /// The most operations of one advance.
    pub operations: u64,
    /// The longest string, in bytes.
    pub string_bytes: usize,
    /// The most elements of an array or map.
    pub elements: usize,
    /// The largest rule file, in bytes.
    pub source_bytes: usize,
    /// Processor time of compiling one rule.
    pub compile: Duration,
    /// All log lines of one advance together, in bytes.
    pub log_bytes: usize,
}

/// `[egress.NAME]`
#[derive(Clone, Debug)]
pub struct Egress {
    /// Where it is. It may hold a token.
    pub url: Secret,
    /// The file that it comes from, if it comes from one.
    pub url_file: Option<SecretFile>,
    /// Headers of every request, names in lower case.
    pub headers: BTreeMap<String, Secret>,
    /// The files that some of them come from.
    pub header_files: BTreeMap<String, SecretFile>,
    /// What becomes of a request that may or may not have been carried out.
    pub uncertain: OnUncertain,
    /// The longest that one request may take.
    pub timeout: Duration,
    /// Whether it may have an address of this machine or of a private network.
    pub allow_private: bool,
    /// The largest answer that is taken, in bytes.
    pub max_answer: usize,
}

/// What becomes of a request that may or may not have been carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUncertain {
    /// A person is asked.
    Park,
    /// It is sent again.
    Repeat,
    /// The rule goes on without an answer.
    Drop,
}

/// `[limits]`
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest body, in bytes.
    pub body_bytes: usize,
    /// All header lines of a request together, in bytes.
    pub header_bytes: usize,
    /// Open connections of the public listener.
    pub connections: usize,
    /// How long a request may take to arrive.
    pub request: Duration,
    /// When a rule goes round in a circle.
    pub circle: Circle,
}

/// `[limits] loop`
#[derive(Clone, Copy, Debug)]
pub struct Circle {
    /// How often our own writes may wake one rule for one object.
    pub runs: u32,
    /// Inside this time.
    pub within: Duration,
}
