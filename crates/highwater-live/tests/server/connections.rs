//! Connections that say nothing, say it slowly, do not listen, or are too many.

use std::time::Duration;

use highwater_live::server::ServerOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::support::{PATIENCE, closing, rest, serve, until};

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn silent_connections_take_no_place_from_others() {
    let served = serve(ServerOptions { connections: 8, ..Default::default() }).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(served.connect().await);
        served.greet().await;
    }
    assert!(served.server.gauges().connections <= 8);
    assert_eq!(rest(&mut silent[0]).await, "", "the oldest has made room");
    drop(silent);
    until("all have gone", || served.server.gauges().connections == 0).await;
}

#[tokio::test]
async fn a_client_that_begins_no_request_or_ends_none_is_waited_for_until_a_deadline() {
    let served = serve(ServerOptions { header_timeout: SHORT, ..Default::default() }).await;
    let mut silent = served.connect().await;
    let mut slow = served.sent("GET /hello HTTP/1.1\r\nhost: localhost\r\nx: ").await;
    let dripping = async {
        while slow.write_all(b"x").await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    timeout(PATIENCE, dripping).await.expect("bytes that come one by one earn no time");
    assert_eq!(rest(&mut silent).await, "");
}

#[tokio::test]
async fn a_connection_that_is_not_used_again_is_closed_and_one_that_is_answered_is_not() {
    let options =
        ServerOptions { header_timeout: SHORT, idle_timeout: SHORT, ..Default::default() };
    let served = serve(options).await;
    let mut idle = served.sent("GET /hello HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(rest(&mut idle).await.ends_with("hello"));
    // The silence between the parts of a stream is longer than any that a client may keep.
    let events = served.ask(&closing("GET /events")).await;
    assert!(events.contains("one\n") && events.contains("two\n"), "{events}");
}

#[tokio::test]
async fn a_response_that_is_not_read_is_given_up() {
    let served = serve(ServerOptions { stall_timeout: SHORT, ..Default::default() }).await;
    let mut unread = served.sent(&closing("GET /large")).await;
    until("it is answered", || served.server.gauges().connections == 1).await;
    until("it is given up", || served.server.gauges().connections == 0).await;
    let mut buffer = vec![0; 1 << 20];
    let mut got = 0;
    while let Ok(length @ 1..) = unread.read(&mut buffer).await {
        got += length;
    }
    assert!(got < 32 << 20, "{got} bytes were held for nobody");
}

#[tokio::test]
async fn a_response_that_is_read_slowly_arrives_whole() {
    let served = serve(ServerOptions { stall_timeout: SHORT * 10, ..Default::default() }).await;
    let mut slow = served.sent(&closing("GET /large")).await;
    let (mut buffer, mut got) = (vec![0; 512 << 10], 0);
    while let length @ 1.. = timeout(PATIENCE, slow.read(&mut buffer)).await.unwrap().unwrap() {
        got += length;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(got > 32 << 20, "{got}");
}

#[tokio::test]
async fn connections_that_are_not_read_make_room_and_busy_ones_do_not() {
    let options =
        ServerOptions { connections: 8, connections_per_address: 4, ..Default::default() };
    let served = serve(options).await;
    let _unread = served.sent(&closing("GET /large")).await;
    until("it is waited for", || served.server.gauges().waiting_connections == 1).await;
    let mut busy = Vec::new();
    for number in 1..=3 {
        busy.push(served.sent(&closing("GET /later")).await);
        let is_asked = || {
            let gauges = served.server.gauges();
            gauges.connections == number + 1 && gauges.waiting_connections == 1
        };
        until("it is asked", is_asked).await;
    }
    served.greet().await;
    busy.push(served.sent(&closing("GET /later")).await);
    let all_are_busy = || {
        let gauges = served.server.gauges();
        gauges.connections == 4 && gauges.waiting_connections == 0
    };
    until("all are busy", all_are_busy).await;
    assert!(served.ask(&closing("GET /hello")).await.starts_with("HTTP/1.1 503 "));
    served.answers.send(true).unwrap();
    let answers = futures::future::join_all(busy.iter_mut().map(rest)).await;
    assert!(answers.iter().all(|answer| answer.ends_with("later")), "{answers:?}");
    served.greet().await;
}

#[tokio::test]
async fn a_stop_ends_what_is_idle_and_waits_for_what_is_answered() {
    let served = serve(ServerOptions::default()).await;
    let mut idle = served.connect().await;
    let mut asked = served.sent(&closing("GET /later")).await;
    until("both are there", || {
        let gauges = served.server.gauges();
        (gauges.connections, gauges.waiting_connections) == (2, 1)
    })
    .await;
    served.stop.cancel();
    assert_eq!(rest(&mut idle).await, "");
    assert!(!served.running.is_finished());
    served.answers.send(true).unwrap();
    assert!(rest(&mut asked).await.ends_with("later"));
    timeout(PATIENCE, served.running).await.unwrap().unwrap();
}
