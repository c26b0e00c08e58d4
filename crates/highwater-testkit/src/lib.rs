//! Memory store, conformance laws and fault injection for Highwater.

mod conformance;
mod events_of;
mod faulty;
mod fixture;
mod json_diff;
pub mod laws;
mod memory;
mod projection_test;
mod random;
mod view_test;

pub use events_of::{events_of, raw_events_of};
pub use faulty::{FaultRates, Faulty, FaultyTx};
pub use fixture::{Fixture, prove};
pub use memory::{MemoryStore, MemoryTx};
pub use projection_test::{ProjectionTest, assert_cuts_do_not_matter};
pub use view_test::ViewTest;
