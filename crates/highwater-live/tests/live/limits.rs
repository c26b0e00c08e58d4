//! What clients must not do, and what becomes of those that do it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use highwater_live::{Live, LiveOptions};
use highwater_testkit::MemoryStore;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;

use crate::support::{Socket, append, offset_of, serve, until};

#[tokio::test]
async fn malformed_bytes_end_their_own_connection_and_no_other() {
    let served = serve(|live| live).await;
    append(&served.store, "a", 1).await;
    let mut good = Socket::connect(served.address).await;
    good.subscribe("a", Some(0)).await;
    let long = "x".repeat(40 << 10);
    let deep = format!("{{\"type\":1,\"target\":\"x\",\"arguments\":{}\x1e", "[".repeat(10_000));
    for bad in ["no json\x1e", "\x1e", "{}\x1e", "{\"type\":1}\x1e", &long, &deep] {
        let mut socket = Socket::connect(served.address).await;
        assert!(socket.send_bytes(bad.as_bytes()).await);
        let close = socket.message().await;
        assert_eq!(close["type"], 7, "{close}");
        assert!(close["error"].is_string() && close.get("allowReconnect").is_none(), "{close}");
        assert_eq!(socket.next().await, None);
        assert_eq!(u16::from(socket.close.unwrap().code), 1002);
    }
    let mut socket = Socket::connect(served.address).await;
    socket.send_bytes(&vec![b'x'; 1 << 20]).await;
    assert_eq!(socket.next().await, None, "a frame of a megabyte is not even read");
    let open = || served.live.gauges().connections;
    until("the bad connections are gone", || open() == 1).await;
    assert_eq!(offset_of(&good.message().await, "a"), 0);
}

#[tokio::test]
async fn malformed_message_pack_ends_its_own_connection() {
    let served = serve(|live| live).await;
    let nested = [&[0xff, 0x7f][..], &[0x91; 16_383]].concat();
    let bad: [&[u8]; 8] = [
        &[0xff, 0xff, 0xff, 0xff, 0xff],
        &[0xff, 0xff, 0xff, 0xff, 0x07],
        &[0x00],
        &[0x01, 0xc1],
        &[0x02, 0x91, 0xa1],
        &[0x06, 0xdd, 0xff, 0xff, 0xff, 0xff, 0x01],
        &[0x07, 0x95, 0x01, 0x80, 0xc0, 0xa1, 0xff, 0x90],
        &nested,
    ];
    for bytes in bad {
        let mut socket = Socket::open(served.address, "").await.unwrap();
        socket.send_text("{\"protocol\":\"messagepack\",\"version\":1}\x1e").await;
        assert_eq!(socket.binary().await.unwrap(), b"{}\x1e");
        assert!(socket.send_bytes(bytes).await);
        let close = socket.binary().await.unwrap();
        assert_eq!(close[1..3], [0x93, 0x07], "a close with an error: {close:x?}");
        assert_ne!(close[3], 0xc0, "the error is not nil: {close:x?}");
        assert_eq!(socket.binary().await, None);
    }
    until("all are gone", || served.live.gauges().connections == 0).await;
}

#[tokio::test]
async fn a_flood_of_calls_waits_for_its_answers_to_be_read() {
    let mut options =
        LiveOptions { stall_timeout: Duration::from_millis(500), ..Default::default() };
    options.limits.calls_per_second = 1_000_000;
    let served = serve(|live| live.options(options)).await;
    append(&served.store, "a", 1).await;
    let mut flooding = Socket::connect(served.address).await;
    let call =
        json!({ "type": 1, "invocationId": "1", "target": "x".repeat(200), "arguments": [] });
    let calls = format!("{call}\x1e").repeat(100);
    let mut most = 0;
    let flood = async { while flooding.send_bytes(calls.as_bytes()).await {} };
    let watch = until("the flood is over", || {
        most = most.max(served.live.gauges().buffered_bytes);
        served.live.gauges().connections == 0
    });
    tokio::join!(flood, watch);
    assert!(most < 1 << 20, "{most} bytes were held");
    let mut good = Socket::connect(served.address).await;
    good.subscribe("a", Some(0)).await;
    assert_eq!(offset_of(&good.message().await, "a"), 0);
}

#[tokio::test]
async fn a_bad_handshake_is_answered_with_its_error() {
    let options =
        LiveOptions { handshake_timeout: Duration::from_millis(200), ..Default::default() };
    let served = serve(|live| live.options(options)).await;
    let long = "x".repeat(5000);
    for (handshake, reason) in [
        ("{\"protocol\":\"xml\",\"version\":1}\x1e", "the protocol is not supported"),
        (
            "{\"protocol\":\"json\",\"version\":9}\x1e",
            "the version of the protocol is not supported",
        ),
        ("{\"type\":6}\x1e", "the handshake is not valid"),
        (&long, "the handshake is not valid"),
        ("{\"protocol\":", "no handshake was received in time"),
    ] {
        let mut socket = Socket::open(served.address, "").await.unwrap();
        socket.send_text(handshake).await;
        assert_eq!(socket.next().await, Some(json!({ "error": reason })));
        assert_eq!(socket.next().await, None);
    }
    until("all are gone", || served.live.gauges().connections == 0).await;
}

