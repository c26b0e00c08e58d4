//! Starts of sagas, and what can be asked of them from outside.

pub(crate) mod handle;
pub(crate) mod on_event;
pub(crate) mod sameness;
pub(crate) mod start_options;

pub use handle::SagaHandle;
pub use on_event::OnEvent;
pub use start_options::Start;
