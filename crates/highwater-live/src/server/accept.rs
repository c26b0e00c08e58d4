//! The server: takes connections in, and survives when it cannot.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::activity::Activity;
use super::bodies::Bodies;
use super::connection;
use super::connections::{Connections, Place};
use super::open_files;
use super::options::{ServerGauges, ServerOptions};
use super::request::Answerer;
use super::socket::Socket;
use super::warnings::Warning;

/// Time that the server waits when it cannot take a connection in.
const PAUSE: Duration = Duration::from_millis(20);

/// What somebody gets who comes when every connection is busy.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n\
                      connection: close\r\ncontent-length: 0\r\n\r\n";

/// An HTTP server; cloning shares what it counts.
#[derive(Debug, Clone)]
pub struct Server {
    options: Arc<ServerOptions>,
    connections: Arc<Connections>,
    bodies: Arc<Bodies>,
}

impl Server {
    /// A server that treats its clients as `options` say.
    #[must_use]
    pub fn new(options: ServerOptions) -> Self {
        let total = options.connections.min(open_files::room()).max(1);
        let share = options.connections_per_address.min((total / 4 * 3).max(1));
        let connections = Connections::new(total, share);
        let bodies = Bodies::new(options.bodies_bytes);
        Self { options: Arc::new(options), connections, bodies }
    }

    /// Returns what the server holds now.
    #[must_use]
    pub fn gauges(&self) -> ServerGauges {
        let (connections, waiting_connections) = self.connections.count();
        ServerGauges { connections, waiting_connections, body_bytes: self.bodies.bytes() }
    }

    /// Serves `routes` until a stop is asked for, and the requests that are under way then have
    /// been answered or given up; dropped, it closes every connection at once.
    ///
    /// WebSockets go on until their other end or their hub closes them: send live clients
    /// elsewhere first, see [`Live::drain`](crate::live::Live::drain).
    pub async fn serve(&self, listener: TcpListener, routes: Router, stop: CancellationToken) {
        let mut running = JoinSet::new();
        let (mut failed, mut full) = (Warning::default(), Warning::default());
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = running.join_next() => {
                    report(ended);
                    continue;
                }
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => match self.connections.enter(peer.ip()) {
                    Some(place) => self.begin(&mut running, (stream, peer), place, &routes, &stop),
                    None => refuse(&stream, &mut full),
                },
                Err(error) => self.survive(&error, &mut failed).await,
            }
        }
        drop(listener);
        let ended = async { while running.join_next().await.map(report).is_some() {} };
        if timeout(self.options.drain_timeout, ended).await.is_err() {
            tracing::warn!("{} connections did not end in time and are dropped", running.len());
        }
    }

    fn begin(
        &self,
        running: &mut JoinSet<()>,
        (stream, peer): (TcpStream, SocketAddr),
        place: Place,
        routes: &Router,
        stop: &CancellationToken,
    ) {
        // Without it the client has gone already.
        let Ok(local) = stream.local_addr() else { return };
        let options = Arc::clone(&self.options);
        let activity = Activity::new(place, options.header_timeout, options.idle_timeout);
        let socket = Socket::new(stream, activity.clone(), options.stall_timeout);
        let answerer = Answerer {
            routes: routes.clone(),
            options: Arc::clone(&options),
            bodies: Arc::clone(&self.bodies),
            activity,
            peer,
            local,
        };
        running.spawn(connection::serve(socket, answerer, options, stop.clone()));
    }

    /// A failure to take a connection in: of that connection alone, or for want of files or
    /// memory, when one that is only waited for is closed.
    async fn survive(&self, error: &io::Error, failed: &mut Warning) {
        if is_of_one_connection(error) {
            return;
        }
        if let Some(times) = failed.due() {
            let open = self.connections.count().0;
            tracing::error!(times, open, "connections cannot be taken in: {error}");
        }
        self.connections.evict();
        sleep(PAUSE).await;
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

fn refuse(stream: &TcpStream, full: &mut Warning) {
    if let Some(times) = full.due() {
        tracing::warn!(times, "connections are refused, all are busy");
    }
    // A fresh socket has room for it, and who has gone does not miss it.
    if let Err(error) = stream.try_write(FULL) {
        tracing::trace!("a refusal was not sent: {error}");
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a request has panicked, its connection is closed");
    }
}
