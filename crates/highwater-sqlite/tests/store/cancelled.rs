//! A caller that goes away in the middle leaves nothing half done.

use std::future::Future;
use std::task::{Context, Poll};

use crate::fixture::{STREAM, all, append, fresh, one};
use highwater_core::{EventStore, StreamName};

/// Polls `future` at most `times` times, and drops it.
async fn give_up_after<F: Future>(times: usize, future: F) -> bool {
    let mut future = Box::pin(future);
    let mut polls = 0;
    std::future::poll_fn(|cx: &mut Context<'_>| {
        if future.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        polls += 1;
        if polls > times { Poll::Ready(false) } else { Poll::Pending }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_dropped_at_any_point_is_whole_or_absent_and_the_store_goes_on() {
    let (_dir, store) = fresh().await;
    let other = StreamName::from_static("account-2");
    let mut dropped = 0;
    for n in 0..80 {
        let mut batch = one(&STREAM, n);
        batch.extend(one(&other, n));
        if !give_up_after(n % 10, store.append(batch)).await {
            dropped += 1;
        }
        append(&store, n).await.unwrap();
    }
    assert!(dropped >= 8, "only {dropped} appends were dropped in the middle");
    let events = all(&store).await;
    let of = |stream: &StreamName| events.iter().filter(|event| event.stream == *stream).count();
    assert_eq!(of(&STREAM), 80 + of(&other));
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing_and_frees_the_writer() {
    let (_dir, store) = fresh().await;
    let mut write = store.begin_write().await.unwrap();
    sqlx::query("create table own (n integer)").execute(write.conn()).await.unwrap();
    drop(write);
    append(&store, 1).await.unwrap();
    let tables = sqlx::query_scalar("select count(*) from sqlite_schema where name = 'own'");
    let tables: i64 = tables.fetch_one(store.readers()).await.unwrap();
    assert_eq!(tables, 0);
}
