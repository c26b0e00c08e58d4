//! The store in memory: everything a test needs, and the shortest reading of the contract.

mod checkpoints;
mod log;
mod read_models;
mod saga_store;
mod sagas;
mod signals;
mod tx;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use highwater_core::backend::Bell;
use highwater_core::{
    Advance, Appended, Change, Checkpoint, CheckpointKey, CheckpointStore, DeadLetter, Document,
    ErrorClass, EventId, EventStore, EventType, Imported, Lease, NewEvent, Offset, Owner, Page,
    Position, ProjectionName, ProjectionStore, RebuildRequested, Source, StoreError, StreamAppend,
    StreamName, Wake,
};

use checkpoints::Checkpoints;
use log::Log;
use read_models::ReadModels;
use sagas::Sagas;

use crate::fixture::Fixture;

pub use tx::MemoryTx;

/// Events, checkpoints, read models and sagas in memory; clones share them.
///
/// It keeps every law that the databases keep, crashes aside. Leases expire by tokio's clock, so
/// that a test under paused time decides when.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    bell: Bell,
    sagas_due: Bell,
}

/// All there is, under one lock, so that what commits together becomes visible together.
#[derive(Debug, Default)]
struct State {
    log: Log,
    checkpoints: Checkpoints,
    read_models: ReadModels,
    sagas: Sagas,
}

impl MemoryStore {
    /// A store with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Loses the events from position `from` on, as a database does that is restored from an older
    /// backup; checkpoints and read models stay as they are.
    pub fn lose_events(&self, from: Position) {
        let head = {
            let log = &mut self.state().log;
            log.lose(from);
            log.head_position()
        };
        self.0.bell.ring(head);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn append(&self, batch: Vec<StreamAppend>) -> Result<Appended, StoreError> {
        let (appended, head) = {
            let log = &mut self.state().log;
            (log.append(batch)?, log.head_position())
        };
        self.0.bell.ring(head);
        Ok(appended)
    }

    async fn import(&self, events: Vec<(StreamName, NewEvent)>) -> Result<Imported, StoreError> {
        let (imported, head) = self.state().log.import(events)?;
        self.0.bell.ring(head);
        Ok(imported)
    }

    async fn read(
        &self,
        source: &Source,
        types: &[EventType],
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.state().log.read(source, types, after, limit)
    }

    async fn head(&self, source: &Source) -> Result<Option<Offset>, StoreError> {
        Ok(self.state().log.head(source))
    }

    async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        Ok(Utc::now())
    }

    async fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn wake(&self) -> Wake {
        self.0.bell.wake()
    }
}

#[async_trait]
impl CheckpointStore for MemoryStore {
    async fn checkpoint(&self, key: &CheckpointKey) -> Result<Option<Checkpoint>, StoreError> {
        Ok(self.state().checkpoints.get(key))
    }

    async fn checkpoints(
        &self,
        projection: Option<&ProjectionName>,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        Ok(self.state().checkpoints.list(projection))
    }

    async fn save(&self, lease: &Lease, advance: &Advance) -> Result<(), StoreError> {
        self.state().checkpoints.change(lease, Change::Advance(advance.clone()))
    }

    async fn reset(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        self.state().checkpoints.reset(key);
        Ok(())
    }

    async fn rebase(
        &self,
        key: &CheckpointKey,
        to: Option<Offset>,
        event_id: Option<EventId>,
    ) -> Result<(), StoreError> {
        self.state().checkpoints.rebase(key, to, event_id);
        Ok(())
    }

    async fn begin_rebuild(&self, lease: &Lease) -> Result<(), StoreError> {
        self.state().checkpoints.change(lease, Change::Reset)
    }

    async fn delete(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        self.state().checkpoints.delete(key);
        Ok(())
    }

    async fn record_error(&self, lease: &Lease, error: &str) -> Result<(), StoreError> {
        self.state().checkpoints.record_error(lease, error)
    }

    async fn note_attempt(
        &self,
        lease: &Lease,
        event: Offset,
        deaths: u32,
    ) -> Result<(), StoreError> {
        self.state().checkpoints.note_attempt(lease, event, deaths)
    }

    async fn request_rebuild(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        self.state().checkpoints.request_rebuild(key);
        Ok(())
    }

    async fn acquire(
        &self,
        key: &CheckpointKey,
        owner: &Owner,
        ttl: Duration,
    ) -> Result<Option<(Lease, Checkpoint)>, StoreError> {
        self.state().checkpoints.acquire(key, owner, ttl)
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<RebuildRequested, StoreError> {
        self.state().checkpoints.renew(lease, ttl)
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.state().checkpoints.release(lease);
        Ok(())
    }

    async fn dead_letters(
        &self,
        key: &CheckpointKey,
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        Ok(self.state().checkpoints.dead_letters(key, after, limit))
    }
}

#[async_trait]
impl ProjectionStore for MemoryStore {
    type Tx = MemoryTx;

    async fn begin(&self, lease: &Lease) -> Result<MemoryTx, StoreError> {
        Ok(MemoryTx::new(self.clone(), lease.clone()))
    }

    async fn documents(
        &self,
        projection: &ProjectionName,
        keys: &[String],
    ) -> Result<Vec<Document>, StoreError> {
        Ok(self.state().read_models.get(projection, keys))
    }

    async fn scan(
        &self,
        projection: &ProjectionName,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        Ok(self.state().read_models.scan(projection, prefix, after, limit))
    }

    fn class(&self, error: &(dyn std::error::Error + 'static)) -> ErrorClass {
        let causes = std::iter::successors(Some(error), |error| error.source());
        let classes = causes.filter_map(|cause| cause.downcast_ref()).map(StoreError::class);
        classes.fold(ErrorClass::Request, ErrorClass::or)
    }
}

impl Fixture for MemoryStore {
    type Store = Self;

    fn store(&self) -> Self {
        self.clone()
    }

    async fn reopen(&self) -> Self {
        self.clone()
    }

    async fn finish(self) {}
}
