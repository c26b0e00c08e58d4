//! The loop: leads, reads, applies, commits, and bears what fails.

pub(crate) mod bisection;
pub(crate) mod busy;
pub(crate) mod failure_budget;
pub(crate) mod follower;
pub(crate) mod host;
pub(crate) mod lease;
pub(crate) mod meter;
pub(crate) mod progress;
pub(crate) mod reader;
pub(crate) mod registered;
pub(crate) mod supervisor;
pub(crate) mod trials;
pub(crate) mod worker;
