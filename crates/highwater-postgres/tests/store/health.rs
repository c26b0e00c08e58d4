//! Health on a server: it tells when nobody can write, and when they can again; in constant time.

use std::sync::Arc;
use std::time::Duration;

use highwater_core::{EventStore, Health, HealthCheck, HealthThresholds, SagaStore};
use highwater_postgres::{PgOptions, PgStore};
use highwater_testkit::Fixture;
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::events::patiently;
use crate::plans::scans;
use crate::support::{fresh, open};

#[tokio::test]
async fn a_database_that_became_read_only_is_unhealthy_until_it_takes_writes_again() {
    let schema = fresh().await;
    let role = format!("reader_{}", uuid::Uuid::new_v4().simple());
    let name = &schema.options.schema;
    let sql = format!(
        "create role {role} login password 'a'; grant usage on schema {name} to {role}; \
         grant all on all tables in schema {name} to {role}; \
         grant all on all sequences in schema {name} to {role}"
    );
    schema.run(&sql).await.unwrap();
    let connection: PgConnectOptions = schema.url.parse().unwrap();
    let pool = PgPoolOptions::new().test_before_acquire(false);
    let pool = pool.connect_with(connection.username(&role).password("a")).await.unwrap();
    let options = PgOptions { migrate: false, listen: false, ..schema.options.clone() };
    let store = Arc::new(PgStore::from_pool(pool, options).await.unwrap());
    let check = HealthCheck::new(Arc::clone(&store) as _, Arc::clone(&store) as _)
        .sagas(Arc::clone(&store) as _);
    let thresholds = HealthThresholds::default();
    let report = || check.report(&[], &[], None, &thresholds);
    assert_eq!(report().await.status, Health::Healthy);

    // As after a failover that left the old primary, whose clients stay where they are.
    let read_only = |is_on: &str| {
        let sql = format!(
            "alter role {role} set default_transaction_read_only = {is_on}; \
             select pg_terminate_backend(pid) from pg_stat_activity where usename = '{role}'"
        );
        let pool = schema.store().pool().clone();
        async move { sqlx::raw_sql(AssertSqlSafe(sql)).execute(&pool).await.map(drop) }
    };
    read_only("on").await.unwrap();
    patiently("that no write succeeds is told", async {
        loop {
            let told = report().await;
            let reason = told.writes.reasons.first().cloned().unwrap_or_default();
            if told.status == Health::Unhealthy && reason.starts_with("no write succeeds") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    read_only("off").await.unwrap();
    patiently("health is green again", async {
        while report().await.status != Health::Healthy {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    store.close().await;
    schema.run(&format!("drop owned by {role}; drop role {role}")).await.unwrap();
    schema.finish().await;
}

#[tokio::test]
async fn health_reads_no_more_of_sagas_and_events_than_it_counts() {
    let schema = fresh().await;
    let ended = "insert into @.saga_states (saga_id, correlation_id, saga_name, \
        definition_version, state, total_steps, data, input, plan, started_at, last_updated) \
        select n, n, 'ended', 1, 'Completed', 3, '1', '1', '[]', now(), now() \
        from generate_series(1, 50000) n";
    schema.run(ended).await.unwrap();
    let options = PgOptions { migrate: false, ..schema.options.clone() };
    let store = open(&crate::events::named_url(&schema), &options).await;
    for _ in 0..20 {
        store.count_sagas(Duration::from_secs(10), 100).await.unwrap();
        store.probe().await.unwrap();
    }
    store.close().await;
    let scans = scans(&schema, &["saga_states", "events"]).await;
    assert!(scans < 20, "{scans} scans, of which creating the schema takes a few");
    schema.finish().await;
}