#[tokio::test]
async fn subscriptions_and_connections_are_limited() {
    let mut options = LiveOptions::default();
    options.limits.subscriptions = 2;
    options.limits.connections = 2;
    let served = serve(|live| live.options(options)).await;
    let mut socket = Socket::connect(served.address).await;
    socket.subscribe("a", None).await;
    socket.subscribe("b", None).await;
    socket.subscribe("b", None).await;
    socket.call("3", "SubscribeToStream", json!(["c"])).await;
    assert_eq!(socket.message().await["target"], "Error");
    assert_eq!(socket.message().await["error"], "more than 2 subscriptions");
    let _second = Socket::connect(served.address).await;
    assert!(Socket::open(served.address, "").await.is_err());
    let answer = served.post("/hubs/events/negotiate", "").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    drop(socket);
    until("there is room again", || served.live.gauges().connections == 1).await;
    Socket::connect(served.address).await;
}

#[tokio::test]
async fn an_unknown_id_is_a_new_connection_unless_ids_are_strict() {
    let served = serve(|live| live).await;
    let first = Socket::open(served.address, "?id=unknown").await.unwrap();
    let _second = Socket::open(served.address, "?id=unknown").await.unwrap();
    assert_eq!(served.live.gauges().connections, 2, "they have nothing of each other");
    drop(first);
    let options = LiveOptions { strict_connection_id: true, ..Default::default() };
    let strict = serve(|live| live.options(options)).await;
    assert!(Socket::open(strict.address, "?id=unknown").await.is_err());
    let answer = strict.post("/hubs/events/negotiate", "").await;
    let id = answer.split("\"connectionId\":\"").nth(1).unwrap().split('"').next().unwrap();
    let _socket = Socket::open(strict.address, &format!("?id={id}")).await.unwrap();
    assert!(Socket::open(strict.address, &format!("?id={id}")).await.is_err());
}

#[tokio::test]
async fn ids_that_are_negotiated_and_not_used_take_no_seat_and_are_soon_forgotten() {
    let mut options =
        LiveOptions { attach_timeout: Duration::from_millis(300), ..Default::default() };
    options.limits.connections = 3;
    let served = serve(|live| live.options(options)).await;
    for _ in 0..20 {
        let answer = served.post("/hubs/events/negotiate?negotiateVersion=1", "").await;
        let is_told = answer.contains("\"connectionToken\"") || answer.starts_with("HTTP/1.1 503");
        assert!(is_told, "{answer}");
        let gauges = served.live.gauges();
        assert!(gauges.connections == 0 && gauges.negotiated <= 3, "{gauges:?}");
    }
    let mut good = Socket::connect(served.address).await;
    good.subscribe("a", None).await;
    until("they are forgotten", || served.live.gauges().negotiated == 0).await;
}

#[tokio::test]
async fn pages_of_other_origins_stay_out_unless_they_are_listed() {
    let options = LiveOptions {
        allowed_origins: vec!["https://shop.example".to_owned()],
        ..Default::default()
    };
    let served = serve(|live| live.options(options)).await;
    let negotiate = "/hubs/events/negotiate";
    let evil = served.post(negotiate, "origin: https://evil.example\r\n").await;
    assert!(evil.starts_with("HTTP/1.1 403"), "{evil}");
    let shop = served.post(negotiate, "origin: https://shop.example\r\n").await;
    assert!(shop.starts_with("HTTP/1.1 200"), "{shop}");
    assert!(shop.contains("access-control-allow-origin: https://shop.example\r\n"), "{shop}");
    assert!(shop.contains("access-control-allow-credentials: true\r\n"), "{shop}");
    let host = served.address;
    let upgrade = |origin: &str| {
        format!(
            "GET /hubs/events HTTP/1.1\r\nhost: {host}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             origin: {origin}\r\n\r\n"
        )
    };
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(upgrade("https://evil.example").as_bytes()).await.unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 403");
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(upgrade("https://shop.example").as_bytes()).await.unwrap();
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 101");
}

#[tokio::test]
async fn a_page_may_ask_first_whatever_the_application_answers_to_other_methods() {
    let origin = "https://shop.example";
    let options = LiveOptions { allowed_origins: vec![origin.to_owned()], ..Default::default() };
    let live = Live::builder(Arc::new(MemoryStore::new())).options(options).build();
    let refusal = async || StatusCode::METHOD_NOT_ALLOWED;
    let app = live.router().method_not_allowed_fallback(refusal);
    for path in ["/hubs/events/negotiate", "/hubs/events?id=1", "/streams/a/events"] {
        let question = Request::options(path)
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "x-requested-with");
        let answer = app.clone().oneshot(question.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(answer.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], origin, "{path}");
    }
}

#[tokio::test]
async fn a_client_that_reads_nothing_holds_little_slows_nobody_and_is_disconnected() {
    let options = LiveOptions { stall_timeout: Duration::from_secs(3), ..Default::default() };
    let served = serve(|live| live.options(options)).await;
    append(&served.store, "a", 100_000).await;
    let mut stuck = Socket::connect(served.address).await;
    stuck.subscribe("a", Some(0)).await;
    let mut fast = Socket::connect(served.address).await;
    fast.subscribe("a", Some(100_000)).await;
    let (mut bytes, mut lag) = (0, 0);
    let watch = until("it is disconnected", || {
        let gauges = served.live.gauges();
        (bytes, lag) = (bytes.max(gauges.buffered_bytes), lag.max(gauges.slowest_lag));
        gauges.connections == 1
    });
    let follow = async {
        for offset in 100_000..100_020 {
            append(&served.store, "a", 1).await;
            assert_eq!(offset_of(&fast.message().await, "a"), offset);
        }
        assert_eq!(served.live.gauges().connections, 2, "the fast one was done before");
    };
    tokio::join!(watch, follow);
    assert!(bytes < 1 << 20, "{bytes} bytes were held");
    assert!(lag > 10_000, "the slowest was only {lag} events behind");
    let gauges = served.live.gauges();
    assert_eq!((gauges.buffered_bytes, gauges.slowest_lag, gauges.subscriptions), (0, 0, 1));
}
