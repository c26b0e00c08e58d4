//! Catch-up joins live: each event once, in order, whatever the size of the live buffer.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures::StreamExt;
use highwater_core::{EventStore, Source};
use highwater_live::{Live, LiveOptions};
use highwater_testkit::MemoryStore;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::yield_now;
use tokio::time::sleep;
use tower::ServiceExt;

use crate::support::{Pipes, Socket, append, serve};

/// How many seeds each live buffer is tried with: `LIVE_SEEDS`, or enough for a hundred together.
fn seeds(enough: u64) -> Range<u64> {
    0..std::env::var("LIVE_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(enough)
}

const STORED: u64 = 10_000;
const LIVE: u64 = 400;

const BUFFERS: [usize; 3] = [1, 2, 32];

fn with_buffer(live_buffer: usize) -> LiveOptions {
    LiveOptions { live_buffer, ..Default::default() }
}

/// The sizes of bursts of live events.
fn bursts(seed: u64) -> impl Iterator<Item = u64> {
    let (mut state, mut left) = (seed, LIVE);
    std::iter::from_fn(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let burst = ((state >> 33) % 12 + 1).min(left);
        left -= burst;
        (burst > 0).then_some(burst)
    })
}

/// Appends live events, and after each burst lets everything else go on for some turns: by the
/// seed, all of them come during the catch-up, or some of them, or most of them after it.
async fn append_between(store: MemoryStore, seed: u64, turns_max: u64) {
    for (nth, burst) in (0..).zip(bursts(seed)) {
        append(&store, "orders", burst).await;
        for _ in 0..(nth * 7 + burst) % (seed * turns_max / 34 + 2) {
            yield_now().await;
        }
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

/// Reads exactly these events of `orders`, the next of a socket that has subscribed to them.
async fn read_events<S>(socket: &mut Socket<S>, offsets: Range<u64>, what: &str)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    const START: &str = "{\"type\":1,\"target\":\"EventReceived\",\"arguments\":[\"orders\",\
                         {\"streamName\":\"orders\",\"offset\":";
    for expected in offsets {
        let record = socket.record().await;
        let offset = record.strip_prefix(START).and_then(|rest| rest.split_once(','));
        let offset = offset.and_then(|(offset, _)| offset.parse().ok());
        assert_eq!(offset, Some(expected), "{what}: {record:.200}");
    }
}

#[tokio::test(start_paused = true)]
async fn server_sent_events_have_no_gap_and_no_duplicate() {
    let store = MemoryStore::new();
    append(&store, "orders", STORED).await;
    let (mut from, mut end) = (0, STORED);
    for live_buffer in BUFFERS {
        let live = Live::builder(Arc::new(store.clone())).options(with_buffer(live_buffer)).build();
        for seed in seeds(34) {
            let writer = tokio::spawn(append_between(store.clone(), seed, 12));
            let uri = format!("/streams/orders/events?from={from}");
            let ids = read_sse(&live, &uri, end + LIVE - 1).await;
            assert!(ids.into_iter().eq(from..end + LIVE), "buffer {live_buffer}, seed {seed}");
            writer.await.unwrap();
            (from, end) = (from + LIVE, end + LIVE);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_web_socket_has_no_gap_and_no_duplicate() {
    let store = MemoryStore::new();
    append(&store, "orders", STORED).await;
    let (mut from, mut end) = (0, STORED);
    for live_buffer in BUFFERS {
        let live = Live::builder(Arc::new(store.clone())).options(with_buffer(live_buffer)).build();
        let pipes = Pipes::to(&live);
        for seed in seeds(34) {
            let mut socket = pipes.connect().await;
            let writer = tokio::spawn(append_between(store.clone(), seed, 60));
            socket.subscribe("orders", Some(from)).await;
            let what = format!("buffer {live_buffer}, seed {seed}");
            read_events(&mut socket, from..end + LIVE, &what).await;
            writer.await.unwrap();
            (from, end) = (from + LIVE, end + LIVE);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_category_and_everything_have_each_position_once() {
    for (seed, source) in (0..).zip(["$category:orders", "$all"].iter().cycle().take(20)) {
        let store = MemoryStore::new();
        append(&store, "orders", 1_000).await;
        let live = Live::builder(Arc::new(store.clone())).options(with_buffer(2)).build();
        let writer = tokio::spawn(append_between(store, seed, 5));
        let uri = format!("/streams/{source}/events?from=40");
        let ids = read_sse(&live, &uri, 999 + LIVE).await;
        assert!(ids.into_iter().eq(40..1_000 + LIVE), "{source}, seed {seed}");
        writer.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn without_room_for_live_events_they_are_read_from_the_log() {
    for (seed, source) in (0..).zip(["orders", "$category:orders", "$all"].iter().cycle().take(30))
    {
        // Room for two events, for one, and for none.
        for live_bytes in [32, 16, 0] {
            let store = MemoryStore::new();
            append(&store, "orders", 100).await;
            let options = LiveOptions { live_bytes, ..Default::default() };
            let live = Live::builder(Arc::new(store.clone())).options(options).build();
            let writer = tokio::spawn(append_between(store, seed, 20));
            let uri = format!("/streams/{source}/events?from=0");
            let ids = read_sse(&live, &uri, 99 + LIVE).await;
            assert!(ids.into_iter().eq(0..100 + LIVE), "{source}, seed {seed}");
            writer.await.unwrap();
        }
    }
}

/// Over TCP and in real time: a thousand live events a second go on for as long as anybody reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_events_a_second_join_what_is_stored() {
    for live_buffer in BUFFERS {
        let served = serve(|live| live.options(with_buffer(live_buffer))).await;
        append(&served.store, "orders", STORED).await;
        let store = served.store.clone();
        let writer = tokio::spawn(async move {
            for burst in bursts(0).collect::<Vec<_>>().into_iter().cycle() {
                append(&store, "orders", burst).await;
                sleep(Duration::from_millis(burst)).await;
            }
        });
        let orders: Source = "orders".parse().unwrap();
        for seed in seeds(2) {
            let end = async || served.store.head(&orders).await.unwrap().unwrap().get() + 1;
            let mut socket = Socket::connect(served.address).await;
            let from = end().await - STORED;
            socket.subscribe("orders", Some(from)).await;
            let what = format!("buffer {live_buffer}, seed {seed}");
            read_events(&mut socket, from..from + STORED, &what).await;
            let last = end().await + LIVE;
            read_events(&mut socket, from + STORED..last, &what).await;
        }
        writer.abort();
    }
}
