//! Read models and the checkpoints that commit with them.

pub(crate) mod checkpoint_store;
pub(crate) mod row;
pub(crate) mod store;
pub(crate) mod tx;

pub use tx::PgTx;
