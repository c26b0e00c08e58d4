//! The store of checkpoints and of the leases on them.

use std::time::Duration;

use async_trait::async_trait;
use highwater_core::{
    Advance, Checkpoint, CheckpointKey, CheckpointStore, DeadLetter, EventId, Lease, Offset, Owner,
    ProjectionName, RebuildRequested, StoreError,
};
use sqlx::{Row, SqlStr};

use super::row::{checkpoint, dead_letter};
use crate::database::calls::PgQuery;
use crate::database::error::store_error;
use crate::database::handle::Database;
use crate::store::PgStore;

/// No lease is longer: beyond it lie dates that the database does not have.
pub(crate) const TTL_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

#[async_trait]
impl CheckpointStore for PgStore {
    async fn checkpoint(&self, key: &CheckpointKey) -> Result<Option<Checkpoint>, StoreError> {
        let log = self.log();
        let row = log.fetch_optional(log.about(&log.sql.read_checkpoint, key)).await?;
        row.as_ref().map(checkpoint).transpose().map_err(store_error)
    }

    async fn checkpoints(
        &self,
        projection: Option<&ProjectionName>,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        let log = self.log();
        let query =
            log.sql.query(&log.sql.list_checkpoints).bind(projection.map(ProjectionName::as_str));
        let rows = log.fetch_all(query).await?;
        rows.iter().map(checkpoint).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn save(&self, lease: &Lease, advance: &Advance) -> Result<(), StoreError> {
        let log = self.log();
        let moved = log.change(log.advance(lease, advance)?).await?;
        if moved.rows_affected() == 1 {
            return Ok(());
        }
        Err(not_moved(lease, advance, self.checkpoint(&lease.key).await?))
    }

    async fn reset(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        let log = self.log();
        log.change(log.about(&log.sql.reset_checkpoint, key)).await?;
        Ok(())
    }

    async fn rebase(
        &self,
        key: &CheckpointKey,
        to: Option<Offset>,
        event_id: Option<EventId>,
    ) -> Result<(), StoreError> {
        let log = self.log();
        let query = log.about(&log.sql.rebase_checkpoint, key).bind(Offset::to_sql(to));
        let query = query.bind(event_id.map(EventId::as_uuid));
        log.change(query).await?;
        Ok(())
    }

    async fn begin_rebuild(&self, lease: &Lease) -> Result<(), StoreError> {
        let log = self.log();
        let done = log.change(log.under(&log.sql.rebuild_checkpoint, lease)).await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(lease_lost(lease)) }
    }

    async fn delete(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        let log = self.log();
        log.change(log.about(&log.sql.delete_checkpoint, key)).await?;
        Ok(())
    }

    async fn record_error(&self, lease: &Lease, error: &str) -> Result<(), StoreError> {
        let log = self.log();
        let query = log.under(&log.sql.record_error, lease).bind(storable(error));
        let done = log.change(query).await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(lease_lost(lease)) }
    }

    async fn note_attempt(
        &self,
        lease: &Lease,
        event: Offset,
        deaths: u32,
    ) -> Result<(), StoreError> {
        let log = self.log();
        let query = log.under(&log.sql.note_attempt, lease).bind(Offset::to_sql(Some(event)));
        let done = log.change(query.bind(i64::from(deaths))).await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(lease_lost(lease)) }
    }

    async fn request_rebuild(&self, key: &CheckpointKey) -> Result<(), StoreError> {
        let log = self.log();
        log.change(log.about(&log.sql.request_rebuild, key)).await?;
        Ok(())
    }

    async fn acquire(
        &self,
        key: &CheckpointKey,
        owner: &Owner,
        ttl: Duration,
    ) -> Result<Option<(Lease, Checkpoint)>, StoreError> {
        let log = self.log();
        let query =
            log.about(&log.sql.acquire_lease, key).bind(owner.as_str()).bind(microseconds(ttl)?);
        let Some(row) = log.change_one(query).await? else {
            return Ok(None);
        };
        let checkpoint = checkpoint(&row).map_err(store_error)?;
        let lease = Lease { key: key.clone(), owner: owner.clone(), epoch: checkpoint.epoch };
        Ok(Some((lease, checkpoint)))
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<RebuildRequested, StoreError> {
        let log = self.log();
        let query = log.under(&log.sql.renew_lease, lease).bind(microseconds(ttl)?);
        let row = log.change_one(query).await?;
        let row = row.ok_or_else(|| lease_lost(lease))?;
        row.try_get(0).map_err(store_error)
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let log = self.log();
        log.change(log.under(&log.sql.release_lease, lease)).await?;
        Ok(())
    }

    async fn dead_letters(
        &self,
        key: &CheckpointKey,
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let log = self.log();
        let query = log.about(&log.sql.list_dead_letters, key).bind(Offset::to_sql(after));
        let query = query.bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let query = query.bind(log.options.page_size());
        let rows = log.fetch_all(query).await?;
        let letters = rows.iter().map(|row| dead_letter(key, row));
        letters.collect::<Result<_, _>>().map_err(store_error)
    }

    async fn count_dead_letters(
        &self,
        key: &CheckpointKey,
        up_to: usize,
    ) -> Result<usize, StoreError> {
        let log = self.log();
        let query = log.about(&log.sql.count_dead_letters, key);
        let query = query.bind(i64::try_from(up_to).unwrap_or(i64::MAX));
        let row = log.fetch_one(query).await?;
        let count: i64 = row.try_get(0).map_err(store_error)?;
        Ok(usize::try_from(count).unwrap_or(0))
    }
}

