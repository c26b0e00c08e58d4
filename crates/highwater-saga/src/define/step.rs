//! Steps: what a saga does, and how it is made undone.

use std::future::Future;
use std::time::Duration;

use highwater_core::{CorrelationId, RetryPolicy, SagaId};

use super::{StepError, StepResult};

/// Time that one attempt may take, unless the step says otherwise.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// Attempts at a compensation, unless the step says otherwise.
pub(crate) const COMPENSATION_ATTEMPTS: u32 = 20;

/// One step of a saga whose state is `S`; what it depends on are its fields.
///
/// Both methods are called **at least once**: a worker that dies between the effect and its
/// recording leaves the step to another, which calls it again with the same
/// [`idempotency_key`](StepContext::idempotency_key). Hand that key to the other side.
///
/// `compensate` is called, newest step first, for every step that finished and for every one
/// that may have had an effect: it timed out, its worker died, or it failed by `?`. It is not
/// called for a step that said [`abort`](StepError::abort) or [`retry`](StepError::retry) to the
/// end. Hence it must accept that `run` did nothing: cancel by
/// [`run_key`](StepContext::run_key), not by what `run` got back.
///
/// What a method changes in the state is kept when it succeeds and forgotten when it fails.
///
/// ```
/// use highwater_saga::{Step, StepContext, StepResult};
///
/// struct BookHotel;
///
/// impl Step<Option<String>> for BookHotel {
///     const NAME: &'static str = "hotel";
///
///     async fn run(&self, booking: &mut Option<String>, cx: &StepContext) -> StepResult {
///         *booking = Some(format!("booked under {}", cx.run_key()));
///         Ok(())
///     }
///
///     async fn compensate(&self, booking: &mut Option<String>, _: &StepContext) -> StepResult {
///         *booking = None;
///         Ok(())
///     }
/// }
/// ```
pub trait Step<S>: Send + Sync + 'static {
    /// Its name, unique within the saga, without `/`; stored with every saga.
    const NAME: &'static str;

    /// Does it.
    fn run(&self, state: &mut S, cx: &StepContext) -> impl Future<Output = StepResult> + Send;

    /// Makes it undone, as far as it was done.
    fn compensate(
        &self,
        state: &mut S,
        cx: &StepContext,
    ) -> impl Future<Output = StepResult> + Send;

    /// Time that one attempt may take, in either direction. Default 30 s.
    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    /// Tells how a failure of `run` is tried again; may depend on the error. Default 5 attempts.
    fn retry(&self, error: &StepError) -> RetryPolicy {
        let _ = error;
        RetryPolicy::default()
    }

    /// Tells how a failure of `compensate` is tried again. Default 20 attempts; then the saga
    /// fails, and waits for a human.
    fn retry_compensation(&self, error: &StepError) -> RetryPolicy {
        let _ = error;
        RetryPolicy::attempts(COMPENSATION_ATTEMPTS)
    }
}

/// Which way a step is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// It is run.
    Run,
    /// It is compensated.
    Compensate,
}

/// Context of a step: all that it knows beside its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepContext {
    /// The saga.
    pub saga: SagaId,
    /// The business process that it belongs to.
    pub correlation_id: CorrelationId,
    /// The step's name.
    pub step: String,
    /// Which way it is gone.
    pub direction: Direction,
    /// The number of this attempt, from 1; those that died with their worker are not counted.
    pub attempt: u32,
    /// Increases whenever another worker takes the saga up: lets the other side turn a frozen
    /// worker away.
    pub epoch: u64,
}

impl StepContext {
    /// `saga/step/run` or `saga/step/compensate`: the same for every attempt at it.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        self.key(self.direction)
    }

    /// The key with which the step was run, for a compensation that cancels by it.
    #[must_use]
    pub fn run_key(&self) -> String {
        self.key(Direction::Run)
    }

    fn key(&self, direction: Direction) -> String {
        let direction = match direction {
            Direction::Run => "run",
            Direction::Compensate => "compensate",
        };
        format!("{}/{}/{direction}", self.saga, self.step)
    }
}
