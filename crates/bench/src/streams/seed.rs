//! The log that is read: the same orders on both sides.

use highwater::{EventStore, NewEvent, StreamName};

use crate::Result;
use crate::order::{Order, OrderEvent};
use super::raw::Raw;

/// Events in one import or one insert.
const CHUNK: u64 = 5_000;

/// Events in a stream.
const STREAM_EVENTS: u64 = 10;

/// Imports `events` orders.
pub(crate) async fn seed<S: EventStore>(store: &S, events: u64) -> Result {
    for first in (0..events).step_by(chunk()) {
        let chunk = (first..events.min(first + CHUNK)).map(|n| {
            let stream = StreamName::new(format!("order-{}", n / STREAM_EVENTS))?;
            Ok((stream, NewEvent::of(&OrderEvent::Placed(Order::new(n)))?))
        });
        store.import(chunk.collect::<Result<Vec<_>>>()?).await?;
    }
    Ok(())
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
