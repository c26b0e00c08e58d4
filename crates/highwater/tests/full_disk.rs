//! A disk that is full for a while, on SQLite.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use highwater::projection::{FailurePolicy, ProjectionOptions, Projections};
use highwater::sqlite::{SqliteOptions, SqliteStore};
use highwater::{
    BoxError, Category, CheckpointKey, CheckpointStore, Event, EventStoreExt, Expected,
    ProjectionName, ProjectionStoreExt, Recorded, Source, StreamName, View,
};
use tokio_util::sync::CancellationToken;

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(tag = "type", content = "data")]
enum Note {
    Written(usize),
}

impl Event for Note {}

const CATEGORY: Source = Source::Category(Category::from_static("note"));

/// Makes a large page of each small event.
struct Pages;

impl View for Pages {
    type Event = Note;
    type Document = String;

    fn name(&self) -> ProjectionName {
        ProjectionName::from_static("pages")
    }

    fn source(&self) -> Source {
        CATEGORY
    }

    fn keys(&self, event: &Recorded<Note>) -> impl IntoIterator<Item = String> {
        Some(event.stream.to_string())
    }

    fn apply(&self, page: &mut String, _: &str, event: &Recorded<Note>) -> Result<(), BoxError> {
        let Note::Written(bytes) = event.data;
        *page = "x".repeat(bytes);
        Ok(())
    }
}

/// Makes the disk look full when the file has that many pages more; returns how many it has.
async fn limit_growth(store: &SqliteStore, pages: i64) {
    let mut write = store.begin_write().await.unwrap();
    let used: i64 = sqlx::query_scalar("pragma page_count").fetch_one(write.conn()).await.unwrap();
    let limit = sqlx::AssertSqlSafe(format!("pragma max_page_count = {}", used + pages));
    sqlx::query(limit).execute(write.conn()).await.unwrap();
    write.commit().await.unwrap();
}

async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect(what);
}

#[tokio::test]
async fn a_full_disk_is_waited_for_and_makes_dead_letters_of_no_event() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path().join("full.db"), SqliteOptions::default()).await;
    let store = store.unwrap();
    for n in 0..3 {
        let stream = StreamName::new(format!("note-{n}")).unwrap();
        store.publish(stream, Expected::Any, &[Note::Written(200_000 + n)]).await.unwrap();
    }
    // Room for a dead letter, but not for a page.
    limit_growth(&store, 10).await;
    let projections = Projections::new(store.clone());
    let options =
        ProjectionOptions { on_failure: FailurePolicy::Skip, ..ProjectionOptions::default() };
    projections.register_view(Pages, options).unwrap();
    let stop = CancellationToken::new();
    let running = {
        let (projections, stop) = (projections.clone(), stop.clone());
        tokio::spawn(async move { projections.run(stop).await })
    };
    let key = CheckpointKey::new(Pages.name(), CATEGORY);
    let row = || async { store.checkpoint(&key).await.unwrap() };
    let told = || async { row().await.is_some_and(|row| row.last_error.is_some()) };
    until("an error that says what is missing", told).await;
    let error = row().await.unwrap().last_error.unwrap();
    assert!(error.contains("full"), "{error}");
    assert_eq!(row().await.unwrap().last_processed_offset, None);

    limit_growth(&store, 1_000_000).await;
    let done = || async { row().await.is_some_and(|row| row.events_processed == 3) };
    until("the events are done by themselves", done).await;
    for n in 0..3 {
        let page = store.document(&Pages, &format!("note-{n}")).await.unwrap();
        assert_eq!(page.map(|page| page.len()), Some(200_000 + n));
    }
    assert_eq!(store.dead_letters(&key, None, 10).await.unwrap(), []);
    stop.cancel();
    running.await.unwrap().unwrap();
}
