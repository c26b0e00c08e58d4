//! Behind PgBouncer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use highwater_core::{
    Advance, CheckpointKey, CheckpointStore, EventStore, Offset, Owner, ProjectionName, Source,
    StoreError,
};
use highwater_postgres::{PgOptions, PgStore};
use highwater_testkit::Fixture;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};
use test_postgres::{PoolMode, Pooler};

use crate::events::{assert_gapless, log, one};
use crate::support::{Schema, fresh, open};

/// Statements cached and not, listening and not.
fn variants(schema: &Schema) -> impl Iterator<Item = PgOptions> {
    let variant = |(statement_cache_capacity, listen, migrate)| PgOptions {
        statement_cache_capacity,
        listen,
        migrate,
        max_connections: 4,
        ..schema.options.clone()
    };
    [(100, true, true), (100, false, false), (0, true, false), (0, false, true)]
        .into_iter()
        .map(variant)
}

/// A client that keeps the sessions of a pooler busy until it is told to stop.
async fn busy(url: String, stop: Arc<AtomicBool>) {
    let options: PgConnectOptions = url.parse().unwrap();
    let mut conn = options.extra_float_digits(None).connect().await.unwrap();
    while !stop.load(Ordering::Relaxed) {
        sqlx::raw_sql("select count(*) from pg_class").fetch_all(&mut conn).await.unwrap();
    }
    conn.close().await.unwrap();
}

#[tokio::test]
async fn a_pooler_that_mixes_sessions_up_is_refused_however_busy_it_is() {
    let schema = fresh().await;
    for mode in [PoolMode::Transaction, PoolMode::Statement] {
        let pooler = Pooler::start(&schema.url, mode).await.unwrap();
        let url = pooler.url();
        for others in [0, 6] {
            let stop = Arc::new(AtomicBool::new(false));
            let clients: Vec<_> =
                (0..others).map(|_| tokio::spawn(busy(url.clone(), Arc::clone(&stop)))).collect();
            for options in variants(&schema) {
                let handles = (0..2).map(|_| PgStore::connect(&url, options.clone()));
                for handle in join_all(handles).await {
                    let refused = handle.expect_err("it is refused");
                    assert!(matches!(refused, StoreError::Misconfigured(_)), "{refused:?}");
                    let why = std::error::Error::source(&refused).unwrap().to_string();
                    assert!(why.contains("pooler in session mode"), "{why}");
                }
            }
            let connection: PgConnectOptions = url.parse().unwrap();
            let pool = PgPoolOptions::new().max_connections(4);
            let pool = pool.connect_lazy_with(connection.extra_float_digits(None));
            let refused = PgStore::from_pool(pool, schema.options.clone()).await;
            assert!(matches!(refused, Err(StoreError::Misconfigured(_))), "{refused:?}");
            stop.store(true, Ordering::Relaxed);
            for client in clients {
                client.await.unwrap();
            }
        }
    }
    schema.finish().await;
}

fn key(name: &'static str) -> CheckpointKey {
    CheckpointKey::new(ProjectionName::from_static(name), Source::All)
}

/// Other statements of another handle come between, with a row that must not go.
#[tokio::test]
async fn handles_behind_a_pooler_in_session_mode_never_run_each_others_statements() {
    let schema = fresh().await;
    let pooler = Pooler::start(&schema.url, PoolMode::Session).await.unwrap();
    let store = schema.store();
    let (keep, owner) = (key("keep"), Owner::new("test"));
    let (lease, _) = store.acquire(&keep, &owner, Duration::from_hours(1)).await.unwrap().unwrap();
    let last = Some(Offset::new(1_000));
    store.save(&lease, &Advance::new(None, last, 1_001)).await.unwrap();
    for (round, options) in variants(&schema).enumerate() {
        let (one_handle, other) =
            (open(&pooler.url(), &options).await, open(&pooler.url(), &options).await);
        let reads = join_all((0..100).map(|_| one_handle.checkpoint(&keep)));
        let trash = key("trash");
        let deletes = join_all((0..100).map(|_| other.delete(&trash)));
        let appends = join_all((0..50).flat_map(|n| {
            let batch = |handle| vec![one(&format!("pooled-{round}-{handle}"), n)];
            [one_handle.append(batch(0)), other.append(batch(1))]
        }));
        let (reads, deletes, appends) = futures::join!(reads, deletes, appends);
        for read in reads {
            assert_eq!(read.unwrap().expect("nobody deleted it").last_processed_offset, last);
        }
        deletes.into_iter().for_each(Result::unwrap);
        appends.into_iter().for_each(|appended| drop(appended.unwrap()));
        one_handle.close().await;
        other.close().await;
    }
    let log = log(&store).await;
    assert_gapless(&log);
    assert_eq!(log.len(), 400);
    schema.finish().await;
}
