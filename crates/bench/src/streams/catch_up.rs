//! Reads a log from one end to the other and decodes every event.

use std::hint::black_box;
use std::time::Instant;

use highwater::{EventStore, Offset, Page, Source, StoreError};
use tokio::task::JoinHandle;

use crate::Result;
use crate::arguments::Plan;
use crate::order::OrderEvent;
use super::raw::Raw;
use crate::report::Row;
use crate::rounds::{alternate, rate};

/// Events in a page, on both sides.
pub(crate) const PAGE: usize = 1_000;

/// Catching up with the whole log, without doing anything with it.
pub(crate) async fn compare<S: EventStore + Clone, R: Raw>(
    plan: &Plan,
    store: &S,
    raw: &R,
) -> Result<Row> {
    let rates = alternate(plan, async || ours(store).await, async || limit(raw).await).await?;
    Ok(Row::rates("catch up, decoding only".to_owned(), rates, Some(1.0)))
}

/// Reads the next page while the last one is decoded, as the engine does.
async fn ours<S: EventStore + Clone>(store: &S) -> Result<f64> {
    let start = Instant::now();
    let (mut events, mut next) = (0, Some(read(store.clone(), None)));
    while let Some(page) = next.take() {
        let page = page.await??;
        if !page.is_end {
            next = Some(read(store.clone(), page.scanned_to));
        }
        for event in page.events {
            black_box(event.decode::<OrderEvent>()?);
            events += 1;
        }
    }
    Ok(rate(events, start))
}

fn read<S: EventStore>(
    store: S,
    after: Option<Offset>,
) -> JoinHandle<std::result::Result<Page, StoreError>> {
    tokio::spawn(async move { store.read(&Source::All, &[], after, PAGE).await })
}

async fn limit<R: Raw>(raw: &R) -> Result<f64> {
    let start = Instant::now();
    let (mut events, mut after) = (0, -1);
    loop {
        let page = raw.page(after, PAGE.try_into()?).await?;
        let Some(last) = page.last() else { break };
        after = last.position;
        for event in page {
            black_box(event);
            events += 1;
        }
    }
    Ok(rate(events, start))
}
