//! An Iconik in memory, over HTTP: for tests, for the demo, and for people who write rules.
//!
//! It is stateful rather than a set of canned answers, because what must be shown is what a rule *did*: the
//! asset in the trash, the field with its new value, the event that the write caused. It knows nothing of
//! any client. One file is one family of the API; an operation is a plain function on the world that says
//! what changed, and `operation` alone turns changes into events. What public material leaves open is
//! marked "inferred" where it is decided.

mod acl_templates;
mod acls;
mod approvals;
mod assets;
mod auth;
mod automations;
mod bulk_edit;
mod categories;
mod collection_tree;
mod collections;
mod contents;
mod cursor;
mod custom_actions;
mod delete_queue;
mod delivery;
mod door;
mod exports;
mod favourites;
mod files;
mod groups;
mod history;
mod index;
mod job_steps;
mod jobs;
mod logs;
mod media;
mod metadata;
mod notifications;
mod oauth;
mod operation;
mod options;
mod paging;
mod playlists;
mod portrait;
mod rate;
mod reading;
mod recorder;
mod records;
mod refusal;
mod reindexing;
mod relations;
mod resource;
mod routes;
mod saved_searches;
mod scroll;
mod search;
mod seed;
mod segment_texts;
mod segments;
mod server;
mod settings;
mod shape;
mod shares;
mod shelf;
mod storages;
mod sync_sessions;
mod table;
mod times;
mod tokens;
mod transcoding;
mod transcriptions;
mod transfers;
mod trouble;
mod users;
mod versions;
mod webhook_query;
mod webhooks;
mod works;
mod world;
mod world_page;
mod writes;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

pub use options::{
    Credential, DEFAULT_DOMAIN, DEFAULT_USER, DeliveryOptions, RateLimit, SimulatorOptions,
};
pub use reading::WorldReader;
pub use records::{Delivery, ReceivedRequest};
pub use seed::{Seed, SeedError};
pub use trouble::{Hold, HoldPoint, Matching, RandomTrouble, Trouble, WrittenFault};
pub use writes::Write;

use crate::clock::SharedClock;
use crate::model::Method;
use delivery::Courier;
use door::Door;
use rate::Windows;
use recorder::Recorder;
use records::Records;
use trouble::Troubles;
use world::World;
use writes::Writes;

/// What operations share.
#[derive(Debug)]
struct Site {
    world: Arc<Mutex<World>>,
    courier: Courier,
    writes: Writes,
}

type Shared = Arc<Site>;

impl Site {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the work that is due, and tells the webhooks what it brought about.
    fn let_time_pass(&self, now: Timestamp) {
        let mut world = self.world();
        for (caller, changes) in works::let_time_pass(&mut world, now) {
            self.courier.publish(&world, &caller, changes);
        }
    }
}

