//! Calls that wait for a lock which somebody else holds.

use std::time::Duration;

use futures::future::join_all;
use highwater_core::{
    Advance, CheckpointKey, CheckpointStore, EventStore, Offset, Owner, ProjectionName, Source,
    StoreError, StreamAppend,
};
use highwater_postgres::{PgOptions, PgStore};
use highwater_testkit::Fixture;
use sqlx::{Postgres, Transaction};
use tokio::time::{Instant, timeout};

use crate::events::{event, named_url, numbers, one};
use crate::support::{Schema, fresh, fresh_with, open};

/// How long the calls of these tests may take; much less than a server waits unless it is told.
const SHORT: Duration = Duration::from_secs(1);

/// When a call of these tests is surely late.
const LATE: Duration = Duration::from_secs(5);

fn hasty() -> PgOptions {
    PgOptions { append_timeout: SHORT, call_timeout: SHORT, ..PgOptions::default() }
}

/// Holds the lock of appends until it is dropped.
async fn hold_lock(schema: &Schema) -> Transaction<'static, Postgres> {
    let mut tx = schema.store().pool().begin().await.unwrap();
    let lock = schema.named("select pg_advisory_xact_lock(hashtextextended('@.events', 0))");
    sqlx::query(lock).execute(&mut *tx).await.unwrap();
    tx
}

/// The backends of a store that was opened with [`named_url`], and how many of them wait for a
/// lock.
async fn backends(schema: &Schema) -> (i64, i64) {
    let sql = "select count(*), count(*) filter (where wait_event_type = 'Lock')
        from pg_stat_activity where application_name = $1";
    let query = sqlx::query_as(sql).bind(&schema.options.schema);
    query.fetch_one(schema.store().pool()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_append_behind_a_held_lock_is_answered_by_its_own_deadline() {
    let schema = fresh_with(hasty()).await;
    let store = schema.reopen().await;
    let held = hold_lock(&schema).await;
    let appends = (0..8).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(20 * n)).await;
            // So many that no two of them share a call, which would answer both at once.
            let batch = StreamAppend::new(one("a", n).stream, (0..3_000).map(event).collect());
            let asked = Instant::now();
            let answer = store.append(vec![batch]).await;
            (answer, asked.elapsed())
        })
    });
    for answered in join_all(appends).await {
        let (answer, after) = answered.unwrap();
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
        assert!(after < LATE, "answered after {after:?}");
    }
    drop(held);
    store.append(vec![one("a", 9)]).await.unwrap();
    store.close().await;
    schema.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_in_a_transaction_of_the_user_is_answered_by_its_deadline() {
    let schema = fresh_with(hasty()).await;
    let store = schema.reopen().await;
    let held = hold_lock(&schema).await;
    let tx = store.pool().begin().await.unwrap();
    let asked = Instant::now();
    let late = store.append_and_commit(tx, vec![one("a", 1)]).await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
    assert!(asked.elapsed() < LATE, "answered after {:?}", asked.elapsed());
    drop(held);
    assert_eq!(numbers(&store).await, Vec::<u64>::new());
    store.close().await;
    schema.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_that_are_given_up_leave_no_backend_behind() {
    let schema = fresh_with(hasty()).await;
    let store = open(&named_url(&schema), &schema.options).await;
    store.append(vec![one("a", 0)]).await.unwrap();
    let held = hold_lock(&schema).await;
    for n in 1..=150 {
        drop(timeout(Duration::from_millis(20), store.append(vec![one("a", n)])).await);
    }
    let (all, waiting) = backends(&schema).await;
    assert!(waiting <= 2 && all <= 10, "{all} backends, {waiting} wait");
    drop(held);
    store.append(vec![one("a", 1000)]).await.unwrap();
    let made = numbers(&schema.store()).await;
    assert!(made.len() < 50, "those who went away before their turn are not in it: {made:?}");
    store.close().await;
    schema.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_a_locked_row_that_are_given_up_leave_no_backend_behind() {
    let schema = fresh().await;
    let options = PgOptions { max_connections: 3, ..hasty() };
    let options = PgOptions { schema: schema.options.schema.clone(), ..options };
    let store = open(&named_url(&schema), &options).await;
    let key = CheckpointKey::new(ProjectionName::from_static("locked"), Source::All);
    let owner = Owner::new("test");
    let ttl = Duration::from_hours(1);
    let (lease, _) = store.acquire(&key, &owner, ttl).await.unwrap().unwrap();
    let mut held = schema.store().pool().begin().await.unwrap();
    let lock = schema.named("select from @.projection_checkpoints for update");
    sqlx::query(lock).execute(&mut *held).await.unwrap();

    let advance = Advance::new(None, Some(Offset::new(0)), 1);
    for n in 0..100 {
        let wait = Duration::from_millis(50);
        match n % 3 {
            0 => drop(timeout(wait, store.save(&lease, &advance)).await),
            1 => drop(timeout(wait, store.request_rebuild(&key)).await),
            _ => drop(timeout(wait, store.acquire(&key, &owner, ttl)).await),
        }
    }
    let (all, waiting) = backends(&schema).await;
    assert!(waiting <= 6 && all <= 20, "{all} backends, {waiting} wait");
    drop(held);
    assert_frees(&store, &key).await;
    store.close().await;
    schema.finish().await;
}

/// Asserts that the row can be changed again.
async fn assert_frees(store: &PgStore, key: &CheckpointKey) {
    let asked = Instant::now();
    while let Err(error) = store.request_rebuild(key).await {
        assert!(error.is_transient() && asked.elapsed() < 4 * LATE, "{error:?}");
    }
    let row = store.checkpoint(key).await.unwrap().unwrap();
    assert!(row.rebuild_requested);
}
