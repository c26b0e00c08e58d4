//! A view through the engine: every batch of documents commits with its checkpoint.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use highwater::projection::{ProjectionOptions, Projections};
use highwater::{BoxError, EventStore, ProjectionName, ProjectionStore, Recorded, Source, View};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::arguments::Plan;
use super::catch_up::PAGE;
use crate::order::OrderEvent;
use super::raw::{Raw, RawEvent, Totals};
use crate::report::Row;
use crate::rounds::{alternate, rate};

/// Orders and cents of every customer.
struct CustomerTotals {
    name: ProjectionName,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Total {
    orders: i64,
    cents: i64,
}

impl View for CustomerTotals {
    type Event = OrderEvent;
    type Document = Total;

    fn name(&self) -> ProjectionName {
        self.name.clone()
    }

    fn source(&self) -> Source {
        Source::All
    }

    fn keys(&self, event: &Recorded<OrderEvent>) -> impl IntoIterator<Item = String> {
        let OrderEvent::Placed(order) = &event.data;
        Some(order.customer.clone())
    }

    fn apply(
        &self,
        total: &mut Total,
        _: &str,
        event: &Recorded<OrderEvent>,
    ) -> std::result::Result<(), BoxError> {
        let OrderEvent::Placed(order) = &event.data;
        total.orders += 1;
        total.cents += order.cents;
        Ok(())
    }
}

/// The view of all orders, against the same totals in plain SQL.
pub(crate) async fn compare<S, R>(plan: &Plan, store: &S, raw: &R) -> Result<Row>
where
    S: EventStore + ProjectionStore,
    R: Raw,
{
    let ours = async || {
        let start = Instant::now();
        catch_up(store).await?;
        Ok(rate(plan.events, start))
    };
    let limit = async || {
        raw.clear_totals().await?;
        let start = Instant::now();
        total(raw).await?;
        Ok(rate(plan.events, start))
    };
    let rates = alternate(plan, ours, limit).await?;
    Ok(Row::rates("view with its checkpoint, 20,000 keys".to_owned(), rates, Some(0.5)))
}

/// Runs the view from the first event to the last, under a name that no one has used.
pub(crate) async fn catch_up<S>(store: &S) -> Result
where
    S: EventStore + ProjectionStore,
{
    static VIEWS: AtomicU64 = AtomicU64::new(0);
    let number = VIEWS.fetch_add(1, Ordering::Relaxed);
    let name = ProjectionName::new(format!("totals-{number}-{}", std::process::id()))?;
    let projections = Projections::new(store.clone());
    let view = CustomerTotals { name: name.clone() };
    let options = ProjectionOptions { batch_size: PAGE, ..Default::default() };
    projections.register_view(view, options)?;
    projections.catch_up(&name).await?;
    Ok(())
}

async fn total<R: Raw>(raw: &R) -> Result {
    let mut after = -1;
    loop {
        let page = raw.page(after, PAGE.try_into()?).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.position;
        let mut totals = Totals::new();
        for RawEvent { order, .. } in page {
            let total = totals.entry(order.customer).or_default();
            total.0 += 1;
            total.1 += order.cents;
        }
        raw.add(&totals, after).await?;
    }
}
