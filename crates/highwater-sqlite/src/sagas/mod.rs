//! Sagas, the leases on them, and the signals they wait for.

pub(crate) mod claim;
pub(crate) mod commit;
pub(crate) mod row;
pub(crate) mod rules;
pub(crate) mod search;
pub(crate) mod signals;
pub(crate) mod store;
