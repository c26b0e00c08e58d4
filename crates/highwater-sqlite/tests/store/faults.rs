//! What the disk and its owner do to the file.

use highwater_core::{ErrorClass, EventStore, ProjectionStore, Source, StoreError};
use highwater_sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

use crate::file::limit_pages;
use crate::fixture::{STREAM, all, append, fresh, one, open};

/// Opening it again fails with this class.
async fn assert_refused(dir: &TempDir, expected: ErrorClass) {
    let path = dir.path().join("store.db");
    let error = SqliteStore::open(path, SqliteOptions::default()).await.unwrap_err();
    assert_eq!(error.class(), expected, "{error:?}");
}

#[tokio::test]
async fn a_file_that_is_deleted_confirms_nothing_more_and_its_absence_is_told() {
    let (dir, store) = fresh().await;
    append(&store, 1).await.unwrap();
    let away = dir.path().join("away.db");
    for file in ["store.db", "store.db-wal"] {
        let (from, to) = (dir.path().join(file), file.replace("store", "away"));
        std::fs::rename(from, dir.path().join(to)).unwrap();
    }
    for _ in 0..3 {
        let written = append(&store, 2).await.unwrap_err();
        assert!(matches!(written, StoreError::Misconfigured(_)), "{written:?}");
        let read = store.head(&Source::All).await.unwrap_err();
        assert!(matches!(read, StoreError::Misconfigured(_)), "{read:?}");
    }
    assert!(!dir.path().join("store.db").exists(), "nobody made an empty one");
    drop(store);
    let found = SqliteStore::open(away, SqliteOptions::default()).await.unwrap();
    assert_eq!(all(&found).await.len(), 1);
}

#[tokio::test]
async fn a_file_that_is_damaged_or_none_is_told_of_and_not_waited_for() {
    let (dir, store) = fresh().await;
    store.close().await;
    std::fs::write(dir.path().join("store.db"), "no database ".repeat(1_000)).unwrap();
    assert_refused(&dir, ErrorClass::Configuration).await;
    std::fs::remove_file(dir.path().join("store.db")).unwrap();
    std::fs::create_dir(dir.path().join("store.db")).unwrap();
    assert_refused(&dir, ErrorClass::Configuration).await;
}

#[tokio::test]
async fn what_a_users_statement_meets_is_sorted_by_whose_fault_it_is() {
    let (_dir, store) = fresh().await;
    let mut write = store.begin_write().await.unwrap();
    let create = "create table totals (n integer not null unique, text text check (json(text)))";
    sqlx::query(create).execute(write.conn()).await.unwrap();
    write.commit().await.unwrap();
    for (statement, expected) in [
        ("insert into totals (n) values (1), (1)", ErrorClass::Request),
        ("insert into totals (n) values (null)", ErrorClass::Request),
        ("insert into totals values (2, '{')", ErrorClass::Request),
        ("select json('{')", ErrorClass::Request),
        ("select abs(-9223372036854775808)", ErrorClass::Request),
        ("insert into nowhere values (1)", ErrorClass::Configuration),
        ("insert into totals (m) values (1)", ErrorClass::Configuration),
        ("selec 1", ErrorClass::Configuration),
        ("pragma query_only = on; insert into totals (n) values (3)", ErrorClass::Configuration),
    ] {
        let mut write = store.begin_write().await.unwrap();
        let error = sqlx::raw_sql(statement).execute(write.conn()).await.unwrap_err();
        assert_eq!(store.class(&error), expected, "{statement}: {error}");
        sqlx::raw_sql("pragma query_only = off").execute(write.conn()).await.unwrap();
    }
}

#[tokio::test]
async fn a_full_disk_that_the_user_passed_over_is_still_waited_for() {
    let (_dir, store) = fresh().await;
    append(&store, 0).await.unwrap();
    let mut write = store.begin_write().await.unwrap();
    sqlx::query("create table totals (text text)").execute(write.conn()).await.unwrap();
    write.commit().await.unwrap();
    limit_pages(&store, 40).await;
    let mut write = store.begin_write().await.unwrap();
    let insert = "insert into totals values (hex(zeroblob(1000000)))";
    let full = sqlx::query(insert).execute(write.conn()).await.unwrap_err();
    assert_eq!(store.class(&full), ErrorClass::World, "{full}");
    let refused = store.append_and_commit(write, one(&STREAM, 1)).await.unwrap_err();
    assert_eq!(refused.class(), ErrorClass::World, "{refused:?}");
    limit_pages(&store, 1_000_000).await;
    append(&store, 1).await.unwrap();
    assert_eq!(all(&store).await.len(), 2);
}

#[tokio::test]
async fn a_file_that_may_not_be_written_is_told_of() {
    let (dir, store) = fresh().await;
    append(&store, 0).await.unwrap();
    // As the driver says it of a file without the right to write; root may write everything.
    let mut write = store.begin_write().await.unwrap();
    sqlx::query("pragma query_only = on").execute(write.conn()).await.unwrap();
    let error = sqlx::query("delete from documents").execute(write.conn()).await.unwrap_err();
    assert_eq!(store.class(&error), ErrorClass::Configuration, "{error}");
    drop(write);
    assert_eq!(all(&open(&dir).await).await.len(), 1);
}
