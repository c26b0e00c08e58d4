//! What the tests share: events, projections that fail on demand, and a store that does.

mod models;
mod rigged;

use std::time::Duration;

use highwater_core::{
    Checkpoint, CheckpointKey, CheckpointStore, EventStoreExt, EventType, Expected, NewEvent,
    Offset, Payload, ProjectionName, ProjectionStore, Source, StreamName,
};
use highwater_projection::{CheckpointPolicy, ProjectionOptions, Projections};
use highwater_testkit::MemoryStore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use models::{Faults, Mails, Sums, SumsInTx, Tally, Total};
pub(crate) use rigged::{Act, Call, Rigged};

pub(crate) const SUMS: ProjectionName = ProjectionName::from_static("sums");
pub(crate) const ACCOUNT: StreamName = StreamName::from_static("account-1");

/// Options that store the checkpoint by `policy`.
pub(crate) fn storing(policy: CheckpointPolicy) -> ProjectionOptions {
    ProjectionOptions { checkpoint: policy, ..Default::default() }
}

/// Appends one `Added` for each of `numbers`.
pub(crate) async fn add(store: &impl EventStoreExt, numbers: impl IntoIterator<Item = i64>) {
    let events: Vec<Tally> = numbers.into_iter().map(|n| Tally::Added { n }).collect();
    store.publish(ACCOUNT, Expected::Any, &events).await.unwrap();
}

/// Appends an event of another type, or a payload that does not fit its type.
pub(crate) async fn add_raw(store: &MemoryStore, event_type: &'static str, json: &str) {
    let payload = Payload::parse(json).unwrap();
    let event = NewEvent::new(EventType::from_static(event_type), payload);
    store.append_to(ACCOUNT, Expected::Any, vec![event]).await.unwrap();
}

/// The checkpoint row of [`SUMS`].
pub(crate) async fn row(store: &impl CheckpointStore) -> Option<Checkpoint> {
    let key = CheckpointKey::new(SUMS, Source::All);
    store.checkpoint(&key).await.unwrap()
}

/// Where the checkpoint of [`SUMS`] is.
pub(crate) async fn checkpoint(store: &impl CheckpointStore) -> Option<u64> {
    row(store).await.and_then(|row| row.last_processed_offset).map(Offset::get)
}

/// The numbers that the document of [`ACCOUNT`] has seen, in order.
pub(crate) async fn seen(store: &impl ProjectionStore) -> Vec<i64> {
    let documents = store.documents(&SUMS, &[ACCOUNT.as_str().to_owned()]).await.unwrap();
    documents.first().map(|found| found.data.to::<Total>().unwrap().seen).unwrap_or_default()
}

/// Waits until `condition` holds; fails after ten minutes of the paused clock.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    for _ in 0..60_000 {
        if condition().await {
            return;
        }
        tokio::time::advance(Duration::from_millis(10)).await;
        settle().await;
    }
    panic!("never: {what}");
}

/// Lets every task that can run do so.
pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// An engine at work, until it is stopped.
pub(crate) struct Running {
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

/// Runs `projections` in the background.
pub(crate) fn run<S: CheckpointStore + Clone>(projections: &Projections<S>) -> Running {
    let (stop, projections) = (CancellationToken::new(), projections.clone());
    let token = stop.clone();
    let task = tokio::spawn(async move { projections.run(token).await.unwrap() });
    Running { stop, task }
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}
