//! A gateway with its two listeners.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::gateway::{Gateway, stopped};
use super::{Parts, StartError, foyer};
use crate::admin::{self, Access, Admin, Api};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::ingress::{self, Ingress};
use crate::sandbox::Layers;
use crate::telemetry::{Readiness, health_routes, install_metrics};

/// How often counted values are folded, so that they do not pile up between two scrapes.
const FOLD_EVERY: Duration = Duration::from_secs(10);

/// The whole product: built first, then run until stopped.
#[derive(Debug)]
pub struct App {
    gateway: Gateway,
    config: Config,
    clock: SharedClock,
    ingress: Arc<Ingress>,
    access: Access,
    draining: Arc<AtomicBool>,
    hooks: TcpListener,
    admin: TcpListener,
    hooks_addr: SocketAddr,
    admin_addr: SocketAddr,
}

impl App {
    /// Binds the listeners, then starts everything behind them.
    ///
    /// # Errors
    ///
    /// What is missing or taken, with the key to change.
    pub async fn build(config: Config, parts: &Parts) -> Result<Self, StartError> {
        // Before anything is counted.
        install_metrics();
        let (hooks, hooks_addr) = listen("server.listen", config.server.listen).await?;
        let (admin, admin_addr) = listen("server.admin_listen", config.server.admin_listen).await?;
        for warning in config.warnings() {
            tracing::warn!("{warning}");
        }
        let readiness = Readiness::new();
        let start = Gateway::start_saying(&config, parts, readiness.clone());
        let mut gateway =
            foyer::answer_during(start, [&hooks, &admin], &readiness, &config.limits).await?;
        show_fixed(&config, gateway.sandbox().report().layers);
        let draining = Arc::new(AtomicBool::new(false));
        let ingress = Ingress::new(
            &config.sources,
            gateway.store(),
            Arc::clone(&parts.clock),
            config.limits.clone(),
            Arc::clone(&draining),
        )?
        .with_sealing(gateway.sealing())
        .with_rules(gateway.rules())
        .with_trusted_proxies(config.server.trusted_proxies.clone());
        let ingress = Arc::new(ingress);
        let access = Access::new(&config.server.admin_tokens);
        gateway.watch_secrets(&config, &ingress, &access);
        Ok(Self {
            gateway,
            config,
            clock: Arc::clone(&parts.clock),
            ingress,
            access,
            draining,
            hooks,
            admin,
            hooks_addr,
            admin_addr,
        })
    }

    /// Where hooks are received.
    pub fn hooks_addr(&self) -> SocketAddr {
        self.hooks_addr
    }

    /// Where operators look.
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin_addr
    }

    /// What works behind the listeners.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Serves until `shutdown`; a message on `reload` loads the rules again. Then stops in order: refuse what
    /// is new, let open requests and runs come to a point, write everything out.
    pub async fn run(
        self,
        mut reload: tokio::sync::mpsc::Receiver<()>,
        shutdown: impl Future<Output = ()>,
    ) {
        let metrics = install_metrics();
        let (stopping, stopped_all) = (watch::Sender::new(false), watch::Sender::new(false));
        let readiness = self.gateway.readiness();
        let admin = Admin {
            readiness: readiness.clone(),
            metrics: metrics.clone(),
            store: self.gateway.store(),
            clock: Arc::clone(&self.clock),
            api: Api {
                store: self.gateway.store(),
                clock: Arc::clone(&self.clock),
                readiness: readiness.clone(),
            },
            access: self.access,
            metrics_for: self.config.server.metrics,
        };
        let admin = tokio::spawn(admin::serve(self.admin, admin, stopped(&stopped_all)));
        let aborting = ingress::aborting(self.gateway.store(), Arc::clone(&self.clock));
        let beside = health_routes(readiness.clone()).merge(aborting);
        let router = self.ingress.router(beside);
        let limits = self.config.limits.clone();
        let (drain, until) = (self.config.server.drain, stopped(&stopping));
        let hooks =
            tokio::spawn(
                async move { ingress::serve(self.hooks, router, &limits, drain, until).await },
            );
        tracing::info!(hooks = %self.hooks_addr, admin = %self.admin_addr, "ready to receive");
        tokio::pin!(shutdown);
        let mut fold = tokio::time::interval(FOLD_EVERY);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                _ = fold.tick() => metrics.fold(),
                Some(()) = reload.recv() => tokio::select! {
                    () = &mut shutdown => break,
                    loaded = self.gateway.reload_rules() => if let Err(error) = loaded {
                        tracing::error!(%error, "the rules were not reloaded: the active set stays");
                    },
                },
            }
        }
        tracing::info!("stopping: new events are refused, runs go on to their next step");
        self.gateway.begin_stop();
        self.draining.store(true, Ordering::Release);
        stopping.send_replace(true);
        match hooks.await {
            Ok(0) => {}
            Ok(cut) => tracing::warn!(
                connections = cut,
                "connections were cut at the end of the drain"
            ),
            Err(error) => tracing::error!(%error, "the public listener did not stop by itself"),
        }
        self.gateway.stop().await;
        // Last, so that operators can look on.
        stopped_all.send_replace(true);
        if let Ok(Err(error)) = admin.await {
            tracing::error!(%error, "the admin listener failed");
        }
        tracing::info!("stopped");
    }
}

/// Gauges that do not change while the gateway runs.
fn show_fixed(config: &Config, layers: Layers) {
    for (layer, stands) in [
        ("descriptors", layers.descriptors),
        ("address_space", layers.address_space),
        ("seccomp", layers.seccomp),
        ("landlock", layers.landlock),
    ] {
        metrics::gauge!("cuegate_sandbox_layer", "layer" => layer).set(if stands {
            1.0
        } else {
            0.0
        });
    }
    let rate = config.iconik.rate;
    for (window, requests) in [("second", rate.per_second), ("20_seconds", rate.per_20s)] {
        metrics::gauge!("cuegate_iconik_budget", "window" => window).set(f64::from(requests));
    }
}

async fn listen(
    key: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |e: std::io::Error| StartError::Listen {
        key,
        address,
        reason: e.to_string(),
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
