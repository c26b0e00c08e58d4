//! A client that freezes with the lock in its hands.

use std::pin::{Pin, pin};
use std::task::Poll;
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
    // Whether it stops between the append and the commit is a matter of luck: where one does not,
    // the next one tries.
    let mut committed = Vec::new();
    for attempt in 0..200 {
        let mut tx = store.pool().begin().await.unwrap();
        let pid = sqlx::query("select pg_backend_pid()").fetch_one(&mut *tx).await.unwrap().get(0);
        let mut frozen = pin!(store.append_and_commit(tx, vec![one("a", attempt)]));
        if let Some(ended) = freeze(frozen.as_mut(), other.pool(), pid).await {
            committed.extend(ended.is_ok().then_some(attempt));
            continue;
        }
        let late = other.append(vec![one("a", 1000)]);
        patiently("an append of others", late).await.unwrap();

        let cut_off = frozen.await;
        if cut_off.is_ok() {
            // Its commit was on the way already.
            committed.push(attempt);
            continue;
        }
        assert!(matches!(cut_off, Err(StoreError::Unavailable(_))), "{cut_off:?}");
        let found = numbers(&store).await;
        assert!(!found.contains(&attempt), "{attempt} was cut off, but is in {found:?}");
        committed.push(1000);
        assert!(committed.iter().all(|number| found.contains(number)), "{committed:?} {found:?}");
        assert_gapless(&log(&store).await);
        other.close().await;
        schema.finish().await;
        return;
    }
    panic!("none could be frozen");
}

/// Drives it until it has the lock and has not committed; its outcome when it has ended.
async fn freeze<T>(
    mut append: Pin<&mut impl Future<Output = T>>,
    pool: &PgPool,
    pid: i32,
) -> Option<T> {
    loop {
        if let Poll::Ready(ended) = poll!(append.as_mut()) {
            return Some(ended);
        }
        if holds_lock(pool, pid).await {
            return None;
        }
    }
}

/// Whether the backend waits for its client, and holds the lock of appends.
async fn holds_lock(pool: &PgPool, pid: i32) -> bool {
    let sql = "select state like 'idle%', exists (
            select from pg_locks l where l.pid = a.pid and l.locktype = 'advisory' and l.granted
        ) from pg_stat_activity a where pid = $1";
    loop {
        // A backend that is gone has been cut off already.
        let Some(row) = sqlx::query(sql).bind(pid).fetch_optional(pool).await.unwrap() else {
            return false;
        };
        if row.get(0) {
            return row.get(1);
        }
    }
}
