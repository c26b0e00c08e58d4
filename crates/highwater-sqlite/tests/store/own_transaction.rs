//! Appends and checkpoints in a transaction that also writes the user's own tables.

use std::time::Duration;

use crate::fixture::{STREAM, all, append, fresh, one};
use highwater_core::{
    Advance, Change, CheckpointKey, CheckpointStore, EventStore, Expected, Offset, Owner,
    ProjectionName, ProjectionStore, ProjectionTx, Source, StoreError,
};
use highwater_sqlite::{SqliteStore, SqliteWrite};

async fn insert(write: &mut SqliteWrite) {
    sqlx::query("insert into orders values (1)").execute(write.conn()).await.unwrap();
}

async fn with_orders() -> (tempfile::TempDir, SqliteStore) {
    let (dir, store) = fresh().await;
    let mut write = store.begin_write().await.unwrap();
    sqlx::query("create table orders (id integer)").execute(write.conn()).await.unwrap();
    write.commit().await.unwrap();
    (dir, store)
}

async fn orders(store: &SqliteStore) -> i64 {
    let count = sqlx::query_scalar("select count(*) from orders");
    count.fetch_one(store.readers()).await.unwrap()
}

#[tokio::test]
async fn an_append_commits_with_the_users_own_rows_and_wakes_readers() {
    let (_dir, store) = with_orders().await;
    let mut wake = store.wake();
    let mut write = store.begin_write().await.unwrap();
    insert(&mut write).await;
    let appended = store.append_and_commit(write, one(&STREAM, 1)).await.unwrap();
    wake.grown().await;
    assert_eq!(appended.streams[0].first, Offset::FIRST);
    assert_eq!((orders(&store).await, all(&store).await.len()), (1, 1));
}

#[tokio::test]
async fn a_repetition_returns_the_first_result_and_changes_nothing() {
    let (_dir, store) = with_orders().await;
    let batch = one(&STREAM, 1);
    let mut results = Vec::new();
    for _ in 0..2 {
        let mut write = store.begin_write().await.unwrap();
        insert(&mut write).await;
        results.push(store.append_and_commit(write, batch.clone()).await.unwrap());
    }
    assert_eq!(results[0], results[1]);
    assert_eq!((orders(&store).await, all(&store).await.len()), (1, 1));
}

#[tokio::test]
async fn a_conflict_undoes_the_users_own_rows() {
    let (_dir, store) = with_orders().await;
    append(&store, 1).await.unwrap();
    let mut write = store.begin_write().await.unwrap();
    insert(&mut write).await;
    let mut batch = one(&STREAM, 2);
    batch[0].expected = Expected::NoStream;
    let refused = store.append_and_commit(write, batch).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    assert_eq!((orders(&store).await, all(&store).await.len()), (0, 1));
}

#[tokio::test]
async fn a_refused_batch_undoes_the_users_own_rows() {
    let (_dir, store) = with_orders().await;
    let mut write = store.begin_write().await.unwrap();
    insert(&mut write).await;
    let refused = store.append_and_commit(write, Vec::new()).await;
    assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    assert_eq!(orders(&store).await, 0);
}

#[tokio::test]
async fn nothing_is_committed_after_the_user_has_ended_the_transaction() {
    let (_dir, store) = with_orders().await;
    let mut write = store.begin_write().await.unwrap();
    insert(&mut write).await;
    sqlx::query("rollback").execute(write.conn()).await.unwrap();
    store.append_and_commit(write, one(&STREAM, 1)).await.unwrap_err();
    assert_eq!((orders(&store).await, all(&store).await.len()), (0, 0));

    let key = CheckpointKey::new(ProjectionName::from_static("orders"), Source::All);
    let owner = Owner::new("test");
    let (lease, _) = store.acquire(&key, &owner, Duration::from_secs(60)).await.unwrap().unwrap();
    append(&store, 1).await.unwrap();
    let mut tx = ProjectionStore::begin(&store, &lease).await.unwrap();
    sqlx::query("rollback").execute(tx.conn()).await.unwrap();
    let advance = Advance::new(None, Some(Offset::FIRST), 1);
    tx.commit(Change::Advance(advance)).await.unwrap_err();
    let checkpoint = store.checkpoint(&key).await.unwrap().unwrap();
    assert_eq!(checkpoint.last_processed_offset, None);
}
