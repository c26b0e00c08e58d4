//! A projection that follows another source than it did under the same name.

use highwater_core::{
    BoxError, CheckpointKey, CheckpointStore, Payload, ProjectionName, ProjectionStore, Recorded,
    Source, View,
};
use highwater_projection::{Projections, RunError};
use highwater_testkit::MemoryStore;

use crate::support::{ACCOUNT, add};

const COUNTS: ProjectionName = ProjectionName::from_static("counts");

/// Counts the events of a stream, whichever source brings them.
struct Counts(Source);

impl View for Counts {
    type Event = Payload;
    type Document = u64;

    fn name(&self) -> ProjectionName {
        COUNTS
    }

    fn source(&self) -> Source {
        self.0.clone()
    }

    fn keys(&self, event: &Recorded<Payload>) -> impl IntoIterator<Item = String> {
        Some(event.stream.to_string())
    }

    fn apply(&self, count: &mut u64, _: &str, _: &Recorded<Payload>) -> Result<(), BoxError> {
        *count += 1;
        Ok(())
    }
}

fn release(store: &MemoryStore, source: Source) -> Projections<MemoryStore> {
    let projections = Projections::new(store.clone());
    projections.register_view(Counts(source), Default::default()).unwrap();
    projections
}

async fn count(store: &MemoryStore) -> u64 {
    let documents = store.documents(&COUNTS, &[ACCOUNT.to_string()]).await.unwrap();
    documents[0].data.to().unwrap()
}

#[tokio::test(start_paused = true)]
async fn it_counts_nothing_twice_and_begins_anew_with_a_rebuild() {
    let store = MemoryStore::new();
    add(&store, 0..10).await;
    release(&store, Source::All).catch_up(&COUNTS).await.unwrap();

    let next = release(&store, ACCOUNT.into());
    let refused = next.catch_up(&COUNTS).await.unwrap_err();
    let RunError::GaveUp { reason, .. } = refused else { panic!("{refused}") };
    assert!(reason.to_string().contains("has followed $all as far as 9"), "{reason}");
    assert_eq!(count(&store).await, 10);

    next.rebuild(&COUNTS).await.unwrap();
    next.catch_up(&COUNTS).await.unwrap();
    assert_eq!(count(&store).await, 10);
    let rows = store.checkpoints(Some(&COUNTS)).await.unwrap();
    let keys: Vec<_> = rows.into_iter().map(|row| row.key).collect();
    assert_eq!(keys, [CheckpointKey::new(COUNTS, ACCOUNT)]);
}
