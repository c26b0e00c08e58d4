//! Checkpoints: reading them, and moving them under a lease.

use highwater_core::{
    Advance, BoxError, Checkpoint, CheckpointKey, EventId, Lease, Offset, Owner, ProjectionName,
    Source, StoreError, Suspect,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqliteExecutor};

use super::dead_letters;
use crate::database::error::{damaged, store_error};
use crate::database::insert::Statement;
use crate::events::row::time;

/// Names a checkpoint to a statement, as its parameters 1 and 2.
pub(crate) fn at(sql: &'static str, key: &CheckpointKey) -> Statement {
    sqlx::query(sql).bind(key.projection.to_string()).bind(key.source.to_string())
}

/// Names a checkpoint and the lease on it to a statement, as its parameters 1 to 4.
pub(crate) fn under(sql: &'static str, lease: &Lease) -> Statement {
    at(sql, &lease.key).bind(lease.epoch.cast_signed()).bind(lease.owner.as_str().to_owned())
}

/// Those of one projection or of all, on one source or on all, in the order of their keys.
pub(crate) async fn find(
    db: impl SqliteExecutor<'_>,
    projection: Option<&ProjectionName>,
    source: Option<&Source>,
) -> Result<Vec<Checkpoint>, StoreError> {
    let rows = sqlx::query(include_str!("../../sql/projections/list_checkpoints.sql"))
        .bind(projection.map(ToString::to_string))
        .bind(source.map(ToString::to_string));
    let rows = rows.fetch_all(db).await.map_err(store_error)?;
    let checkpoints: Result<Vec<_>, _> = rows.iter().map(checkpoint).collect();
    checkpoints.map_err(damaged)
}

/// The one under `key`.
pub(crate) async fn one(
    db: impl SqliteExecutor<'_>,
    key: &CheckpointKey,
) -> Result<Option<Checkpoint>, StoreError> {
    Ok(find(db, Some(&key.projection), Some(&key.source)).await?.pop())
}

fn checkpoint(row: &SqliteRow) -> Result<Checkpoint, BoxError> {
    let projection = ProjectionName::new(row.try_get::<&str, _>("projection_name")?)?;
    let source: Source = row.try_get::<&str, _>("stream_name")?.parse()?;
    Ok(Checkpoint {
        key: CheckpointKey { projection, source },
        last_processed_offset: Offset::from_sql(row.try_get("last_processed_offset")?)?,
        events_processed: row.try_get::<i64, _>("events_processed")?.try_into()?,
        last_updated: time(row.try_get("last_updated")?)?,
        last_error: row.try_get("last_error")?,
        last_error_at: row.try_get::<Option<_>, _>("last_error_at")?.map(time).transpose()?,
        epoch: row.try_get::<i64, _>("epoch")?.try_into()?,
        owner: row.try_get::<Option<String>, _>("owner")?.map(Owner::from_stored),
        rebuild_requested: row.try_get("rebuild_requested")?,
        last_event_id: row.try_get::<Option<_>, _>("last_event_id")?.map(EventId::from_uuid),
        suspect: suspect(row)?,
    })
}

fn suspect(row: &SqliteRow) -> Result<Option<Suspect>, BoxError> {
    let Some(event) = row.try_get::<Option<i64>, _>("suspect")? else { return Ok(None) };
    let deaths = u32::try_from(row.try_get::<i64, _>("deaths")?).unwrap_or(u32::MAX);
    Ok(Some(Suspect { event: Offset::from_sql(event)?, deaths }))
}

/// Moves the checkpoint on, and sets aside what is passed over.
///
/// When this fails the transaction must be rolled back.
pub(crate) async fn advance(
    conn: &mut SqliteConnection,
    lease: &Lease,
    advance: &Advance,
) -> Result<(), StoreError> {
    let Advance { from, to, events, dead_letters, event_id } = advance;
    dead_letters::add(conn, &lease.key, dead_letters).await?;
    let moved = under(include_str!("../../sql/projections/save_checkpoint.sql"), lease)
        .bind(Offset::to_sql(*from))
        .bind(Offset::to_sql(*to))
        .bind(i64::try_from(*events).unwrap_or(i64::MAX))
        .bind(event_id.map(EventId::as_uuid));
    match moved.execute(&mut *conn).await.map_err(store_error)?.rows_affected() {
        0 => Err(refusal(conn, lease, *from).await?),
        _ if to < from => {
            Err(StoreError::invalid(format!("checkpoint of {} would move backwards", lease.key)))
        }
        _ => Ok(()),
    }
}

/// Reason why the checkpoint has not moved.
async fn refusal(
    conn: &mut SqliteConnection,
    lease: &Lease,
    expected: Option<Offset>,
) -> Result<StoreError, StoreError> {
    let row = under(include_str!("../../sql/projections/read_lease.sql"), lease)
        .fetch_optional(conn)
        .await;
    let Some(row) = row.map_err(store_error)? else { return Ok(lost(lease)) };
    let actual = Offset::from_sql(row.try_get(0).map_err(store_error)?).map_err(damaged)?;
    let CheckpointKey { projection, source } = lease.key.clone();
    Ok(StoreError::CheckpointMoved { projection, source_name: source, expected, actual })
}

/// The error of whoever writes under `lease` when it is not the latest any more.
pub(crate) fn lost(lease: &Lease) -> StoreError {
    let CheckpointKey { projection, source } = lease.key.clone();
    StoreError::LeaseLost { projection, source_name: source, epoch: lease.epoch }
}

/// Returns the checkpoint to "nothing processed" and forgets its dead letters.
pub(crate) async fn begin_rebuild(
    conn: &mut SqliteConnection,
    lease: &Lease,
) -> Result<(), StoreError> {
    held(under(include_str!("../../sql/projections/reset_checkpoint.sql"), lease), conn, lease)
        .await?;
    dead_letters::clear(conn, &lease.key).await
}

/// Runs a statement that changes a row only under the latest lease.
pub(crate) async fn held(
    statement: Statement,
    conn: &mut SqliteConnection,
    lease: &Lease,
) -> Result<(), StoreError> {
    match statement.execute(conn).await.map_err(store_error)?.rows_affected() {
        0 => Err(lost(lease)),
        _ => Ok(()),
    }
}
