//! Event streams, projections and sagas that never lose an event.
//!
//! Each part is a crate of its own; this one brings together those that its features name.

pub use highwater_core::*;

#[cfg(feature = "console")]
pub use highwater_console as console;
#[cfg(feature = "live")]
pub use highwater_live as live;
#[cfg(feature = "postgres")]
pub use highwater_postgres as postgres;
#[cfg(feature = "projection")]
pub use highwater_projection as projection;
#[cfg(feature = "saga")]
pub use highwater_saga as saga;
#[cfg(feature = "sqlite")]
pub use highwater_sqlite as sqlite;
#[cfg(feature = "testkit")]
pub use highwater_testkit as testkit;
