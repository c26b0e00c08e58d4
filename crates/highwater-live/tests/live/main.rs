//! The live hub from outside: over HTTP, with bytes that clients may send.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod codecs;
mod event_source;
mod greedy;
mod hub;
mod join;
mod limits;
mod long_polling;
mod outages;
mod projections;
mod resubscribing;
mod slow;
mod support;
