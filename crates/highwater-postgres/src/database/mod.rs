//! The database: its connections, its schema, its errors.

pub(crate) mod calls;
pub(crate) mod code;
pub(crate) mod connections;
pub(crate) mod error;
pub(crate) mod handle;
pub(crate) mod notifications;
pub(crate) mod pool;
pub(crate) mod retry;
pub(crate) mod schema;
pub(crate) mod sessions;
pub(crate) mod statements;
