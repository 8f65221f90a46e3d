//! The listener. It drives hyper itself, because only so can a connection be cut without an answer, which
//! a service framework never does on purpose.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::door::Door;

/// The most connections at a time; further ones wait in the system's backlog.
const CONNECTIONS_MAX: usize = 1024;

/// How many connections wait in the system's backlog.
const BACKLOG: u32 = 1024;

/// How long to wait when the system gives no connection, most likely for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What is to become of the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It accepts connections.
    Open,
    /// It refuses them.
    Shut,
}

/// Where the port is turned; the answer says when that is done.
pub(super) type Turns = mpsc::Sender<(Turn, oneshot::Sender<io::Result<()>>)>;

/// The port.
#[derive(Debug)]
enum Port {
    Open(TcpListener),
    /// Bound but not listening: nobody else gets the port, and whoever connects is refused.
    Shut(TcpSocket),
    /// It could not be kept.
    Lost,
}

/// Serves until told to stop, then ends every connection, answered or not.
pub(super) async fn serve(
    listener: TcpListener,
    door: Arc<Door>,
    mut turns: mpsc::Receiver<(Turn, oneshot::Sender<io::Result<()>>)>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let mut port = Port::Open(listener);
    loop {
        tokio::select! {
            () = told(&mut stop) => break,
            Some((turn, done)) = turns.recv() => {
                if turn == Turn::Shut {
                    connections.shutdown().await;
                }
                let turned;
                (port, turned) = port.turned(turn);
                // Whoever asked may have gone away.
                done.send(turned).ok();
            }
            Some(_) = connections.join_next() => {}
            accepted = port.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok(stream) => {
                    connections.spawn(converse(stream, Arc::clone(&door)));
                }
                Err(error) => {
                    warn!(%error, "the simulator could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(port);
    connections.shutdown().await;
}

impl Port {
    async fn accept(&self) -> io::Result<TcpStream> {
        match self {
            Self::Open(listener) => listener.accept().await.map(|(stream, _)| stream),
            Self::Shut(_) | Self::Lost => pending().await,
        }
    }

    fn turned(self, turn: Turn) -> (Self, io::Result<()>) {
        let turned = match (self, turn) {
            (Self::Open(listener), Turn::Shut) => {
                let addr = listener.local_addr();
                drop(listener);
                addr.and_then(bound).map(Self::Shut)
            }
            (Self::Shut(socket), Turn::Open) => socket.listen(BACKLOG).map(Self::Open),
            (Self::Lost, _) => Err(io::Error::other("the port was lost before")),
            (port, _) => Ok(port),
        };
        match turned {
            Ok(port) => (port, Ok(())),
            Err(error) => (Self::Lost, Err(error)),
        }
    }
}

/// A socket that holds the address without listening on it.
fn bound(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match addr {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Connections of a moment ago linger on the same address.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

/// A lost sender counts as being told.
async fn told(stop: &mut watch::Receiver<bool>) {
    stop.wait_for(|stop| *stop).await.ok();
}

async fn converse(stream: TcpStream, door: Arc<Door>) {
    stream.set_nodelay(true).ok();
    let service = service_fn(move |request: Request<Incoming>| {
        let door = Arc::clone(&door);
        async move { door.answer(request).await }
    });
    let ended = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = ended {
        debug!(%error, "a connection to the simulator ended early");
    }
}
