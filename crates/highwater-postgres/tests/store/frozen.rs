//! A client that freezes with the lock in its hands.

use std::pin::{Pin, pin};
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
    // Whether it stops between the append and the commit is a matter of luck: one that does not
    // has committed, and the next one tries.
    for attempt in 0..200 {
        let mut tx = store.pool().begin().await.unwrap();
        let pid = sqlx::query("select pg_backend_pid()").fetch_one(&mut *tx).await.unwrap().get(0);
        let mut frozen = pin!(store.append_and_commit(tx, vec![one("a", attempt)]));
        if !freeze(frozen.as_mut(), other.pool(), pid).await {
            continue;
        }
        let late = other.append(vec![one("a", 1000)]);
        let appended = patiently("an append of others", late).await.unwrap();
        assert_eq!(appended.position.get(), attempt);

        let cut_off = frozen.await;
        assert!(matches!(cut_off, Err(StoreError::Unavailable(_))), "{cut_off:?}");
        let committed: Vec<_> = (0..attempt).chain([1000]).collect();
        assert_eq!(numbers(&store).await, committed);
        assert_gapless(&log(&store).await);
        other.close().await;
        schema.finish().await;
        return;
    }
    panic!("none could be frozen");
}

/// Drives it until it has the lock and has not committed; false when it has ended.
async fn freeze<T>(mut append: Pin<&mut impl Future<Output = T>>, pool: &PgPool, pid: i32) -> bool {
    loop {
        if poll!(append.as_mut()).is_ready() {
            return false;
        }
        if holds_lock(pool, pid).await {
            return true;
        }
    }
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
