//! Appends, by one task or many, of one event or many.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use highwater::{EventStore, EventStoreExt, Expected, NewEvent, StreamName};
use tokio::task::JoinSet;

use crate::Result;
use crate::arguments::Plan;
use crate::order::{Order, OrderEvent};
use super::raw::Raw;
use crate::report::Row;
use crate::rounds::{alternate, rate};

/// Appends to a stream before the next stream begins.
const STREAM_APPENDS: u64 = 10;

/// Numbers all streams, of both sides and every case.
static STREAMS: AtomicU64 = AtomicU64::new(0);

/// One append: to which stream, and the number of its first event there.
#[derive(Debug, Clone, Copy)]
struct Turn {
    stream: u64,
    first: u64,
}

/// Appends of `batch` events by `tasks` at once.
pub(crate) async fn compare<S: EventStore + Clone, R: Raw>(
    plan: &Plan,
    store: &S,
    raw: &R,
    (tasks, batch): (u64, u64),
    target: f64,
) -> Result<Row> {
    let ours = async || {
        let store = store.clone();
        race(plan, (tasks, batch), move |turn| append(store.clone(), turn, batch)).await
    };
    let limit = async || {
        let raw = raw.clone();
        race(plan, (tasks, batch), move |turn| append_raw(raw.clone(), turn, batch)).await
    };
    let rates = alternate(plan, ours, limit).await?;
    let what = if batch == 1 { "one event".to_owned() } else { format!("{batch} events") };
    let who = if tasks == 1 { "1 task".to_owned() } else { format!("{tasks} tasks") };
    Ok(Row::rates(format!("append {what}, {who}"), rates, Some(target)))
}

async fn append<S: EventStore>(store: S, turn: Turn, batch: u64) -> Result {
    let stream = StreamName::new(format!("order-{}", turn.stream))?;
    let events = orders(turn, batch).map(|order| NewEvent::of(&OrderEvent::Placed(order)));
    let events = events.collect::<std::result::Result<Vec<_>, _>>()?;
    store.append_to(stream, Expected::Any, events).await?;
    Ok(())
}

async fn append_raw<R: Raw>(raw: R, turn: Turn, batch: u64) -> Result {
    let payloads = orders(turn, batch).map(|order| order.json()).collect::<Result<Vec<_>>>()?;
    raw.append(&format!("order-{}", turn.stream), turn.first.cast_signed(), payloads).await
}

fn orders(turn: Turn, batch: u64) -> impl Iterator<Item = Order> {
    (0..batch).map(move |n| Order::new(turn.stream * STREAM_APPENDS + turn.first + n))
}

/// Events per second of all tasks together, each appending until the round is over.
async fn race<F, A>(plan: &Plan, (tasks, batch): (u64, u64), append: F) -> Result<f64>
where
    F: Fn(Turn) -> A + Clone + Send + 'static,
    A: Future<Output = Result> + Send,
{
    let (start, round) = (Instant::now(), plan.round);
    let mut running = JoinSet::new();
    for _ in 0..tasks {
        let append = append.clone();
        running.spawn(async move {
            let mut events = 0;
            while start.elapsed() < round {
                let stream = STREAMS.fetch_add(1, Ordering::Relaxed);
                for n in 0..STREAM_APPENDS {
                    append(Turn { stream, first: n * batch }).await?;
                    events += batch;
                }
            }
            Ok::<u64, highwater::BoxError>(events)
        });
    }
    let counts = running.join_all().await.into_iter().collect::<Result<Vec<u64>>>()?;
    Ok(rate(counts.iter().sum(), start))
}
