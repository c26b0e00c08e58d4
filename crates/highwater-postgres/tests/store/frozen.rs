//! A client that freezes with the lock in its hands.

use std::time::Duration;

use futures::poll;
use highwater_core::{EventStore, StoreError};
use highwater_postgres::PgOptions;
use highwater_testkit::Fixture;
use sqlx::{PgPool, Row};

use crate::events::{assert_gapless, log, numbers, one, patiently};
use crate::support::fresh_with;

#[tokio::test]
async fn a_client_that_freezes_before_its_commit_is_cut_off() {
    let schema = fresh_with(PgOptions {
        idle_in_transaction_timeout: Duration::from_millis(300),
        ..PgOptions::default()
    })
    .await;
    let (store, other) = (schema.store(), schema.reopen().await);
    let mut tx = store.pool().begin().await.unwrap();
    let pid: i32 = sqlx::query("select pg_backend_pid()").fetch_one(&mut *tx).await.unwrap().get(0);

    let mut frozen = std::pin::pin!(store.append_and_commit(tx, vec![one("a", 1)]));
    while !holds_lock(other.pool(), pid).await {
        assert!(poll!(frozen.as_mut()).is_pending(), "it ended before it could be frozen");
    }
    let appended = patiently("an append of others", other.append(vec![one("a", 2)])).await.unwrap();
    assert_eq!(appended.position.get(), 0);

    let cut_off = frozen.await;
    assert!(matches!(cut_off, Err(StoreError::Unavailable(_))), "{cut_off:?}");
    assert_eq!(numbers(&store).await, [2]);
    assert_gapless(&log(&store).await);
    other.close().await;
    schema.finish().await;
}

/// Whether the backend waits for its client, and holds the lock of appends.
async fn holds_lock(pool: &PgPool, pid: i32) -> bool {
    let sql = "select state like 'idle%', exists (
            select from pg_locks l where l.pid = a.pid and l.locktype = 'advisory' and l.granted
        ) from pg_stat_activity a where pid = $1";
    loop {
        let row = sqlx::query(sql).bind(pid).fetch_one(pool).await.unwrap();
        if row.get(0) {
            return row.get(1);
        }
    }
}
