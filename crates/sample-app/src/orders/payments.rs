//! The second step: authorizes the amount of an order, and voids that.

use std::time::Duration;

use highwater::Event;
use highwater::saga::{RetryPolicy, Step, StepContext, StepError, StepResult};
use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::ledger::{self, Effect, Entry, Ledger};
use super::order::Order;

/// Authorizes payments, in this process; the store remembers authorizations by idempotency key.
pub(super) struct AuthorizePayment(pub(super) Ledger);

/// What becomes of an authorization, in the stream `payment-{orderId}`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all_fields = "camelCase")]
enum PaymentEvent {
    PaymentAuthorized {
        order_id: String,
        key: String,
        amount: Amount,
    },
    PaymentVoided(Entry),
    /// There was nothing to void, and there never will be.
    AuthorizationCancelled(Entry),
}

impl Event for PaymentEvent {}

impl Step<Order> for AuthorizePayment {
    const NAME: &'static str = "authorize-payment";

    /// Aborts when the order says that its payment fails: no attempt would end otherwise.
    async fn run(&self, order: &mut Order, cx: &StepContext) -> StepResult {
        let key = cx.run_key();
        let effect = effect(order, &key);
        let Entry { order_id, key } = effect.entry();
        if order.simulate_payment_failure {
            self.0.travel().await;
            tracing::info!(order = order_id, key, "payment of {} declined", order.amount);
            self.0.travel().await;
            return Err(StepError::abort(format!("payment of {} was declined", order.amount)));
        }
        let event = PaymentEvent::PaymentAuthorized { order_id, key, amount: order.amount.clone() };
        let said = format!("payment of {} authorized", order.amount);
        order.authorization = Some(self.0.make(&effect, &event, &said).await?);
        Ok(())
    }

    async fn compensate(&self, order: &mut Order, cx: &StepContext) -> StepResult {
        let key = cx.run_key();
        let effect = effect(order, &key);
        let voided = PaymentEvent::PaymentVoided(effect.entry());
        let cancelled = PaymentEvent::AuthorizationCancelled(effect.entry());
        let said = format!("payment of {} voided", order.amount);
        self.0.undo(&effect, &voided, &cancelled, &said).await?;
        order.authorization = None;
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
    Effect { category: "payment", noun: "authorization", order_id: &order.order_id, key }
}
