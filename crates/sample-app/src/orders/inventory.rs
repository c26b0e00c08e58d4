//! The inventory: reserves what an order needs, and releases it.

use highwater::Event;
use highwater::saga::{StepError, StepResult};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ledger::{Effect, Entry, Ledger};
use super::order::{Item, Order};
use super::steps::Deed;

/// An inventory in this process; it remembers reservations by idempotency key, in the store.
#[derive(Clone)]
pub(super) struct Inventory(pub(super) Ledger);

/// What becomes of a reservation, in the stream `inventory-{orderId}`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all_fields = "camelCase")]
enum InventoryEvent {
    InventoryReserved { order_id: String, key: String, items: Vec<Reserved> },
    InventoryReleased(Entry),
    ReservationForestalled(Entry),
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

impl Deed for Inventory {
    const STEP: &'static str = "reserve-inventory";

    fn ledger(&self) -> &Ledger {
        &self.0
    }

    fn of(order: &mut Order) -> &mut Option<Uuid> {
        &mut order.reservation
    }

    /// Reserves what the order needs; the id of the reservation.
    async fn make(&self, order: &Order, key: &str) -> Result<Uuid, StepError> {
        let effect = effect(order, key);
        let Entry { order_id, key } = effect.entry();
        let items = order.items.iter().map(Reserved::from).collect();
        let event = InventoryEvent::InventoryReserved { order_id, key, items };
        let said = format!("inventory reserved, items: {}", order.items.len());
        self.0.make(&effect, &event, &said).await
    }

    /// Releases what was reserved under this key.
    async fn undo(&self, order: &Order, key: &str) -> StepResult {
        let effect = effect(order, key);
        let released = InventoryEvent::InventoryReleased(effect.entry());
        let forestalled = InventoryEvent::ReservationForestalled(effect.entry());
        self.0.undo(&effect, &released, &forestalled, "inventory released").await
    }
}

fn effect<'a>(order: &'a Order, key: &'a str) -> Effect<'a> {
    Effect { category: "inventory", noun: "reservation", order_id: &order.order_id, key }
}