impl Database {
    /// A query whose first parameters name the checkpoint.
    pub(crate) fn about(&self, sql: &SqlStr, key: &CheckpointKey) -> PgQuery {
        self.sql.query(sql).bind(key.projection.to_string()).bind(key.source.to_string())
    }

    /// A query whose first parameters name the checkpoint and the lease on it.
    pub(crate) fn under(&self, sql: &SqlStr, lease: &Lease) -> PgQuery {
        let query = self.about(sql, &lease.key).bind(signed(lease.epoch));
        query.bind(lease.owner.as_str().to_owned())
    }

    /// The compare-and-set that moves the checkpoint on, with its dead letters.
    pub(crate) fn advance(&self, lease: &Lease, advance: &Advance) -> Result<PgQuery, StoreError> {
        let Advance { from, to, events, dead_letters, event_id } = advance;
        if to < from {
            return Err(StoreError::invalid(format!("checkpoint of {} backwards", lease.key)));
        }
        let has_letters = !dead_letters.is_empty();
        let sql = if has_letters { &self.sql.save_with_letters } else { &self.sql.save_checkpoint };
        let query = self.under(sql, lease).bind(Offset::to_sql(*from)).bind(Offset::to_sql(*to));
        let query = query.bind(signed(*events)).bind(event_id.map(EventId::as_uuid));
        if !has_letters {
            return Ok(query);
        }
        let letters = || dead_letters.iter();
        Ok(query
            .bind(letters().map(|l| Offset::to_sql(Some(l.offset))).collect::<Vec<_>>())
            .bind(letters().map(|l| l.stream.to_string()).collect::<Vec<_>>())
            .bind(letters().map(|l| signed(l.position.get())).collect::<Vec<_>>())
            .bind(letters().map(|l| l.event_id.as_uuid()).collect::<Vec<_>>())
            .bind(letters().map(|l| l.event_type.to_string()).collect::<Vec<_>>())
            .bind(letters().map(|l| storable(&l.error)).collect::<Vec<_>>())
            .bind(letters().map(|l| i64::from(l.attempts)).collect::<Vec<_>>()))
    }
}

/// Reason why the compare-and-set of `advance` has found no row.
pub(crate) fn not_moved(lease: &Lease, advance: &Advance, found: Option<Checkpoint>) -> StoreError {
    match found {
        Some(row) if row.epoch == lease.epoch && row.last_processed_offset != advance.from => {
            StoreError::CheckpointMoved {
                projection: lease.key.projection.clone(),
                source_name: lease.key.source.clone(),
                expected: advance.from,
                actual: row.last_processed_offset,
            }
        }
        _ => lease_lost(lease),
    }
}

pub(crate) fn lease_lost(lease: &Lease) -> StoreError {
    StoreError::LeaseLost {
        projection: lease.key.projection.clone(),
        source_name: lease.key.source.clone(),
        epoch: lease.epoch,
    }
}

fn microseconds(ttl: Duration) -> Result<i64, StoreError> {
    if ttl.is_zero() {
        return Err(StoreError::invalid("a lease of no time"));
    }
    // At least one: a lease that is given has a time to live.
    Ok(i64::try_from(ttl.min(TTL_MAX).as_micros()).unwrap_or(i64::MAX).max(1))
}

/// Text as the database takes it, which has no NUL.
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
