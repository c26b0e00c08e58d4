//! The steps of order fulfilment, each on the service that it depends on.

use std::time::Duration;

use highwater::saga::{RetryPolicy, Step, StepContext, StepError, StepResult};

use super::inventory::Inventory;
use super::ledger::patience;
use super::order::Order;
use super::payments::Payments;
use super::shipping::Shipping;

const RUN_ATTEMPTS: u32 = 5;

/// More than of runs, a quarter of a minute: then the saga fails, and waits for a human.
const COMPENSATION_ATTEMPTS: u32 = 8;

/// Reserves the inventory; compensated by releasing it.
pub(super) struct ReserveInventory(pub(super) Inventory);

impl Step<Order> for ReserveInventory {
    const NAME: &'static str = "reserve-inventory";

    async fn run(&self, order: &mut Order, cx: &StepContext) -> StepResult {
        order.reservation = Some(self.0.reserve(order, &cx.run_key()).await?);
        Ok(())
    }

    async fn compensate(&self, order: &mut Order, cx: &StepContext) -> StepResult {
        self.0.release(order, &cx.run_key()).await?;
        order.reservation = None;
        Ok(())
    }

    fn timeout(&self) -> Duration {
        self.0.0.timeout()
    }

    fn retry(&self, error: &StepError) -> RetryPolicy {
        patience(error, RUN_ATTEMPTS)
    }

    fn retry_compensation(&self, error: &StepError) -> RetryPolicy {
        patience(error, COMPENSATION_ATTEMPTS)
    }
}

/// Authorizes the payment; compensated by voiding it.
pub(super) struct AuthorizePayment(pub(super) Payments);

impl Step<Order> for AuthorizePayment {
    const NAME: &'static str = "authorize-payment";

    async fn run(&self, order: &mut Order, cx: &StepContext) -> StepResult {
        order.authorization = Some(self.0.authorize(order, &cx.run_key()).await?);
        Ok(())
    }

    async fn compensate(&self, order: &mut Order, cx: &StepContext) -> StepResult {
        self.0.void(order, &cx.run_key()).await?;
        order.authorization = None;
        Ok(())
    }

    fn timeout(&self) -> Duration {
        self.0.0.timeout()
    }

    fn retry(&self, error: &StepError) -> RetryPolicy {
        patience(error, RUN_ATTEMPTS)
    }

    fn retry_compensation(&self, error: &StepError) -> RetryPolicy {
        patience(error, COMPENSATION_ATTEMPTS)
    }
}

/// Ships the order; compensated by recalling the shipment.
pub(super) struct ShipOrder(pub(super) Shipping);

impl Step<Order> for ShipOrder {
    const NAME: &'static str = "ship-order";

    async fn run(&self, order: &mut Order, cx: &StepContext) -> StepResult {
        order.shipment = Some(self.0.ship(order, &cx.run_key()).await?);
        Ok(())
    }

    async fn compensate(&self, order: &mut Order, cx: &StepContext) -> StepResult {
        self.0.recall(order, &cx.run_key()).await?;
        order.shipment = None;
        Ok(())
    }

    fn timeout(&self) -> Duration {
        self.0.0.timeout()
    }

    fn retry(&self, error: &StepError) -> RetryPolicy {
        patience(error, RUN_ATTEMPTS)
    }

    fn retry_compensation(&self, error: &StepError) -> RetryPolicy {
        patience(error, COMPENSATION_ATTEMPTS)
    }
}
