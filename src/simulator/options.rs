//! How the simulated Iconik behaves.
//!
//! Public material leaves much open: how often Iconik repeats a webhook, when it gives up, whether a 429
//! says how long to wait. Everything of that kind is a number here, with a default that errs on the side
//! that is harder for a client.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::Seed;
use crate::model::Secret;

/// The system domain of a simulator that is told none.
pub const DEFAULT_DOMAIN: &str = "5c1a3e70-7a8b-11ee-9d3f-0a580a3c0f10";

/// The user behind the default credential.
pub const DEFAULT_USER: &str = "7d2b4f81-7a8b-11ee-9d3f-0a580a3c0f11";

/// How the simulated Iconik behaves.
#[derive(Clone, Debug)]
pub struct SimulatorOptions {
    /// Where to listen; port 0 takes a free one. Default `127.0.0.1:0`.
    pub listen: SocketAddr,
    /// The `system_domain_id`. Default: the seed's, else [`DEFAULT_DOMAIN`].
    pub domain: Option<String>,
    /// Who may call, besides those in the seed. Where both name nobody, [`Credential::demo`] may.
    pub credentials: Vec<Credential>,
    /// The limit of each credential; `None` lifts it. Default: Iconik's own.
    pub rate_limit: Option<RateLimit>,
    /// How far lists and searches are behind what a single read shows, by the simulator's clock. How far
    /// they are at Iconik is not published; clients have seen from a second to a minute. Default 2 s.
    pub index_lag: Duration,
    /// How long a job takes that ends by itself, by the simulator's clock. Default 2 s.
    pub work_takes: Duration,
    /// The most objects of any page, where that is less than a list's own maximum; more is refused with 400.
    /// What Iconik allows is not published but for jobs. Default none.
    pub per_page_max: Option<usize>,
    /// Whether a path without its closing slash is answered with a redirect to the one that has it, instead
    /// of directly. Which of them Iconik does is unknown; default no.
    pub redirects_to_slash: bool,
    /// The folder into which every request with its answer and every event is written. Default none.
    pub record: Option<PathBuf>,
    /// What is there from the start.
    pub seed: Option<Seed>,
    /// How webhooks and buttons are delivered.
    pub delivery: DeliveryOptions,
    /// How many requests and how many deliveries are remembered; older ones are forgotten. Default 10,000.
    pub log_entries: usize,
    /// Whether every write that is carried out is kept for [`Simulator::writes`], however many; memory grows
    /// with them. Default no.
    ///
    /// [`Simulator::writes`]: super::Simulator::writes
    pub keep_writes: bool,
}

impl Default for SimulatorOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            domain: None,
            credentials: Vec::new(),
            rate_limit: Some(RateLimit::default()),
            index_lag: Duration::from_secs(2),
            work_takes: Duration::from_secs(2),
            record: None,
            per_page_max: None,
            redirects_to_slash: false,
            seed: None,
            delivery: DeliveryOptions::default(),
            log_entries: 10_000,
            keep_writes: false,
        }
    }
}

/// An application token: what a caller sends in `App-ID` and `Auth-Token`, and the user it acts as.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// The header `App-ID`. A real one is a UUID; here any text will do.
    pub app_id: String,
    /// The header `Auth-Token`.
    pub auth_token: Secret,
    /// The user that its changes are ascribed to: `user_id` of the events.
    pub user_id: String,
}

impl Credential {
    /// A token of the user.
    pub fn new(
        app_id: impl Into<String>,
        auth_token: impl Into<String>,
        user_id: impl Into<String>,
    ) -> Self {
        Self {
            app_id: app_id.into(),
            auth_token: Secret::new(auth_token),
            user_id: user_id.into(),
        }
    }

    /// `demo` and `demo`, acting as [`DEFAULT_USER`].
    pub fn demo() -> Self {
        Self::new("demo", "demo", DEFAULT_USER)
    }
}

/// How many requests a credential may make.
///
/// Iconik's documentation says "50 requests a second sustained, or 1000 over any 20 seconds". The second
/// is the first with room for bursts, so one sliding window holds both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// The most requests in any window. Default 1000.
    pub requests: usize,
    /// The window. Default 20 s.
    pub window: Duration,
    /// Whether a 429 says how long to wait. Whether Iconik does is unknown; default no.
    pub retry_after: bool,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            requests: 1000,
            window: Duration::from_secs(20),
            retry_after: false,
        }
    }
}

/// How webhooks and buttons are delivered. Only the ten seconds of a button are known; the rest is inferred.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeliveryOptions {
    /// How long a receiver may take to answer. Default 10 s.
    pub timeout: Duration,
    /// How often one event is tried before its webhook is `FAILING` and gets nothing more until somebody
    /// enables it again. Default 5.
    pub attempts: u32,
    /// The wait after the first failure; it doubles with every further one. Default 1 s.
    pub backoff: Duration,
    /// The most events waiting for one webhook; further ones are lost and logged as such. Default 10,000.
    pub queue: usize,
    /// The share of events, from 0 to 1, that are sent twice. Receivers must expect it; how often Iconik
    /// does is unknown. Default 0.
    pub duplicates: f64,
    /// How many events that wait for one webhook may be sent in another order, beyond the first. Default 0:
    /// the order of the changes.
    pub reorder: usize,
    /// Where the dice for the two begin. Default 0.
    pub seed: u64,
    /// Whether the `data` of an update hold only ids. Whether Iconik sends the whole document is unknown;
    /// default no.
    pub partial_data: bool,
    /// After which time a webhook that failed is `ENABLED` again by itself, at the next event that it would
    /// have had. Whether Iconik does that is unknown; default never.
    pub recovers_after: Option<Duration>,
    /// The header `User-Agent` of every call. What Iconik sends was not recorded; default none.
    pub user_agent: Option<&'static str>,
}

impl Default for DeliveryOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            attempts: 5,
            backoff: Duration::from_secs(1),
            queue: 10_000,
            duplicates: 0.0,
            reorder: 0,
            seed: 0,
            partial_data: false,
            recovers_after: None,
            user_agent: None,
        }
    }
}
