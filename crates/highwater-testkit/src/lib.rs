//! Memory store, conformance laws and fault injection for Highwater.

mod conformance;
mod fixture;
pub mod laws;
mod memory;
mod random;

pub use fixture::{Fixture, prove};
pub use memory::{MemoryStore, MemoryTx};
