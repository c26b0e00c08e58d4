//! Plain server-sent events: what becomes of a browser that cannot be served now.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use futures::StreamExt;
use highwater_core::{EventStoreExt, EventType, Expected, NewEvent, Payload, StreamName};
use highwater_live::{Live, LiveOptions};
use highwater_testkit::MemoryStore;
use tokio::time::timeout;
use tower::ServiceExt;

use crate::support::append;

async fn get(live: &Live, accept: &str) -> axum::response::Response {
    let request = Request::get("/streams/a/events?from=0").header(header::ACCEPT, accept);
    live.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn text(response: axum::response::Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), 10_000).await.unwrap().into()).unwrap()
}

#[tokio::test]
async fn a_browser_that_is_not_served_now_is_asked_to_come_back_and_a_program_is_refused() {
    let mut options = LiveOptions::default();
    options.limits.connections = 1;
    let live = Live::builder(Arc::new(MemoryStore::new())).options(options).build();
    let first = get(&live, "text/event-stream").await;
    assert_eq!(first.status(), StatusCode::OK);
    let later = get(&live, "text/event-stream").await;
    assert_eq!(later.status(), StatusCode::OK, "a browser would take a refusal for final");
    assert_eq!(text(later).await, ": too many connections\nretry: 5000\n\n");
    assert_eq!(get(&live, "*/*").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    let draining = live.clone();
    let drained = tokio::spawn(async move { draining.drain().await });
    assert!(text(first).await.starts_with("retry: 2000\n"));
    drained.await.unwrap();
    let later = get(&live, "text/event-stream").await;
    assert_eq!(text(later).await, ": the server is shutting down\nretry: 5000\n\n");
    assert_eq!(get(&live, "*/*").await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn what_stands_before_an_event_that_cannot_be_sent_is_sent() {
    let store = MemoryStore::new();
    append(&store, "a", 3).await;
    let broken = NewEvent::new(EventType::from_static("Broken"), Payload::from_stored("{broken"));
    let stream = StreamName::from_static("a");
    let live = Live::new(Arc::new(store.clone()));
    store.append_to(stream, Expected::Any, vec![broken]).await.unwrap();
    let mut body = get(&live, "*/*").await.into_body().into_data_stream();
    let mut text = String::new();
    while let Some(chunk) = body.next().await {
        text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
    }
    let failure = "event: failure\ndata: the events cannot be sent\n\n";
    assert!(text.contains("\nid: 2\n") && text.ends_with(failure), "{text}");
}

#[tokio::test]
async fn it_is_mounted_below_a_path_that_has_parameters_of_its_own() {
    let store = MemoryStore::new();
    append(&store, "a", 1).await;
    let live = Live::new(Arc::new(store));
    let app = Router::new().nest("/of/{tenant}", live.router());
    let request = Request::get("/of/ada/streams/a/events?from=0").body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body().into_data_stream();
    body.next().await.unwrap().unwrap();
    assert!(body.next().await.unwrap().unwrap().starts_with(b"id: 0\n"));
}

#[tokio::test]
async fn a_malformed_request_is_refused_with_a_reason() {
    let live = Live::new(Arc::new(MemoryStore::new()));
    for (uri, last) in [
        ("/streams/a/events?from=x", None),
        ("/streams/a/events?from=-1", None),
        ("/streams/a/events?from=18446744073709551616", None),
        ("/streams/a/events?from=9223372036854775808", None),
        ("/streams/a/events?form=0", None),
        ("/streams/a/events?from=0&from=1", None),
        ("/streams/a/events?lastEventId=x", None),
        ("/streams/a/events?lasteventid=0", None),
        ("/streams/%00/events", None),
        ("/streams/%FF/events", None),
        ("/streams/$category:/events", None),
        ("/streams/a/events", Some("x")),
        ("/streams/a/events", Some("-2")),
        ("/streams/a/events", Some("")),
    ] {
        let mut request = Request::get(uri);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = live.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{uri} {last:?}");
        assert!(!text(response).await.is_empty(), "{uri} {last:?}");
    }
    assert_eq!(live.gauges().connections, 0);
}

#[tokio::test(start_paused = true)]
async fn an_offset_beyond_the_end_waits_for_its_event() {
    for from in [3, u64::MAX >> 1] {
        let store = MemoryStore::new();
        append(&store, "a", 2).await;
        let live = Live::new(Arc::new(store.clone()));
        let request = Request::get(format!("/streams/a/events?from={from}"));
        let response = live.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let mut body = response.into_body().into_data_stream();
        body.next().await.unwrap().unwrap();
        append(&store, "a", 3).await;
        let event = timeout(Duration::from_millis(200), body.next()).await;
        match event {
            Ok(event) => assert!(event.unwrap().unwrap().starts_with(b"id: 3\n")),
            Err(_) => assert_ne!(from, 3, "it never comes"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_event_may_be_told_in_the_query_and_what_is_further_on_counts() {
    let store = MemoryStore::new();
    append(&store, "a", 6).await;
    let live = Live::new(Arc::new(store));
    for (query, header, first) in [
        ("?lastEventId=3", None, 4),
        ("?from=0&lastEventId=3", None, 4),
        ("?from=5&lastEventId=3&access_token=x", None, 5),
        ("?from=0&lastEventId=-1", None, 0),
        ("?from=0&lastEventId=1", Some("3"), 4),
        ("?from=5", Some("1"), 5),
    ] {
        let mut request = Request::get(format!("/streams/a/events{query}"));
        if let Some(last) = header {
            request = request.header("last-event-id", last);
        }
        let response = live.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let mut body = response.into_body().into_data_stream();
        let mut seen = String::new();
        while !seen.contains("id: ") {
            seen.push_str(std::str::from_utf8(&body.next().await.unwrap().unwrap()).unwrap());
        }
        assert!(seen.contains(&format!("\n\nid: {first}\n")), "{query} {header:?}: {seen}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_for_the_head_alone_follows_nothing_and_takes_no_poll() {
    let live = Live::new(Arc::new(MemoryStore::new()));
    for path in ["/streams/a/events", "/hubs/events?id=x"] {
        let request = Request::head(path).body(Body::empty()).unwrap();
        let response = live.router().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(live.gauges().connections, 0, "{path}");
    }
}
