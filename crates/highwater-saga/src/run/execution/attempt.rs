//! Having the user's code answer.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use highwater_core::{Payload, RetryPolicy, Signal};
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use super::Execution;
use crate::define::Direction;
use crate::define::definition::StepFailure;
use crate::define::step::TIMEOUT;
use crate::define::{StepContext, StepError};
use crate::machine::{Attempt, Outcome};
use crate::options::TIME_MAX;
use crate::run::hold::Hold;

impl Execution {
    /// Has the user's code answer; `None` when the lease was lost meanwhile.
    pub(super) async fn attempt(&mut self, attempt: Attempt) -> Option<Outcome> {
        let definition = Arc::clone(&self.definition);
        let data = &self.standing.progress.data;
        let (at, direction) = match attempt {
            Attempt::Run(at) => (at, Direction::Run),
            Attempt::Compensate(at) => (at, Direction::Compensate),
            Attempt::Await(at) => return Some(self.wait_for(at)),
            Attempt::Receive(at) => return Some(self.receive(at, self.signal.as_ref())),
            Attempt::TimeOut(at) => return Some(self.receive(at, None)),
        };
        if !self.place.kept.is_held().await {
            return None;
        }
        let cx = self.context(at, direction);
        let limit = self.limit(at, direction);
        let span = tracing::debug_span!(
            "step", saga = %self.saga.id, step = cx.step, ?direction, attempt = cx.attempt
        );
        let hold = self.place.kept.hold();
        hold.begin(&cx.step);
        let warning = self.engine.options.block_warning;
        let work = OnThread { work: definition.call(at, data, &cx), hold, warning };
        let work = timeout(limit, work).instrument(span);
        let work = AssertUnwindSafe(work).catch_unwind();
        let tried = tokio::select! {
            // A step that is done at once costs no timer; one that is done is not broken off.
            biased;
            tried = work => tried,
            () = hold.lost() => return None,
        };
        let trouble = match tried {
            Ok(Ok(Ok(data))) => return Some(self.done(data)),
            Ok(Ok(Err(trouble))) => trouble,
            Ok(Err(_elapsed)) => StepFailure::Step(StepError::timed_out(limit)),
            Err(panic) => StepFailure::Step(StepError::unknown(Panicked::new(&*panic))),
        };
        let StepFailure::Step(error) = trouble else { return Some(given_up(trouble)) };
        tracing::warn!(
            saga = %self.saga.id, step = cx.step, ?direction, attempt = cx.attempt,
            error = error.text(), "a step failed"
        );
        let policy = unless_panicking(|| definition.retry(at, direction, &error));
        let policy = policy.unwrap_or(RetryPolicy::NEVER);
        Some(Outcome::Failed {
            error: error.text(),
            is_in_doubt: error.is_in_doubt(),
            retry_in: policy.draw(cx.attempt).filter(|_| !error.is_final()),
        })
    }

    /// Has a wait say what it waits for.
    fn wait_for(&self, at: usize) -> Outcome {
        let data = &self.standing.progress.data;
        match unless_panicking(|| self.definition.awaited(at, data)) {
            Ok(Ok((key, timeout))) => Outcome::Waiting { key, timeout },
            Ok(Err(trouble)) => given_up(trouble),
            Err(panicked) => given_up(StepError::abort(panicked).into()),
        }
    }

    /// Has a wait take in its signal, or that none has come in time.
    fn receive(&self, at: usize, signal: Option<&Signal>) -> Outcome {
        let data = &self.standing.progress.data;
        match unless_panicking(|| self.definition.arrived(at, data, signal)) {
            Ok(Ok(data)) => self.done(data),
            Ok(Err(StepFailure::Step(error))) if signal.is_some() && error.is_malformed() => {
                Outcome::PassedOver(error.text())
            }
            Ok(Err(trouble)) => given_up(trouble),
            Err(panicked) => given_up(StepError::abort(panicked).into()),
        }
    }

    /// The new state, unless it is too large: the one before is kept then, and what the step did
    /// stands.
    fn done(&self, data: Payload) -> Outcome {
        let (bytes, limit) = (data.as_str().len(), self.engine.options.max_state_bytes);
        if bytes <= limit {
            return Outcome::Done(data);
        }
        Outcome::Failed {
            error: format!("its state has {bytes} bytes, the limit is {limit}"),
            is_in_doubt: true,
            retry_in: None,
        }
    }

    fn context(&self, at: usize, direction: Direction) -> StepContext {
        let before = self.standing.progress.steps.get(at);
        let attempts = before.map_or(0, |step| match direction {
            Direction::Run => step.attempts,
            Direction::Compensate => step.compensation_attempts,
        });
        StepContext {
            saga: self.saga.id.clone(),
            correlation_id: self.saga.correlation_id.clone(),
            step: self.saga.plan.get(at).cloned().unwrap_or_default(),
            direction,
            attempt: attempts + 1,
            epoch: self.saga.epoch,
        }
    }

    /// Time that the attempt may take: a compensation is under no deadline.
    fn limit(&self, at: usize, direction: Direction) -> Duration {
        let limit = unless_panicking(|| self.definition.timeout(at)).unwrap_or(TIMEOUT);
        let limit = limit.min(TIME_MAX);
        let deadline = self.deadline.filter(|_| direction == Direction::Run);
        let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
        left.map_or(limit, |left| limit.min(left))
    }
}

/// Outcome of a failure that no other attempt would mend.
fn given_up(trouble: StepFailure) -> Outcome {
    match trouble {
        StepFailure::Unreadable(error) => Outcome::Unreadable(error),
        StepFailure::Step(error) => Outcome::Failed {
            error: error.text(),
            is_in_doubt: error.is_in_doubt(),
            retry_in: None,
        },
    }
}

/// Returns what the user's code says; a panic must not end the execution, or nobody would learn why.
pub(super) fn unless_panicking<T>(ask: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(ask)).map_err(|panic| Panicked::new(&*panic))
}

/// A step that panicked may have had an effect.
#[derive(Debug, thiserror::Error)]
#[error("the step panicked: {0}")]
pub(super) struct Panicked(String);

impl Panicked {
    fn new(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Self(text.unwrap_or("with something other than a text").to_owned())
    }
}

/// A step's work, with a note of when its code has the thread.
struct OnThread<'a, F> {
    work: F,
    hold: &'a Hold,
    warning: Duration,
}

impl<F: Future + Unpin> Future for OnThread<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _polled = Polled(self.hold, self.warning);
        self.hold.enter();
        self.work.poll_unpin(cx)
    }
}

/// Says that the code has given the thread back, though it panics.
struct Polled<'a>(&'a Hold, Duration);

impl Drop for Polled<'_> {
    fn drop(&mut self) {
        let (blocked, is_told) = self.0.leave();
        if blocked > self.1 && !is_told {
            tracing::warn!(saga = %self.0.lease.id, ?blocked, "a step has blocked its thread");
        }
    }
}
