//! Projection engine of Highwater: read models that commit with their checkpoints.
//!
//! [`Projections`] registers views, projections and handlers, and runs each of them from its
//! checkpoint: exactly one process leads a projection, the others stand by. A failing event is
//! singled out, tried again, and then stops the projection or is set aside, as its
//! [`ProjectionOptions`] say; a failing store is waited for and blamed on no event.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod apply;
mod error;
mod options;
mod projections;
mod run;
mod state;
mod status;

pub use highwater_core::{Backoff, InvalidOption, RetryPolicy};

pub use error::{RegisterProjectionError, RunError};
pub use options::{CheckpointPolicy, FailurePolicy, Mode, ProjectionOptions};
pub use projections::{CaughtUp, Projections};
pub use state::ProjectionState;
pub use status::ProjectionStatus;

/// The program in the README, which is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
