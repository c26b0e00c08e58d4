//! Decodes sagas as they come from the database.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use highwater_core::{
    ClaimedSaga, CorrelationId, EventId, OverdueSagas, Owner, Payload, SagaCounts, SagaId,
    SagaName, SagaProgress, SagaRecord, Signal, SignalKey, StepRecord, StoreError,
};
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::events::row::{decode_error, required, text};

/// A saga, from the columns that `saga_known.sql` and its like return.
pub(crate) fn saga(row: &PgRow) -> Result<SagaRecord, Unreadable> {
    decode(row).map_err(|error| Unreadable::new(row, error))
}

/// A saga under its new lease, from the columns that `saga_claim.sql` returns.
pub(crate) fn claimed(row: &PgRow) -> Result<ClaimedSaga, Unreadable> {
    decode_claimed(row).map_err(|error| Unreadable::new(row, error))
}

/// Number of sagas that do not go on, from the columns that `count_sagas.sql` returns.
pub(crate) fn counts(row: &PgRow) -> Result<SagaCounts, sqlx::Error> {
    let (names, versions): (Vec<String>, Vec<i64>) = (row.try_get(2)?, row.try_get(3)?);
    let counts: Vec<i64> = row.try_get(4)?;
    let mut overdue = Vec::with_capacity(names.len());
    for ((name, version), count) in names.into_iter().zip(versions).zip(counts) {
        overdue.push(OverdueSagas {
            name: SagaName::new(name).map_err(decode_error)?,
            version: version.try_into().map_err(decode_error)?,
            count: count.try_into().map_err(decode_error)?,
        });
    }
    Ok(SagaCounts { failed: number(row, 0)?, paused: number(row, 1)?, overdue })
}

/// A saga that a newer version of the store has written, or that is damaged.
#[derive(Debug, Clone)]
pub(crate) struct Unreadable {
    id: String,
    error: Arc<sqlx::Error>,
}

impl Unreadable {
    fn new(row: &PgRow, error: sqlx::Error) -> Self {
        Self { id: row.try_get(0).unwrap_or_default(), error: Arc::new(error) }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "saga {:?} cannot be read", self.id)
    }
}

impl Error for Unreadable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.error)
    }
}

impl From<Unreadable> for StoreError {
    fn from(unreadable: Unreadable) -> Self {
        Self::Backend(Box::new(unreadable))
    }
}

fn decode(row: &PgRow) -> Result<SagaRecord, sqlx::Error> {
    let progress = SagaProgress {
        state: required(row, 6)?.parse().map_err(decode_error)?,
        is_unwinding: row.try_get(7)?,
        current_step: number(row, 8)?,
        steps: steps(row, 9)?,
        data: Payload::from_stored(required(row, 10)?),
        error: row.try_get(11)?,
        waiting_for: parsed::<SignalKey>(row, 12)?,
    };
    Ok(SagaRecord {
        id: SagaId::new(required(row, 0)?).map_err(decode_error)?,
        correlation_id: CorrelationId::new(required(row, 1)?).map_err(decode_error)?,
        name: SagaName::new(required(row, 2)?).map_err(decode_error)?,
        version: number(row, 3)?,
        plan: serde_json::from_str(required(row, 4)?).map_err(decode_error)?,
        input: Payload::from_stored(required(row, 5)?),
        progress,
        request: parsed(row, 13)?,
        revision: number(row, 14)?,
        epoch: number(row, 15)?,
        owner: text(row, 16)?.map(Owner::from_stored),
        due_at: row.try_get(17)?,
        started_at: row.try_get(18)?,
        last_updated: row.try_get(19)?,
        completed_at: row.try_get(20)?,
    })
}

fn decode_claimed(row: &PgRow) -> Result<ClaimedSaga, sqlx::Error> {
    let record = decode(row)?;
    let signal = match (row.try_get(24)?, &record.progress.waiting_for) {
        (Some(id), Some(key)) => Some(Signal {
            id: EventId::from_uuid(id),
            saga: record.name.clone(),
            key: key.clone(),
            data: Payload::from_stored(required(row, 25)?),
        }),
        _ => None,
    };
    let (taken_from, timer, deadline) =
        (row.try_get::<Option<String>, _>(21)?, left(row, 22)?, left(row, 23)?);
    let taken_from = taken_from.map(Owner::from_stored);
    Ok(ClaimedSaga { record, taken_from, timer, deadline, signal })
}

/// Returns what is left of a time, in a column of microseconds that goes on counting below zero.
fn left(row: &PgRow, column: usize) -> Result<Option<Duration>, sqlx::Error> {
    let left: Option<i64> = row.try_get(column)?;
    Ok(left.map(|left| Duration::from_micros(u64::try_from(left).unwrap_or(0))))
}

fn steps(row: &PgRow, column: usize) -> Result<Vec<StepRecord>, sqlx::Error> {
    serde_json::from_str(required(row, column)?).map_err(decode_error)
}

fn parsed<T: FromStr>(row: &PgRow, column: usize) -> Result<Option<T>, sqlx::Error>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text(row, column)?.map(|text| text.parse().map_err(decode_error)).transpose()
}

fn number<T: TryFrom<i64>>(row: &PgRow, column: usize) -> Result<T, sqlx::Error>
where
    T::Error: std::error::Error + Send + Sync + 'static,
{
    T::try_from(row.try_get(column)?).map_err(decode_error)
}
