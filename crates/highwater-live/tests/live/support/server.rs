//! A store with events, and a hub of it that is served.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use highwater_core::{
    EventStore, EventStoreExt, EventType, Expected, NewEvent, Payload, StreamName,
};
use highwater_live::Live;
use highwater_testkit::MemoryStore;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// No step of any test takes longer, unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A store, a hub of it, and the address where it is served.
pub(crate) struct Served {
    pub(crate) store: MemoryStore,
    pub(crate) live: Live,
    pub(crate) address: SocketAddr,
}

impl Served {
    /// Sends a request as it stands on the wire; the answer up to the end of the connection.
    pub(crate) async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("the hub is served");
        stream.write_all(request.as_bytes()).await.expect("the request is taken");
        let mut answer = String::new();
        let reading = timeout(PATIENCE, stream.read_to_string(&mut answer)).await;
        reading.expect("the connection ends").expect("the answer is text");
        answer
    }

    /// Posts nothing with these headers.
    pub(crate) async fn post(&self, path: &str, headers: &str) -> String {
        let host = self.address;
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}content-length: 0\r\n\r\n"
        );
        self.raw(&request).await
    }
}

/// Serves a hub that `configure` may change.
pub(crate) async fn serve(configure: impl FnOnce(Live) -> Live) -> Served {
    let store = MemoryStore::new();
    let live = configure(Live::new(Arc::new(store.clone())));
    serve_live(store, live).await
}

/// Serves a hub.
pub(crate) async fn serve_live(store: MemoryStore, live: Live) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("the port is bound");
    let app = live.router().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    Served { store, live, address }
}

/// An event that carries its number.
pub(crate) fn event(number: u64) -> NewEvent {
    NewEvent::new(EventType::from_static("Numbered"), Payload::from(json!({ "n": number })))
}

/// Appends `count` events to a stream.
pub(crate) async fn append(store: &impl EventStore, stream: &str, count: u64) {
    for chunk in (0..count).collect::<Vec<_>>().chunks(1000) {
        let events = chunk.iter().map(|number| event(*number)).collect();
        let stream = StreamName::new(stream).expect("a valid name");
        store.append_to(stream, Expected::Any, events).await.expect("the store takes events");
    }
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
