//! Imports on PostgreSQL, against COPY.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use highwater::EventStore;

use super::raw_postgres::RawPostgres;
use super::seed::{CHUNK, STREAM_EVENTS, orders};
use crate::Result;
use crate::arguments::Plan;
use crate::order::Order;
use crate::report::Row;
use crate::rounds::{alternate, rate};

/// Numbers all events, of both sides.
static EVENTS: AtomicU64 = AtomicU64::new(0);

/// Imports of new events in chunks.
pub(crate) async fn compare<S: EventStore>(
    plan: &Plan,
    store: &S,
    raw: &RawPostgres,
) -> Result<Row> {
    let ours = async || {
        race(plan, async |first| {
            store.import(orders(first..first + CHUNK)?).await?;
            Ok(())
        })
        .await
    };
    let limit = async || {
        race(plan, async |first| {
            let event = |n| {
                let (stream, offset) = (format!("order-{}", n / STREAM_EVENTS), n % STREAM_EVENTS);
                Ok((stream, offset, Order::new(n).json()?))
            };
            raw.import((first..first + CHUNK).map(event).collect::<Result<_>>()?).await
        })
        .await
    };
    let rates = alternate(plan, ours, limit).await?;
    Ok(Row::rates(format!("import {CHUNK} new events at a time, against COPY"), rates, None))
}

/// Events per second, a chunk at a time until the round is over.
async fn race(plan: &Plan, mut import: impl AsyncFnMut(u64) -> Result) -> Result<f64> {
    let (start, mut events) = (Instant::now(), 0);
    while start.elapsed() < plan.round {
        import(EVENTS.fetch_add(CHUNK, Ordering::Relaxed)).await?;
        events += CHUNK;
    }
    Ok(rate(events, start))
}
