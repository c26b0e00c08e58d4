//! A server of a few routes, and connections to it that speak raw bytes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use futures::stream::{self, StreamExt};
use highwater_live::server::{Server, ServerOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// No step of any test takes longer, unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const MIB: usize = 1 << 20;

/// A server that is running.
pub(crate) struct Served {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) running: JoinHandle<()>,
    /// Lets `/later` answer.
    pub(crate) answers: watch::Sender<bool>,
}

pub(crate) async fn serve(options: ServerOptions) -> Served {
    let (answers, wanted) = watch::channel(false);
    let later = move || async move {
        let mut wanted = wanted.clone();
        wanted.wait_for(|is_wanted| *is_wanted).await.map(|_| "later").unwrap_or_default()
    };
    let large = || async { Body::from(vec![b'x'; 32 * MIB]) };
    // One part, a long silence, and another.
    let events = || async {
        let parts = stream::iter(["one\n", "two\n"]).enumerate().then(|(at, part)| async move {
            tokio::time::sleep(Duration::from_millis(600) * u32::try_from(at).unwrap()).await;
            Ok::<_, Infallible>(part)
        });
        Body::from_stream(parts)
    };
    let routes = Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route("/later", get(later))
        .route("/large", get(large))
        .route("/events", get(events))
        .route("/length", post(|body: Bytes| async move { body.len().to_string() }))
        .layer(DefaultBodyLimit::disable());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (server, stop) = (Server::new(options), CancellationToken::new());
    let (serving, stopped) = (server.clone(), stop.clone());
    let running = tokio::spawn(async move { serving.serve(listener, routes, stopped).await });
    Served { server, address, stop, running, answers }
}

impl Served {
    pub(crate) async fn connect(&self) -> TcpStream {
        // With a small buffer the server soon feels that a client does not read.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 << 10).unwrap();
        timeout(PATIENCE, socket.connect(self.address)).await.unwrap().unwrap()
    }

    /// A connection on which these bytes were sent.
    pub(crate) async fn sent(&self, bytes: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream
    }

    /// What comes back up to the end of the connection.
    pub(crate) async fn ask(&self, request: &str) -> String {
        rest(&mut self.sent(request).await).await
    }

    /// Asks for a greeting on a connection of its own, and gets it.
    pub(crate) async fn greet(&self) {
        let answer = self.ask(&closing("GET /hello")).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hello"), "{answer}");
    }
}

/// A request without a body, after which the connection ends.
pub(crate) fn closing(request: &str) -> String {
    format!("{request} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
}

/// A request whose body is announced.
pub(crate) fn posting(length: usize) -> String {
    format!(
        "POST /length HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n"
    )
}

/// Everything up to the end of the connection, also when that is a reset.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let reading = async {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            all.extend_from_slice(&buffer[..length]);
        }
    };
    timeout(PATIENCE, reading).await.expect("the connection ends");
    String::from_utf8(all).unwrap()
}

/// Waits until `holds`; fails when it never does.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(PATIENCE, waiting).await.is_ok(), "never: {what}");
}
