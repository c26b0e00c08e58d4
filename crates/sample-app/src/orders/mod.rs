//! Order fulfilment: a saga that reserves the inventory, authorizes the payment and ships.
//!
//! An order that cannot be paid for ends compensated, its inventory released. The three services
//! are part of this process; what they decide is in the event store, by idempotency key, so that
//! it holds on every instance and after every crash.

mod amount;
mod inventory;
mod ledger;
mod order;
mod payments;
mod routes;
mod shipping;

use std::sync::Arc;
use std::time::Duration;

use highwater::EventStore;
use highwater::saga::{Orchestrator, RegisterSagaError, Saga, SagaHandle};

use inventory::ReserveInventory;
use ledger::Ledger;
use order::Order;
use payments::AuthorizePayment;
pub(crate) use routes::routes;
use shipping::ShipOrder;

/// Adds order fulfilment to the sagas of this process; each service takes `delay` for a call.
pub(crate) fn register(
    sagas: &Orchestrator,
    events: Arc<dyn EventStore>,
    delay: Duration,
) -> Result<Fulfilment, RegisterSagaError> {
    let ledger = Ledger::new(events, delay);
    let saga = Saga::new("order-fulfillment")
        .publish_events()
        .step(ReserveInventory(ledger.clone()))
        .step(AuthorizePayment(ledger.clone()))
        .step(ShipOrder(ledger));
    Ok(Fulfilment { handle: sagas.register(saga)?, sagas: sagas.clone() })
}

/// Order fulfilment, ready to be started.
#[derive(Debug, Clone)]
pub(crate) struct Fulfilment {
    handle: SagaHandle<Order>,
    sagas: Orchestrator,
}
