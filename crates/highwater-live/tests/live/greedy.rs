//! Clients that ask for as much as they can get.

use std::time::Duration;

use highwater_live::LiveOptions;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{PATIENCE, Served, Socket, append, offset_of, serve, until};

/// A socket that is a WebSocket as far as the hub knows.
async fn upgraded(served: &Served) -> TcpStream {
    let host = served.address;
    let upgrade = format!(
        "GET /hubs/events HTTP/1.1\r\nhost: {host}\r\nconnection: upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(upgrade.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"));
    stream
}

#[tokio::test]
async fn bytes_that_are_no_web_socket_frames_are_answered_with_a_close_that_says_why() {
    let served = serve(|live| live).await;
    // Reserved bits, an unmasked frame, a frame of 2^63 bytes, a control frame in pieces, and text
    // that is none.
    let unmasked = [&[0x81, 0x7e, 0x00, 0x7e][..], &[b'x'; 126]].concat();
    let huge = [0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    for (bad, code) in [
        (&[0xff; 64][..], 1002),
        (&unmasked, 1002),
        (&huge, 1009),
        (&[0x09, 0x80, 0, 0, 0, 0], 1002),
        (&[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),
    ] {
        let mut stream = upgraded(&served).await;
        stream.write_all(bad).await.unwrap();
        let mut rest = [0; 4];
        timeout(PATIENCE, stream.read_exact(&mut rest)).await.unwrap().unwrap();
        assert_eq!(rest[..2], [0x88, 2], "a close: {rest:x?}");
        assert_eq!(u16::from_be_bytes([rest[2], rest[3]]), code, "{bad:x?}");
    }
    until("all are gone", || served.live.gauges().connections == 0).await;
}

#[tokio::test]
async fn pings_are_read_only_as_fast_as_their_answers_may_cost() {
    let served = serve(|live| live).await;
    append(&served.store, "a", 1).await;
    let mut stream = upgraded(&served).await;
    let ping = [&[0x89, 0xfd, 0, 0, 0, 0][..], &[b'x'; 125]].concat();
    // Far more than the sockets between the two hold: most of it is never read.
    let pings = ping.repeat(500);
    let flood = async {
        let mut taken = 0;
        while let Ok(Ok(())) = timeout(Duration::from_secs(2), stream.write_all(&pings)).await {
            taken += pings.len();
            assert!(taken < 64 << 20, "{taken} bytes of pings were read");
        }
    };
    let follow = async {
        let mut good = Socket::connect(served.address).await;
        good.subscribe("a", Some(0)).await;
        assert_eq!(offset_of(&good.message().await, "a"), 0);
    };
    tokio::join!(flood, follow);
}

#[tokio::test]
async fn subscribing_again_and_again_keeps_one_subscription_and_is_slowed_down() {
    let mut options = LiveOptions::default();
    options.limits.calls_per_second = 200;
    let served = serve(|live| live.options(options)).await;
    append(&served.store, "a", 10).await;
    let mut socket = Socket::connect(served.address).await;
    let call = json!({ "type": 1, "target": "SubscribeToStream", "arguments": ["a", 1_000] });
    let calls = format!("{call}\x1e").repeat(100);
    let mut confirmed = 0;
    for _ in 0..4 {
        assert!(socket.send_bytes(calls.as_bytes()).await);
    }
    while confirmed < 400 {
        assert_eq!(socket.message().await["target"], "SubscriptionConfirmed");
        confirmed += 1;
        let subscriptions = served.live.gauges().subscriptions;
        assert!(subscriptions <= 2, "{subscriptions} are there at once");
    }
}

#[tokio::test]
async fn when_the_room_is_short_who_takes_nothing_has_to_go_and_who_reads_gets_all() {
    let mut options = LiveOptions::default();
    options.limits.buffered_bytes = 600 << 10;
    let served = serve(|live| live.options(options)).await;
    append(&served.store, "a", 60_000).await;
    let mut stuck = Vec::new();
    for _ in 0..4 {
        let mut socket = Socket::connect(served.address).await;
        socket.subscribe("a", Some(0)).await;
        stuck.push(socket);
        until("its socket is full", || served.live.gauges().buffered_bytes > 0).await;
    }
    let mut good = Socket::connect(served.address).await;
    good.subscribe("a", Some(0)).await;
    for offset in 0..60_000 {
        assert_eq!(offset_of(&good.message().await, "a"), offset);
    }
    let gauges = served.live.gauges();
    assert!(gauges.largest_buffered_bytes <= gauges.buffered_bytes, "{gauges:?}");
    assert!(gauges.buffered_bytes <= 1200 << 10, "{gauges:?}");
}
