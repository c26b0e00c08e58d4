//! The log: appends, reads and imports.

pub(crate) mod append_and_commit;
pub(crate) mod commit;
pub(crate) mod find;
pub(crate) mod group;
pub(crate) mod import;
pub(crate) mod page;
pub(crate) mod plan;
pub(crate) mod read;
pub(crate) mod row;
pub(crate) mod store;
