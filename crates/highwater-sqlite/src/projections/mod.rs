//! Read models and the checkpoints that commit with them.

pub(crate) mod checkpoint_store;
pub(crate) mod checkpoints;
pub(crate) mod dead_letters;
pub(crate) mod documents;
pub(crate) mod leases;
pub(crate) mod store;

pub use store::SqliteTx;
