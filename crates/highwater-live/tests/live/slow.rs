//! Clients and stores that take their time.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use highwater_core::{EventStoreExt, EventType, Expected, NewEvent, Payload, StreamName};
use highwater_live::{Live, LiveOptions};
use highwater_testkit::MemoryStore;
use serde_json::json;
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

use crate::support::{
    Client, HANDSHAKE, Pipes, Reads, Rigged, Socket, append, call, framed, offset_of, slowed, until,
};

/// Events of 800 KB.
async fn append_long(store: &MemoryStore, count: usize) {
    for _ in 0..count {
        let long = Payload::from(json!("x".repeat(800_000)));
        let long = NewEvent::new(EventType::from_static("Long"), long);
        let stream = StreamName::from_static("a");
        store.append_to(stream, Expected::Any, vec![long]).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_it_is_alive_is_believed_while_it_takes_a_long_message() {
    let store = MemoryStore::new();
    append_long(&store, 1).await;
    let options = LiveOptions { client_timeout: Duration::from_secs(10), ..Default::default() };
    let live = Live::builder(Arc::new(store.clone())).options(options).build();
    let mut socket = Pipes::to(&live).connect().await;
    socket.send(&json!({ "type": 6 })).await;
    socket.subscribe("a", Some(0)).await;
    for _ in 0..8 {
        sleep(Duration::from_secs(3)).await;
        socket.send(&json!({ "type": 6 })).await;
    }
    assert_eq!(offset_of(&socket.message().await, "a"), 0);
    append(&store, "a", 1).await;
    assert_eq!(offset_of(&socket.message().await, "a"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_it_is_alive_is_believed_while_its_call_takes_long() {
    let store = MemoryStore::new();
    append(&store, "a", 1).await;
    let rigged = Rigged::new(&store);
    let live = Live::new(Arc::new(rigged.clone()));
    let mut socket = Pipes::to(&live).connect().await;
    rigged.reads(Reads::Wait);
    socket.send(&json!({ "type": 6 })).await;
    socket.call("1", "SubscribeToStream", json!(["a", 0])).await;
    for _ in 0..20 {
        socket.send(&json!({ "type": 6 })).await;
        sleep(Duration::from_secs(5)).await;
    }
    rigged.reads(Reads::Work);
    assert_eq!(socket.message().await["target"], "SubscriptionConfirmed");
    assert_eq!(socket.message().await["type"], 3);
    assert_eq!(offset_of(&socket.message().await, "a"), 0);
}

#[tokio::test(start_paused = true)]
async fn long_events_arrive_over_a_slow_line() {
    let store = MemoryStore::new();
    append_long(&store, 5).await;
    let live = Live::new(Arc::new(store));
    // An event takes a minute, twice as long as a client may take nothing at all.
    let line = slowed(Pipes::to(&live).open(), 4_000, Duration::from_millis(300));
    let mut socket = Socket::over(line, "hub", "").await.unwrap();
    socket.patience = Duration::from_secs(600);
    socket.shake_hands().await;
    socket.subscribe("a", Some(0)).await;
    for offset in 0..5 {
        assert_eq!(offset_of(&socket.message().await, "a"), offset);
    }
}

#[tokio::test(start_paused = true)]
async fn draining_does_not_wait_for_who_reads_nothing() {
    let subscribe = framed(&call("1", "SubscribeToStream", &json!(["a", 0])));
    for transport in ["WebSockets", "ServerSentEvents", "EventSource"] {
        let store = MemoryStore::new();
        append_long(&store, 10).await;
        let live = Live::new(Arc::new(store));
        let pipes = Pipes::to(&live);
        let (mut socket, mut response) = (None, None);
        match transport {
            "WebSockets" => {
                let mut stuck = pipes.connect().await;
                stuck.send_text(&subscribe).await;
                socket = Some(stuck);
            }
            "ServerSentEvents" => {
                let client = Client::negotiate(&live).await;
                response = Some(client.request(Method::GET, "text/event-stream", "").await);
                client.post(HANDSHAKE).await;
                client.post(subscribe.clone()).await;
            }
            _ => {
                let request = Request::get("/streams/a/events?from=0").body(Body::empty());
                response = Some(live.router().oneshot(request.unwrap()).await.unwrap());
            }
        }
        until("events wait", || live.gauges().buffered_bytes > 0).await;
        sleep(Duration::from_secs(1)).await;
        let drained = timeout(Duration::from_secs(15), live.drain()).await;
        assert!(drained.is_ok(), "{transport} is still there");
        drop((socket, response));
    }
}
