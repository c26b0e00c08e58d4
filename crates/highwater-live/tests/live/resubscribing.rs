//! Subscriptions that are replaced and ended while their events are under way.

use std::collections::VecDeque;
use std::sync::Arc;

use highwater_live::{Live, LiveOptions};
use highwater_testkit::MemoryStore;
use serde_json::json;
use tokio::task::yield_now;

use crate::support::{Pipes, append, offset_of};

/// What a client has asked for and not been answered yet.
enum Asked {
    From(u64),
    End,
}

#[tokio::test(start_paused = true)]
async fn each_confirmation_is_followed_by_what_was_asked_for_and_each_end_by_nothing() {
    for seed in 1..40_u64 {
        let mut state = seed;
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        };
        let store = MemoryStore::new();
        append(&store, "a", 3_000).await;
        let mut options = LiveOptions { live_buffer: 2, ..Default::default() };
        options.limits.calls_per_second = 1_000_000;
        let live = Live::builder(Arc::new(store.clone())).options(options).build();
        let mut socket = Pipes::to(&live).connect().await;
        let (mut asked, mut expected) = (VecDeque::new(), None);
        for _ in 0..60 {
            // Several calls at once, so that they meet events of the one before.
            for _ in 0..=random(3) {
                if random(3) == 0 {
                    socket.call("end", "UnsubscribeFromStream", json!(["a"])).await;
                    asked.push_back(Asked::End);
                } else {
                    let from = random(3_000);
                    socket.call("from", "SubscribeToStream", json!(["a", from])).await;
                    asked.push_back(Asked::From(from));
                }
            }
            for _ in 0..random(20) {
                yield_now().await;
            }
            append(&store, "a", random(5)).await;
            while !asked.is_empty() {
                let message = socket.message().await;
                match (message["target"].as_str(), message["invocationId"].as_str()) {
                    (Some("SubscriptionConfirmed"), _) => match asked.pop_front() {
                        Some(Asked::From(from)) => expected = Some(from),
                        _ => panic!("seed {seed}: nothing was to be confirmed"),
                    },
                    (_, Some("from")) => {}
                    (_, Some("end")) => match asked.pop_front() {
                        Some(Asked::End) => expected = None,
                        _ => panic!("seed {seed}: nothing was to end"),
                    },
                    _ => {
                        let offset = offset_of(&message, "a");
                        assert_eq!(Some(offset), expected, "seed {seed}");
                        expected = expected.map(|offset| offset + 1);
                    }
                }
            }
        }
        assert!(live.gauges().subscriptions <= 1, "seed {seed}");
    }
}
