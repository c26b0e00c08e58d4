//! A definition of which one part goes wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use highwater_core::{Payload, RetryPolicy, SagaName, Signal};

use crate::define::Direction;
use crate::define::definition::{Awaited, Definition, StepFailure};
use crate::define::{StepContext, StepError};
use crate::machine::Stage;

/// Reason of the failure.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// Nothing.
    None,
    /// The step aborts instead of being run.
    Abort(usize),
    /// The step is run, but nobody learns of it; it is not tried again.
    LoseAnswer(usize),
    /// One step aborts, and the compensation of another gives up until it is repaired.
    Stick { aborted: usize, stuck: usize },
    /// Every call is made twice; one step may abort.
    Repeat { aborted: Option<usize> },
}

/// The definition, with a fault.
pub(super) struct Sabotaged {
    pub(super) inner: Arc<dyn Definition>,
    pub(super) fault: Fault,
    pub(super) is_repaired: Arc<AtomicBool>,
}

impl Sabotaged {
    fn aborts(&self, at: usize) -> bool {
        match self.fault {
            Fault::Abort(step) | Fault::Stick { aborted: step, .. } => step == at,
            Fault::Repeat { aborted } => aborted == Some(at),
            Fault::None | Fault::LoseAnswer(_) => false,
        }
    }
}

#[async_trait]
impl Definition for Sabotaged {
    fn name(&self) -> &SagaName {
        self.inner.name()
    }

    fn version(&self) -> u32 {
        self.inner.version()
    }

    fn plan(&self) -> Vec<(String, Stage)> {
        self.inner.plan()
    }

    fn deadline(&self) -> Option<Duration> {
        self.inner.deadline()
    }

    fn publishes_events(&self) -> bool {
        self.inner.publishes_events()
    }

    async fn call(
        &self,
        at: usize,
        data: &Payload,
        cx: &StepContext,
    ) -> Result<Payload, StepFailure> {
        if cx.direction == Direction::Run && self.aborts(at) {
            return Err(StepError::abort("sabotage").into());
        }
        match (self.fault, cx.direction) {
            (Fault::Stick { stuck, .. }, Direction::Compensate)
                if stuck == at && !self.is_repaired.load(Ordering::SeqCst) =>
            {
                return Err(StepError::abort("sabotage").into());
            }
            (Fault::Repeat { .. }, _) => {
                self.inner.call(at, data, cx).await?;
            }
            (Fault::LoseAnswer(lost), Direction::Run) if lost == at => {
                self.inner.call(at, data, cx).await?;
                return Err(StepError::unknown("sabotage").into());
            }
            _ => {}
        }
        self.inner.call(at, data, cx).await
    }

    fn timeout(&self, at: usize) -> Duration {
        self.inner.timeout(at)
    }

    fn retry(&self, at: usize, direction: Direction, error: &StepError) -> RetryPolicy {
        match (self.fault, direction) {
            (Fault::LoseAnswer(lost), Direction::Run) if lost == at => RetryPolicy::NEVER,
            _ => self.inner.retry(at, direction, error),
        }
    }

    fn awaited(&self, at: usize, data: &Payload) -> Result<Awaited, StepFailure> {
        self.inner.awaited(at, data)
    }

    fn arrived(
        &self,
        at: usize,
        data: &Payload,
        signal: Option<&Signal>,
    ) -> Result<Payload, StepFailure> {
        match self.aborts(at) {
            true => Err(StepError::abort("sabotage").into()),
            false => self.inner.arrived(at, data, signal),
        }
    }
}
