//! What undoes the start of a saga.

use std::future::Future;
use std::time::Duration;

use highwater_core::RetryPolicy;

use super::step::{COMPENSATION_ATTEMPTS, TIMEOUT};
use super::{Step, StepContext, StepError, StepResult};

/// Compensation of what a saga, whose state is `S`, was started with.
///
/// A saga that appends events when it starts has done something before its first step. When it
/// gives up, be it cancelled before that step, this is called after every other compensation, at
/// least once, with the same [`idempotency_key`](StepContext::idempotency_key) each time.
///
/// ```
/// use highwater_saga::{Opening, StepContext, StepResult};
///
/// /// Takes back the order that was placed in the append that started the saga.
/// struct Placed;
///
/// impl Opening<u32> for Placed {
///     const NAME: &'static str = "placed";
///
///     async fn compensate(&self, order: &mut u32, cx: &StepContext) -> StepResult {
///         println!("order {order} is taken back, under {}", cx.idempotency_key());
///         Ok(())
///     }
/// }
/// ```
pub trait Opening<S>: Send + Sync + 'static {
    /// Its name, unique within the saga, without `/`; stored with every saga.
    const NAME: &'static str;

    /// Makes the start undone.
    fn compensate(
        &self,
        state: &mut S,
        cx: &StepContext,
    ) -> impl Future<Output = StepResult> + Send;

    /// Time that one attempt may take. Default 30 s.
    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    /// Tells how a failure is tried again. Default 20 attempts; then the saga fails, and waits for
    /// a human.
    fn retry_compensation(&self, error: &StepError) -> RetryPolicy {
        let _ = error;
        RetryPolicy::attempts(COMPENSATION_ATTEMPTS)
    }
}

/// An [`Opening`] as a step that has been run.
pub(crate) struct Opened<T>(pub(crate) T);

impl<S: Send + 'static, T: Opening<S>> Step<S> for Opened<T> {
    const NAME: &'static str = T::NAME;

    async fn run(&self, _: &mut S, _: &StepContext) -> StepResult {
        Ok(())
    }

    async fn compensate(&self, state: &mut S, cx: &StepContext) -> StepResult {
        self.0.compensate(state, cx).await
    }

    fn timeout(&self) -> Duration {
        self.0.timeout()
    }

    fn retry_compensation(&self, error: &StepError) -> RetryPolicy {
        self.0.retry_compensation(error)
    }
}
