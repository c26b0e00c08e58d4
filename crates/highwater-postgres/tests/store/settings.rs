//! Databases and roles that are not set up as the store needs them.

use std::error::Error;
use std::time::Duration;

use highwater_core::{
    CheckpointKey, CheckpointStore, ErrorClass, EventStore, Owner, ProjectionName, ProjectionStore,
    Source, StoreError,
};
use highwater_postgres::{PgOptions, PgStore};
use highwater_testkit::Fixture;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::events::one;
use crate::support::{fresh, open};

/// A database of its own, dropped at the end of the test.
struct Database {
    server: String,
    name: String,
    url: String,
}

impl Database {
    async fn create(options: &str) -> Self {
        let server = test_postgres::url().await.unwrap_or_else(|error| panic!("{error}"));
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        run(&server, &format!("create database {name} {options}")).await;
        let url = with_path(&server, &name);
        Self { server, name, url }
    }

    /// Runs a statement, and ends the sessions that began before it.
    async fn set(&self, what: &str) {
        run(&self.server, &format!("alter database {} {what}", self.name)).await;
        let end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = ";
        run(&self.server, &format!("{end}'{}'", self.name)).await;
    }

    async fn drop(self) {
        run(&self.server, &format!("drop database {} with (force)", self.name)).await;
    }
}

/// The URL of another database on the same server.
fn with_path(server: &str, database: &str) -> String {
    let (base, parameters) = server.split_once('?').unwrap_or((server, ""));
    let base = base.rsplit_once('/').unwrap().0;
    format!("{base}/{database}?{parameters}")
}

async fn run(url: &str, sql: &str) {
    let mut conn = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

fn why(error: &StoreError) -> String {
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    causes.map(|cause| cause.to_string()).collect::<Vec<_>>().join(": ")
}

#[tokio::test]
async fn a_database_that_is_not_in_utf_8_is_refused_with_what_to_do() {
    let latin = "encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0";
    let database = Database::create(latin).await;
    let refused = PgStore::connect(&database.url, PgOptions::default()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Misconfigured(_)), "{refused:?}");
    let why = why(&refused);
    assert!(why.contains("LATIN1") && why.contains("encoding 'UTF8'"), "{why}");
    database.drop().await;
}

#[tokio::test]
async fn an_isolation_that_is_changed_later_is_told_of_and_nothing_is_appended_wrongly() {
    let database = Database::create("template template0").await;
    let store = open(&database.url, &PgOptions::default()).await;
    store.append(vec![one("a", 1)]).await.unwrap();
    for isolation in ["repeatable read", "serializable"] {
        database.set(&format!("set default_transaction_isolation = '{isolation}'")).await;
        let refused = store.append(vec![one("a", 2)]).await.unwrap_err();
        assert!(matches!(refused, StoreError::Misconfigured(_)), "{refused:?}");
        assert!(why(&refused).contains("default_transaction_isolation"), "{}", why(&refused));
        let anew = PgStore::connect(&database.url, PgOptions::default()).await.unwrap_err();
        assert!(matches!(anew, StoreError::Misconfigured(_)), "{anew:?}");
    }
    database.set("reset default_transaction_isolation").await;
    let appended = store.append(vec![one("a", 2)]).await.unwrap();
    assert_eq!(appended.position.get(), 1);
    store.close().await;
    database.drop().await;
}

