//! What the tests of the SQLite store share.

use highwater_core::{
    Appended, EventId, EventStore, EventType, NewEvent, Payload, RecordedEvent, Source, StoreError,
    StreamAppend, StreamName,
};
use highwater_sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

pub(crate) const STREAM: StreamName = StreamName::from_static("account-1");

/// A store on a fresh file, which lives as long as the directory.
pub(crate) async fn fresh() -> (TempDir, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir).await;
    (dir, store)
}

/// Another store on the same file.
pub(crate) async fn open(dir: &TempDir) -> SqliteStore {
    SqliteStore::open(dir.path().join("store.db"), SqliteOptions::default()).await.unwrap()
}

pub(crate) fn event(n: usize) -> NewEvent {
    NewEvent::new(EventType::from_static("Counted"), Payload::of(&n).unwrap())
}

/// An append of one event to `stream`.
pub(crate) fn one(stream: &StreamName, n: usize) -> Vec<StreamAppend> {
    vec![StreamAppend::new(stream.clone(), vec![event(n)])]
}

pub(crate) async fn append(store: &SqliteStore, n: usize) -> Result<Appended, StoreError> {
    store.append(one(&STREAM, n)).await
}

/// Every event of the store, checked to have no gap and to be in order.
pub(crate) async fn all(store: &SqliteStore) -> Vec<RecordedEvent> {
    let mut events: Vec<RecordedEvent> = Vec::new();
    loop {
        let after = events.last().map(|last| Source::All.offset_of(last));
        let page = store.read(&Source::All, &[], after, 1_000).await.unwrap();
        events.extend(page.events);
        if page.is_end {
            break;
        }
    }
    let mut next = std::collections::HashMap::new();
    for (position, event) in events.iter().enumerate() {
        assert_eq!(event.position.get(), position as u64);
        let next = next.entry(event.stream.clone()).or_insert(0);
        assert_eq!(event.offset.get(), *next, "{}", event.stream);
        *next += 1;
    }
    events
}

pub(crate) fn ids(events: &[RecordedEvent]) -> Vec<EventId> {
    events.iter().map(|event| event.id).collect()
}
