//! Decodes checkpoints and dead letters as they come from the database.

use highwater_core::{
    Checkpoint, CheckpointKey, DeadLetter, EventId, EventType, NewDeadLetter, Offset, Owner,
    Position, ProjectionName, Source, StreamName, Suspect,
};
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::events::row::{decode_error, place, required, text};

/// A checkpoint, from the columns that `checkpoint.sql` and its like return.
pub(crate) fn checkpoint(row: &PgRow) -> Result<Checkpoint, sqlx::Error> {
    let projection = ProjectionName::new(required(row, 0)?).map_err(decode_error)?;
    let source: Source = required(row, 1)?.parse().map_err(decode_error)?;
    Ok(Checkpoint {
        key: CheckpointKey { projection, source },
        last_processed_offset: Offset::from_sql(row.try_get(2)?).map_err(decode_error)?,
        events_processed: unsigned(row, 3)?,
        last_updated: row.try_get(4)?,
        last_error: row.try_get(5)?,
        last_error_at: row.try_get(6)?,
        epoch: unsigned(row, 7)?,
        owner: text(row, 8)?.map(Owner::from_stored),
        rebuild_requested: row.try_get(9)?,
        last_event_id: row.try_get::<Option<_>, _>(10)?.map(EventId::from_uuid),
        suspect: suspect(row)?,
    })
}

/// A dead letter of `key`, from the columns that `dead_letters.sql` returns.
pub(crate) fn dead_letter(key: &CheckpointKey, row: &PgRow) -> Result<DeadLetter, sqlx::Error> {
    let letter = NewDeadLetter {
        offset: place(row, 0, Offset::from_sql)?,
        stream: StreamName::new(required(row, 1)?).map_err(decode_error)?,
        position: place(row, 2, Position::from_sql)?,
        event_id: EventId::from_uuid(row.try_get(3)?),
        event_type: EventType::new(required(row, 4)?).map_err(decode_error)?,
        error: row.try_get(5)?,
        attempts: u32::try_from(row.try_get::<i64, _>(6)?).map_err(decode_error)?,
    };
    Ok(DeadLetter { key: key.clone(), letter, recorded_at: row.try_get(7)? })
}

fn suspect(row: &PgRow) -> Result<Option<Suspect>, sqlx::Error> {
    let Some(event) = row.try_get::<Option<i64>, _>(11)? else { return Ok(None) };
    let deaths = u32::try_from(unsigned(row, 12)?).unwrap_or(u32::MAX);
    Ok(Some(Suspect { event: Offset::from_sql(event).map_err(decode_error)?, deaths }))
}

fn unsigned(row: &PgRow, column: usize) -> Result<u64, sqlx::Error> {
    u64::try_from(row.try_get::<i64, _>(column)?).map_err(decode_error)
}
