//! The laws: what every store promises, each as a sentence that a test can prove.
//!
//! Each law is an async function that gets a fresh, empty store with default limits and panics
//! when the law is broken. [`conformance!`](crate::conformance) makes tests of them.

pub mod append;
pub mod concurrent;
pub mod fidelity;
pub mod idempotence;
pub mod import;
pub mod read;
pub mod reopen;
mod support;
pub mod wake;
