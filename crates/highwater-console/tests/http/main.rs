//! The console as its clients see it: through the router.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod health;
mod problems;
mod projections;
mod sagas;
mod streams;
mod support;
