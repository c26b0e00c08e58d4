//! Embedded SQLite storage for Highwater: events, checkpoints, read models and sagas.
//!
//! One file holds the log, the read models and the sagas; there is no server. [`SqliteStore`] keeps
//! every promise of [`EventStore`](highwater_core::EventStore),
//! [`ProjectionStore`](highwater_core::ProjectionStore) and
//! [`SagaStore`](highwater_core::SagaStore), also when several processes of one machine share the
//! file.
//!
//! SQLite admits one write transaction at a time. Concurrent appends share one, and one commit
//! to disk, so that many tasks append faster together than one alone.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod database;
mod events;
mod options;
mod projections;
mod sagas;
mod store;

pub use database::SqliteWrite;
pub use options::{Durability, SqliteOptions};
pub use projections::SqliteTx;
pub use store::SqliteStore;

/// The driver, whose connections and transactions are in the interface of this crate.
pub use sqlx;

/// The program in the README, which is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
