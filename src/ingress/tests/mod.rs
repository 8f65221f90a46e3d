//! The door as senders see it: bytes over a real socket, with a store that remembers and can be told to fail.

mod door;
mod listener;
mod senders;
mod start;
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::routing::get;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::JoinHandle;

use super::{Ingress, serve};
use crate::clock::ManualClock;
use crate::config::{Limits, Locator, Mapping, Source, Verify};
use crate::model::{Event, Secret};
use crate::store::{Accepted, Accepts, StoreError};

const SECRET: &str = "the-shared-secret";
const NOW: i64 = 1_614_265_330;
const DEADLINE: Duration = Duration::from_secs(20);

/// A store that remembers what it accepted.
#[derive(Debug)]
struct Memory {
    events: Mutex<Vec<Event>>,
    failure: Mutex<Option<StoreError>>,
    /// One permit for each event that may pass.
    gate: Semaphore,
    /// Told when an event has come to the gate.
    reached: Notify,
}

impl Memory {
    fn with_permits(permits: usize) -> Arc<Self> {
        Arc::new(Self {
            events: Mutex::default(),
            failure: Mutex::default(),
            gate: Semaphore::new(permits),
            reached: Notify::new(),
        })
    }

    fn open() -> Arc<Self> {
        Self::with_permits(1_000)
    }

    fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    fn fail(&self, error: StoreError) {
        *self.failure.lock().unwrap() = Some(error);
    }
}

#[async_trait]
impl Accepts for Memory {
    async fn accept(&self, batch: Vec<Event>) -> Result<Vec<Accepted>, StoreError> {
        self.reached.notify_one();
        self.gate.acquire().await.unwrap().forget();
        if let Some(error) = self.failure.lock().unwrap().clone() {
            return Err(error);
        }
        let mut events = self.events.lock().unwrap();
        let mut accepted = Vec::new();
        for event in batch {
            accepted.push(Accepted {
                id: event.id,
                duplicate: events.iter().any(|other| other.id == event.id),
            });
            events.push(event);
        }
        Ok(accepted)
    }
}

/// A listening gateway door on a port of its own.
struct Door {
    address: SocketAddr,
    store: Arc<Memory>,
    clock: Arc<ManualClock>,
    ingress: Arc<Ingress>,
    draining: Arc<AtomicBool>,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<usize>,
}

fn limits() -> Limits {
    Limits {
        body_bytes: 64 * 1024,
        header_bytes: 16 * 1024,
        connections: 64,
        request: Duration::from_secs(10),
        ..Limits::default()
    }
}

fn source(verify: Verify) -> Source {
    Source::new(verify, Duration::from_secs(86_400))
}

fn login() -> Verify {
    Verify::Basic {
        user: "iconik".to_owned(),
        passwords: ["newest", "the:older"].map(Secret::new).to_vec(),
    }
}

fn only_from(networks: &[&str]) -> Source {
    Source {
        allow_ips: networks.iter().map(|text| text.parse().unwrap()).collect(),
        ..source(static_secret(&[SECRET]))
    }
}

fn foreign() -> Source {
    let body = |pointer: &str| Locator::Body(pointer.to_owned());
    Source {
        event: Some(Mapping {
            kind: Locator::Header("x-event".to_owned()),
            object: Some(body("/resource/id")),
            id: Some(body("/delivery")),
        }),
        ..source(static_secret(&[SECRET]))
    }
}

fn static_secret(secrets: &[&str]) -> Verify {
    Verify::Header {
        header: "x-cuegate-secret".to_owned(),
        secrets: secrets.iter().copied().map(Secret::new).collect(),
    }
}

/// `iconik` with a static secret, `standard` with signed messages, `open` for everybody, `login` with two passwords;
/// `near` and `far` with a static secret for some addresses only, `foreign` with its own words for things.
fn sources() -> BTreeMap<String, Source> {
    let standard = Verify::StandardWebhooks {
        secrets: vec![Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
        tolerance: Duration::from_secs(300),
    };
    BTreeMap::from([
        (
            "iconik".to_owned(),
            source(static_secret(&["newest", SECRET])),
        ),
        ("standard".to_owned(), source(standard)),
        ("open".to_owned(), source(Verify::None)),
        ("login".to_owned(), source(login())),
        ("near".to_owned(), only_from(&["127.0.0.0/8", "::1/128"])),
        ("far".to_owned(), only_from(&["192.0.2.0/24"])),
        ("foreign".to_owned(), foreign()),
    ])
}

impl Door {
    async fn open() -> Self {
        Self::with(Memory::open(), limits(), Duration::from_secs(10)).await
    }

    async fn with(store: Arc<Memory>, limits: Limits, drain: Duration) -> Self {
        Self::at("127.0.0.1:0", &[], store, limits, drain).await
    }

    /// At an address, behind reverse proxies.
    async fn behind(address: &str, proxies: &[&str]) -> Self {
        let drain = Duration::from_secs(10);
        Self::at(address, proxies, Memory::open(), limits(), drain).await
    }

    async fn at(
        address: &str,
        proxies: &[&str],
        store: Arc<Memory>,
        limits: Limits,
        drain: Duration,
    ) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_second(NOW).unwrap()));
        let draining = Arc::new(AtomicBool::new(false));
        let ingress = Ingress::new(
            &sources(),
            Arc::clone(&store) as Arc<dyn Accepts>,
            Arc::clone(&clock) as _,
            limits.clone(),
            Arc::clone(&draining),
        )
        .expect("sources that can be used")
        .with_trusted_proxies(proxies.iter().map(|text| text.parse().unwrap()).collect());
        let ingress = Arc::new(ingress);
        let beside = Router::new()
            .route("/healthz", get(async || "fine"))
            .route("/panic", get(panics));
        let router = ingress.router(beside);
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(async move {
            let stopped = async move { drop(stopped.await) };
            serve(listener, router, &limits, drain, stopped).await
        });
        Self {
            address,
            store,
            clock,
            ingress,
            draining,
            stop: Some(stop),
            served,
        }
    }

    fn stop(&mut self) {
        self.stop.take().expect("stopped once").send(()).unwrap();
    }

    fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}

async fn panics() -> &'static str {
    panic!("a handler that is broken")
}
