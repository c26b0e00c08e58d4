//! A store that is down: it refuses every call, or never answers.

use std::time::Duration;

use async_trait::async_trait;
use highwater_core::{
    Advance, Checkpoint, CheckpointKey, CheckpointStore, DeadLetter, EventId, Lease, Offset, Owner,
    ProjectionName, RebuildRequested, StoreError,
};

pub(crate) enum Down {
    Refuses,
    Silent,
}

impl Down {
    async fn answer<T>(&self) -> Result<T, StoreError> {
        match self {
            Self::Refuses => Err(StoreError::Unavailable("secret host refused".into())),
            Self::Silent => std::future::pending().await,
        }
    }
}

#[async_trait]
impl CheckpointStore for Down {
    async fn checkpoint(&self, _: &CheckpointKey) -> Result<Option<Checkpoint>, StoreError> {
        self.answer().await
    }

    async fn checkpoints(&self, _: Option<&ProjectionName>) -> Result<Vec<Checkpoint>, StoreError> {
        self.answer().await
    }

    async fn save(&self, _: &Lease, _: &Advance) -> Result<(), StoreError> {
        self.answer().await
    }

    async fn reset(&self, _: &CheckpointKey) -> Result<(), StoreError> {
        self.answer().await
    }

    async fn rebase(
        &self,
        _: &CheckpointKey,
        _: Option<Offset>,
        _: Option<EventId>,
    ) -> Result<(), StoreError> {
        self.answer().await
    }

    async fn note_attempt(&self, _: &Lease, _: Offset, _: u32) -> Result<(), StoreError> {
        self.answer().await
    }

    async fn begin_rebuild(&self, _: &Lease) -> Result<(), StoreError> {
        self.answer().await
    }

    async fn delete(&self, _: &CheckpointKey) -> Result<(), StoreError> {
        self.answer().await
    }

    async fn record_error(&self, _: &Lease, _: &str) -> Result<(), StoreError> {
        self.answer().await
    }

    async fn request_rebuild(&self, _: &CheckpointKey) -> Result<(), StoreError> {
        self.answer().await
    }

    async fn acquire(
        &self,
        _: &CheckpointKey,
        _: &Owner,
        _: Duration,
    ) -> Result<Option<(Lease, Checkpoint)>, StoreError> {
        self.answer().await
    }

    async fn renew(&self, _: &Lease, _: Duration) -> Result<RebuildRequested, StoreError> {
        self.answer().await
    }

    async fn release(&self, _: &Lease) -> Result<(), StoreError> {
        self.answer().await
    }

    async fn dead_letters(
        &self,
        _: &CheckpointKey,
        _: Option<Offset>,
        _: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.answer().await
    }
}
