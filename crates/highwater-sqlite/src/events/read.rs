//! Reads pages of events.

use highwater_core::{EventType, Offset, Page, PageBudget, Source, StoreError};
use sqlx::SqliteConnection;

use super::commit::json;
use super::page;
use super::page::LARGE;
use crate::database::error::{damaged, store_error};

const READ_STREAM: &str = include_str!("../../sql/events/read_stream.sql");
const READ_CATEGORY: &str = include_str!("../../sql/events/read_category.sql");
const READ_LOG: &str = include_str!("../../sql/events/read_all.sql");

/// Places that one page of a filtered source scans at most, so that it is done in bounded time
/// however few events match.
const WINDOW: i64 = 100_000;

/// The next page of `source` behind `after`.
///
/// The bound is taken first. Commits come one after another, so nothing can appear below it later.
pub(crate) async fn page(
    conn: &mut SqliteConnection,
    source: &Source,
    types: &[EventType],
    after: Option<Offset>,
    (limit, budget): (usize, PageBudget),
) -> Result<Page, StoreError> {
    if limit == 0 {
        return Err(StoreError::invalid("a page of no events"));
    }
    let head = head(conn, source).await?;
    if head <= after {
        return Ok(Page { events: Vec::new(), scanned_to: after, is_end: true });
    }
    let bound = bound(types, after, head);
    let rows = match source {
        Source::Stream(stream) => sqlx::query(READ_STREAM).bind(stream.to_string()),
        Source::Category(category) => sqlx::query(READ_CATEGORY).bind(category.to_string()),
        Source::All => sqlx::query(READ_LOG),
    };
    let rows = rows
        .bind(Offset::to_sql(after))
        .bind(Offset::to_sql(bound))
        .bind((!types.is_empty()).then(|| json(types.iter().map(EventType::as_str))))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(LARGE);
    let (events, is_full) = page::within(conn, rows, budget).await?;
    let scanned_to = match events.last() {
        Some(last) if is_full || events.len() == limit => Some(source.offset_of(last)),
        _ => bound,
    };
    Ok(Page { events, scanned_to, is_end: scanned_to == head })
}

/// Where a page ends at the latest.
fn bound(types: &[EventType], after: Option<Offset>, head: Option<Offset>) -> Option<Offset> {
    if types.is_empty() {
        return head;
    }
    let window = Offset::to_sql(after).saturating_add(WINDOW);
    head.min(Some(Offset::new(window.cast_unsigned())))
}

/// The last place of `source`; for a category, of the whole log.
pub(crate) async fn head(
    conn: &mut SqliteConnection,
    source: &Source,
) -> Result<Option<Offset>, StoreError> {
    let head = match source {
        Source::Stream(stream) => {
            sqlx::query_scalar(include_str!("../../sql/events/read_stream_head.sql"))
                .bind(stream.to_string())
        }
        Source::Category(_) | Source::All => sqlx::query_scalar("select max(position) from events"),
    };
    let head: Option<i64> = head.fetch_one(conn).await.map_err(store_error)?;
    Offset::from_sql(head.unwrap_or(-1)).map_err(damaged)
}
