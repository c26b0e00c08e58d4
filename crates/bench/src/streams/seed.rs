//! The log that is read: the same orders on both sides.

use std::ops::Range;

use highwater::{EventStore, NewEvent, StreamName};

use super::raw::Raw;
use crate::Result;
use crate::order::{Order, OrderEvent};

/// Events in one import or one insert.
pub(super) const CHUNK: u64 = 5_000;

/// Events in a stream.
pub(super) const STREAM_EVENTS: u64 = 10;

/// Imports `events` orders.
pub(crate) async fn seed<S: EventStore>(store: &S, events: u64) -> Result {
    for first in (0..events).step_by(chunk()) {
        store.import(orders(first..events.min(first + CHUNK))?).await?;
    }
    Ok(())
}

/// These orders, as events of their streams.
pub(super) fn orders(numbers: Range<u64>) -> Result<Vec<(StreamName, NewEvent)>> {
    let event = |n| {
        let stream = StreamName::new(format!("order-{}", n / STREAM_EVENTS))?;
        Ok((stream, NewEvent::of(&OrderEvent::Placed(Order::new(n)))?))
    };
    numbers.map(event).collect()
}

/// Inserts the same orders on the other side.
pub(crate) async fn seed_raw<R: Raw>(raw: &R, events: u64) -> Result {
    for first in (0..events).step_by(chunk()) {
        let chunk = (first..events.min(first + CHUNK)).map(|n| Order::new(n).json());
        raw.append(&format!("orders-{first}"), 0, chunk.collect::<Result<_>>()?).await?;
    }
    Ok(())
}

fn chunk() -> usize {
    usize::try_from(CHUNK).unwrap_or(usize::MAX)
}
