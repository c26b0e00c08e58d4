//! Bodies that do not end, come slowly, or are too large.

use std::time::Duration;

use highwater_live::server::ServerOptions;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::support::{MIB, Served, closing, posting, rest, serve, until};

/// Posts a whole body on a connection of its own.
async fn post(served: &Served, length: usize) -> String {
    served.ask(&format!("{}{}", posting(length), "x".repeat(length))).await
}

#[tokio::test]
async fn unfinished_bodies_hold_no_more_than_they_may_together_and_make_room() {
    let options =
        ServerOptions { body_bytes: MIB, bodies_bytes: 4 * MIB, ..ServerOptions::default() };
    let served = serve(options).await;
    let mut unfinished = Vec::new();
    let part = vec![b'x'; MIB - 1];
    for _ in 0..20 {
        let mut stream = served.sent(&posting(MIB)).await;
        // What is not read any more is not waited for.
        let _taken = timeout(Duration::from_millis(50), stream.write_all(&part)).await;
        unfinished.push(stream);
    }
    assert!(served.server.gauges().body_bytes <= 4 * MIB);
    let answer = post(&served, 1000).await;
    assert!(answer.ends_with("\r\n\r\n1000"), "{answer}");
    let answer = post(&served, MIB).await;
    assert!(answer.ends_with("\r\n\r\n1048576"), "{answer}");
    let refused = rest(&mut unfinished[0]).await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("retry-after"), "{refused}");
    drop(unfinished);
    until("nothing is held", || served.server.gauges().body_bytes == 0).await;
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_answered_so_and_one_that_comes_is_taken() {
    let body_timeout = Duration::from_millis(400);
    let served = serve(ServerOptions { body_timeout, body_step: 1, ..Default::default() }).await;
    let mut silent = served.sent(&posting(10)).await;
    let late = rest(&mut silent).await;
    assert!(late.starts_with("HTTP/1.1 408 ") && late.contains("problem+json"), "{late}");
    // Each byte earns it more time than it takes.
    let mut slow = served.sent(&posting(10)).await;
    for _ in 0..10 {
        tokio::time::sleep(body_timeout / 5).await;
        slow.write_all(b"x").await.unwrap();
    }
    assert!(rest(&mut slow).await.ends_with("\r\n\r\n10"));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_announced_or_not() {
    let served = serve(ServerOptions { body_bytes: 1000, ..ServerOptions::default() }).await;
    assert!(served.ask(&posting(1001)).await.starts_with("HTTP/1.1 413 "));
    let head = "POST /length HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("{head}3e9\r\n{}\r\n", "x".repeat(1001));
    assert!(served.ask(&chunk).await.starts_with("HTTP/1.1 413 "));
    assert!(post(&served, 1000).await.ends_with("\r\n\r\n1000"));
    assert!(served.ask(&closing("GET /hello")).await.ends_with("hello"));
}
