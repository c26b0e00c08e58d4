//! Saga orchestrator of Highwater: long-running processes that finish or undo themselves.
//!
//! A [`Saga`] is a list of [`Step`]s on a state. [`Orchestrator::register`] returns a
//! [`SagaHandle`] that starts sagas; [`Orchestrator::run`] runs them, beside any number of other
//! processes on the same [`SagaStore`](highwater_core::SagaStore).
//!
//! # What is promised
//! - Every transition is stored before the next begins, in one write that also appends the
//!   saga's events. A process may die anywhere; another goes on when its lease ends.
//! - A step is run, and compensated, **at least once**, each time with the same
//!   [idempotency key](StepContext::idempotency_key). Effects outside the store happen once only
//!   when the other side tells repetitions by that key.
//! - When a saga gives up, every step that finished or may have had an effect is compensated,
//!   newest first. A step that [aborts](StepError::abort) is not.
//! - A worker that was frozen and wakes after its saga was taken over changes nothing in the
//!   store; [`StepContext::epoch`] lets others turn it away, too.
//! - Timers, back-offs, deadlines and waits live in the store: they survive restarts and cost no
//!   worker.
//! - A compensation that gives up ends in `Failed`, where [`Orchestrator::retry`] and
//!   [`Orchestrator::skip`] wait for a human.

mod definition;
mod engine;
mod error;
mod flight;
mod handle;
mod lease_keeper;
mod machine;
mod options;
mod orchestrator;
mod retry_policy;
mod runner;
mod saga;
mod saga_data;
mod saga_event;
mod start;
mod start_on;
mod step;
mod step_error;
#[cfg(feature = "testing")]
pub mod testing;
mod wait;
mod writer;

pub use error::{InvalidOption, RegisterError, StartError, WaitError};
pub use handle::SagaHandle;
pub use options::OrchestratorOptions;
pub use orchestrator::Orchestrator;
pub use retry_policy::RetryPolicy;
pub use saga::Saga;
pub use saga_data::SagaData;
pub use saga_event::{SagaEvent, StepEvent};
pub use start::Start;
pub use start_on::StartOn;
pub use step::{Direction, Step, StepContext};
pub use step_error::{StepError, StepResult};
pub use wait::Wait;
