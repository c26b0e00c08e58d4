//! The loop: claims sagas that are due, executes their steps, records what came of it.

pub(crate) mod bytes;
pub(crate) mod claim;
pub(crate) mod engine;
pub(crate) mod execution;
pub(crate) mod hold;
pub(crate) mod leases;
pub(crate) mod saga_event;
pub(crate) mod writer;

pub use leases::BlockedStep;
pub use saga_event::{SagaEvent, StepEvent};
