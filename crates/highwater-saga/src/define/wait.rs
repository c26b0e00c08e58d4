//! Waits: steps that let a saga rest until something happens outside.

use std::time::Duration;

use highwater_core::Signal;

use super::{StepError, StepResult};

/// A step that waits for a [`Signal`]; the saga costs no worker meanwhile.
///
/// Signals come from [`SagaHandle::deliver`](crate::start::SagaHandle::deliver) or, made of events, from
/// [`SagaHandle::deliver_on`](crate::start::SagaHandle::deliver_on).
///
/// A signal that came before the saga began to wait is not lost. A wait has no effect outside
/// the saga's state, and nothing to compensate.
///
/// ```
/// use std::time::Duration;
///
/// use highwater_core::Signal;
/// use highwater_saga::{StepResult, Wait};
///
/// /// Waits for three days until somebody has paid.
/// struct Paid;
///
/// impl Wait<u32> for Paid {
///     const NAME: &'static str = "paid";
///
///     fn key(&self, order: &u32) -> String {
///         format!("order-{order}/paid")
///     }
///
///     fn timeout(&self) -> Option<Duration> {
///         Some(Duration::from_secs(3 * 24 * 60 * 60))
///     }
///
///     fn received(&self, _: &mut u32, signal: &Signal) -> StepResult {
///         println!("paid: {}", signal.data.as_str());
///         Ok(())
///     }
/// }
/// ```
pub trait Wait<S>: Send + Sync + 'static {
    /// Its name, unique within the saga, without `/`; stored with every saga.
    const NAME: &'static str;

    /// Returns what it waits for, such as `order-42/paid`: 1 to 255 bytes, known to who delivers
    /// it.
    fn key(&self, state: &S) -> String;

    /// Time that it waits; `None` for as long as the saga's deadline allows.
    fn timeout(&self) -> Option<Duration>;

    /// Takes the signal into the state; an error compensates the steps before.
    fn received(&self, state: &mut S, signal: &Signal) -> StepResult;

    /// Returns what happens when the time is up: `Ok` goes on, an error compensates. Default an
    /// error.
    fn timed_out(&self, state: &mut S) -> StepResult {
        let _ = state;
        let waited = self.timeout().unwrap_or_default();
        Err(StepError::abort(format!("nothing came within {waited:?}")))
    }
}
