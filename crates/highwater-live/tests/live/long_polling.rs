//! Long polling and server-sent events as transports, request by request.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode, header};
use futures::StreamExt;
use highwater_live::{Live, LiveOptions};
use highwater_testkit::MemoryStore;
use serde_json::json;
use tokio::time::timeout;
use tower::ServiceExt;

use crate::support::{Client, HANDSHAKE, append, call, framed, until};

async fn live_with(events: u64, options: LiveOptions) -> (MemoryStore, Live) {
    let store = MemoryStore::new();
    append(&store, "a", events).await;
    let live = Live::builder(Arc::new(store.clone())).options(options).build();
    (store, live)
}

#[tokio::test(start_paused = true)]
async fn the_first_poll_returns_at_once_and_later_ones_wait_for_messages() {
    let (store, live) = live_with(2, LiveOptions::default()).await;
    let client = Client::negotiate(&live).await;
    assert_eq!(client.poll("*/*").await, (StatusCode::OK, Bytes::new()));
    assert_eq!(client.post(HANDSHAKE).await, StatusCode::OK);
    assert_eq!(client.messages("*/*").await, [json!({})]);
    let subscribe = framed(&call("1", "SubscribeToStream", &json!(["a", 0])));
    assert_eq!(client.post(subscribe).await, StatusCode::OK);
    let mut seen = Vec::new();
    while seen.len() < 4 {
        seen.extend(client.messages("*/*").await);
    }
    assert_eq!(seen[0]["target"], "SubscriptionConfirmed");
    assert_eq!(seen[3]["arguments"][1]["offset"], 1);
    let (polled, ()) = tokio::join!(client.messages("*/*"), append(&store, "a", 1));
    assert_eq!(polled[0]["arguments"][1]["offset"], 2);
    // Nothing for 90 seconds is an empty answer, and no ping.
    assert_eq!(client.poll("*/*").await, (StatusCode::OK, Bytes::new()));
    assert_eq!(client.request(Method::DELETE, "*/*", Body::empty()).await.status(), 202);
    assert_eq!(client.poll("*/*").await.0, StatusCode::NOT_FOUND);
    until("the connection is gone", || live.gauges().connections == 0).await;
}

