//! Health on a file: it tells when nobody can write, and when they can again.

use std::sync::Arc;
use std::time::Duration;

use highwater_core::{Health, HealthCheck, HealthThresholds};
use highwater_sqlite::{SqliteOptions, SqliteStore};

#[tokio::test]
async fn health_tells_that_no_write_succeeds_and_that_it_does_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("store.db");
    let options = SqliteOptions { busy_timeout: Duration::from_secs(1), ..Default::default() };
    let store = Arc::new(SqliteStore::open(&file, options).await.unwrap());
    let check = HealthCheck::new(Arc::clone(&store) as _, Arc::clone(&store) as _)
        .sagas(Arc::clone(&store) as _);
    let thresholds = HealthThresholds::default();
    let report = || check.report(&[], &[], None, &thresholds);

    // Another process is frozen in the middle of a transaction.
    let frozen = SqliteStore::open(&file, SqliteOptions::default()).await.unwrap();
    let write = frozen.begin_write().await.unwrap();
    let told = report().await;
    assert_eq!((told.status, told.error), (Health::Unhealthy, None));
    assert!(told.writes.reasons[0].starts_with("no write succeeds"), "{:?}", told.writes);

    drop(write);
    let healthy = async {
        while report().await.status != Health::Healthy {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), healthy).await.expect("it is green again");
    frozen.close().await;
    store.close().await;
    let told = report().await;
    assert_eq!(told.status, Health::Unhealthy, "the store does not answer");
    assert!(told.error.is_some());
}
