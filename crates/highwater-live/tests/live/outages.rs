//! What becomes of subscriptions while the store is away, and when its log is broken.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures::StreamExt;
use highwater_live::{Live, LiveOptions};
use highwater_testkit::{Faulty, MemoryStore};
use serde_json::json;
use tokio::time::sleep;
use tower::ServiceExt;

use crate::support::{Pipes, Reads, Rigged, append, offset_of};

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_during_catch_up_and_afterwards_costs_only_time() {
    let store = MemoryStore::new();
    append(&store, "a", 1_000).await;
    let rigged = Rigged::new(&store);
    let live = Live::new(Arc::new(rigged.clone()));
    let mut socket = Pipes::to(&live).connect().await;
    socket.patience = Duration::from_secs(600);
    socket.subscribe("a", Some(0)).await;
    let outages = async {
        for reads in [Reads::Away, Reads::Work, Reads::Away, Reads::Wait, Reads::Work] {
            rigged.reads(reads);
            append(&store, "a", 10).await;
            sleep(Duration::from_secs(20)).await;
        }
    };
    let events = async {
        for offset in 0..1_050 {
            assert_eq!(offset_of(&socket.message().await, "a"), offset);
        }
    };
    tokio::join!(outages, events);
}

#[tokio::test(start_paused = true)]
async fn faults_of_many_kinds_make_no_gap_and_no_duplicate() {
    for (seed, source) in (0..30).zip(["a", "$category:a", "$all"].iter().cycle()) {
        let store = MemoryStore::new();
        append(&store, "a", 300).await;
        let faulty = Arc::new(Faulty::new(store.clone(), seed));
        let options = LiveOptions { live_buffer: 2, ..Default::default() };
        let live = Live::builder(faulty).options(options).build();
        let request = || Request::get(format!("/streams/{source}/events?from=0"));
        let mut response = live.router().oneshot(request().body(Body::empty()).unwrap()).await;
        while response.as_ref().unwrap().status() == StatusCode::SERVICE_UNAVAILABLE {
            response = live.router().oneshot(request().body(Body::empty()).unwrap()).await;
        }
        let mut body = response.unwrap().into_body().into_data_stream();
        let writer = async {
            for burst in 0..30 {
                append(&store, "a", burst % 7 + 1).await;
                sleep(Duration::from_millis(seed * 3)).await;
            }
        };
        let reader = async {
            let (mut expected, end) = (0, 300 + (0..30).map(|burst| burst % 7 + 1).sum::<u64>());
            while expected < end {
                let chunk = body.next().await.unwrap().unwrap();
                let text = std::str::from_utf8(&chunk).unwrap().to_owned();
                for id in text.lines().filter_map(|line| line.strip_prefix("id: ")) {
                    let id: i64 = id.parse().unwrap();
                    if id >= 0 {
                        assert_eq!(id as u64, expected, "seed {seed}, {source}");
                        expected += 1;
                    }
                }
            }
        };
        tokio::join!(writer, reader);
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_whose_log_is_broken_says_which_one_has_ended() {
    let store = MemoryStore::new();
    append(&store, "a", 3).await;
    let rigged = Rigged::new(&store);
    let live = Live::new(Arc::new(rigged.clone()));
    let mut socket = Pipes::to(&live).connect().await;
    socket.subscribe("b", None).await;
    rigged.reads(Reads::Wait);
    socket.call("1", "SubscribeToStream", json!(["a", 0])).await;
    assert_eq!(socket.message().await["target"], "SubscriptionConfirmed");
    assert_eq!(socket.message().await["type"], 3);
    let stream = json!({
        "type": 4, "invocationId": "2", "target": "StreamEvents", "arguments": ["a", 0],
    });
    socket.send(&stream).await;
    rigged.reads(Reads::Broken);
    let (mut of_handler, mut of_stream) = (None, None);
    while of_handler.is_none() || of_stream.is_none() {
        let message = socket.message().await;
        match message["target"].as_str() {
            Some("Error") => of_handler = message["arguments"][0].as_str().map(str::to_owned),
            _ => of_stream = message["error"].as_str().map(str::to_owned),
        }
    }
    for reason in [of_handler, of_stream] {
        assert_eq!(reason.unwrap(), "the events of \"a\" end here: the log cannot be read");
    }
    assert_eq!(live.gauges().subscriptions, 1);
}
