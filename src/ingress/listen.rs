//! The public listener, which anybody on the internet may connect to.
//!
//! It has its own accept loop because each of its bounds is about connections, not requests: how many there
//! are, how large and how slow a request's head may be, and how long a stop waits. Beyond the most
//! connections it stops accepting, so that the kernel's queue, not our memory, holds the crowd. A panic ends
//! one connection.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::header::CONNECTION;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tower::util::{MapRequest, MapResponse};

use crate::config::Limits;

use super::linger::Lingering;
use super::sender::Peer;

/// The smallest limit of a request's head that the HTTP parser can keep to, in bytes.
const HEADER_BYTES_LEAST: usize = 8 * 1024;

/// How long to wait when the system has no more descriptors or memory for a connection.
const AFTER_ACCEPT_FAILED: Duration = Duration::from_millis(500);

/// Serves until `shutdown` is done, and then for up to `drain` whoever is being served.
///
/// When it stops it accepts nothing more and closes idle connections at once. Returns how many connections
/// were cut off because they had not finished by the end of the drain.
///
/// A request's head must arrive within `limits.request`, and so must the next one on a kept connection; a
/// head is at most `limits.header_bytes` (at least 8 KiB) long.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: &Limits,
    drain: Duration,
    shutdown: impl Future<Output = ()>,
) -> usize {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.request)
        .max_buf_size(limits.header_bytes.max(HEADER_BYTES_LEAST));
    let (stop, stopping) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(ended) = connections.join_next() => note_panic(ended),
            (stream, peer) = accept(&listener), if connections.len() < limits.connections => {
                connections.spawn(hold(http.clone(), stream, peer, router.clone(), stopping.clone()));
            }
        }
    }
    drop(listener);
    drop(stop);
    let all = async {
        while let Some(ended) = connections.join_next().await {
            note_panic(ended);
        }
    };
    if timeout(drain, all).await.is_ok() {
        return 0;
    }
    let unfinished = connections.len();
    connections.shutdown().await;
    tracing::warn!(
        unfinished,
        "connections were cut off at the end of the drain"
    );
    unfinished
}

/// The next connection. Trouble of one peer is passed over; trouble of this machine is waited out.
async fn accept(listener: &TcpListener) -> (TcpStream, Peer) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, Peer(peer.ip())),
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted; is the limit of open files too low?");
                sleep(AFTER_ACCEPT_FAILED).await;
            }
        }
    }
}

fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

/// Serves one connection to its end; when the listener stops, to the end of the request that is open. An answer
/// that says `connection: close` came before the end of its request.
async fn hold(
    http: http1::Builder,
    stream: TcpStream,
    peer: Peer,
    router: Router,
    mut stopping: watch::Receiver<()>,
) {
    // Answers are small and whole: waiting to fill a packet only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection kept its delay");
    }
    let closing = Arc::new(AtomicBool::new(false));
    let stream = Lingering::new(stream, Arc::clone(&closing));
    let service = MapRequest::new(router, move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request
    });
    let service = MapResponse::new(service, move |response: Response| {
        if response.headers().contains_key(CONNECTION) {
            closing.store(true, Ordering::Relaxed);
        }
        response
    });
    let mut connection =
        pin!(http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        // Nothing is ever sent: the sender is dropped when the listener stops.
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn note_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a handler panicked; its connection was closed");
    }
}
