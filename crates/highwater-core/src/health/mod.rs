//! Health of a store and of everything on it.

pub(crate) mod check;
pub(crate) mod write_probe;

pub use check::{HealthCheck, HealthReport};
pub use write_probe::WriteProbe;
