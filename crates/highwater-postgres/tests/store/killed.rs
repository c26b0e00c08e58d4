//! Connections that the server ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use highwater_core::{EventStore, Offset, Source};
use highwater_postgres::PgStore;
use highwater_testkit::Fixture;
use sqlx::Row;

use crate::events::{assert_gapless, log, named_url, one, patiently};
use crate::support::{fresh, open};

const WRITERS: u64 = 8;

/// Connections to kill: appends that were under way, whose answers are lost.
const KILLS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_whose_connections_are_killed_are_made_once() {
    let schema = fresh().await;
    let name = schema.options.schema.as_str();
    let victim = Arc::new(open(&named_url(&schema), &schema.options).await);
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(append_until(Arc::clone(&stop), Arc::clone(&victim), writer)))
        .collect();

    let (mut seen, mut killed) = (None, 0);
    while killed < KILLS {
        let kill = "select pg_terminate_backend(pid) from pg_stat_activity \
                    where application_name = $1 and query like '%.append(%'";
        let rows = sqlx::query(kill).bind(name).fetch_all(schema.store().pool()).await.unwrap();
        killed += rows.len();
        // Lets a few through before the next blow.
        let next = Some(Offset::new(Offset::following(seen).get() + 9));
        patiently("the next appends", async {
            while seen < next {
                seen = schema.store().head(&Source::All).await.unwrap();
            }
        })
        .await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut made: Vec<u64> = join_all(writers).await.into_iter().flat_map(Result::unwrap).collect();

    let log = log(&schema.store()).await;
    assert_gapless(&log);
    let mut found: Vec<u64> = log.iter().map(|event| event.data.to().unwrap()).collect();
    found.sort_unstable();
    made.sort_unstable();
    assert_eq!(found, made, "each append once");
    victim.close().await;
    schema.finish().await;
}

/// Appends numbers that no other writer has; returns them.
async fn append_until(stop: Arc<AtomicBool>, store: Arc<PgStore>, writer: u64) -> Vec<u64> {
    let mut made = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let number = writer + WRITERS * made.len() as u64;
        let stream = format!("lane-{}", number % 3);
        store.append(vec![one(&stream, number)]).await.expect("it is tried again");
        made.push(number);
    }
    made
}

#[tokio::test]
async fn a_transaction_of_a_batch_whose_connection_is_killed_is_unavailable() {
    let schema = fresh().await;
    let store = schema.store();
    let mut tx = store.pool().begin().await.unwrap();
    let pid: i32 = sqlx::query("select pg_backend_pid()").fetch_one(&mut *tx).await.unwrap().get(0);
    schema.run(&format!("select pg_terminate_backend({pid})")).await.unwrap();
    let failed = store.append_and_commit(tx, vec![one("a", 1)]).await.unwrap_err();
    assert!(failed.is_transient(), "{failed:?}");
    store.append(vec![one("a", 2)]).await.expect("others are not touched");
    schema.finish().await;
}
