//! Projection engine of Highwater: read models that commit with their checkpoints.
//!
//! [`Projections`] registers views, projections and handlers, and runs each of them from its
//! checkpoint: exactly one process leads a projection, the others stand by. A failing event is
//! singled out, tried again, and then stops the projection or is set aside, as its
//! [`ProjectionOptions`] say; a failing store is waited for and blamed on no event.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod applier;
mod backoff;
mod busy;
mod cut;
mod documents;
mod error;
mod follower;
mod found;
mod handler;
mod host;
mod lease;
mod meter;
mod options;
mod patience;
mod progress;
mod projections;
mod reader;
mod registered;
mod status;
mod supervisor;
mod transactional;
mod trials;
mod view;
mod worker;

pub use backoff::{Backoff, RetryPolicy};
pub use error::{RegisterError, RunError};
pub use options::{CheckpointPolicy, FailurePolicy, InvalidOption, Mode, ProjectionOptions};
pub use projections::{CaughtUp, Projections};
pub use status::{ProjectionState, ProjectionStatus};

/// The program in the README, which is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
