//! Transactions of users that are dropped while they begin.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use highwater_core::{CheckpointKey, CheckpointStore, ProjectionName, Source};
use highwater_postgres::PgOptions;
use highwater_testkit::Fixture;

use crate::support::{fresh, open};

/// Polls `future` so often at most, each time when it has been woken, and drops it.
async fn drop_after(polls: usize, future: impl Future) {
    let mut future = pin!(future);
    let mut count = 0;
    poll_fn(|cx| {
        count += 1;
        let is_over = count > polls || future.as_mut().poll(cx).is_ready();
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_begin_of_a_user_that_is_dropped_costs_no_later_call_its_commit() {
    let schema = fresh().await;
    let options = PgOptions { max_connections: 1, ..schema.options.clone() };
    let store = open(&schema.url, &options).await;
    for n in 0..40 {
        drop_after(n % 5, store.pool().begin()).await;
        let name = ProjectionName::new(format!("dropped-{n}")).unwrap();
        let key = CheckpointKey::new(name, Source::All);
        store.request_rebuild(&key).await.unwrap();
        let seen = schema.store().checkpoint(&key).await.unwrap();
        assert!(seen.is_some_and(|row| row.rebuild_requested), "confirmed and not committed: {n}");
    }
    store.close().await;
    schema.finish().await;
}
