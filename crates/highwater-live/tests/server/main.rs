//! The server, through real sockets, by clients that mean no good.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bodies;
mod connections;
mod requests;
mod support;
