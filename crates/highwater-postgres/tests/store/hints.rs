//! Wake-ups by the appends of other processes.

use std::time::Duration;

use highwater_core::EventStore;
use highwater_postgres::PgOptions;
use highwater_testkit::Fixture;
use sqlx::Row;

use crate::events::{named_url, one, patiently};
use crate::support::{Schema, fresh_with, open};

/// So long that it does not wake anybody within a test.
const NEVER: Duration = Duration::from_hours(1);

/// The backends of other sessions that listen for appends.
async fn listeners(schema: &Schema) -> Vec<i32> {
    let sql =
        "select pid from pg_stat_activity where application_name = $1 and query like 'LISTEN%'";
    let query = sqlx::query(sql).bind(&schema.options.schema);
    let rows = query.fetch_all(schema.store().pool()).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_listener_whose_connection_is_killed_listens_again() {
    let schema = fresh_with(PgOptions { poll_interval: NEVER, ..PgOptions::default() }).await;
    let reader = open(&named_url(&schema), &schema.options).await;
    let mut former = Vec::new();
    for n in 0..3 {
        let pid = patiently("listening", async {
            loop {
                let listening = listeners(&schema).await;
                if let Some(pid) = listening.into_iter().find(|pid| !former.contains(pid)) {
                    return pid;
                }
            }
        })
        .await;
        former.push(pid);
        let mut wake = reader.wake();
        schema.store().append(vec![one("a", n)]).await.unwrap();
        patiently("the wake-up by another process", wake.grown()).await;
        schema.run(&format!("select pg_terminate_backend({pid})")).await.unwrap();
    }
    reader.close().await;
    schema.finish().await;
}

#[tokio::test]
async fn a_false_hint_wakes_and_hides_no_later_append() {
    let options = PgOptions { poll_interval: Duration::from_millis(10), ..PgOptions::default() };
    let schema = fresh_with(options).await;
    let reader = open(&named_url(&schema), &schema.options).await;
    patiently("listening", async { while listeners(&schema).await.is_empty() {} }).await;
    let mut wake = reader.wake();
    let hint = format!("{} {}", schema.options.schema, i64::MAX);
    schema.run(&format!("select pg_notify('highwater', '{hint}')")).await.unwrap();
    patiently("the wake-up by the hint", wake.grown()).await;
    for n in 0..3 {
        let mut wake = reader.wake();
        schema.store().append(vec![one("a", n)]).await.unwrap();
        patiently("the wake-up by an append", wake.grown()).await;
    }
    reader.close().await;
    schema.finish().await;
}

#[tokio::test]
async fn a_store_that_does_not_listen_finds_appends_by_polling() {
    let options = PgOptions {
        listen: false,
        poll_interval: Duration::from_millis(10),
        ..PgOptions::default()
    };
    let schema = fresh_with(options).await;
    let reader = open(&named_url(&schema), &schema.options).await;
    for n in 0..3 {
        let mut wake = reader.wake();
        schema.store().append(vec![one("a", n)]).await.unwrap();
        patiently("the wake-up by the poll", wake.grown()).await;
    }
    assert_eq!(listeners(&schema).await, Vec::<i32>::new());
    reader.close().await;
    schema.finish().await;
}
