//! Why a saga was not registered, started or awaited.

use std::time::Duration;

use highwater_core::{InvalidName, SagaId, SagaName, SagaState, StoreError};

/// Reason why a saga was not registered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterSagaError {
    /// Its name breaks the rules of names.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// It has nothing to do.
    #[error("saga {0:?} has no steps")]
    NoSteps(SagaName),
    /// A step's name is empty, or has a `/` or a control character.
    #[error(
        "saga {saga:?} has a step {step:?}: its name is empty, has a '/' or a control character"
    )]
    StepName {
        /// The saga.
        saga: SagaName,
        /// The step.
        step: String,
    },
    /// Two steps share a name, and with it their idempotency keys.
    #[error("saga {saga:?} has two steps {step:?}")]
    DuplicateStep {
        /// The saga.
        saga: SagaName,
        /// The step.
        step: String,
    },
    /// The same version of the same saga is there already.
    #[error("version {version} of saga {saga:?} is already registered")]
    Duplicate {
        /// The saga.
        saga: SagaName,
        /// The version.
        version: u32,
    },
}

/// Reason why a saga was not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The state cannot be written as JSON, or reads back as something else.
    #[error("the state of saga {id:?} does not survive as JSON: {reason}")]
    State {
        /// The saga.
        id: SagaId,
        /// Reason of the failure.
        reason: String,
    },
    /// The state is larger than [`max_state_bytes`](crate::options::OrchestratorOptions::max_state_bytes).
    #[error("the state of saga {id:?} has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// The saga.
        id: SagaId,
        /// Number of bytes it has.
        bytes: usize,
        /// Number of bytes that it may have.
        limit: usize,
    },
    /// The stream of its events cannot be named after it.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The store failed, or the id stands for another saga.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reason why waiting for a saga has ended before the saga did.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The time was up.
    #[error("saga {id:?} is {state} after {timeout:?}")]
    TimedOut {
        /// The saga.
        id: SagaId,
        /// The state that it is in.
        state: SagaState,
        /// Time that it was waited for.
        timeout: Duration,
    },
    /// The store failed, or has no such saga.
    #[error(transparent)]
    Store(#[from] StoreError),
}
