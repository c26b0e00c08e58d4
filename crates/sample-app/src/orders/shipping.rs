//! Shipping: sends an order on its way, and recalls it.

use highwater::saga::{StepError, StepResult};
use highwater::{Event, Payload};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ledger::{Effect, Entry, Ledger};
use super::order::Order;
use super::steps::Deed;

/// Shipping in this process; it remembers shipments by idempotency key, in the store.
#[derive(Clone)]
pub(super) struct Shipping(pub(super) Ledger);

/// What becomes of a shipment, in the stream `shipment-{orderId}`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all_fields = "camelCase")]
enum ShipmentEvent {
    OrderShipped { order_id: String, key: String, address: Payload },
    ShipmentRecalled(Entry),
    ShipmentForestalled(Entry),
}

impl Event for ShipmentEvent {}

impl Deed for Shipping {
    const STEP: &'static str = "ship-order";

    fn ledger(&self) -> &Ledger {
        &self.0
    }

    fn of(order: &mut Order) -> &mut Option<Uuid> {
        &mut order.shipment
    }

    /// Ships the order; the id of the shipment.
    async fn make(&self, order: &Order, key: &str) -> Result<Uuid, StepError> {
        let effect = effect(order, key);
        let Entry { order_id, key } = effect.entry();
        let address = order.shipping_address.clone();
        let event = ShipmentEvent::OrderShipped { order_id, key, address };
        self.0.make(&effect, &event, "order shipped").await
    }

    /// Recalls what was shipped under this key.
    async fn undo(&self, order: &Order, key: &str) -> StepResult {
        let effect = effect(order, key);
        let recalled = ShipmentEvent::ShipmentRecalled(effect.entry());
        let forestalled = ShipmentEvent::ShipmentForestalled(effect.entry());
        self.0.undo(&effect, &recalled, &forestalled, "shipment recalled").await
    }
}

fn effect<'a>(order: &'a Order, key: &'a str) -> Effect<'a> {
    Effect { category: "shipment", noun: "shipment", order_id: &order.order_id, key }
}
