//! Leases: the right to move a checkpoint, on the database's clock.

use std::time::Duration;

use highwater_core::{CheckpointKey, Lease, Owner, RebuildRequested, StoreError};
use sqlx::{Row, SqliteConnection};

use super::checkpoints::{at, lost, under};
use crate::database::error::{damaged, store_error};

/// A century, beyond which the arithmetic of times would leave their column.
pub(crate) const TTL_MAX: i64 = 100 * 365 * 24 * 60 * 60 * 1_000_000;

/// Takes the lease under a new epoch, unless somebody else holds it.
///
/// When it is refused the transaction must be rolled back, so that trying writes nothing.
pub(crate) async fn acquire(
    conn: &mut SqliteConnection,
    key: &CheckpointKey,
    owner: &Owner,
    ttl: Duration,
) -> Result<Option<Lease>, StoreError> {
    let epoch = sqlx::query_scalar("update lease_epochs set last = last + 1 returning last");
    let epoch: i64 = epoch.fetch_one(&mut *conn).await.map_err(store_error)?;
    let taken = at(include_str!("../../sql/projections/acquire_lease.sql"), key)
        .bind(owner.as_str().to_owned())
        .bind(micros(ttl)?);
    let taken = taken.execute(conn).await.map_err(store_error)?.rows_affected();
    let epoch = u64::try_from(epoch).map_err(damaged)?;
    Ok((taken > 0).then(|| Lease { key: key.clone(), owner: owner.clone(), epoch }))
}

/// Extends the lease, and tells whether a rebuild is requested.
pub(crate) async fn renew(
    conn: &mut SqliteConnection,
    lease: &Lease,
    ttl: Duration,
) -> Result<RebuildRequested, StoreError> {
    let renewed =
        under(include_str!("../../sql/projections/renew_lease.sql"), lease).bind(micros(ttl)?);
    match renewed.fetch_optional(conn).await.map_err(store_error)? {
        Some(row) => row.try_get(0).map_err(store_error),
        None => Err(lost(lease)),
    }
}

fn micros(ttl: Duration) -> Result<i64, StoreError> {
    if ttl.is_zero() {
        return Err(StoreError::invalid("a lease for no time"));
    }
    Ok(i64::try_from(ttl.as_micros()).unwrap_or(TTL_MAX).min(TTL_MAX))
}
