//! The engine through its public door, on a memory store.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

mod chaos;
mod checkpoints;
mod deaths;
mod failures;
mod instances;
mod operation;
mod rebuild;
mod replaced;
mod slow;
mod sources;
mod support;
mod views;
