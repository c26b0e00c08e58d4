//! Turns rows into events.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use highwater_core::{
    BoxError, EventId, EventType, Metadata, Offset, Payload, Position, RecordedEvent, StoreError,
    StreamName,
};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::database::error::damaged;

/// The events in rows of position, stream, offset, id, type, data, metadata and time.
pub(crate) fn recorded(rows: &[SqliteRow]) -> Result<Vec<RecordedEvent>, StoreError> {
    let mut names = Names::default();
    rows.iter().map(|row| event(row, &mut names).map_err(damaged)).collect()
}

fn event(row: &SqliteRow, names: &mut Names) -> Result<RecordedEvent, BoxError> {
    let data = Payload::from_stored(row.try_get(5)?);
    with_data(row, names, data, Metadata::from_stored(row.try_get(6)?))
}

/// An event whose row may be without its payload and metadata.
pub(crate) fn with_data(
    row: &SqliteRow,
    names: &mut Names,
    data: Payload,
    metadata: Metadata,
) -> Result<RecordedEvent, BoxError> {
    Ok(RecordedEvent {
        position: Position::new(row.try_get::<i64, _>(0)?.try_into()?),
        stream: names.stream(row.try_get(1)?)?,
        offset: Offset::new(row.try_get::<i64, _>(2)?.try_into()?),
        id: EventId::from_uuid(row.try_get(3)?),
        event_type: names.event_type(row.try_get(4)?)?,
        data,
        metadata,
        recorded_at: time(row.try_get(7)?)?,
    })
}

/// A time as this store keeps it, in microseconds since 1970.
pub(crate) fn time(micros: i64) -> Result<DateTime<Utc>, BoxError> {
    let time = DateTime::from_timestamp_micros(micros);
    time.ok_or_else(|| format!("{micros} microseconds since 1970 is no time").into())
}

/// The names on one page, of which most occur often: each is checked and allocated once.
#[derive(Default)]
pub(crate) struct Names {
    streams: HashSet<StreamName>,
    types: HashSet<EventType>,
}

impl Names {
    fn stream(&mut self, name: &str) -> Result<StreamName, BoxError> {
        if let Some(known) = self.streams.get(name) {
            return Ok(known.clone());
        }
        let stream = StreamName::new(name)?;
        self.streams.insert(stream.clone());
        Ok(stream)
    }

    fn event_type(&mut self, name: &str) -> Result<EventType, BoxError> {
        if let Some(known) = self.types.get(name) {
            return Ok(known.clone());
        }
        let event_type = EventType::new(name)?;
        self.types.insert(event_type.clone());
        Ok(event_type)
    }
}
