//! How a step that is made of closures is tried.

use std::time::Duration;

use highwater_core::RetryPolicy;

use super::step::{COMPENSATION_ATTEMPTS, TIMEOUT};

/// How a step of [`Saga::step_fn_with`](crate::define::Saga::step_fn_with) is tried: what a
/// [`Step`](crate::define::Step) says of itself.
///
/// A step that goes by the kind of error is a [`Step`](crate::define::Step).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepOptions {
    /// Time that one attempt may take, in either direction. Default 30 s.
    pub timeout: Duration,
    /// Retries of a failure to run. Default 5 attempts.
    pub retry: RetryPolicy,
    /// How a failure to compensate is tried again. Default 20 attempts; then the saga fails, and
    /// waits for a human.
    pub retry_compensation: RetryPolicy,
}

impl Default for StepOptions {
    fn default() -> Self {
        Self {
            timeout: TIMEOUT,
            retry: RetryPolicy::default(),
            retry_compensation: RetryPolicy::attempts(COMPENSATION_ATTEMPTS),
        }
    }
}