/// A running simulator. Dropped without [`Simulator::stop`], it ends in the background.
#[derive(Debug)]
pub struct Simulator {
    addr: SocketAddr,
    site: Shared,
    records: Arc<Records>,
    troubles: Arc<Troubles>,
    turns: server::Turns,
    stopping: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl Simulator {
    /// Plants the seed and listens.
    ///
    /// # Errors
    ///
    /// When the address cannot be had, or the seed holds something that Iconik would refuse
    /// ([`io::ErrorKind::InvalidData`], with a [`SeedError`] inside).
    pub async fn start(options: SimulatorOptions, clock: SharedClock) -> io::Result<Self> {
        let (world, credentials) = seed::planted(&options, clock.now())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let listener = TcpListener::bind(options.listen).await?;
        let addr = listener.local_addr()?;
        // Whoever came first has chosen; any provider will do.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let world = Arc::new(Mutex::new(world));
        let records = Arc::new(Records::new(options.log_entries));
        let troubles = Arc::<Troubles>::default();
        for fault in options.seed.iter().flat_map(|seed| &seed.faults) {
            troubles.add_fault(fault.matching.clone(), fault.times, fault.trouble.clone());
        }
        let recorder = options.record.as_deref().map(Recorder::into_folder);
        let recorder = recorder.transpose()?.map(Arc::new);
        let courier = Courier::new(
            Arc::clone(&world),
            Arc::clone(&records),
            Arc::clone(&clock),
            options.delivery,
            recorder.clone(),
        )
        .map_err(io::Error::other)?;
        let site = Arc::new(Site {
            world,
            courier,
            writes: Writes::new(options.keep_writes),
        });
        let door = Door {
            router: door::routes().router(Arc::clone(&site)),
            site: Arc::clone(&site),
            recorder,
            credentials,
            windows: Windows::new(options.rate_limit),
            per_page_max: options.per_page_max,
            redirects_to_slash: options.redirects_to_slash,
            troubles: Arc::clone(&troubles),
            records: Arc::clone(&records),
            clock: Arc::clone(&clock),
        };
        let (stopping, stop) = watch::channel(false);
        let looking = works::look_after(Arc::downgrade(&site), Arc::clone(&clock), stop.clone());
        tokio::spawn(looking);
        let (turns, turned) = mpsc::channel(1);
        let server = tokio::spawn(server::serve(listener, Arc::new(door), turned, stop));
        Ok(Self {
            addr,
            site,
            records,
            troubles,
            turns,
            stopping,
            server,
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base URL of a client: `http://127.0.0.1:4711/API`.
    pub fn base_url(&self) -> String {
        format!("http://{}/API", self.addr)
    }

    /// Every operation that it knows, by method and path: the path below `/API/`, with `{names}` for ids.
    pub fn operations() -> Vec<(Method, String)> {
        door::routes().listed()
    }

    /// What Iconik holds.
    pub fn world(&self) -> WorldReader<'_> {
        WorldReader { site: &self.site }
    }

    /// Every request that came in, oldest first, as far as the log reaches.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.records.requests()
    }

    /// Every write that was carried out, in the order of their effects, whether its answer was lost or not;
    /// none unless [`SimulatorOptions::keep_writes`] is set.
    pub fn writes(&self) -> Vec<Write> {
        self.writes_after(0)
    }

    /// The same without the first `seen`.
    pub fn writes_after(&self, seen: usize) -> Vec<Write> {
        self.site.writes.after(seen)
    }

    /// How many writes are kept.
    pub fn write_count(&self) -> usize {
        self.site.writes.count()
    }

    /// Every attempt to deliver an event, oldest first, as far as the log reaches.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.records.deliveries()
    }

    /// How many events are on their way to a webhook, the retried included.
    pub fn undelivered(&self) -> usize {
        self.records.undelivered()
    }

    /// Holds every request that matches, before or after it is carried out, until the hold ends.
    pub fn hold(&self, matching: Matching, point: HoldPoint) -> Hold {
        self.troubles.hold(matching, point)
    }

    /// Gives trouble to the next `times` requests that match.
    pub fn fault(&self, matching: Matching, times: u32, trouble: Trouble) {
        self.troubles.add_fault(matching, times, trouble);
    }

    /// Lets requests meet trouble at random from now on, instead of any earlier random trouble.
    pub fn trouble_at_random(&self, trouble: RandomTrouble) {
        self.troubles.set_random(Some(trouble));
    }

    /// Ends the trouble at random. What was lost or slowed down already stays so.
    pub fn end_random_trouble(&self) {
        self.troubles.set_random(None);
    }

    /// How often each kind of random trouble has struck since it was set, by the name of its share.
    pub fn struck_at_random(&self) -> BTreeMap<&'static str, u64> {
        self.troubles.struck_at_random()
    }

    /// Refuses connections from now on and ends those that are open, answered or not, until
    /// [`Simulator::accept_connections`]. Deliveries go on.
    ///
    /// # Errors
    ///
    /// When the port cannot be kept for later. Then the simulator is unreachable for good.
    pub async fn refuse_connections(&self) -> io::Result<()> {
        self.turn_port(server::Turn::Shut).await
    }

    /// Accepts connections again, on the same port.
    ///
    /// # Errors
    ///
    /// When the system does not let it listen.
    pub async fn accept_connections(&self) -> io::Result<()> {
        self.turn_port(server::Turn::Open).await
    }

    async fn turn_port(&self, turn: server::Turn) -> io::Result<()> {
        let (done, outcome) = oneshot::channel();
        let gone = || io::Error::other("the simulator has stopped");
        let turned = self.turns.send((turn, done)).await;
        turned.map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }

    /// Waits until `look` finds what it looks for. It looks again after every request, held request and
    /// delivery. Set a deadline around it.
    pub async fn until<T>(&self, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let mut happened = self.records.watch();
        loop {
            happened.mark_unchanged();
            if let Some(found) = look(self) {
                return found;
            }
            happened
                .changed()
                .await
                .expect("this simulator owns the sending side");
        }
    }

    /// Stops listening, ends every connection and every delivery, answered or not.
    pub async fn stop(mut self) {
        self.stopping.send_replace(true);
        // Only a panic or an abort could be reported here, and then it is over as well.
        (&mut self.server).await.ok();
        self.site.courier.stop().await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stopping.send_replace(true);
    }
}
