//! Decodes events as they come from the database.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::Hash;

use chrono::{DateTime, Utc};
use highwater_core::{
    EventId, EventType, InvalidName, Metadata, Offset, Payload, Position, RecordedEvent, StreamName,
};
use sqlx::postgres::PgRow;
use sqlx::{Row, ValueRef};
use uuid::Uuid;

/// Decodes the events of one page, which share the names that they have in common.
#[derive(Default)]
pub(crate) struct Decoder {
    streams: Names<StreamName>,
    types: Names<EventType>,
}

impl Decoder {
    pub(crate) fn event(&mut self, row: &PgRow) -> Result<RecordedEvent, sqlx::Error> {
        self.event_with(row, required(row, 5)?)
    }

    /// An event whose row may be without its payload and metadata.
    pub(crate) fn event_with(
        &mut self,
        row: &PgRow,
        data: &str,
    ) -> Result<RecordedEvent, sqlx::Error> {
        let id: Uuid = row.try_get(3)?;
        let recorded_at: DateTime<Utc> = row.try_get(7)?;
        Ok(RecordedEvent {
            stream: self.streams.get(required(row, 1)?, |name| StreamName::new(name))?,
            offset: place(row, 2, Offset::from_sql)?,
            position: place(row, 0, Position::from_sql)?,
            id: EventId::from_uuid(id),
            event_type: self.types.get(required(row, 4)?, |name| EventType::new(name))?,
            data: Payload::from_stored(data),
            metadata: Metadata::from_stored(text(row, 6)?),
            recorded_at,
        })
    }
}

/// Names seen so far; one that comes again is shared instead of made anew.
struct Names<T> {
    last: Option<T>,
    seen: HashSet<T>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { last: None, seen: HashSet::new() }
    }
}

impl<T: Borrow<str> + Clone + Eq + Hash> Names<T> {
    fn get(
        &mut self,
        name: &str,
        make: fn(&str) -> Result<T, InvalidName>,
    ) -> Result<T, sqlx::Error> {
        if let Some(last) = self.last.as_ref().filter(|last| Borrow::<str>::borrow(*last) == name) {
            return Ok(last.clone());
        }
        let made = match self.seen.get(name) {
            Some(seen) => seen.clone(),
            None => {
                let made = make(name).map_err(decode_error)?;
                self.seen.insert(made.clone());
                made
            }
        };
        self.last = Some(made.clone());
        Ok(made)
    }
}

/// The text of a text or JSON column, which have the same form on the wire; `None` for null.
pub(crate) fn text(row: &PgRow, column: usize) -> Result<Option<&str>, sqlx::Error> {
    let value = row.try_get_raw(column)?;
    if value.is_null() {
        return Ok(None);
    }
    value.as_str().map(Some).map_err(sqlx::Error::Decode)
}

/// The text of a column that is never null.
pub(crate) fn required(row: &PgRow, column: usize) -> Result<&str, sqlx::Error> {
    text(row, column)?.ok_or_else(|| decode_error("a column is null that never should be"))
}

/// The offset or position in a column, which is never "nothing yet".
pub(crate) fn place<T, E>(
    row: &PgRow,
    column: usize,
    from_sql: impl Fn(i64) -> Result<Option<T>, E>,
) -> Result<T, sqlx::Error>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let place = from_sql(row.try_get(column)?).map_err(decode_error)?;
    place.ok_or_else(|| decode_error("an event without a place"))
}

/// An error for what this store has not put into the database like this.
pub(crate) fn decode_error(
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> sqlx::Error {
    sqlx::Error::Decode(error.into())
}
