//! Connections that the server ends.

use std::sync::Arc;

use futures::future::join_all;
use highwater_core::{EventStore, Offset, Source};
use highwater_postgres::PgStore;
use highwater_testkit::Fixture;
use sqlx::Row;

use crate::events::{assert_gapless, log, named_url, one, patiently};
use crate::support::{fresh, open};

const WRITERS: u64 = 8;
const APPENDS: u64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_whose_connections_are_killed_are_made_once() {
    let schema = fresh().await;
    let name = schema.options.schema.as_str();
    let victim = Arc::new(open(&named_url(&schema), &schema.options).await);
    let writers: Vec<_> =
        (0..WRITERS).map(|writer| tokio::spawn(append_all(Arc::clone(&victim), writer))).collect();

    let mut killed = 0;
    let (mut seen, all) = (None, Offset::new(WRITERS * APPENDS - 1));
    while seen < Some(all) {
        let kill = "select pg_terminate_backend(pid) from pg_stat_activity \
                    where application_name = $1 and query like '%.append(%'";
        let rows = sqlx::query(kill).bind(name).fetch_all(schema.store().pool()).await.unwrap();
        killed += rows.len();
        // Lets a few through before the next blow.
        let next = Offset::following(seen).get() + 9;
        let next = Some(all.min(Offset::new(next)));
        patiently("the next appends", async {
            while seen < next {
                seen = schema.store().head(&Source::All).await.unwrap();
            }
        })
        .await;
    }
    join_all(writers).await.into_iter().for_each(|writer| writer.unwrap());
    assert!(killed > 10, "only {killed} connections were killed");

    let log = log(&schema.store()).await;
    assert_gapless(&log);
    let mut found: Vec<u64> = log.iter().map(|event| event.data.to().unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, (0..WRITERS * APPENDS).collect::<Vec<_>>(), "each append once");
    victim.close().await;
    schema.finish().await;
}

async fn append_all(store: Arc<PgStore>, writer: u64) {
    for n in 0..APPENDS {
        let stream = format!("lane-{}", n % 3);
        store.append(vec![one(&stream, writer * APPENDS + n)]).await.expect("it is tried again");
    }
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
