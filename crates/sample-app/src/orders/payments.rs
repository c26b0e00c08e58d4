//! Payments: authorizes the amount of an order, and voids that.

use highwater::Event;
use highwater::saga::{StepError, StepResult};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::amount::Amount;
use super::ledger::{Effect, Entry, Ledger};
use super::order::Order;
use super::steps::Deed;

/// Payments in this process; they remember authorizations by idempotency key, in the store.
#[derive(Clone)]
pub(super) struct Payments(pub(super) Ledger);

/// What becomes of an authorization, in the stream `payment-{orderId}`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all_fields = "camelCase")]
enum PaymentEvent {
    PaymentAuthorized { order_id: String, key: String, amount: Amount },
    PaymentVoided(Entry),
    AuthorizationForestalled(Entry),
}

impl Event for PaymentEvent {}

impl Deed for Payments {
    const STEP: &'static str = "authorize-payment";

    fn ledger(&self) -> &Ledger {
        &self.0
    }

    fn of(order: &mut Order) -> &mut Option<Uuid> {
        &mut order.authorization
    }

    /// Authorizes the amount of the order; the id of the authorization.
    ///
    /// Aborts when the order says that its payment fails.
    async fn make(&self, order: &Order, key: &str) -> Result<Uuid, StepError> {
        let effect = effect(order, key);
        let Entry { order_id, key } = effect.entry();
        if order.simulate_payment_failure {
            self.0.travel().await;
            tracing::info!(order = order_id, key, "payment of {} declined", order.amount);
            self.0.travel().await;
            return Err(StepError::abort(format!("payment of {} was declined", order.amount)));
        }
        let event = PaymentEvent::PaymentAuthorized { order_id, key, amount: order.amount.clone() };
        let said = format!("payment of {} authorized", order.amount);
        self.0.make(&effect, &event, &said).await
    }

    /// Voids what was authorized under this key.
    async fn undo(&self, order: &Order, key: &str) -> StepResult {
        let effect = effect(order, key);
        let voided = PaymentEvent::PaymentVoided(effect.entry());
        let forestalled = PaymentEvent::AuthorizationForestalled(effect.entry());
        let said = format!("payment of {} voided", order.amount);
        self.0.undo(&effect, &voided, &forestalled, &said).await
    }
}

fn effect<'a>(order: &'a Order, key: &'a str) -> Effect<'a> {
    Effect { category: "payment", noun: "authorization", order_id: &order.order_id, key }
}