#[tokio::test]
async fn a_role_that_may_only_read_and_write_rows_will_do_once_the_schema_is_there() {
    let schema = fresh().await;
    let (server, role) = (&schema.url, format!("{}_role", schema.options.schema));
    run(server, &format!("create role {role} login password 'secret'")).await;
    let url = as_role(server, &role);
    let refused = PgStore::connect(&url, schema.options.clone()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Misconfigured(_)), "{refused:?}");
    assert!(why(&refused).contains("permission denied"), "{}", why(&refused));
    for grant in [
        format!("grant usage on schema @ to {role}"),
        format!("grant select, insert, update, delete on all tables in schema @ to {role}"),
        format!("grant usage on all sequences in schema @ to {role}"),
    ] {
        schema.run(&grant).await.unwrap();
    }
    let store = open(&url, &schema.options).await;
    store.append(vec![one("a", 1)]).await.unwrap();
    let key = CheckpointKey::new(ProjectionName::from_static("totals"), Source::All);
    let lease = store.acquire(&key, &Owner::new("test"), Duration::from_secs(9)).await.unwrap();
    assert!(lease.is_some());
    schema.run(&format!("revoke insert on @.events from {role}")).await.unwrap();
    let refused = store.append(vec![one("a", 2)]).await.unwrap_err();
    assert!(matches!(refused, StoreError::Misconfigured(_)), "{refused:?}");
    store.close().await;
    schema.run(&format!("drop owned by {role}")).await.unwrap();
    schema.run(&format!("drop role {role}")).await.unwrap();
    schema.finish().await;
}

fn as_role(server: &str, role: &str) -> String {
    let (_, host) = server.split_once("://").unwrap();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("postgres://{role}:secret@{host}")
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_blamed_on_nobody_and_tried_again() {
    let database = Database::create("template template0").await;
    let first = open(&database.url, &PgOptions::default()).await;
    first.close().await;
    database.set("set statement_timeout = '300ms'").await;
    let store = open(&database.url, &PgOptions::default()).await;
    let mut conn = store.pool().acquire().await.unwrap();
    let slow = sqlx::query("select pg_sleep(5)").execute(&mut *conn).await.unwrap_err();
    assert_eq!(store.class(&slow), ErrorClass::World, "{slow}");
    let mut other = PgConnection::connect(&database.server_url()).await.unwrap();
    let lock = "begin; set local statement_timeout = 0; \
        select pg_advisory_xact_lock(hashtextextended('highwater.events', 0)); select pg_sleep(1)";
    let held = async {
        sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
        sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
    };
    let (appended, ()) = futures::join!(store.append(vec![one("a", 1)]), held);
    appended.unwrap();
    drop(conn);
    store.close().await;
    database.drop().await;
}

impl Database {
    fn server_url(&self) -> String {
        self.url.clone()
    }
}

#[tokio::test]
async fn what_a_users_statement_meets_is_sorted_by_whose_fault_it_is() {
    let schema = fresh().await;
    let store = schema.store();
    schema.run("create table @.totals (n int unique check (n < 9))").await.unwrap();
    for (statement, expected) in [
        ("insert into @.totals values (1), (1)", ErrorClass::Request),
        ("insert into @.totals values (10)", ErrorClass::Request),
        ("insert into @.totals select 1 / 0", ErrorClass::Request),
        ("select '{'::json", ErrorClass::Request),
        ("do $$ begin raise exception 'no'; end $$", ErrorClass::Request),
        ("insert into @.nowhere values (1)", ErrorClass::Configuration),
        ("insert into @.totals (m) values (1)", ErrorClass::Configuration),
        ("selec 1", ErrorClass::Configuration),
        ("set role nobody_of_this_name", ErrorClass::Request),
        ("begin read only; insert into @.totals values (1)", ErrorClass::World),
        (
            "set local lock_timeout = '1ms'; select pg_terminate_backend(pg_backend_pid())",
            ErrorClass::World,
        ),
    ] {
        let mut conn = PgConnection::connect(&schema.url).await.unwrap();
        let error = sqlx::raw_sql(schema.named(statement)).execute(&mut conn).await.unwrap_err();
        assert_eq!(store.class(&error), expected, "{statement}: {error}");
    }
    schema.run("drop table @.documents").await.unwrap();
    let gone = store.scan(&ProjectionName::from_static("totals"), "", None, 1).await.unwrap_err();
    assert!(matches!(gone, StoreError::Misconfigured(_)), "{gone:?}");
    schema.finish().await;
}
