//! Sagas, the leases on them, and the signals they wait for.

pub(crate) mod commit;
pub(crate) mod create;
pub(crate) mod read;
pub(crate) mod record;
pub(crate) mod row;
pub(crate) mod store;
