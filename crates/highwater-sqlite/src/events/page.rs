//! Takes events from the database, no more of them than a page may hold.

use std::collections::HashMap;

use futures::TryStreamExt;
use highwater_core::{BoxError, Metadata, PageBudget, Payload, RecordedEvent, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::commit::json;
use super::row::{Names, with_data};
use crate::database::error::{damaged, store_error};
use crate::database::insert::Statement;

/// The bytes from which on payload and metadata are not in the row of their event, of which the
/// driver reads many ahead, but are fetched once there is room for them.
pub(crate) const LARGE: i64 = 4 << 10;

/// The first events of `query` that fit into `budget`, and whether there were more.
pub(crate) async fn within(
    conn: &mut SqliteConnection,
    query: Statement,
    mut budget: PageBudget,
) -> Result<(Vec<RecordedEvent>, bool), StoreError> {
    let (mut events, mut large, mut is_full) = (Vec::new(), Vec::new(), false);
    let mut names = Names::default();
    let mut rows = query.fetch(&mut *conn);
    while let Some(row) = rows.try_next().await.map_err(store_error)? {
        let (event, left_out) = event(&row, &mut names).map_err(damaged)?;
        if !budget.admits(event.bytes() + left_out) {
            is_full = true;
            break;
        }
        if left_out > 0 {
            large.push(events.len());
        }
        events.push(event);
    }
    drop(rows);
    complete(conn, &mut events, &large).await?;
    Ok((events, is_full))
}

/// An event, and how many bytes of it are not in its row.
fn event(row: &SqliteRow, names: &mut Names) -> Result<(RecordedEvent, usize), BoxError> {
    let of_data: i64 = row.try_get(8)?;
    let of_metadata: i64 = row.try_get::<Option<_>, _>(9)?.unwrap_or(0);
    let left_out = [of_data, of_metadata].into_iter().filter(|bytes| *bytes >= LARGE).sum::<i64>();
    let data = row.try_get::<Option<&str>, _>(5)?.unwrap_or("null");
    let metadata = Metadata::from_stored(row.try_get(6)?);
    let event = with_data(row, names, Payload::from_stored(data), metadata)?;
    Ok((event, usize::try_from(left_out)?))
}

/// Fetches what was left out of the events with these indexes.
async fn complete(
    conn: &mut SqliteConnection,
    events: &mut [RecordedEvent],
    large: &[usize],
) -> Result<(), StoreError> {
    if large.is_empty() {
        return Ok(());
    }
    let mut at: HashMap<i64, usize> = HashMap::with_capacity(large.len());
    at.extend(large.iter().map(|nth| (events[*nth].position.get().cast_signed(), *nth)));
    let query =
        sqlx::query(include_str!("../../sql/events/read_large.sql")).bind(json(at.keys().copied()));
    let mut rows = query.fetch(conn);
    while let Some(row) = rows.try_next().await.map_err(store_error)? {
        let read = || -> Result<_, sqlx::Error> {
            let data = Payload::from_stored(row.try_get(1)?);
            Ok((row.try_get(0)?, data, Metadata::from_stored(row.try_get(2)?)))
        };
        let (position, data, metadata) = read().map_err(store_error)?;
        if let Some(event) = at.remove(&position).and_then(|nth| events.get_mut(nth)) {
            (event.data, event.metadata) = (data, metadata);
        }
    }
    if at.is_empty() { Ok(()) } else { Err(damaged("an event is gone that was there just now")) }
}
