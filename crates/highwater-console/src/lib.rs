//! HTTP routers for Highwater: streams, projections, sagas, health.
//!
//! Everything is read from the store and asked of the store, so that a console works from any
//! process: the one that runs the projections, another one, or none. Mount it beside the routes
//! of an application:
//!
//! ```
//! # use std::sync::Arc;
//! # use highwater_console::Console;
//! # use highwater_core::{CheckpointStore, EventStore};
//! # fn mount(events: Arc<dyn EventStore>, checkpoints: Arc<dyn CheckpointStore>) {
//! let console = Console::new(events, checkpoints, Vec::new());
//! let app = axum::Router::new()
//!     .route("/hello", axum::routing::get(|| async { "hello" }))
//!     .merge(console.routes());
//! let app = highwater_console::finish(app);
//! # let _: axum::Router = app;
//! # }
//! ```
//!
//! | route | |
//! |---|---|
//! | `GET /api/projections` | what is registered here, with its status |
//! | `GET /api/projections/checkpoints` | every checkpoint in the store |
//! | `POST /api/projections/{name}/rebuild` | asks for a rebuild |
//! | `GET /api/projections/{name}/dead-letters` | events set aside, by offset |
//! | `GET /api/streams/{stream}/events` | reads events, from an offset on |
//! | `POST /api/streams/{stream}/events` | appends events, atomically |
//! | `/api/streams/events?stream=` | the same two, for names that cannot stand in a path: `.`, `..` |
//! | `GET /api/sagas` | searches sagas, newest first |
//! | `GET /api/sagas/{id}/status` | how a saga stands |
//! | `POST /api/sagas/{id}/{request}` | asks it to `cancel`, `pause`, `resume`, `retry` or `skip` |
//! | `GET /health` | 200 when healthy or degraded, 503 when not |
//!
//! Sagas have routes where the console was given their [store](Console::sagas). The list takes
//! `correlationId`, `name`, `state`, `from` and `until` (times of creation, RFC 3339), `limit`
//! (100, at most 1,000) and `after`; it is `{"sagas": […], "next": …}`, and `next` is what to
//! pass as `after` for the next page, or `null`.
//!
//! What a list holds is bounded in bytes, too: where its items are large it is shorter than `limit`.
//! Follow the `Link` with `rel="next"` of events and the `next` of sagas until there is none, and
//! pass the last offset of dead letters as `after` until there are none. An answer of more than
//! 64 KiB is dropped when its client takes nothing of it for 30 seconds, and all of them together
//! hold at most 64 MiB: beyond that answers are shorter, or a 503 with `Retry-After`.
//!
//! Health names its reasons. It is degraded by lag, by a projection that nobody runs or that tries
//! again, by dead letters, and by sagas that failed, are paused with an error, or are due without
//! being taken up; unhealthy by more lag, a projection that gave up, a checkpoint beyond the end of
//! the log, and a store that takes no writes or does not answer.
//!
//! Requests that change something are refused when pages of other origins send them, see
//! [`refuse_cross_site`]; JSON is refused when some reader could not decode it, see [`JsonBody`].
//!
//! Errors are [`Problem`]s: JSON of RFC 9457. A slip is an error and not another request: where
//! there are parameters an unknown one is a 400, and an array in the place of an [`Object`] a 422.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod console;
mod health;
mod http;
mod projections;
mod sagas;
mod streams;

pub use console::Console;
pub use http::{JsonBody, Object, Problem, finish, refuse_cross_site};

/// The program in the README, which is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
