//! What holds when nobody says anything: a gateway that keeps its data in `data/` and speaks to Iconik's
//! public address, with the admin listener on loopback. `example.toml` shows the same values to people, and
//! a test compares the two.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::{Circle, Iconik, Limits, MetricsFor, Rate, Retention, Rules, Sandbox, Server, Store};
use crate::model::Secret;

/// How long a repeated delivery is known as one, unless the source says otherwise.
pub(super) const DEDUP_WINDOW: Duration = Duration::from_secs(24 * 3_600);

/// How far a signed time may be from ours: what the Standard Webhooks libraries allow.
pub(super) const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// The largest answer of another system: what one step of a journal may hold.
pub(super) const EGRESS_ANSWER_BYTES: u64 = 1 << 20;

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)),
            admin_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)),
            public_url: None,
            trusted_proxies: Vec::new(),
            drain: Duration::from_secs(50),
            admin_tokens: Vec::new(),
            admin_tokens_file: None,
            metrics: MetricsFor::Token,
            seal_key: None,
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self {
            path: "data/cuegate.db".into(),
            retention: Retention::default(),
            allow_network_fs: false,
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        let ninety_days = Duration::from_secs(90 * 24 * 3_600);
        Self {
            events: ninety_days,
            journals: ninety_days,
            max_size: 20_000_000_000,
            min_free: 1_000_000_000,
        }
    }
}

impl Default for Iconik {
    /// Without credentials: see [`super::Config::require_credentials`].
    fn default() -> Self {
        Self {
            base_url: "https://app.iconik.io/API".to_owned(),
            domain: None,
            app_id: String::new(),
            app_id_file: None,
            auth_token: Secret::new(""),
            auth_token_file: None,
            oauth: None,
            rate: Rate::default(),
            timeout: Duration::from_secs(30),
            index_lag: Duration::from_secs(90),
            job_poll: Duration::from_secs(5),
            instance: None,
            skip_own: false,
            webhook_check: Duration::from_secs(600),
        }
    }
}

impl Default for Rate {
    /// A little below what Iconik allows, because people use the same account.
    fn default() -> Self {
        Self {
            per_second: 45,
            per_20s: 900,
        }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            dir: "rules".into(),
        }
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self {
            workers: 2,
            memory_bytes: 128 << 20,
            cpu: Duration::from_secs(2),
            wall: Duration::from_secs(20),
            operations: 100_000,
            string_bytes: 16 << 10,
            elements: 2_000,
            source_bytes: 32 << 10,
            compile: Duration::from_secs(1),
            log_bytes: 64 << 10,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            header_bytes: 32 << 10,
            connections: 1_024,
            request: Duration::from_secs(10),
            circle: Circle::default(),
        }
    }
}

impl Default for Circle {
    fn default() -> Self {
        Self {
            runs: 10,
            within: Duration::from_secs(600),
        }
    }
}
