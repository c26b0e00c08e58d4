//! Read models in tables of the user's own.

use std::time::Duration;

use highwater_core::{
    Advance, Change, CheckpointKey, CheckpointStore, Offset, Owner, ProjectionName,
    ProjectionStore, ProjectionTx, Source, StoreError,
};
use highwater_postgres::PgOptions;
use highwater_testkit::Fixture;
use sqlx::Row;

use crate::support::{Schema, fresh, fresh_with};

const KEY: CheckpointKey =
    CheckpointKey { projection: ProjectionName::from_static("totals"), source: Source::All };
const TTL: Duration = Duration::from_secs(60);

async fn total(schema: &Schema) -> i64 {
    let sql = schema.named("select coalesce(sum(n), 0)::bigint from @.totals");
    sqlx::query(sql).fetch_one(schema.store().pool()).await.unwrap().get(0)
}

#[tokio::test]
async fn a_users_own_table_and_the_checkpoint_commit_together() {
    let schema = fresh().await;
    schema.run("create table @.totals (n bigint)").await.unwrap();
    let store = schema.store();
    let (lease, _) = store.acquire(&KEY, &Owner::new("one"), TTL).await.unwrap().unwrap();
    let step = |from, to| Change::Advance(Advance::new(from, to, 1));
    let at = |n| Some(Offset::new(n));
    for (change, is_made) in
        [(step(None, at(4)), true), (step(None, at(9)), false), (step(at(4), at(5)), true)]
    {
        let mut tx = store.begin(&lease).await.unwrap();
        let sql = schema.named("insert into @.totals values (1)");
        sqlx::query(sql).execute(tx.conn()).await.unwrap();
        assert_eq!(tx.commit(change).await.is_ok(), is_made);
    }
    let checkpoint = store.checkpoint(&KEY).await.unwrap().unwrap();
    assert_eq!((total(&schema).await, checkpoint.last_processed_offset), (2, at(5)));
    schema.finish().await;
}

#[tokio::test]
async fn a_commit_that_the_database_refuses_at_its_end_moves_no_checkpoint() {
    let schema = fresh().await;
    // Checked at the commit, when the checkpoint has been moved already.
    schema
        .run("create table @.totals (n bigint unique deferrable initially deferred)")
        .await
        .unwrap();
    let store = schema.store();
    let (lease, _) = store.acquire(&KEY, &Owner::new("one"), TTL).await.unwrap().unwrap();
    let mut tx = store.begin(&lease).await.unwrap();
    let sql = schema.named("insert into @.totals values (1), (1)");
    sqlx::query(sql).execute(tx.conn()).await.unwrap();
    let step = Change::Advance(Advance::new(None, Some(Offset::new(4)), 1));
    let refused = tx.commit(step).await;
    assert!(matches!(refused, Err(StoreError::Backend(_))), "{refused:?}");
    let checkpoint = store.checkpoint(&KEY).await.unwrap().unwrap();
    assert_eq!((total(&schema).await, checkpoint.last_processed_offset), (0, None));
    schema.finish().await;
}

#[tokio::test]
async fn a_batch_that_freezes_loses_its_transaction_but_not_its_successor() {
    let schema = fresh_with(PgOptions {
        idle_in_transaction_timeout: Duration::from_millis(200),
        ..PgOptions::default()
    })
    .await;
    schema.run("create table @.totals (n bigint)").await.unwrap();
    let store = schema.store();
    let (frozen, _) = store.acquire(&KEY, &Owner::new("one"), TTL).await.unwrap().unwrap();
    let mut tx = store.begin(&frozen).await.unwrap();
    // It holds the rows of its read model when it freezes.
    tx.write(vec![("a".to_owned(), Some(serde_json::json!(1).into()))]).await.unwrap();
    store.release(&frozen).await.unwrap();

    let (lease, _) = store.acquire(&KEY, &Owner::new("two"), TTL).await.unwrap().unwrap();
    let mut next = store.begin(&lease).await.unwrap();
    next.write(vec![("a".to_owned(), Some(serde_json::json!(2).into()))]).await.unwrap();
    let step = Change::Advance(Advance::new(None, Some(Offset::new(7)), 1));
    next.commit(step.clone()).await.unwrap();

    let cut_off = tx.commit(step).await.unwrap_err();
    assert!(matches!(cut_off, StoreError::Unavailable(_)), "{cut_off:?}");
    assert!(store.is_transient(&cut_off));
    let documents = store.documents(&KEY.projection, &["a".to_owned()]).await.unwrap();
    assert_eq!(documents[0].data.as_str(), "2");
    schema.finish().await;
}
