//! What every client has to get through.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use highwater_live::{Live, LiveOptions};
use highwater_testkit::MemoryStore;
use serde_json::json;

use crate::client::{Client, Kind, Library};
use crate::proxy::Proxy;
use crate::server::{append, serve, serve_live, until};

fn url(address: std::net::SocketAddr) -> String {
    format!("http://{address}/hubs/events")
}

/// Subscriptions from every kind of offset, calls, wrong calls, streams of items, stop.
pub(crate) async fn subscribes_and_calls(kind: Kind) {
    let served = serve(|live| live).await;
    append(&served.store, "orders-1", 5).await;
    let mut client = Client::start(kind, &url(served.address)).await;
    client.subscribe(&json!(["orders-1", 0])).await;
    client.events("orders-1", 0..5).await;
    client.subscribe(&json!(["orders-1", 3])).await;
    client.events("orders-1", 3..5).await;
    for arguments in [json!(["second"]), json!(["third", null]), json!(["orders-2", 0])] {
        client.subscribe(&arguments).await;
        let stream = arguments[0].as_str().unwrap();
        append(&served.store, stream, 3).await;
        client.events(stream, 0..3).await;
    }
    assert_eq!(client.invoke("UnsubscribeFromStream", &json!(["second"])).await, None);
    append(&served.store, "second", 2).await;
    append(&served.store, "third", 1).await;
    client.events("third", 3..4).await;
    let unknown = client.invoke("Nope", &json!([])).await;
    assert!(unknown.unwrap().contains("Unknown hub method 'Nope'"));
    let wrong = client.invoke("SubscribeToStream", &json!([{}])).await;
    assert!(wrong.unwrap().contains("takes a stream name"));
    client.tell("send", "SubscribeToStream", &json!(["sent", 0])).await;
    append(&served.store, "sent", 2).await;
    client.events("sent", 0..2).await;
    items(&mut client, &served.store).await;
    if kind.library == Library::JavaScript {
        client.tell("cancel", "", &json!([])).await;
    }
    append(&served.store, "third", 1).await;
    client.events("third", 4..5).await;
    client.tell("stop", "", &json!([])).await;
    until("the connection is gone", || served.live.gauges().connections == 0).await;
}

async fn items(client: &mut Client, store: &MemoryStore) {
    client.tell("stream", "StreamEvents", &json!(["items", 0])).await;
    let mut offset = 0;
    while offset < 3 {
        let told = client.next().await;
        match told["is"].as_str() {
            Some("streaming") => append(store, "items", 3).await,
            Some("item") => {
                assert_eq!(told["item"]["offset"], offset, "{told}");
                offset += 1;
            }
            // The call before may be completed only now.
            _ => assert_eq!(told, json!({ "is": "done" })),
        }
    }
}

/// Connections that are cut in the middle of a catch-up and of live events: each event once.
pub(crate) async fn resumes_after_cuts(kind: Kind) {
    let served = serve(|live| live).await;
    let proxy = Proxy::to(served.address).await;
    append(&served.store, "orders", 3_000).await;
    let mut client = Client::start(kind, &url(proxy.address)).await;
    client.subscribe(&json!(["orders", 0])).await;
    let (mut expected, mut cuts) = (0, [500, 1_500, 3_050].into_iter().peekable());
    while expected < 3_100 {
        if expected == 3_000 {
            append(&served.store, "orders", 100).await;
        }
        match client.event_or_reopened().await {
            Some(event) => {
                assert_eq!(event[1]["offset"], expected, "{kind:?}");
                expected += 1;
            }
            None => {
                client.forget();
                client.subscribe(&json!(["orders", expected])).await;
            }
        }
        if cuts.next_if(|cut| expected >= *cut).is_some() {
            proxy.cut(served.address);
        }
    }
}

/// A process that drains: the client goes on with another one of the same store.
pub(crate) async fn moves_to_another_process(kind: Kind) {
    let store = MemoryStore::new();
    let first = serve_live(store.clone(), Live::new(Arc::new(store.clone()))).await;
    let second = serve_live(store.clone(), Live::new(Arc::new(store.clone()))).await;
    let proxy = Proxy::to(first.address).await;
    append(&store, "orders", 10).await;
    let mut client = Client::start(kind, &url(proxy.address)).await;
    client.subscribe(&json!(["orders", 0])).await;
    client.events("orders", 0..10).await;
    let moved = async {
        // A balancer leads new connections elsewhere before it drains a process, and leaves the
        // polls of old ones where they were; this proxy cannot tell those apart.
        let is_late = kind.library == Library::Pysignalr;
        if kind.transport != "LongPolling" && !is_late {
            proxy.lead_to(second.address);
        }
        let accepted = proxy.accepted();
        first.live.drain().await;
        if is_late {
            // One that is late leads clients to the process that drains: this one tries again.
            until("it has come back twice", || proxy.accepted() >= accepted + 2).await;
        }
        proxy.lead_to(second.address);
        // What a client keeps open for its requests leads to the first process still.
        proxy.cut(first.address);
    };
    tokio::join!(moved, async { while client.event_or_reopened().await.is_some() {} });
    append(&store, "orders", 5).await;
    client.subscribe(&json!(["orders", 10])).await;
    client.events("orders", 10..15).await;
    assert_eq!(first.live.gauges().connections, 0);
    assert_eq!(second.live.gauges().subscriptions, 1);
}

/// Connections of which nothing comes any more, but no end: the client notices, and so does the
/// hub when the client has sent pings, which pysignalr begins with later.
pub(crate) async fn notices_half_open_connections(kinds: &[Kind]) {
    let options = LiveOptions {
        keep_alive: Duration::from_secs(5),
        client_timeout: Duration::from_secs(20),
        ..Default::default()
    };
    join_all(kinds.iter().map(async |kind| {
        let served = serve(|live| live.options(options.clone())).await;
        let proxy = Proxy::to(served.address).await;
        append(&served.store, "orders", 5).await;
        let mut client = Client::start(*kind, &url(proxy.address)).await;
        client.subscribe(&json!(["orders", 0])).await;
        client.events("orders", 0..5).await;
        proxy.freeze();
        append(&served.store, "orders", 5).await;
        assert_eq!(client.event_or_reopened().await, None, "{kind:?}");
        client.subscribe(&json!(["orders", 5])).await;
        client.events("orders", 5..10).await;
        if kind.library == Library::Pysignalr {
            return;
        }
        let waiting = async {
            while served.live.gauges().connections > 1 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let noticed = tokio::time::timeout(Duration::from_secs(60), waiting).await;
        assert!(noticed.is_ok(), "the hub keeps a dead connection of {kind:?}");
    }))
    .await;
}

/// Nothing to send for longer than any client waits without a sign of life.
pub(crate) async fn stays_connected(kinds: &[Kind]) {
    let served = serve(|live| live).await;
    let mut clients = join_all(kinds.iter().map(|kind| async {
        let mut client = Client::start(*kind, &url(served.address)).await;
        client.subscribe(&json!(["orders", 0])).await;
        client
    }))
    .await;
    tokio::time::sleep(Duration::from_secs(40)).await;
    append(&served.store, "orders", 1).await;
    for client in &mut clients {
        client.events("orders", 0..1).await;
    }
}
