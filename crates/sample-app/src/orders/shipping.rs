//! The last step: sends an order on its way, and recalls it.

use std::time::Duration;

use highwater::saga::{RetryPolicy, Step, StepContext, StepError, StepResult};
use highwater::{Event, Payload};
use serde::{Deserialize, Serialize};

use super::ledger::{self, Effect, Entry, Ledger};
use super::order::Order;

/// Ships orders, in this process; the store remembers shipments by idempotency key.
pub(super) struct ShipOrder(pub(super) Ledger);

/// What becomes of a shipment, in the stream `shipment-{orderId}`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all_fields = "camelCase")]
enum ShipmentEvent {
    OrderShipped {
        order_id: String,
        key: String,
        address: Payload,
    },
    ShipmentRecalled(Entry),
    /// There was nothing to recall, and there never will be.
    ShipmentCancelled(Entry),
}

impl Event for ShipmentEvent {}

impl Step<Order> for ShipOrder {
    const NAME: &'static str = "ship-order";

    async fn run(&self, order: &mut Order, cx: &StepContext) -> StepResult {
        let key = cx.run_key();
        let effect = effect(order, &key);
        let Entry { order_id, key } = effect.entry();
        let address = order.shipping_address.clone();
        let event = ShipmentEvent::OrderShipped { order_id, key, address };
        order.shipment = Some(self.0.make(&effect, &event, "order shipped").await?);
        Ok(())
    }

    async fn compensate(&self, order: &mut Order, cx: &StepContext) -> StepResult {
        let key = cx.run_key();
        let effect = effect(order, &key);
        let recalled = ShipmentEvent::ShipmentRecalled(effect.entry());
        let cancelled = ShipmentEvent::ShipmentCancelled(effect.entry());
        self.0.undo(&effect, &recalled, &cancelled, "shipment recalled").await?;
        order.shipment = None;
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
    Effect { category: "shipment", noun: "shipment", order_id: &order.order_id, key }
}
