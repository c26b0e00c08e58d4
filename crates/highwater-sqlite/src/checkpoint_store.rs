//! Checkpoints and the leases on them.

use std::time::Duration;

use async_trait::async_trait;
use highwater_core::{
    Advance, Checkpoint, CheckpointKey, CheckpointStore, DeadLetter, EventId, Lease, Offset, Owner,
    ProjectionName, RebuildRequested, StoreError,
};

use crate::checkpoints::{at, held, under};
use crate::error::store_error;
use crate::insert::Statement;
use crate::write::begin;
use crate::{SqliteStore, checkpoints, dead_letters, leases};

#[async_trait]
impl CheckpointStore for SqliteStore {
    async fn checkpoint(&self, key: &CheckpointKey) -> Result<Option<Checkpoint>, StoreError> {
        checkpoints::one(&self.readers, key).await
    }

    async fn checkpoints(
        &self,
        projection: Option<&ProjectionName>,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        checkpoints::find(&self.readers, projection, None).await
    }

    async fn save(&self, lease: &Lease, advance: &Advance) -> Result<(), StoreError> {
        let mut tx = begin(&self.writer).await?;
        checkpoints::advance(&mut tx, lease, advance).await?;
        tx.commit().await.map_err(store_error)
    }

    async fn reset(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        self.run(at(include_str!("../sql/reset.sql"), key)).await
    }

    async fn rebase(
        &self,
        key: &CheckpointKey,
        to: Option<Offset>,
        event_id: Option<EventId>,
    ) -> Result<(), StoreError> {
        let rebase = at(include_str!("../sql/rebase.sql"), key).bind(Offset::to_sql(to));
        self.run(rebase.bind(event_id.map(EventId::as_uuid))).await
    }

    async fn begin_rebuild(&self, lease: &Lease) -> Result<(), StoreError> {
        let mut tx = begin(&self.writer).await?;
        checkpoints::begin_rebuild(&mut tx, lease).await?;
        tx.commit().await.map_err(store_error)
    }

    async fn delete(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        let mut tx = begin(&self.writer).await?;
        let row = "delete from checkpoints where projection_name = ?1 and stream_name = ?2";
        at(row, key).execute(&mut *tx).await.map_err(store_error)?;
        dead_letters::clear(&mut tx, key).await?;
        tx.commit().await.map_err(store_error)
    }

    async fn record_error(&self, lease: &Lease, error: &str) -> Result<(), StoreError> {
        let mut tx = begin(&self.writer).await?;
        let record = under(include_str!("../sql/record_error.sql"), lease).bind(error.to_owned());
        held(record, &mut tx, lease).await?;
        tx.commit().await.map_err(store_error)
    }

    async fn note_attempt(
        &self,
        lease: &Lease,
        event: Offset,
        deaths: u32,
    ) -> Result<(), StoreError> {
        let mut tx = begin(&self.writer).await?;
        let note = under(include_str!("../sql/note_attempt.sql"), lease);
        let note = note.bind(Offset::to_sql(Some(event))).bind(deaths);
        held(note, &mut tx, lease).await?;
        tx.commit().await.map_err(store_error)
    }

    async fn request_rebuild(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        self.run(at(include_str!("../sql/request_rebuild.sql"), key)).await
    }

    async fn acquire(
        &self,
        key: &CheckpointKey,
        owner: &Owner,
        ttl: Duration,
    ) -> Result<Option<(Lease, Checkpoint)>, StoreError> {
        let mut tx = begin(&self.writer).await?;
        let Some(lease) = leases::acquire(&mut tx, key, owner, ttl).await? else {
            return Ok(None);
        };
        let checkpoint = checkpoints::one(&mut *tx, key).await?;
        tx.commit().await.map_err(store_error)?;
        Ok(checkpoint.map(|checkpoint| (lease, checkpoint)))
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<RebuildRequested, StoreError> {
        let mut tx = begin(&self.writer).await?;
        let rebuild_requested = leases::renew(&mut tx, lease, ttl).await?;
        tx.commit().await.map_err(store_error)?;
        Ok(rebuild_requested)
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.run(under(include_str!("../sql/release.sql"), lease)).await
    }

    async fn dead_letters(
        &self,
        key: &CheckpointKey,
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        dead_letters::page(&self.readers, key, after, limit).await
    }
}

impl SqliteStore {
    /// Runs one statement in a transaction of its own.
    async fn run(&self, statement: Statement) -> Result<(), StoreError> {
        let mut tx = begin(&self.writer).await?;
        statement.execute(&mut *tx).await.map_err(store_error)?;
        tx.commit().await.map_err(store_error)
    }
}
