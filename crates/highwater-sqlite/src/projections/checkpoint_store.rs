//! Checkpoints and the leases on them.

use std::time::Duration;

use async_trait::async_trait;
use highwater_core::{
    Advance, Checkpoint, CheckpointKey, CheckpointStore, DeadLetter, EventId, Lease, Offset, Owner,
    ProjectionName, RebuildRequested, StoreError,
};

use super::checkpoints::{at, held, under};
use super::{checkpoints, dead_letters, leases};
use crate::database::error::store_error;
use crate::database::insert::Statement;
use crate::store::SqliteStore;

#[async_trait]
impl CheckpointStore for SqliteStore {
    async fn checkpoint(&self, key: &CheckpointKey) -> Result<Option<Checkpoint>, StoreError> {
        let key = key.clone();
        self.read_with(|conn| Box::pin(async move { checkpoints::one(conn, &key).await })).await
    }

    async fn checkpoints(
        &self,
        projection: Option<&ProjectionName>,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        let projection = projection.cloned();
        self.read_with(|conn| {
            Box::pin(async move { checkpoints::find(conn, projection.as_ref(), None).await })
        })
        .await
    }

    async fn save(&self, lease: &Lease, advance: &Advance) -> Result<(), StoreError> {
        let (lease, advance) = (lease.clone(), advance.clone());
        self.write_with(|conn| {
            Box::pin(async move { checkpoints::advance(conn, &lease, &advance).await })
        })
        .await
    }

    async fn reset(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        self.execute(at(include_str!("../../sql/projections/reset_checkpoint.sql"), key)).await
    }

    async fn rebase(
        &self,
        key: &CheckpointKey,
        to: Option<Offset>,
        event_id: Option<EventId>,
    ) -> Result<(), StoreError> {
        let rebase = at(include_str!("../../sql/projections/rebase_checkpoint.sql"), key)
            .bind(Offset::to_sql(to));
        self.execute(rebase.bind(event_id.map(EventId::as_uuid))).await
    }

    async fn begin_rebuild(&self, lease: &Lease) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.write_with(|conn| {
            Box::pin(async move { checkpoints::begin_rebuild(conn, &lease).await })
        })
        .await
    }

    async fn delete(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        let row = "delete from checkpoints where projection_name = ?1 and stream_name = ?2";
        let (row, key) = (at(row, key), key.clone());
        self.write_with(|conn| {
            Box::pin(async move {
                row.execute(&mut *conn).await.map_err(store_error)?;
                dead_letters::clear(conn, &key).await
            })
        })
        .await
    }

    async fn record_error(&self, lease: &Lease, error: &str) -> Result<(), StoreError> {
        let record = under(include_str!("../../sql/projections/record_error.sql"), lease)
            .bind(error.to_owned());
        let lease = lease.clone();
        self.write_with(|conn| Box::pin(async move { held(record, conn, &lease).await })).await
    }

    async fn note_attempt(
        &self,
        lease: &Lease,
        event: Offset,
        deaths: u32,
    ) -> Result<(), StoreError> {
        let note = under(include_str!("../../sql/projections/note_attempt.sql"), lease);
        let note = note.bind(Offset::to_sql(Some(event))).bind(deaths);
        let lease = lease.clone();
        self.write_with(|conn| Box::pin(async move { held(note, conn, &lease).await })).await
    }

    async fn request_rebuild(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        self.execute(at(include_str!("../../sql/projections/request_rebuild.sql"), key)).await
    }

    async fn acquire(
        &self,
        key: &CheckpointKey,
        owner: &Owner,
        ttl: Duration,
    ) -> Result<Option<(Lease, Checkpoint)>, StoreError> {
        let (key, owner) = (key.clone(), owner.clone());
        self.transact(move |mut tx| async move {
            let Some(lease) = leases::acquire(&mut tx, &key, &owner, ttl).await? else {
                return Ok(None);
            };
            let checkpoint = checkpoints::one(&mut *tx, &key).await?;
            tx.commit().await.map_err(store_error)?;
            Ok(checkpoint.map(|checkpoint| (lease, checkpoint)))
        })
        .await
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<RebuildRequested, StoreError> {
        let lease = lease.clone();
        self.write_with(move |conn| Box::pin(async move { leases::renew(conn, &lease, ttl).await }))
            .await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.execute(under(include_str!("../../sql/projections/release_lease.sql"), lease)).await
    }

    async fn dead_letters(
        &self,
        key: &CheckpointKey,
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let (key, bytes) = (key.clone(), self.page_bytes());
        self.read_with(move |conn| {
            Box::pin(async move { dead_letters::page(conn, &key, after, (limit, bytes)).await })
        })
        .await
    }

    async fn count_dead_letters(
        &self,
        key: &CheckpointKey,
        up_to: usize,
    ) -> Result<usize, StoreError> {
        let key = key.clone();
        self.read_with(move |conn| {
            Box::pin(async move { dead_letters::count(conn, &key, up_to).await })
        })
        .await
    }
}

impl SqliteStore {
    /// Runs one statement in a transaction of its own.
    pub(crate) async fn execute(&self, statement: Statement) -> Result<(), StoreError> {
        self.write_with(|conn| {
            Box::pin(async move { statement.execute(conn).await.map(drop).map_err(store_error) })
        })
        .await
    }
}