#[tokio::test(start_paused = true)]
async fn the_handshake_may_come_before_the_first_poll_and_messages_one_by_one() {
    let (_, live) = live_with(3, LiveOptions::default()).await;
    let client = Client::negotiate(&live).await;
    assert_eq!(client.post(HANDSHAKE).await, StatusCode::OK);
    let subscribe = framed(&call("1", "SubscribeToStream", &json!(["a", 0])));
    assert_eq!(client.post(subscribe).await, StatusCode::OK);
    let mut seen = Vec::new();
    while seen.len() < 6 {
        let messages = client.messages("Text").await;
        assert!(messages.len() <= 1, "{messages:?}");
        seen.extend(messages);
    }
    assert_eq!(seen[0], json!({}));
    assert_eq!(seen[5]["arguments"][1]["offset"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_poll_gives_way_to_the_next_one() {
    let (store, live) = live_with(0, LiveOptions::default()).await;
    let client = Client::negotiate(&live).await;
    client.poll("*/*").await;
    client.post(HANDSHAKE).await;
    client.messages("*/*").await;
    let subscribe = framed(&call("1", "SubscribeToStream", &json!(["a", 0])));
    client.post(subscribe).await;
    client.messages("*/*").await;
    let (first, second, ()) = tokio::join!(client.poll("*/*"), client.poll("*/*"), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        append(&store, "a", 1).await;
    });
    assert_eq!(first.0, StatusCode::NO_CONTENT);
    assert!(std::str::from_utf8(&second.1).unwrap().contains("EventReceived"));
}

#[tokio::test(start_paused = true)]
async fn who_stops_polling_is_gone_and_draining_ends_with_no_content() {
    let (_, live) = live_with(0, LiveOptions::default()).await;
    let (gone, drained) = (Client::negotiate(&live).await, Client::negotiate(&live).await);
    gone.poll("*/*").await;
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(gone.poll("*/*").await.0, StatusCode::NOT_FOUND);
    assert_eq!(drained.poll("*/*").await.0, StatusCode::NOT_FOUND, "it did not attach in time");
    let client = Client::negotiate(&live).await;
    client.poll("*/*").await;
    client.post(HANDSHAKE).await;
    client.messages("*/*").await;
    let polls = async {
        let close = json!({ "type": 7, "allowReconnect": true });
        assert_eq!(client.messages("*/*").await, [close]);
        assert_eq!(live.gauges().connections, 1, "draining waits until it was told");
        assert_eq!(client.poll("*/*").await.0, StatusCode::NO_CONTENT);
    };
    tokio::join!(live.drain(), polls);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_never_attached_keeps_neither_a_seat_nor_a_request() {
    let (_, live) = live_with(0, LiveOptions::default()).await;
    for is_draining in [false, true] {
        let client = Client::negotiate(&live).await;
        for _ in 0..4 {
            assert_eq!(client.post(HANDSHAKE).await, StatusCode::OK);
        }
        // Nobody takes the first four bodies, so that there is no room for a fifth.
        let waiting = async {
            let answered = timeout(Duration::from_secs(60), client.post(HANDSHAKE)).await;
            assert_eq!(answered.unwrap(), StatusCode::NOT_FOUND);
        };
        let ending = async {
            if is_draining {
                let drained = timeout(Duration::from_secs(60), live.drain()).await;
                drained.unwrap();
            }
        };
        tokio::join!(waiting, ending);
        assert_eq!(live.gauges().connections, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn server_sent_events_carry_messages_and_pings() {
    let (_, live) = live_with(1, LiveOptions::default()).await;
    let client = Client::negotiate(&live).await;
    let response = client.request(Method::GET, "text/event-stream", Body::empty()).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut body = response.into_body().into_data_stream();
    let mut next = async || body.next().await.unwrap().unwrap();
    assert_eq!(next().await, ":\r\n\r\n");
    assert_eq!(client.post(HANDSHAKE).await, StatusCode::OK);
    assert_eq!(next().await, "data: {}\x1e\r\n\r\n");
    let subscribe = framed(&call("1", "SubscribeToStream", &json!(["a", 0])));
    assert_eq!(client.post(subscribe).await, StatusCode::OK);
    let mut text = String::new();
    while !text.contains("EventReceived") {
        text.push_str(std::str::from_utf8(&next().await).unwrap());
    }
    assert_eq!(next().await, "data: {\"type\":6}\x1e\r\n\r\n");
    let other = client.request(Method::GET, "text/event-stream", Body::empty()).await;
    assert_eq!(other.status(), StatusCode::CONFLICT);
    drop(body);
    until("the connection is gone", || live.gauges().connections == 0).await;
}

#[tokio::test(start_paused = true)]
async fn message_pack_is_refused_where_only_text_goes() {
    let (_, live) = live_with(0, LiveOptions::default()).await;
    let client = Client::negotiate(&live).await;
    let response = client.request(Method::GET, "text/event-stream", Body::empty()).await;
    let mut body = response.into_body().into_data_stream();
    body.next().await.unwrap().unwrap();
    client.post("{\"protocol\":\"messagepack\",\"version\":1}\x1e").await;
    let refused = body.next().await.unwrap().unwrap();
    assert_eq!(refused, "data: {\"error\":\"the transport carries only text\"}\x1e\r\n\r\n");
    assert!(body.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_body_over_the_limit_and_an_unknown_connection_are_refused() {
    let (_, live) = live_with(0, LiveOptions::default()).await;
    let mut client = Client::negotiate(&live).await;
    assert_eq!(client.post("x".repeat(33 << 10)).await, StatusCode::PAYLOAD_TOO_LARGE);
    client.token = "unknown".to_owned();
    assert_eq!(client.post(HANDSHAKE).await, StatusCode::NOT_FOUND);
    assert_eq!(client.poll("*/*").await.0, StatusCode::NOT_FOUND);
    assert_eq!(client.poll("text/event-stream").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn a_browser_comes_back_behind_its_last_event() {
    let (store, live) = live_with(3, LiveOptions::default()).await;
    let follow = async |uri: &str, last: Option<&str>| {
        let mut request = Request::get(uri);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = live.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.into_body().into_data_stream()
    };
    for (uri, last, start, first) in [
        ("/streams/a/events?from=1", None, "", "id: 1\n"),
        ("/streams/a/events?from=0", Some("1"), "", "id: 2\n"),
        ("/streams/a/events", Some("-1"), "", "id: 0\n"),
        ("/streams/b/events", None, "id: -1\nevent: start\ndata:\n", ":\n\n"),
    ] {
        let mut body = follow(uri, last).await;
        let head = body.next().await.unwrap().unwrap();
        assert_eq!(head, format!("retry: 2000\n{start}\n"));
        let chunk = body.next().await.unwrap().unwrap();
        assert!(chunk.starts_with(first.as_bytes()), "{uri}: {chunk:?}");
    }
    let mut body = follow("/streams/a/events", None).await;
    assert!(body.next().await.unwrap().unwrap().starts_with(b"retry: 2000\nid: 2\n"));
    append(&store, "a", 1).await;
    assert!(body.next().await.unwrap().unwrap().starts_with(b"id: 3\n"));
    live.drain().await;
    assert!(body.next().await.is_none());
}
