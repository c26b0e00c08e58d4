//! Connections whose packets are dropped without a word.

use std::time::Duration;

use highwater_core::{
    CheckpointKey, CheckpointStore, EventStore, ProjectionName, ProjectionStore, ProjectionTx,
    Source,
};
use highwater_postgres::PgOptions;
use highwater_testkit::Fixture;

use crate::events::{assert_gapless, log, one, patiently};
use crate::proxy::Proxy;
use crate::support::fresh_with;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_whose_connections_are_dead_without_a_word_makes_new_ones() {
    let schema = fresh_with(PgOptions {
        append_timeout: Duration::from_secs(2),
        call_timeout: Duration::from_secs(2),
        // So long that only the connection that listens can tell of an append.
        poll_interval: Duration::from_hours(1),
        ..PgOptions::default()
    })
    .await;
    let options = PgOptions { max_connections: 2, ..schema.options.clone() };
    let (proxy, other) = (Proxy::before(&schema.url).await, schema.store());
    let store = proxy.store(&options, "behind-a-proxy").await;
    let key = CheckpointKey::new(ProjectionName::from_static("partition"), Source::All);
    let owner = highwater_core::Owner::new("test");
    for round in 0..2 {
        store.append(vec![one("a", round)]).await.unwrap();
        store.request_rebuild(&key).await.unwrap();
        let ttl = Duration::from_hours(1);
        let (lease, _) = store.acquire(&key, &owner, ttl).await.unwrap().unwrap();
        // One is in the hands of a batch, one is used, one is idle, one appends.
        let mut tx = store.begin(&lease).await.unwrap();
        proxy.cut();
        assert!(tx.clear().await.is_err());
        drop(tx);

        let mut wake = store.wake();
        let again = async {
            while store.append(vec![one("b", round)]).await.is_err() {}
            while store.head(&Source::All).await.is_err() {}
            while store.checkpoint(&key).await.is_err() {}
            while store.request_rebuild(&key).await.is_err() {}
        };
        patiently("answers over new connections", again).await;
        wake.grown().await;
        let woken = async {
            // The first ones may come before it listens again.
            loop {
                other.append(vec![one("c", round)]).await.unwrap();
                let soon = Duration::from_millis(500);
                if tokio::time::timeout(soon, wake.grown()).await.is_ok() {
                    return;
                }
            }
        };
        patiently("a hint over a new connection", woken).await;
    }
    assert_gapless(&log(&other).await);
    patiently("a close", store.close()).await;
    schema.finish().await;
}
