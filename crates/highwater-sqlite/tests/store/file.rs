//! What is in the file stays in it.

use crate::fixture::{STREAM, all, append, event, fresh, ids, open};
use highwater_core::{
    CheckpointKey, CheckpointStore, EventStore, Owner, ProjectionName, StoreError,
};
use highwater_sqlite::{Durability, SqliteOptions, SqliteStore};
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use std::time::Duration;

#[tokio::test]
async fn events_are_never_updated_or_deleted() {
    let (_dir, store) = fresh().await;
    append(&store, 1).await.unwrap();
    let statements = ["update events set data = '2'", "delete from events"];
    for statement in statements {
        let mut write = store.begin_write().await.unwrap();
        let error = sqlx::query(statement).execute(write.conn()).await.unwrap_err();
        assert!(error.to_string().contains("events are never"), "{error}");
        write.commit().await.unwrap();
    }
    assert_eq!(all(&store).await[0].data.as_str(), "1");
}

#[tokio::test]
async fn a_reopened_file_has_everything() {
    let (dir, store) = fresh().await;
    let key = CheckpointKey::new(ProjectionName::from_static("totals"), STREAM);
    for n in 0..3 {
        append(&store, n).await.unwrap();
    }
    let before = all(&store).await;
    let lease = store.acquire(&key, &Owner::new("test"), Duration::from_secs(60)).await.unwrap();
    let lease = lease.unwrap().0;
    store.close().await;

    let store = open(&dir).await;
    assert_eq!(all(&store).await, before);
    assert_eq!(store.checkpoint(&key).await.unwrap().unwrap().epoch, lease.epoch);
    append(&store, 3).await.unwrap();
    assert_eq!(ids(&all(&store).await[..3]), ids(&before));
}

#[tokio::test]
async fn a_closed_store_is_unavailable() {
    let (_dir, store) = fresh().await;
    store.close().await;
    assert!(append(&store, 1).await.unwrap_err().is_transient());
    assert!(store.head(&STREAM.into()).await.unwrap_err().is_transient());
}

#[tokio::test]
async fn many_stores_may_open_a_new_file_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let stores = futures::future::join_all((0..16).map(|_| open(&dir))).await;
    for (n, store) in stores.iter().enumerate() {
        append(store, n).await.unwrap();
    }
    assert_eq!(all(&stores[0]).await.len(), 16);
}

#[tokio::test]
async fn a_file_whose_mode_cannot_change_yet_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let file = SqliteConnectOptions::new().filename(dir.path().join("store.db"));
    let mut writer = file.create_if_missing(true).connect().await.unwrap();
    sqlx::raw_sql("create table own (n integer); begin immediate")
        .execute(&mut writer)
        .await
        .unwrap();

    let mut opening = Box::pin(open(&dir));
    let early = tokio::time::timeout(Duration::from_millis(100), &mut opening).await;
    assert!(early.is_err(), "the file was opened in spite of its writer");
    sqlx::query("commit").execute(&mut writer).await.unwrap();
    append(&opening.await, 1).await.unwrap();
}

#[tokio::test]
async fn the_writer_waits_for_the_disk_unless_told_otherwise() {
    for (durability, expected) in [(Durability::Full, 2), (Durability::Normal, 1)] {
        let dir = tempfile::tempdir().unwrap();
        let options = SqliteOptions { durability, ..SqliteOptions::default() };
        let store = SqliteStore::open(dir.path().join("store.db"), options).await.unwrap();
        let mut write = store.begin_write().await.unwrap();
        let get = |pragma| sqlx::query_scalar::<_, i64>(pragma);
        assert_eq!(get("pragma synchronous").fetch_one(write.conn()).await.unwrap(), expected);
        let mode = sqlx::query_scalar::<_, String>("pragma journal_mode");
        assert_eq!(mode.fetch_one(write.conn()).await.unwrap(), "wal");
    }
}

#[tokio::test]
async fn the_connections_that_read_do_not_write() {
    let (_dir, store) = fresh().await;
    let write = sqlx::query("create table own (n integer)").execute(store.readers()).await;
    assert!(write.unwrap_err().to_string().contains("readonly"));
}

#[tokio::test]
async fn nothing_of_a_dropped_store_goes_on_running() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let (_dir, store) = fresh().await;
    append(&store, 1).await.unwrap();
    assert!(tasks() > before);
    drop(store);
    let stopped = async {
        while tasks() > before {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), stopped).await.unwrap();
}

#[tokio::test]
async fn a_url_names_a_file_but_not_memory() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", dir.path().join("store.db").display());
    let store = SqliteStore::connect(&url, SqliteOptions::default()).await.unwrap();
    append(&store, 1).await.unwrap();
    assert_eq!(all(&open(&dir).await).await.len(), 1);
    for bad in ["sqlite::memory:", "postgres://localhost/bank"] {
        let refused = SqliteStore::connect(bad, SqliteOptions::default()).await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{bad}: {refused:?}");
    }
}

#[tokio::test]
async fn options_that_cannot_work_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for options in [
        SqliteOptions { readers: 0, ..SqliteOptions::default() },
        SqliteOptions { poll_interval: Duration::ZERO, ..SqliteOptions::default() },
        SqliteOptions { busy_timeout: Duration::MAX, ..SqliteOptions::default() },
    ] {
        let refused = SqliteStore::open(dir.path().join("store.db"), options).await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    }
}

/// Makes the disk look full when the file has that many pages.
pub(crate) async fn limit_pages(store: &SqliteStore, pages: i64) {
    let mut write = store.begin_write().await.unwrap();
    let limit = sqlx::AssertSqlSafe(format!("pragma max_page_count = {pages}"));
    sqlx::query(limit).execute(write.conn()).await.unwrap();
    write.commit().await.unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_an_append_and_harms_no_later_one() {
    let (_dir, store) = fresh().await;
    append(&store, 0).await.unwrap();
    limit_pages(&store, 30).await;
    let large: Vec<_> = (0..2_000).map(event).collect();
    let large = vec![highwater_core::StreamAppend::new(STREAM, large)];
    let full = store.append(large.clone()).await.unwrap_err();
    assert!(matches!(full, StoreError::Unavailable(_)), "{full:?}");
    assert_eq!(all(&store).await.len(), 1);
    append(&store, 1).await.unwrap();
    limit_pages(&store, 1_000_000).await;
    store.append(large).await.unwrap();
    assert_eq!(all(&store).await.len(), 2_002);
}
