//! Rows of sagas: read, and written as a whole.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::LazyLock;
use std::time::Duration;

use highwater_core::{
    BoxError, CorrelationId, Owner, Payload, SagaId, SagaLease, SagaName, SagaProgress, SagaRecord,
    StoreError,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection, SqliteExecutor};

use super::rules::{Saga, after};
use crate::database::error::{damaged, store_error};
use crate::database::insert::{Insert, Statement};
use crate::events::commit::json;
use crate::events::row::time;

const KNOWN: &str = concat!(
    include_str!("../../sql/sagas/select_saga.sql"),
    "where saga_id in (select value from json_each(?1))"
);

static PUT: LazyLock<Insert> = LazyLock::new(|| {
    let columns = "saga_id, correlation_id, saga_name, definition_version, plan, total_steps, \
        input, state, is_unwinding, current_step, completed_steps, data, error_message, \
        waiting_for, request, revision, epoch, owner, due_at, started_at, last_updated, \
        completed_at, timer_at, deadline_at";
    let row = format!("({})", vec!["?"; columns.split(',').count()].join(", "));
    Insert::new(
        &format!("saga_states ({columns})"),
        &row,
        include_str!("../../sql/sagas/replace_saga.sql"),
    )
});

/// Sagas by their ids; one that cannot be read keeps nobody from the others.
pub(crate) type Found = HashMap<SagaId, Result<Saga, StoreError>>;

/// Those of the sagas that there are.
pub(crate) async fn find(
    db: impl SqliteExecutor<'_>,
    ids: impl Iterator<Item = &SagaId>,
) -> Result<Found, StoreError> {
    let rows = sqlx::query(KNOWN).bind(json(ids.map(SagaId::as_str))).fetch_all(db).await;
    let found = rows.map_err(store_error)?;
    found.iter().map(|row| Ok((id(row).map_err(damaged)?, saga(row)))).collect()
}

/// Stores the sagas as they stand, new ones and others.
pub(crate) async fn put(conn: &mut SqliteConnection, sagas: &[Saga]) -> Result<(), StoreError> {
    PUT.run(conn, sagas, bind).await.map_err(store_error)
}

/// Leaves the saga as it is for so long, whatever it is.
pub(crate) async fn put_off(
    conn: &mut SqliteConnection,
    id: &SagaId,
    time: Duration,
    now: i64,
) -> Result<(), StoreError> {
    let put_off = sqlx::query("update saga_states set due_at = ?2 where saga_id = ?1");
    let put_off = put_off.bind(id.to_string()).bind(after(now, time)).execute(conn).await;
    put_off.map(drop).map_err(store_error)
}

/// Extends the lease to `ttl` from `now`, if it is the latest; the saga itself, which may be large,
/// is not read.
pub(crate) async fn renew(
    conn: &mut SqliteConnection,
    lease: &SagaLease,
    ttl: Duration,
    now: i64,
) -> Result<Result<(), StoreError>, StoreError> {
    let renew = sqlx::query(include_str!("../../sql/sagas/renew_saga.sql"))
        .bind(lease.id.to_string())
        .bind(lease.epoch.cast_signed())
        .bind(lease.owner.as_str().to_owned())
        .bind(after(now, ttl));
    let renewed = renew.execute(&mut *conn).await.map_err(store_error)?;
    if renewed.rows_affected() > 0 {
        return Ok(Ok(()));
    }
    let known = sqlx::query("select 1 from saga_states where saga_id = ?1");
    let known = known.bind(lease.id.to_string()).fetch_optional(conn).await.map_err(store_error)?;
    let (id, epoch) = (lease.id.clone(), lease.epoch);
    Ok(Err(match known {
        Some(_) => StoreError::SagaLeaseLost { id, epoch },
        None => StoreError::SagaUnknown { id },
    }))
}

fn bind(statement: Statement, Saga { record, due, timer, deadline }: &Saga) -> Statement {
    let SagaRecord { progress, .. } = record;
    statement
        .bind(record.id.to_string())
        .bind(record.correlation_id.to_string())
        .bind(record.name.to_string())
        .bind(record.version)
        .bind(json(record.plan.iter().map(String::as_str)))
        .bind(i64::try_from(record.plan.len()).unwrap_or(i64::MAX))
        .bind(record.input.as_str().to_owned())
        .bind(progress.state.as_str())
        .bind(progress.is_unwinding)
        .bind(progress.current_step)
        .bind(serde_json::json!(progress.steps).to_string())
        .bind(progress.data.as_str().to_owned())
        .bind(progress.error.clone())
        .bind(progress.waiting_for.as_ref().map(ToString::to_string))
        .bind(record.request.map(highwater_core::SagaRequest::as_str))
        .bind(record.revision.cast_signed())
        .bind(record.epoch.cast_signed())
        .bind(record.owner.as_ref().map(|owner| owner.as_str().to_owned()))
        .bind(*due)
        .bind(record.started_at.timestamp_micros())
        .bind(record.last_updated.timestamp_micros())
        .bind(record.completed_at.map(|at| at.timestamp_micros()))
        .bind(*timer)
        .bind(*deadline)
}

/// A saga, from the columns of `saga_select.sql`.
pub(crate) fn saga(row: &SqliteRow) -> Result<Saga, StoreError> {
    decode(row).map_err(|error| {
        let saga: &str = row.try_get(0).unwrap_or_default();
        damaged(format!("saga {saga:?} cannot be read: {error}"))
    })
}

fn id(row: &SqliteRow) -> Result<SagaId, BoxError> {
    Ok(SagaId::new(row.try_get::<&str, _>(0)?)?)
}

fn decode(row: &SqliteRow) -> Result<Saga, BoxError> {
    let progress = SagaProgress {
        state: row.try_get::<&str, _>(6)?.parse()?,
        is_unwinding: row.try_get(7)?,
        current_step: row.try_get(8)?,
        steps: serde_json::from_str(row.try_get(9)?)?,
        data: Payload::from_stored(row.try_get(10)?),
        error: row.try_get(11)?,
        waiting_for: parsed(row, 12)?,
    };
    let due: Option<i64> = row.try_get(17)?;
    let record = SagaRecord {
        id: id(row)?,
        correlation_id: CorrelationId::new(row.try_get::<&str, _>(1)?)?,
        name: SagaName::new(row.try_get::<&str, _>(2)?)?,
        version: row.try_get(3)?,
        plan: serde_json::from_str(row.try_get(4)?)?,
        input: Payload::from_stored(row.try_get(5)?),
        progress,
        request: parsed(row, 13)?,
        revision: row.try_get::<i64, _>(14)?.try_into()?,
        epoch: row.try_get::<i64, _>(15)?.try_into()?,
        owner: row.try_get::<Option<String>, _>(16)?.map(Owner::from_stored),
        due_at: due.map(time).transpose()?,
        started_at: time(row.try_get(18)?)?,
        last_updated: time(row.try_get(19)?)?,
        completed_at: row.try_get::<Option<_>, _>(20)?.map(time).transpose()?,
    };
    Ok(Saga { record, due, timer: row.try_get(21)?, deadline: row.try_get(22)? })
}

fn parsed<T>(row: &SqliteRow, column: usize) -> Result<Option<T>, BoxError>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text: Option<&str> = row.try_get(column)?;
    Ok(text.map(str::parse).transpose()?)
}
