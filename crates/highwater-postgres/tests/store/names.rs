//! Schemas and tables under other names.

use std::time::Duration;

use futures::future::join_all;
use highwater_core::{
    CheckpointKey, CheckpointStore, EventStore, Owner, ProjectionName, Source, StoreError,
};
use highwater_postgres::{PgOptions, PgStore};
use highwater_testkit::Fixture;
use sqlx::Row;

use crate::events::{numbers, one};
use crate::support::{fresh, fresh_with, open};

const KEY: CheckpointKey =
    CheckpointKey { projection: ProjectionName::from_static("totals"), source: Source::All };

#[tokio::test]
async fn the_table_of_checkpoints_can_have_another_name() {
    let options = PgOptions { checkpoints_table: "order".to_owned(), ..PgOptions::default() };
    let schema = fresh_with(options).await;
    let store = schema.store();
    let owner = Owner::new("test");
    store.acquire(&KEY, &owner, Duration::from_secs(9)).await.unwrap().expect("nobody holds it");
    let sql = schema.named("select last_processed_offset from @.\"order\"");
    let row = sqlx::query(sql).fetch_one(store.pool()).await.unwrap();
    assert_eq!(row.get::<i64, _>(0), -1);
    schema.finish().await;
}

#[tokio::test]
async fn logs_in_two_schemas_of_one_database_are_apart() {
    let (one_schema, other_schema) = (fresh().await, fresh().await);
    let (first, second) = (one_schema.store(), other_schema.store());
    first.append(vec![one("a", 1)]).await.unwrap();
    second.append(vec![one("a", 2)]).await.unwrap();
    first.append(vec![one("a", 3)]).await.unwrap();
    assert_eq!((numbers(&first).await, numbers(&second).await), (vec![1, 3], vec![2]));
    one_schema.finish().await;
    other_schema.finish().await;
}

#[tokio::test]
async fn processes_that_start_at_once_make_one_schema() {
    let schema = fresh().await;
    schema.run("drop schema @ cascade").await.unwrap();
    let openings = (0..8).map(|_| open(&schema.url, &schema.options));
    let stores: Vec<PgStore> = join_all(openings).await;
    for (n, store) in (0..).zip(&stores) {
        store.append(vec![one("a", n)]).await.unwrap();
    }
    assert_eq!(numbers(&stores[0]).await, (0..8).collect::<Vec<_>>());
    for store in stores {
        store.close().await;
    }
    schema.finish().await;
}

#[tokio::test]
async fn a_name_that_is_no_identifier_is_refused_before_anything_is_connected() {
    for schema in ["a\"; drop table users; --", "", "Upper", "7days"] {
        let options = PgOptions { schema: schema.to_owned(), ..PgOptions::default() };
        let refused = PgStore::connect("postgres://nowhere.invalid/none", options).await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{schema:?}");
    }
}

#[tokio::test]
async fn events_can_be_neither_changed_nor_removed() {
    let schema = fresh().await;
    let store = schema.store();
    store.append(vec![one("a", 1)]).await.unwrap();
    for change in [
        "update @.events set data = '2'",
        "update @.events set data = '2' where false",
        "delete from @.events",
        "truncate @.events",
        "truncate @.events cascade",
    ] {
        let error = schema.run(change).await.expect_err(change);
        assert!(error.to_string().contains("events are never changed"), "{error}");
    }
    assert_eq!(numbers(&store).await, [1]);
    schema.finish().await;
}
