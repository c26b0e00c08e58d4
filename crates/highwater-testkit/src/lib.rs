//! Memory store, conformance laws and fault injection for Highwater.

mod memory;

pub use memory::{MemoryStore, MemoryTx};
