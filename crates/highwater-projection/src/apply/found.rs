//! What the log has at a place.

use std::time::Duration;

use highwater_core::{EventId, EventStore, Offset, Source, StoreError};
use tokio::time::timeout;

/// What the log has at a place of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Event(EventId),
    /// No event, but some behind it.
    Gap,
    /// It ends before.
    End,
}

/// Looks up `place` of `source`; a place in a category is one in the whole log, and may be that of
/// an event of another category.
pub(crate) async fn find(
    events: &dyn EventStore,
    source: &Source,
    place: Offset,
    time: Duration,
) -> Result<Found, StoreError> {
    let source = match source {
        Source::Category(_) => &Source::All,
        source => source,
    };
    let before = place.get().checked_sub(1).map(Offset::new);
    let page = timeout(time, events.read(source, &[], before, 1)).await;
    let page = page.map_err(|late| StoreError::Unavailable(late.into()))??;
    Ok(match page.events.first() {
        Some(event) if source.offset_of(event) == place => Found::Event(event.id),
        Some(_) => Found::Gap,
        None => Found::End,
    })
}
