//! Appends that commit together with what users have written.

use highwater_core::{EventStore, Expected, StoreError};
use highwater_testkit::Fixture;
use sqlx::{PgConnection, Row};

use crate::events::{numbers, one, patiently};
use crate::support::{Schema, fresh};

/// Makes a table of the user's own.
async fn with_orders() -> Schema {
    let schema = fresh().await;
    schema.run("create table @.orders (id int primary key)").await.unwrap();
    schema
}

async fn insert(schema: &Schema, conn: &mut PgConnection, id: i32) {
    let sql = schema.named("insert into @.orders values ($1)");
    sqlx::query(sql).bind(id).execute(conn).await.unwrap();
}

async fn orders(schema: &Schema) -> i64 {
    let sql = schema.named("select count(*) from @.orders");
    sqlx::query(sql).fetch_one(schema.store().pool()).await.unwrap().get(0)
}

#[tokio::test]
async fn an_append_and_the_users_own_writes_commit_together() {
    let schema = with_orders().await;
    let store = schema.store();
    let mut wake = store.wake();
    let mut tx = store.pool().begin().await.unwrap();
    insert(&schema, &mut tx, 1).await;
    let appended = store.append_and_commit(tx, vec![one("order-1", 7)]).await.unwrap();
    assert_eq!((appended.position.get(), appended.streams[0].first.get()), (0, 0));
    assert_eq!((orders(&schema).await, numbers(&store).await), (1, vec![7]));
    patiently("the wake-up of a reader", wake.grown()).await;
    schema.finish().await;
}

#[tokio::test]
async fn a_transaction_that_is_rolled_back_leaves_no_events() {
    let schema = with_orders().await;
    let store = schema.store();
    // The user's constraint is checked at the commit, when the append has been made already.
    schema.run("alter table @.orders add constraint known foreign key (id) references @.orders deferrable initially deferred").await.unwrap();
    schema
        .run("create table @.items (id int references @.orders deferrable initially deferred)")
        .await
        .unwrap();
    let mut tx = store.pool().begin().await.unwrap();
    let sql = schema.named("insert into @.items values (5)");
    sqlx::query(sql).execute(&mut *tx).await.unwrap();
    let failed = store.append_and_commit(tx, vec![one("order-5", 5)]).await;
    assert!(matches!(failed, Err(StoreError::Backend(_))), "{failed:?}");
    assert_eq!(numbers(&store).await, Vec::<u64>::new());
    // Its position and offset are free for the next.
    let appended = store.append(vec![one("order-5", 6)]).await.unwrap();
    assert_eq!((appended.position.get(), appended.streams[0].first.get()), (0, 0));
    schema.finish().await;
}

#[tokio::test]
async fn a_conflict_undoes_the_users_own_writes() {
    let schema = with_orders().await;
    let store = schema.store();
    store.append(vec![one("order-1", 1)]).await.unwrap();
    let mut tx = store.pool().begin().await.unwrap();
    insert(&schema, &mut tx, 1).await;
    let batch = vec![one("order-1", 2).expecting(Expected::NoStream)];
    let refused = store.append_and_commit(tx, batch).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    assert_eq!((orders(&schema).await, numbers(&store).await), (0, vec![1]));
    schema.finish().await;
}

#[tokio::test]
async fn a_repetition_returns_the_first_result_and_changes_nothing() {
    let schema = with_orders().await;
    let store = schema.store();
    let batch = vec![one("order-1", 1), one("order-2", 2)];
    let mut results = Vec::new();
    for id in 1..=2 {
        let mut tx = store.pool().begin().await.unwrap();
        insert(&schema, &mut tx, id).await;
        results.push(store.append_and_commit(tx, batch.clone()).await.unwrap());
    }
    assert_eq!(results[0], results[1]);
    assert_eq!((orders(&schema).await, numbers(&store).await), (1, vec![1, 2]));
    schema.finish().await;
}

#[tokio::test]
async fn a_transaction_that_cannot_see_other_appends_is_refused() {
    let schema = fresh().await;
    let store = schema.store();
    let begin = "begin isolation level repeatable read";
    let tx = store.pool().begin_with(begin).await.unwrap();
    let refused = store.append_and_commit(tx, vec![one("a", 1)]).await;
    assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    assert_eq!(numbers(&store).await, Vec::<u64>::new());
    schema.finish().await;
}
