//! The saga that is measured: three steps that only note what they did.

use highwater::SagaId;
use highwater::saga::{Saga, Step, StepContext, StepResult};
use serde::{Deserialize, Serialize};

use crate::Result;

/// The names of the steps, in order.
pub(crate) const STEPS: [&str; 3] =
    [ReserveInventory::NAME, AuthorizePayment::NAME, ShipOrder::NAME];

/// An order on its way; the same state on both sides.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Fulfilment {
    order_id: String,
    customer: String,
    cents: u64,
    pub(crate) reservation: Option<String>,
    pub(crate) payment: Option<String>,
    pub(crate) shipment: Option<String>,
}

impl Fulfilment {
    /// The `n`th order, of which nothing has been done.
    pub(crate) fn new(n: u64) -> Self {
        Self {
            order_id: id(n),
            customer: format!("customer-{:05}", n % 20_000),
            cents: 100 + n % 9_900,
            reservation: None,
            payment: None,
            shipment: None,
        }
    }

    /// Notes what a step did, as the steps do.
    pub(crate) fn note(&mut self, step: usize, key: String) {
        match step {
            0 => self.reservation = Some(key),
            1 => self.payment = Some(key),
            _ => self.shipment = Some(key),
        }
    }
}

/// The id of the `n`th saga.
pub(crate) fn id(n: u64) -> String {
    format!("order-{n:012}")
}

/// As Highwater wants it.
pub(crate) fn saga_id(n: u64) -> Result<SagaId> {
    Ok(SagaId::new(id(n))?)
}

/// The saga.
pub(crate) fn saga() -> Saga<Fulfilment> {
    Saga::new("fulfilment").step(ReserveInventory).step(AuthorizePayment).step(ShipOrder)
}

pub(crate) struct ReserveInventory;

pub(crate) struct AuthorizePayment;

pub(crate) struct ShipOrder;

impl Step<Fulfilment> for ReserveInventory {
    const NAME: &'static str = "reserve-inventory";

    async fn run(&self, state: &mut Fulfilment, cx: &StepContext) -> StepResult {
        state.reservation = Some(cx.idempotency_key());
        Ok(())
    }

    async fn compensate(&self, state: &mut Fulfilment, _: &StepContext) -> StepResult {
        state.reservation = None;
        Ok(())
    }
}

impl Step<Fulfilment> for AuthorizePayment {
    const NAME: &'static str = "authorize-payment";

    async fn run(&self, state: &mut Fulfilment, cx: &StepContext) -> StepResult {
        state.payment = Some(cx.idempotency_key());
        Ok(())
    }

    async fn compensate(&self, state: &mut Fulfilment, _: &StepContext) -> StepResult {
        state.payment = None;
        Ok(())
    }
}

impl Step<Fulfilment> for ShipOrder {
    const NAME: &'static str = "ship-order";

    async fn run(&self, state: &mut Fulfilment, cx: &StepContext) -> StepResult {
        state.shipment = Some(cx.idempotency_key());
        Ok(())
    }

    async fn compensate(&self, state: &mut Fulfilment, _: &StepContext) -> StepResult {
        state.shipment = None;
        Ok(())
    }
}
