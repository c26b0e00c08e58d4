//! Memory store, conformance laws and fault injection for Highwater.

mod conformance;
mod faulty;
mod fixture;
pub mod laws;
mod memory;
mod random;

pub use faulty::{FaultRates, Faulty, FaultyTx};
pub use fixture::{Fixture, prove};
pub use memory::{MemoryStore, MemoryTx};
