//! Takes events from the database, no more of them than a page may hold.

use std::collections::HashMap;

use futures::{FutureExt, TryStreamExt};
use highwater_core::{Metadata, PageBudget, Payload, RecordedEvent, StoreError};
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::row::{Decoder, decode_error, required, text};
use crate::database::calls::PgQuery;
use crate::database::handle::Database;

/// The bytes from which on payload and metadata do not come with their event, but are fetched once
/// there is room for them: what the server sends to no purpose is little then.
pub(crate) const LARGE: i64 = 4 << 10;

/// The first events of a source, and whether there may be more.
pub(crate) struct Part {
    pub(crate) events: Vec<RecordedEvent>,
    pub(crate) is_cut: bool,
}

impl Database {
    /// Those events of `query` that fit on a page, of the `limit` that it asks for.
    pub(crate) async fn events_within(
        &self,
        query: PgQuery,
        limit: usize,
    ) -> Result<Part, StoreError> {
        let budget = self.options.page();
        // Planned anew: a plan for an empty table would scan it when it has grown.
        let large = self.sql.query(&self.sql.read_large).persistent(false);
        self.with(self.deadline(), move |conn| within(conn, query, large, (limit, budget)).boxed())
            .await
    }
}

/// Those events of `query` that fit into the budget; `large` asks for what is left out of rows.
async fn within(
    conn: &mut PgConnection,
    query: PgQuery,
    large: PgQuery,
    (limit, mut budget): (usize, PageBudget),
) -> Result<Part, sqlx::Error> {
    let (mut events, mut incomplete) = (Vec::new(), Vec::new());
    let (mut decoder, mut is_full) = (Decoder::default(), false);
    let mut rows = query.fetch(&mut *conn);
    // Each as it comes, while the server still sends the others. To the end even when there is
    // no room for more: the connection is of use again only then.
    while let Some(row) = rows.try_next().await? {
        if is_full {
            continue;
        }
        let (event, left_out) = event(&mut decoder, &row)?;
        is_full = !budget.admits(event.bytes() + left_out);
        if !is_full {
            if left_out > 0 {
                incomplete.push(events.len());
            }
            events.push(event);
        }
    }
    drop(rows);
    complete(conn, large, &mut events, &incomplete).await?;
    Ok(Part { is_cut: is_full || events.len() >= limit, events })
}

/// Fetches what was left out of the events with these indexes.
async fn complete(
    conn: &mut PgConnection,
    large: PgQuery,
    events: &mut [RecordedEvent],
    incomplete: &[usize],
) -> Result<(), sqlx::Error> {
    if incomplete.is_empty() {
        return Ok(());
    }
    let position = |nth: &usize| events[*nth].position.get().cast_signed();
    let mut at: HashMap<i64, usize> = incomplete.iter().map(|nth| (position(nth), *nth)).collect();
    let positions: Vec<i64> = at.keys().copied().collect();
    let mut rows = large.bind(positions).fetch(conn);
    while let Some(row) = rows.try_next().await? {
        if let Some(event) = at.remove(&row.try_get(0)?).and_then(|nth| events.get_mut(nth)) {
            event.data = Payload::from_stored(required(&row, 1)?);
            event.metadata = Metadata::from_stored(text(&row, 2)?);
        }
    }
    let gone = || decode_error("an event is gone that was there just now");
    if at.is_empty() { Ok(()) } else { Err(gone()) }
}

/// An event, and how many bytes of it have been left out of its row.
fn event(decoder: &mut Decoder, row: &PgRow) -> Result<(RecordedEvent, usize), sqlx::Error> {
    let bytes: i32 = row.try_get(8)?;
    let is_large = i64::from(bytes) >= LARGE;
    let event = decoder.event_with(row, if is_large { "null" } else { required(row, 5)? })?;
    let left_out = if is_large { usize::try_from(bytes).map_err(decode_error)? } else { 0 };
    Ok((event, left_out))
}
