//! Definition of a saga: its steps, their options and their results.

pub(crate) mod definition;
pub(crate) mod opening;
pub(crate) mod saga;
pub(crate) mod saga_data;
pub(crate) mod step;
pub(crate) mod step_error;
pub(crate) mod step_options;
pub(crate) mod wait;

pub use opening::Opening;
pub use saga::Saga;
pub use saga_data::SagaData;
pub use step::{Direction, Step, StepContext};
pub use step_error::{StepError, StepResult};
pub use step_options::StepOptions;
pub use wait::Wait;
