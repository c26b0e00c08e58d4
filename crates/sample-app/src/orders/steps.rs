//! The steps of order fulfilment, each a call to a service.

use std::future::Future;
use std::time::Duration;

use highwater::saga::{RetryPolicy, Step, StepContext, StepError, StepResult};
use uuid::Uuid;

use super::ledger::{Ledger, patience};
use super::order::Order;

const RUN_ATTEMPTS: u32 = 5;

/// More than of runs, a quarter of a minute: then the saga fails, and waits for a human.
const COMPENSATION_ATTEMPTS: u32 = 8;

/// What a service does for an order, and can undo.
pub(super) trait Deed: Send + Sync + 'static {
    /// The name of the step.
    const STEP: &'static str;

    /// Where the service remembers what it has done.
    fn ledger(&self) -> &Ledger;

    /// Where the order keeps the id of what was done for it.
    fn of(order: &mut Order) -> &mut Option<Uuid>;

    /// Does it once for each key; the id of what was done.
    fn make(
        &self,
        order: &Order,
        key: &str,
    ) -> impl Future<Output = Result<Uuid, StepError>> + Send;

    /// Undoes what was done under this key, if anything was.
    fn undo(&self, order: &Order, key: &str) -> impl Future<Output = StepResult> + Send;
}

/// A step that does something, compensated by undoing it.
pub(super) struct Do<D>(pub(super) D);

impl<D: Deed> Step<Order> for Do<D> {
    const NAME: &'static str = D::STEP;

    async fn run(&self, order: &mut Order, cx: &StepContext) -> StepResult {
        *D::of(order) = Some(self.0.make(order, &cx.run_key()).await?);
        Ok(())
    }

    async fn compensate(&self, order: &mut Order, cx: &StepContext) -> StepResult {
        self.0.undo(order, &cx.run_key()).await?;
        *D::of(order) = None;
        Ok(())
    }

    fn timeout(&self) -> Duration {
        self.0.ledger().timeout()
    }

    fn retry(&self, error: &StepError) -> RetryPolicy {
        patience(error, RUN_ATTEMPTS)
    }

    fn retry_compensation(&self, error: &StepError) -> RetryPolicy {
        patience(error, COMPENSATION_ATTEMPTS)
    }
}
