//! The log: appends, reads and imports.

pub(crate) mod commit;
pub(crate) mod group;
pub(crate) mod page;
pub(crate) mod plan;
pub(crate) mod polling;
pub(crate) mod read;
pub(crate) mod row;
pub(crate) mod store;
