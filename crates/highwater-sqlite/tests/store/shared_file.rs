//! Several stores on one file, as several processes have.

use crate::fixture::{STREAM, all, append, event, fresh, one, open};
use highwater_core::{EventStore, Expected, Source, StoreError, StreamName};
use highwater_sqlite::{SqliteOptions, SqliteStore};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn appends_of_two_stores_leave_no_gap() {
    let (dir, first) = fresh().await;
    let second = open(&dir).await;
    let append = |(n, store): (usize, SqliteStore)| async move {
        for round in 0..25 {
            let stream = StreamName::new(format!("account-{}", n % 3)).unwrap();
            store.append(one(&stream, round)).await.unwrap();
        }
    };
    let stores = (0..16).map(|n| (n, if n % 2 == 0 { first.clone() } else { second.clone() }));
    let tasks: Vec<_> = stores.map(append).map(tokio::spawn).collect();
    for task in tasks {
        task.await.unwrap();
    }
    let events = all(&first).await;
    assert_eq!(events.len(), 16 * 25);
    assert_eq!(events, all(&second).await);
}

#[tokio::test]
async fn an_append_wakes_the_readers_of_the_other_store() {
    let (dir, here) = fresh().await;
    let there = open(&dir).await;
    for (writer, reader) in [(&here, &there), (&there, &here)] {
        let mut wake = reader.wake();
        let head = append(writer, 1).await.unwrap().position;
        let seen = async {
            loop {
                wake.grown().await;
                let seen = reader.head(&Source::All).await.unwrap();
                if seen.is_some_and(|seen| seen.get() >= head.get()) {
                    break;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), seen).await.unwrap();
    }
}

#[tokio::test]
async fn two_stores_cannot_both_be_right_about_a_stream() {
    let (dir, here) = fresh().await;
    let there = open(&dir).await;
    let mut batch = one(&STREAM, 1);
    batch[0].expected = Expected::NoStream;
    let mut other = one(&STREAM, 2);
    other[0].expected = Expected::NoStream;
    let (one, two) = tokio::join!(here.append(batch), there.append(other));
    assert!(one.is_ok() != two.is_ok());
    assert!(matches!(one.and(two), Err(StoreError::Conflict { .. })));
}

#[tokio::test]
async fn a_writer_that_does_not_come_free_is_unavailable() {
    let (dir, holder) = fresh().await;
    let busy_timeout = Duration::from_millis(500);
    let options = SqliteOptions { busy_timeout, ..SqliteOptions::default() };
    let hasty = SqliteStore::open(dir.path().join("store.db"), options).await.unwrap();

    let other_process = holder.begin_write().await.unwrap();
    assert!(append(&hasty, 1).await.unwrap_err().is_transient());
    drop(other_process);
    append(&hasty, 1).await.unwrap();

    let own = hasty.begin_write().await.unwrap();
    let error = append(&hasty, 2).await.unwrap_err();
    assert!(error.is_transient());
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("another write transaction of this store"), "{cause}");
    drop(own);
    append(&hasty, 2).await.unwrap();
    assert_eq!(all(&holder).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_append_behind_another_writer_is_answered_by_its_own_deadline() {
    let (dir, holder) = fresh().await;
    let busy_timeout = Duration::from_secs(1);
    let options = SqliteOptions { busy_timeout, ..SqliteOptions::default() };
    let hasty = SqliteStore::open(dir.path().join("store.db"), options).await.unwrap();
    let other_process = holder.begin_write().await.unwrap();
    let appends: Vec<_> = (0..10)
        .map(|n| {
            let store = hasty.clone();
            tokio::spawn(async move {
                // So many that no two of them share a commit, which would answer both at once.
                let mut batch = one(&STREAM, n);
                batch[0].events = (0..3_000).map(event).collect();
                let asked = std::time::Instant::now();
                (store.append(batch).await, asked.elapsed())
            })
        })
        .collect();
    for answered in appends {
        let (answer, after) = answered.await.unwrap();
        assert!(answer.is_err_and(|error| error.is_transient()));
        assert!(after < Duration::from_secs(6), "answered after {after:?}");
    }
    drop(other_process);
    append(&hasty, 10).await.unwrap();
}
