//! Signals: kept until a saga that waits for them has used them up, and known for ever.

use highwater_core::{
    Delivery, EventId, Payload, SagaId, SagaRecord, Signal, SignalKey, StoreError,
};
use sqlx::{Row as _, SqliteConnection};

use crate::database::error::{damaged, store_error};
use crate::database::insert::Statement;

/// Keeps the signal; says whether it was known, and whether a saga that waits for it is due now.
pub(crate) async fn keep(
    conn: &mut SqliteConnection,
    signal: &Signal,
) -> Result<Delivery, StoreError> {
    let (saga, key) = (signal.saga.to_string(), signal.key.to_string());
    let keep = sqlx::query(include_str!("../../sql/sagas/keep_signal.sql"))
        .bind(signal.id.as_uuid())
        .bind(saga.clone())
        .bind(key.clone())
        .bind(signal.data.as_str().to_owned());
    if run(conn, keep).await? == 0 {
        return Ok(Delivery::Known);
    }
    if wake(conn, saga.clone(), key.clone()).await? {
        return Ok(Delivery::Woken);
    }
    let ended = "select saga_id from saga_closed_keys where saga_name = ?1 and signal_key = ?2";
    let ended = sqlx::query_scalar(ended).bind(saga).bind(key).fetch_optional(conn).await;
    let ended: Option<String> = ended.map_err(store_error)?;
    let ended = ended.map(SagaId::new).transpose().map_err(damaged)?;
    Ok(ended.map_or(Delivery::Kept, Delivery::Ended))
}

/// Notes that the saga, which ends, no longer comes for signals of these keys.
pub(crate) async fn close(
    conn: &mut SqliteConnection,
    saga: &SagaRecord,
    keys: &[SignalKey],
) -> Result<(), StoreError> {
    for key in keys {
        let close = sqlx::query(include_str!("../../sql/sagas/close_signal.sql"))
            .bind(saga.name.to_string())
            .bind(key.to_string())
            .bind(saga.id.to_string());
        run(conn, close).await?;
    }
    Ok(())
}

/// The oldest signal that the saga waits for, which is its own from now on.
pub(crate) async fn take_for(
    conn: &mut SqliteConnection,
    saga: &SagaRecord,
) -> Result<Option<Signal>, StoreError> {
    let Some((nth, signal)) = find_for(conn, saga).await? else { return Ok(None) };
    let take = sqlx::query("update saga_signals set taken_by = ?1 where nth = ?2");
    run(conn, take.bind(saga.id.to_string()).bind(nth)).await?;
    Ok(Some(signal))
}

/// Tells whether there is a signal that the saga waits for.
pub(crate) async fn has_one_for(
    conn: &mut SqliteConnection,
    saga: &SagaRecord,
) -> Result<bool, StoreError> {
    Ok(find_for(conn, saga).await?.is_some())
}

/// Has the signal, which the saga has taken, go to nobody any more.
pub(crate) async fn use_up(
    conn: &mut SqliteConnection,
    id: EventId,
    saga: &SagaRecord,
) -> Result<(), StoreError> {
    let used = "update saga_signals set is_used_up = 1 where signal_id = ?1 and taken_by = ?2";
    let used = sqlx::query(used).bind(id.as_uuid()).bind(saga.id.to_string());
    run(conn, used).await.map(drop)
}

/// Has the saga, as it still waits, leave the signal that it has taken to others; says whether
/// one that waits for it is due now.
pub(crate) async fn leave(
    conn: &mut SqliteConnection,
    saga: &SagaRecord,
) -> Result<bool, StoreError> {
    let Some(key) = &saga.progress.waiting_for else { return Ok(false) };
    let (name, key) = (saga.name.to_string(), key.to_string());
    let leave = sqlx::query(include_str!("../../sql/sagas/leave_signal.sql"))
        .bind(saga.id.to_string())
        .bind(name.clone())
        .bind(key.clone());
    Ok(run(conn, leave).await? > 0 && wake(conn, name, key).await?)
}

/// Makes sagas due that wait for the key; says whether there are any.
async fn wake(conn: &mut SqliteConnection, saga: String, key: String) -> Result<bool, StoreError> {
    let wake = sqlx::query(include_str!("../../sql/sagas/wake_saga.sql")).bind(saga).bind(key);
    Ok(run(conn, wake).await? > 0)
}

async fn find_for(
    conn: &mut SqliteConnection,
    saga: &SagaRecord,
) -> Result<Option<(i64, Signal)>, StoreError> {
    let Some(key) = saga.progress.waiting_for.clone() else { return Ok(None) };
    let found = sqlx::query(include_str!("../../sql/sagas/find_signal.sql"))
        .bind(saga.id.to_string())
        .bind(saga.name.to_string())
        .bind(key.to_string());
    let Some(row) = found.fetch_optional(conn).await.map_err(store_error)? else {
        return Ok(None);
    };
    let id = EventId::from_uuid(row.try_get(1).map_err(store_error)?);
    let data = Payload::from_stored(row.try_get(2).map_err(store_error)?);
    let nth = row.try_get(0).map_err(store_error)?;
    Ok(Some((nth, Signal { id, saga: saga.name.clone(), key, data })))
}

async fn run(conn: &mut SqliteConnection, statement: Statement) -> Result<u64, StoreError> {
    Ok(statement.execute(conn).await.map_err(store_error)?.rows_affected())
}
