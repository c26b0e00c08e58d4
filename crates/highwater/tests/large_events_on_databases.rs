//! A catch-up over events of a megabyte, on both databases: it holds a few pages, and not the log.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use highwater::postgres::{PgOptions, PgStore};
use highwater::projection::Projections;
use highwater::sqlite::SqliteStore;
use highwater::{
    BoxError, Event, EventStore, EventStoreExt, Expected, ProjectionName, ProjectionStore,
    ProjectionStoreExt, Recorded, Source, StreamName, View,
};

/// Events of a megabyte.
const MANY: u64 = 150;

/// What may be held above what was held before, in bytes: several pages in several shapes.
const HELD_MAX: u64 = 80 << 20;

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(tag = "type", content = "data")]
enum Scan {
    Taken(String),
}

impl Event for Scan {}

struct Count;

impl View for Count {
    type Event = Scan;
    type Document = u64;

    fn name(&self) -> ProjectionName {
        ProjectionName::from_static("count")
    }

    fn source(&self) -> Source {
        Source::All
    }

    fn keys(&self, _: &Recorded<Scan>) -> impl IntoIterator<Item = String> {
        Some("all".to_owned())
    }

    fn apply(&self, count: &mut u64, _: &str, _: &Recorded<Scan>) -> Result<(), BoxError> {
        *count += 1;
        Ok(())
    }
}

/// One test, because memory is that of the process.
#[tokio::test]
async fn a_catch_up_over_large_events_holds_a_few_pages() {
    let dir = tempfile::tempdir().unwrap();
    let file = SqliteStore::open(dir.path().join("log.db"), Default::default()).await.unwrap();
    catch_up(&file).await;
    file.close().await;

    let url = test_postgres::url().await.unwrap_or_else(|error| panic!("{error}"));
    let schema = format!("test_{}", uuid::Uuid::new_v4().simple());
    let options = PgOptions { schema: schema.clone(), ..PgOptions::default() };
    let server = PgStore::connect(&url, options).await.unwrap();
    catch_up(&server).await;
    let drop = sqlx::AssertSqlSafe(format!("drop schema {schema} cascade"));
    sqlx::raw_sql(drop).execute(server.pool()).await.unwrap();
    server.close().await;
}

async fn catch_up<S: EventStore + ProjectionStore>(store: &S) {
    for n in 0..MANY {
        let scan = Scan::Taken(format!("{n} {}", "x".repeat(1_000_000)));
        let stream = StreamName::from_static("scans");
        store.publish(stream, Expected::Any, &[scan]).await.unwrap();
    }
    let projections = Projections::new(store.clone());
    projections.register_view(Count, Default::default()).unwrap();
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory("VmRSS");
    let caught_up = projections.catch_up(&Count.name()).await.unwrap();
    let held = memory("VmHWM").saturating_sub(before);
    assert_eq!(caught_up.events, MANY);
    assert_eq!(store.document(&Count, "all").await.unwrap(), Some(MANY));
    assert!(held <= HELD_MAX, "{} MiB are held on the way", held >> 20);
}

/// A line of `/proc/self/status`, in bytes.
fn memory(of: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(of)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}
