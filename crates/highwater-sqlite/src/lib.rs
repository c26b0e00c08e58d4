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

mod append;
mod checkpoint_store;
mod checkpoints;
mod code;
mod connect;
mod dead_letters;
mod documents;
mod error;
mod event_store;
mod identity;
mod insert;
mod leases;
mod options;
mod plan;
mod poll;
mod projection_store;
mod read;
mod recorded;
mod saga_batch;
mod saga_rows;
mod saga_search;
mod saga_signals;
mod saga_store;
mod sagas;
mod store;
mod write;

pub use options::{Durability, SqliteOptions};
pub use projection_store::SqliteTx;
pub use store::SqliteStore;
pub use write::SqliteWrite;

/// The driver, whose connections and transactions are in the interface of this crate.
pub use sqlx;
