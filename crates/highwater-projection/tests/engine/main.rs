//! The engine through its public door, on a memory store.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

mod chaos;
mod checkpoints;
mod failures;
mod instances;
mod operation;
mod rebuild;
mod sources;
mod support;
mod views;
