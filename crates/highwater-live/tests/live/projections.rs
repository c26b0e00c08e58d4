//! Projections that are followed: the newest state of each checkpoint.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures::StreamExt;
use highwater_core::{
    Advance, BoxError, CheckpointKey, CheckpointStore, Lease, Offset, Owner, ProjectionName,
    StreamName,
};
use highwater_live::{Access, Credentials, Identity, Live, LiveBuilder, LiveOptions, LiveSource};
use highwater_testkit::MemoryStore;
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::ServiceExt;

use crate::support::{PATIENCE, Served, Socket, append, serve_live, until};

const NAME: &str = "$projection:totals";

fn live(store: &MemoryStore) -> LiveBuilder {
    let interval = Duration::from_millis(20);
    let options = LiveOptions { projection_interval: interval, ..Default::default() };
    Live::builder(Arc::new(store.clone())).options(options).projections(Arc::new(store.clone()))
}

async fn serve() -> Served {
    let store = MemoryStore::new();
    let live = live(&store).build();
    serve_live(store, live).await
}

async fn lead(store: &MemoryStore, stream: &'static str) -> Lease {
    let source = StreamName::from_static(stream);
    let key = CheckpointKey::new(ProjectionName::from_static("totals"), source);
    let ttl = Duration::from_secs(600);
    let (lease, _) = store.acquire(&key, &Owner::new("test"), ttl).await.unwrap().unwrap();
    lease
}

async fn advance(store: &MemoryStore, lease: &Lease, from: Option<u64>, to: u64) {
    let (from, to) = (from.map(Offset::new), Some(Offset::new(to)));
    store.save(lease, &Advance::new(from, to, 1)).await.unwrap();
}

/// The next event of the projection.
async fn report(socket: &mut Socket) -> Value {
    let message = socket.message().await;
    assert_eq!(message["target"], "EventReceived", "{message}");
    assert_eq!(message["arguments"][0], NAME);
    let event = message["arguments"][1].clone();
    assert_eq!(event["eventType"], "ProjectionAdvanced");
    assert_eq!(event["streamName"], NAME);
    assert_eq!(event["offset"], event["data"]["checkpoint"]);
    assert_eq!(event["position"], -1);
    event["data"].clone()
}

#[tokio::test]
async fn a_projection_tells_its_state_at_once_and_then_each_change() {
    let served = serve().await;
    append(&served.store, "orders", 4).await;
    let mut socket = Socket::connect(served.address).await;
    // It never ran: there is nothing to tell yet.
    socket.subscribe(NAME, None).await;
    let lease = lead(&served.store, "orders").await;
    let first = report(&mut socket).await;
    assert_eq!((&first["checkpoint"], &first["lag"]), (&json!(-1), &json!(4)));
    assert_eq!(first["owner"], json!(lease.owner));
    advance(&served.store, &lease, None, 2).await;
    let second = report(&mut socket).await;
    assert_eq!((&second["checkpoint"], &second["lag"]), (&json!(2), &json!(1)));
    assert_eq!(second["percentComplete"], 75.0);
    append(&served.store, "orders", 1).await;
    assert_eq!(report(&mut socket).await["streamHead"], 4);
    served.store.record_error(&lease, "out of paper").await.unwrap();
    assert_eq!(report(&mut socket).await["lastError"], "out of paper");

    let mut late = Socket::connect(served.address).await;
    late.subscribe(NAME, Some(7)).await;
    let now = report(&mut late).await;
    assert_eq!((&now["checkpoint"], &now["lastError"]), (&json!(2), &json!("out of paper")));
    served.store.reset(&lease.key).await.unwrap();
    for socket in [&mut socket, &mut late] {
        assert_eq!(report(socket).await["checkpoint"], -1);
    }
}

#[tokio::test]
async fn each_source_of_a_projection_is_told_and_only_those_that_change() {
    let served = serve().await;
    let (orders, users) = (lead(&served.store, "orders").await, lead(&served.store, "users").await);
    let mut socket = Socket::connect(served.address).await;
    socket.subscribe(NAME, None).await;
    assert_eq!(report(&mut socket).await["streamName"], "orders");
    assert_eq!(report(&mut socket).await["streamName"], "users");
    advance(&served.store, &users, None, 0).await;
    assert_eq!(report(&mut socket).await["streamName"], "users");
    advance(&served.store, &orders, None, 0).await;
    assert_eq!(report(&mut socket).await["streamName"], "orders");
}

