//! PostgreSQL storage for Highwater.
//!
//! [`PgStore`] keeps events, checkpoints, read models and sagas in one database, in a schema of its
//! own. Positions are given under a lock that an append holds until its commit, so that their
//! order is the order in which commits became visible: whoever reads on from the last position
//! misses nothing. The lock is taken and released within one call of a database function; a client
//! that stalls cannot hold it. Appends that arrive while a call is under way share the next one.
//!
//! Read models of users live in the same database: [`PgTx::conn`] gives a projection the
//! transaction in which its checkpoint moves, and
//! [`append_and_commit`](PgStore::append_and_commit) appends within a transaction of the user.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod database;
mod events;
mod options;
mod projections;
mod sagas;
mod store;

pub use options::PgOptions;
pub use projections::PgTx;
pub use store::PgStore;

/// The driver, whose connections and transactions are in the interface of this crate.
pub use sqlx;

/// The program in the README, which is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
