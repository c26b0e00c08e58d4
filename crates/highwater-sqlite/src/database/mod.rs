//! The database: its connections, its schema, its errors.

pub(crate) mod calls;
pub(crate) mod code;
pub(crate) mod connections;
pub(crate) mod error;
pub(crate) mod identity;
pub(crate) mod insert;
pub(crate) mod write;

pub use write::SqliteWrite;
