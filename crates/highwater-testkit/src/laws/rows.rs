//! What the laws of checkpoints and read models are written with.

use std::time::Duration;

use highwater_core::{
    Advance, Change, Checkpoint, CheckpointKey, CheckpointStore, Document, EventId, Lease,
    NewDeadLetter, Offset, Owner, Payload, Position, ProjectionName, ProjectionStore, ProjectionTx,
    StoreError,
};

use super::support::{COUNTED, patiently, source, stream};

/// A lease that outlives every law.
pub(super) const LONG: Duration = Duration::from_hours(1);

/// A lease that a law can wait for to expire.
pub(super) const SHORT: Duration = Duration::from_millis(100);

pub(super) fn key(projection: &str, source_text: &str) -> CheckpointKey {
    CheckpointKey::new(name(projection), source(source_text))
}

pub(super) fn name(projection: &str) -> ProjectionName {
    ProjectionName::new(projection).expect("the laws know good names")
}

pub(super) fn balances() -> CheckpointKey {
    key("balances", "$all")
}

/// Takes the lease on `key` as a new owner, which nobody must hold.
pub(super) async fn lease(store: &impl CheckpointStore, key: &CheckpointKey) -> Lease {
    acquire(store, key, &Owner::new("law"), LONG).await.expect("nobody holds the lease").0
}

pub(super) async fn acquire(
    store: &impl CheckpointStore,
    key: &CheckpointKey,
    owner: &Owner,
    ttl: Duration,
) -> Option<(Lease, Checkpoint)> {
    store.acquire(key, owner, ttl).await.expect("to ask for a lease")
}

/// Asks for the lease until its present holder's has expired.
pub(super) async fn take_over(
    store: &impl CheckpointStore,
    key: &CheckpointKey,
) -> (Lease, Checkpoint) {
    let owner = Owner::new("successor");
    patiently("taking over an expired lease", async {
        loop {
            if let Some(taken) = acquire(store, key, &owner, LONG).await {
                return taken;
            }
            tokio::time::sleep(SHORT / 10).await;
        }
    })
    .await
}

/// The checkpoint of `key`, which must be there.
pub(super) async fn row(store: &impl CheckpointStore, key: &CheckpointKey) -> Checkpoint {
    store.checkpoint(key).await.expect("a read").expect("the checkpoint is there")
}

/// From `from` to `to`, -1 being "nothing yet", with as many events as there are places.
pub(super) fn advance(from: i64, to: i64) -> Advance {
    let place = |n| Offset::from_sql(n).expect("the laws know good places");
    Advance::new(place(from), place(to), (to - from).unsigned_abs())
}

/// The change that makes this [`advance`].
pub(super) fn to(from: i64, to: i64) -> Change {
    Change::Advance(advance(from, to))
}

pub(super) fn letter(offset: u64, error: &str) -> NewDeadLetter {
    NewDeadLetter {
        offset: Offset::new(offset),
        stream: stream("receipt-1"),
        position: Position::new(10 * offset),
        event_id: EventId::new(),
        event_type: COUNTED,
        error: error.to_owned(),
        attempts: 3,
    }
}

pub(super) type Writes = Vec<(String, Option<Payload>)>;

/// Documents that hold `n` under each key.
pub(super) fn put(keys: &[&str], n: u64) -> Writes {
    keys.iter().map(|key| ((*key).to_owned(), Some(Payload::from(serde_json::json!(n))))).collect()
}

/// One batch: begins, writes and commits.
pub(super) async fn commit(
    store: &impl ProjectionStore,
    lease: &Lease,
    writes: Writes,
    change: Change,
) -> Result<(), StoreError> {
    let mut tx = store.begin(lease).await?;
    tx.write(writes).await?;
    tx.commit(change).await
}

/// Every document of a projection, as `key=data`.
pub(super) async fn documents(store: &impl ProjectionStore, projection: &str) -> Vec<String> {
    let found = store.scan(&name(projection), "", None, 100_000).await.expect("a scan");
    found.iter().map(shown).collect()
}

pub(super) fn shown(document: &Document) -> String {
    format!("{}={}", document.key, document.data.as_str())
}

#[track_caller]
pub(super) fn assert_lost<T: std::fmt::Debug>(result: Result<T, StoreError>, lease: &Lease) {
    match result {
        Err(StoreError::LeaseLost { projection, source_name, epoch }) => {
            let named = CheckpointKey::new(projection, source_name);
            assert_eq!((&named, epoch), (&lease.key, lease.epoch));
        }
        other => panic!("expected the lease to be lost, got {other:?}"),
    }
}

#[track_caller]
pub(super) fn assert_moved<T: std::fmt::Debug>(
    result: Result<T, StoreError>,
    key: &CheckpointKey,
    believed: Option<Offset>,
    place: Option<Offset>,
) {
    match result {
        Err(StoreError::CheckpointMoved { projection, source_name, expected, actual }) => {
            let named = CheckpointKey::new(projection, source_name);
            assert_eq!((&named, expected, actual), (key, believed, place));
        }
        other => panic!("expected the checkpoint to have moved, got {other:?}"),
    }
}
