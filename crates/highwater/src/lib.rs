//! Event streams, projections and sagas that never lose an event.
//!
//! Each part is a crate of its own; this one brings together those that its features name:
//!
//! | feature | |
//! |---|---|
//! | `sqlite` (default) | storage in one file |
//! | `postgres` | storage for many processes |
//! | `projection` (default) | the engine that runs views, projections and handlers |
//! | `saga` | the orchestrator of processes that finish or undo themselves |
//! | `saga-testing` | for tests: faults at every step of a saga, crashes around every write |
//! | `live` | live streams over SignalR and server-sent events |
//! | `console` | HTTP routes for streams, projections, sagas and health |
//! | `testkit` | for tests: a store in memory, laws, faults |
//!
//! What applications name is here, at the root, and in the engine's module of each feature:
//! [`EventStore`] and what it takes and gives, [`View`], [`Projection`] and [`Handler`],
//! [`Backoff`] and [`RetryPolicy`]. What only a store of one's own is written with is in
//! [`backend`].
//!
//! To begin with: the examples `smallest` and `saga`, and `docs/sagas.md` of the repository.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub use highwater_core::*;

#[doc(inline)]
pub use highwater_core::backend;

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

/// The program in the README, which is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