#[tokio::test]
async fn who_is_slow_gets_the_newest_state_and_unsubscribing_ends_it() {
    let served = serve().await;
    let lease = lead(&served.store, "orders").await;
    let mut socket = Socket::connect(served.address).await;
    socket.subscribe(NAME, None).await;
    report(&mut socket).await;
    advance(&served.store, &lease, None, 0).await;
    for offset in 1..500 {
        advance(&served.store, &lease, Some(offset - 1), offset).await;
    }
    let mut told = 0;
    while report(&mut socket).await["checkpoint"] != 499 {
        told += 1;
    }
    assert!(told < 499, "every state was told");
    socket.call("u", "UnsubscribeFromStream", json!([NAME])).await;
    assert_eq!(socket.message().await, json!({ "type": 3, "invocationId": "u" }));
    until("nobody follows", || served.live.gauges().subscriptions == 0).await;
    // Whoever comes after the watcher has stopped starts it again.
    tokio::time::sleep(Duration::from_millis(100)).await;
    socket.subscribe(NAME, None).await;
    assert_eq!(report(&mut socket).await["checkpoint"], 499);
}

#[tokio::test]
async fn nothing_is_told_of_a_projection_that_has_been_deleted() {
    let served = serve().await;
    let (orders, users) = (lead(&served.store, "orders").await, lead(&served.store, "users").await);
    advance(&served.store, &orders, None, 2).await;
    advance(&served.store, &users, None, 2).await;
    let mut early = Socket::connect(served.address).await;
    early.subscribe(NAME, None).await;
    report(&mut early).await;
    report(&mut early).await;
    for lease in [&orders, &users] {
        served.store.release(lease).await.unwrap();
        served.store.delete(&lease.key).await.unwrap();
    }
    // What follows another projection shows that the checkpoints have been looked at again.
    let other = CheckpointKey::new(ProjectionName::from_static("other"), orders.key.source.clone());
    served.store.acquire(&other, &Owner::new("test"), Duration::from_secs(600)).await.unwrap();
    early.subscribe("$projection:other", None).await;
    assert_eq!(early.message().await["arguments"][0], "$projection:other");
    let mut late = Socket::connect(served.address).await;
    late.subscribe(NAME, None).await;
    lead(&served.store, "orders").await;
    assert_eq!(report(&mut late).await["checkpoint"], -1, "what was deleted is told");
}

#[tokio::test]
async fn plain_server_sent_events_tell_of_projections_too() {
    let store = MemoryStore::new();
    let lease = lead(&store, "orders").await;
    advance(&store, &lease, None, 5).await;
    let live = live(&store).build();
    let uri = format!("/streams/{NAME}/events");
    let request = Request::get(&uri).header("last-event-id", "3").body(Body::empty()).unwrap();
    let response = live.router().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body().into_data_stream();
    let start = body.next().await.unwrap().unwrap();
    assert_eq!(start, "retry: 2000\n\n");
    let event = timeout(PATIENCE, body.next()).await.unwrap().unwrap().unwrap();
    assert!(event.starts_with(b"id: 5\ndata: {\"streamName\":\"$projection:totals\""), "{event:?}");
}

#[tokio::test]
async fn a_hub_without_checkpoints_has_no_projections() {
    let store = MemoryStore::new();
    let live = Live::new(Arc::new(store.clone()));
    let served = serve_live(store, live).await;
    let mut socket = Socket::connect(served.address).await;
    socket.call("1", "SubscribeToStream", json!([NAME])).await;
    assert_eq!(socket.message().await["target"], "Error");
    assert_eq!(socket.message().await["error"], "the server shows no projections");
    let request = Request::get(format!("/streams/{NAME}/events")).body(Body::empty()).unwrap();
    let response = served.live.router().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

/// Everybody may follow events, nobody a projection.
struct OnlyEvents;

#[async_trait]
impl Access for OnlyEvents {
    async fn identify(&self, _: &Credentials) -> Result<Option<Identity>, BoxError> {
        Ok(Some(Identity::new("anybody")))
    }

    async fn may_follow(&self, _: &Identity, source: &LiveSource) -> Result<bool, BoxError> {
        Ok(matches!(source, LiveSource::Events(_)))
    }
}

#[tokio::test]
async fn access_to_projections_is_asked_for_as_to_streams() {
    let store = MemoryStore::new();
    lead(&store, "orders").await;
    let live = live(&store).access(OnlyEvents).build();
    let served = serve_live(store, live).await;
    let mut socket = Socket::connect(served.address).await;
    socket.subscribe("orders", None).await;
    socket.call("1", "SubscribeToStream", json!([NAME])).await;
    assert_eq!(socket.message().await["target"], "Error");
    let denied = "not allowed to follow \"$projection:totals\"";
    assert_eq!(socket.message().await["error"], denied);
    let request = Request::get(format!("/streams/{NAME}/events")).body(Body::empty()).unwrap();
    let response = served.live.router().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}
