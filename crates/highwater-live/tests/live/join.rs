//! Catch-up joins live: each event once, in order, whatever the size of the live buffer.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{Socket, append, offset_of, serve};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures::StreamExt;
use highwater_live::{Live, LiveOptions};
use highwater_testkit::MemoryStore;
use tokio::time::sleep;
use tower::ServiceExt;

/// How many seeds each live buffer is tried with: `LIVE_SEEDS`, or fewer, to be quick.
fn seeds(few: u64) -> u64 {
    std::env::var("LIVE_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(few)
}

const STORED: u64 = 10_000;
const LIVE: u64 = 400;

fn with_buffer(live_buffer: usize) -> LiveOptions {
    LiveOptions { live_buffer, ..Default::default() }
}

/// Appends about a thousand events a second, in bursts that depend on the seed.
async fn append_live(store: MemoryStore, seed: u64) {
    let mut left = LIVE;
    let mut state = seed;
    while left > 0 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let burst = (state >> 33) % 12 + 1;
        let burst = burst.min(left);
        append(&store, "orders", burst).await;
        left -= burst;
        sleep(Duration::from_millis(burst)).await;
    }
}

/// The ids of plain server-sent events up to the last one expected.
async fn read_sse(live: &Live, uri: &str, last: u64) -> Vec<u64> {
    let request = Request::get(uri).body(Body::empty()).unwrap();
    let response = live.router().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body().into_data_stream();
    let (mut ids, mut text) = (Vec::new(), String::new());
    while ids.last() != Some(&last) {
        let chunk = body.next().await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        let end = text.rfind("\n\n").map_or(0, |end| end + 2);
        for block in text.drain(..end).collect::<String>().split_terminator("\n\n") {
            let event = block.strip_prefix("id: ").and_then(|block| block.split_once("\ndata: "));
            if let Some((id, data)) = event {
                let id: u64 = id.parse().unwrap();
                assert!(data.contains(&format!("\"offset\":{id},")), "{id}: {data}");
                ids.push(id);
            }
        }
    }
    ids
}

#[tokio::test(start_paused = true)]
async fn server_sent_events_have_no_gap_and_no_duplicate() {
    let store = MemoryStore::new();
    append(&store, "orders", STORED).await;
    let (mut from, mut end) = (0, STORED);
    for live_buffer in [1, 2, 32] {
        let live = Live::new(Arc::new(store.clone())).options(with_buffer(live_buffer));
        for seed in 0..seeds(34) {
            let writer = tokio::spawn(append_live(store.clone(), seed));
            let uri = format!("/streams/orders/events?from={from}");
            let ids = read_sse(&live, &uri, end + LIVE - 1).await;
            assert!(ids.into_iter().eq(from..end + LIVE), "buffer {live_buffer}, seed {seed}");
            writer.await.unwrap();
            (from, end) = (from + LIVE, end + LIVE);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_category_and_everything_have_each_position_once() {
    for source in ["$category:orders", "$all"] {
        let store = MemoryStore::new();
        append(&store, "orders", 100).await;
        let live = Live::new(Arc::new(store.clone())).options(with_buffer(2));
        let writer = tokio::spawn(append_live(store, 7));
        let uri = format!("/streams/{source}/events?from=40");
        let ids = read_sse(&live, &uri, 99 + LIVE).await;
        assert!(ids.into_iter().eq(40..100 + LIVE), "{source}");
        writer.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_web_socket_has_no_gap_and_no_duplicate() {
    for live_buffer in [1, 2, 32] {
        for seed in 0..seeds(4) {
            let served = serve(|live| live.options(with_buffer(live_buffer))).await;
            append(&served.store, "orders", STORED).await;
            let mut socket = Socket::connect(served.address).await;
            let writer = tokio::spawn(append_live(served.store.clone(), seed));
            socket.subscribe("orders", Some(0)).await;
            for expected in 0..STORED + LIVE {
                let message = socket.message().await;
                assert_eq!(offset_of(&message, "orders"), expected, "{live_buffer}, seed {seed}");
            }
            writer.await.unwrap();
        }
    }
}
