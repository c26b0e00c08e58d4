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

mod append;
mod append_and_commit;
mod checkpoint_row;
mod checkpoint_store;
mod code;
mod error;
mod event_store;
mod group;
mod held;
mod hints;
mod import;
mod log;
mod options;
mod plan;
mod projection_store;
mod read;
mod retry;
mod row;
mod saga_commit;
mod saga_create;
mod saga_reads;
mod saga_record;
mod saga_row;
mod saga_store;
mod schema;
mod sessions;
mod statements;
mod store;
mod tx;

pub use options::PgOptions;
pub use store::PgStore;
pub use tx::PgTx;

/// The driver, whose connections and transactions are in the interface of this crate.
pub use sqlx;
