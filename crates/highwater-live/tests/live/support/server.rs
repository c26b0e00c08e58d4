//! A store with events, and a hub of it that is served.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use highwater_core::{
    EventStore, EventStoreExt, EventType, Expected, NewEvent, Payload, StreamName,
};
use highwater_live::{Live, LiveBuilder};
use highwater_testkit::MemoryStore;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::timeout;

/// No step of any test takes longer, unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A store, a hub of it, and the address where it is served.
pub(crate) struct Served {
    pub(crate) store: MemoryStore,
    pub(crate) live: Live,
    pub(crate) address: SocketAddr,
}

/// Serves a hub that `configure` may change.
pub(crate) async fn serve(configure: impl FnOnce(LiveBuilder) -> LiveBuilder) -> Served {
    let store = MemoryStore::new();
    let live = configure(Live::builder(Arc::new(store.clone()))).build();
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
