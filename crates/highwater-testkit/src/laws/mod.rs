//! The laws: what every store promises, each as a sentence that a test can prove.
//!
//! Each law is an async function that gets a fresh, empty store with default limits and panics
//! when the law is broken. [`conformance!`](crate::conformance) makes tests of them.

pub mod append;
pub mod calls;
pub mod checkpoints;
pub mod concurrent;
pub mod dead_letters;
pub mod documents;
mod dropped;
pub mod fidelity;
pub mod idempotence;
pub mod import;
pub mod leases;
pub mod pages;
pub mod read;
pub mod read_models;
pub mod reopen;
mod rows;
pub mod saga_leases;
pub mod saga_requests;
pub mod saga_search;
pub mod saga_signals;
mod saga_support;
pub mod sagas;
mod support;
pub mod wake;
