//! The first step: reserves what an order needs, and releases it.

use std::time::Duration;

use highwater::Event;
use highwater::saga::{RetryPolicy, Step, StepContext, StepError, StepResult};
use serde::{Deserialize, Serialize};

use super::ledger::{self, Effect, Entry, Ledger};
use super::order::{Item, Order};

/// Reserves the inventory, which is in this process; the store remembers reservations by
/// idempotency key.
pub(super) struct ReserveInventory(pub(super) Ledger);

/// What becomes of a reservation, in the stream `inventory-{orderId}`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all_fields = "camelCase")]
enum InventoryEvent {
    InventoryReserved {
        order_id: String,
        key: String,
        items: Vec<Reserved>,
    },
    InventoryReleased(Entry),
    /// There was nothing to release, and there never will be.
    ReservationCancelled(Entry),
}

impl Event for InventoryEvent {}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reserved {
    product_id: String,
    quantity: i64,
}

impl From<&Item> for Reserved {
    fn from(item: &Item) -> Self {
        Self { product_id: item.product_id.clone(), quantity: item.quantity }
    }
}

impl Step<Order> for ReserveInventory {
    const NAME: &'static str = "reserve-inventory";

    async fn run(&self, order: &mut Order, cx: &StepContext) -> StepResult {
        // The key is the same whichever attempt this is, so that the effect is made once.
        let key = cx.run_key();
        let effect = effect(order, &key);
        let Entry { order_id, key } = effect.entry();
        let items = order.items.iter().map(Reserved::from).collect();
        let event = InventoryEvent::InventoryReserved { order_id, key, items };
        let said = format!("inventory reserved, items: {}", order.items.len());
        order.reservation = Some(self.0.make(&effect, &event, &said).await?);
        Ok(())
    }

    async fn compensate(&self, order: &mut Order, cx: &StepContext) -> StepResult {
        // By the key and not by `order.reservation`: an attempt that was lost may have reserved.
        let key = cx.run_key();
        let effect = effect(order, &key);
        let released = InventoryEvent::InventoryReleased(effect.entry());
        let cancelled = InventoryEvent::ReservationCancelled(effect.entry());
        self.0.undo(&effect, &released, &cancelled, "inventory released").await?;
        order.reservation = None;
        Ok(())
    }

    fn timeout(&self) -> Duration {
        self.0.timeout()
    }

    fn retry(&self, error: &StepError) -> RetryPolicy {
        ledger::retry(error)
    }

    fn retry_compensation(&self, error: &StepError) -> RetryPolicy {
        ledger::retry_compensation(error)
    }
}

fn effect<'a>(order: &'a Order, key: &'a str) -> Effect<'a> {
    Effect { category: "inventory", noun: "reservation", order_id: &order.order_id, key }
}
