//! Memory store, conformance laws and fault injection for Highwater.
//!
//! | to test | use |
//! |---|---|
//! | a view, without a store | [`ViewTest`] and [`events_of`] |
//! | a projection, in real transactions | [`ProjectionTest`], [`assert_cuts_do_not_matter`] |
//! | an application, fast and fresh each time | [`MemoryStore`] |
//! | that outages and lost answers do no harm | [`Faulty`] |
//! | a storage backend | [`conformance!`] and a [`Fixture`] |
//!
//! The [laws] are the contract of the storage traits as tests. Every backend of Highwater passes
//! all of them, the memory store included, or tests with it would prove nothing.
#![cfg_attr(docsrs, feature(doc_cfg))]

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

/// The program in the README, which is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
