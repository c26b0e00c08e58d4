//! Who may connect and follow what, and how often.

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::{Method, StatusCode};
use highwater_core::BoxError;
use highwater_live::{Access, Credentials, Identity, Live, LiveOptions, LiveSource};
use highwater_testkit::MemoryStore;
use serde_json::json;

use crate::support::{
    Client, HANDSHAKE, Served, Socket, append, call, framed, offset_of, serve, until,
};

/// Ann may follow what starts with her name; nobody else is known.
struct OnlyAnn;

#[async_trait]
impl Access for OnlyAnn {
    async fn identify(&self, credentials: &Credentials) -> Result<Option<Identity>, BoxError> {
        Ok(credentials.token.as_deref().and_then(|token| {
            matches!(token, "ann-1" | "ann-2" | "bob").then(|| Identity::new(&token[..3]))
        }))
    }

    async fn may_follow(&self, identity: &Identity, source: &LiveSource) -> Result<bool, BoxError> {
        Ok(source.to_string().starts_with(identity.as_str()))
    }
}

/// The id of a connection that the owner of the token has negotiated.
async fn negotiated(served: &Served, token: &str) -> String {
    let credentials = format!("authorization: Bearer {token}\r\n");
    let answer = served.post("/hubs/events/negotiate", &credentials).await;
    let body: serde_json::Value =
        serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    body["connectionId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn only_who_is_known_connects_and_only_to_what_is_allowed() {
    let served = serve(|live| live.access(OnlyAnn)).await;
    append(&served.store, "ann", 1).await;
    let answer = served.post("/hubs/events/negotiate", "").await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    for query in ["", "?access_token=eve", "?id=unknown"] {
        assert!(Socket::open(served.address, query).await.is_err(), "{query}");
    }
    let id = negotiated(&served, "ann-1").await;
    assert!(Socket::open(served.address, &format!("?id={id}&access_token=bob")).await.is_err());
    assert!(Socket::open(served.address, &format!("?id={id}&access_token=eve")).await.is_err());
    assert!(Socket::open(served.address, &format!("?id={id}")).await.is_err());
    let host = served.address;
    for (accept, status) in [("text/event-stream", "401"), ("Text", "200")] {
        let get = format!(
            "GET /hubs/events?id={} HTTP/1.1\r\nhost: {host}\r\naccept: {accept}\r\nconnection: close\r\n\r\n",
            negotiated(&served, "ann-1").await
        );
        // Only polls may come without credentials, as one of the clients sends them.
        let answer = served.raw(&get).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{accept}: {answer}");
    }
    let query = format!("?id={id}&access_token=ann-2");
    let mut socket = Socket::open(served.address, &query).await.unwrap();
    socket.shake_hands().await;
    socket.call("1", "SubscribeToStream", json!(["bob", 0])).await;
    assert_eq!(socket.message().await["target"], "Error");
    assert_eq!(socket.message().await["error"], "not allowed to follow \"bob\"");
    socket.subscribe("ann", Some(0)).await;
    assert_eq!(offset_of(&socket.message().await, "ann"), 0);
}

#[tokio::test]
async fn plain_events_ask_the_same_access() {
    let served = serve(|live| live.access(OnlyAnn)).await;
    let get = |stream: &str, token: &str| {
        let host = served.address;
        format!(
            "GET /streams/{stream}/events?access_token={token} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        )
    };
    assert!(served.raw(&get("ann", "eve")).await.starts_with("HTTP/1.1 401"));
    assert!(served.raw(&get("ann", "bob")).await.starts_with("HTTP/1.1 403"));
    assert!(served.raw(&get("$nothing", "ann-1")).await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn whoever_is_disconnected_may_come_back_as_far_as_access_goes() {
    let served = serve(|live| live.access(OnlyAnn)).await;
    let open = async |token: &str| {
        let query = format!("?access_token={token}");
        let mut socket = Socket::open(served.address, &query).await.unwrap();
        socket.shake_hands().await;
        socket.subscribe(&token[..3], None).await;
        socket
    };
    let mut gone = [open("ann-1").await, open("ann-2").await];
    let mut bob = open("bob").await;
    let waiting = negotiated(&served, "ann-1").await;
    let host = served.address;
    let events = format!(
        "GET /streams/ann/events?access_token=ann-1 HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    );
    let disconnect = async {
        until("all are there", || served.live.gauges().connections == 4).await;
        served.live.disconnect(&Identity::new("ann"));
        served.live.disconnect(&Identity::new("nobody"));
    };
    let (answer, ()) = tokio::join!(served.raw(&events), disconnect);
    assert!(answer.starts_with("HTTP/1.1 200"), "it had been served: {answer}");
    for socket in &mut gone {
        assert_eq!(socket.message().await, json!({ "type": 7, "allowReconnect": true }));
        assert_eq!(socket.next().await, None);
    }
    let query = format!("?id={waiting}&access_token=ann-1");
    let attached = Socket::open(served.address, &query).await.unwrap();
    assert_eq!(served.live.gauges().negotiated, 0, "what was promised before is not kept");
    drop(attached);
    let mut ann = open("ann-1").await;
    append(&served.store, "ann", 1).await;
    append(&served.store, "bob", 1).await;
    assert_eq!(offset_of(&ann.message().await, "ann"), 0);
    assert_eq!(offset_of(&bob.message().await, "bob"), 0);
    drop(ann);
    until("only bob is left", || served.live.gauges().connections == 1).await;
}

#[tokio::test]
async fn a_panic_while_access_is_decided_leaves_nothing_behind() {
    struct Panics;

    #[async_trait]
    impl Access for Panics {
        async fn identify(&self, _: &Credentials) -> Result<Option<Identity>, BoxError> {
            Ok(Some(Identity::new("anybody")))
        }

        async fn may_follow(&self, _: &Identity, _: &LiveSource) -> Result<bool, BoxError> {
            panic!("this is part of the test")
        }
    }

    let live = Live::builder(Arc::new(MemoryStore::new())).access(Panics).build();
    for accept in ["text/event-stream", "*/*"] {
        let client = Client::negotiate(&live).await;
        let body = client.request(Method::GET, accept, "").await.into_body();
        assert_eq!(client.post(HANDSHAKE).await, StatusCode::OK);
        let subscribe = framed(&call("1", "SubscribeToStream", &json!(["a", 0])));
        client.post(subscribe).await;
        until("the connection is gone", || live.gauges().connections == 0).await;
        assert_eq!(client.post(HANDSHAKE).await, StatusCode::NOT_FOUND);
        let entries = format!("{live:?}");
        assert!(entries.contains("negotiated: 0"), "{entries}");
        drop(body);
    }
}

#[tokio::test]
async fn one_identity_has_only_so_many_connections() {
    let mut options = LiveOptions::default();
    options.limits.connections_per_identity = Some(1);
    let served = serve(|live| live.access(OnlyAnn).options(options)).await;
    let first = Socket::open(served.address, "?access_token=ann-1").await.unwrap();
    assert!(Socket::open(served.address, "?access_token=ann-2").await.is_err());
    let _bob = Socket::open(served.address, "?access_token=bob").await.unwrap();
    drop(first);
    until("ann has gone", || served.live.gauges().connections == 1).await;
    Socket::open(served.address, "?access_token=ann-2").await.unwrap();
}

#[tokio::test]
async fn one_address_has_only_so_many_connections() {
    let mut options = LiveOptions::default();
    options.limits.connections_per_address = Some(1);
    let served = serve(|live| live.options(options)).await;
    let _first = Socket::open(served.address, "").await.unwrap();
    let answer = served.post("/hubs/events/negotiate", "").await;
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
}
