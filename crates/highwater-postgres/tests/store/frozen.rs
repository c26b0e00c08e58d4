//! A client that freezes with the lock in its hands.

use std::time::Duration;

use highwater_core::{EventStore, StoreError};
use highwater_postgres::PgOptions;
use highwater_testkit::Fixture;

use crate::events::{assert_gapless, log, numbers, one, patiently};
use crate::proxy::Proxy;
use crate::support::fresh_with;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_freezes_before_its_commit_is_cut_off() {
    let schema = fresh_with(PgOptions {
        idle_in_transaction_timeout: Duration::from_millis(300),
        append_timeout: Duration::from_secs(5),
        ..PgOptions::default()
    })
    .await;
    let (other, proxy) = (schema.store(), Proxy::before(&schema.url).await);
    let store = proxy.store(&schema.options, &schema.options.schema).await;
    let tx = store.pool().begin().await.unwrap();
    // The server has made the append, and its client never hears of it and never commits.
    proxy.cut_after("frozen-1");
    let frozen =
        tokio::spawn(async move { store.append_and_commit(tx, vec![one("frozen-1", 1)]).await });
    let late = async {
        while !is_held(&schema).await {
            tokio::task::yield_now().await;
        }
        other.append(vec![one("a", 2)]).await
    };
    patiently("an append of others", late).await.unwrap();
    let cut_off = frozen.await.unwrap();
    assert!(matches!(cut_off, Err(StoreError::Unavailable(_))), "{cut_off:?}");
    assert_eq!(numbers(&other).await, [2]);
    assert_gapless(&log(&other).await);
    schema.finish().await;
}

/// Whether the lock of appends was, or is, in the hands of a client that idles.
async fn is_held(schema: &crate::support::Schema) -> bool {
    let sql = "select exists (
            select from pg_locks l join pg_stat_activity a using (pid)
            where l.locktype = 'advisory' and l.granted and a.state like 'idle%'
                and a.application_name = $1
        )";
    let query = sqlx::query_scalar(sql).bind(&schema.options.schema);
    query.fetch_one(schema.store().pool()).await.unwrap()
}
